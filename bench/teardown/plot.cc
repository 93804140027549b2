#include "bench/teardown/plot.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"

namespace lethe::bench {
namespace {

constexpr char kInk[] = "#1f2933";
constexpr char kFaint[] = "#7b8794";
constexpr char kGrid[] = "#e4e7eb";

// Around the plotting area.
constexpr double kAbove = 76;
constexpr double kBelow = 46;
constexpr double kLeft = 46;
constexpr double kRight = 128;  // labels of the curves
constexpr double kLabelHeight = 15;

std::string TickText(double value) { return absl::StrFormat("%.4g", value); }

class Painter {
 public:
  Painter(Svg& svg, const Plot& plot, Position corner, double width, double height)
      : svg_(svg),
        plot_(plot),
        corner_(corner),
        left_(corner.x + kLeft),
        right_(corner.x + width - kRight),
        top_(corner.y + kAbove),
        bottom_(corner.y + height - kBelow) {}

  void Paint() {
    svg_.Text({corner_.x, corner_.y + 16}, plot_.title, {17, kInk, "start", true});
    svg_.Text({corner_.x, corner_.y + 35}, plot_.subtitle, {12.5, kFaint});
    for (const Band& band : plot_.bands) PaintBand(band);
    PaintAxes();
    for (const Curve& curve : plot_.curves) PaintCurve(curve);
    for (const Curve& curve : plot_.curves) PaintMark(curve);
    PaintLabels();
  }

 private:
  Position At(const Point& point) const {
    return {left_ + (right_ - left_) * std::min(point.seconds / plot_.x.end, 1.0),
            bottom_ - (bottom_ - top_) * std::min(point.value / plot_.y.end, 1.0)};
  }

  void PaintBand(const Band& band) {
    const double from = At({band.from, 0}).x;
    const double to = At({band.to, 0}).x;
    svg_.Box({from, top_}, to - from, bottom_ - top_, band.colour, 0.09);
    svg_.Text({from + 6, top_ + 14}, band.label, {11.5, band.colour});
  }

  void PaintAxes() {
    for (double value = 0; value <= plot_.y.end * 1.0001; value += plot_.y.step) {
      const double y = At({0, value}).y;
      svg_.Line({left_, y}, {right_, y}, {value == 0 ? kFaint : kGrid, 1});
      svg_.Text({left_ - 8, y + 4}, TickText(value), {12, kFaint, "end"});
    }
    std::vector<double> ticks = plot_.x_ticks;
    if (ticks.empty())
      for (double value = 0; value <= plot_.x.end * 1.0001; value += plot_.x.step)
        ticks.push_back(value);
    for (const double value : ticks) {
      const double x = At({value, 0}).x;
      svg_.Line({x, bottom_}, {x, bottom_ + 4}, {kFaint, 1});
      svg_.Text({x, bottom_ + 18}, TickText(value), {12, kFaint, "middle"});
    }
    svg_.Text({corner_.x, top_ - 12}, plot_.y.title, {12, kFaint});
    svg_.Text({(left_ + right_) / 2, bottom_ + 38}, plot_.x.title, {12, kFaint, "middle"});
  }

  void PaintCurve(const Curve& curve) {
    std::vector<Position> path;
    for (const Point& point : curve.points) path.push_back(At(point));
    svg_.Path(path, {curve.colour, 2.5, curve.dashed});
    if (!curve.dots) return;
    for (const Position& position : path) svg_.Dot(position, 4.5, curve.colour);
  }

  void PaintMark(const Curve& curve) {
    if (!curve.mark) return;
    const Position at = At(curve.mark->at);
    const bool is_left = at.x < (left_ + right_) / 2;
    svg_.Dot(at, 6, curve.colour);
    svg_.Text({at.x + (is_left ? 4 : -4), at.y - 11}, curve.mark->label,
              {12.5, curve.colour, is_left ? "start" : "end", true});
  }

  // Beside the ends of their curves, moved apart where these meet.
  void PaintLabels() {
    struct Label {
      double y;
      const Curve* curve;
    };
    std::vector<Label> labels;
    for (const Curve& curve : plot_.curves)
      if (!curve.label.empty() && !curve.points.empty())
        labels.push_back({At(curve.points.back()).y, &curve});
    std::sort(labels.begin(), labels.end(),
              [](const Label& one, const Label& other) { return one.y < other.y; });
    for (std::size_t i = 1; i < labels.size(); ++i)
      labels[i].y = std::max(labels[i].y, labels[i - 1].y + kLabelHeight);
    double limit = bottom_ + 2;
    for (std::size_t i = labels.size(); i > 0; --i) {
      labels[i - 1].y = std::min(labels[i - 1].y, limit);
      limit = labels[i - 1].y - kLabelHeight;
    }
    for (const Label& label : labels) {
      const double x = At(label.curve->points.back()).x + 10;
      svg_.Text({x, label.y + 4}, label.curve->label,
                {12.5, label.curve->colour, "start", !label.curve->dashed});
    }
  }

  Svg& svg_;
  const Plot& plot_;
  const Position corner_;
  const double left_;
  const double right_;
  const double top_;
  const double bottom_;
};

}  // namespace

Axis AxisUpTo(double largest, int ticks, std::string title) {
  if (!(largest > 0)) largest = 1;
  const double rough = largest / ticks;
  const double power = std::pow(10, std::floor(std::log10(rough)));
  double step = 10 * power;
  for (const double round : {1.0, 2.0, 2.5, 5.0}) {
    if (round * power < rough) continue;
    step = round * power;
    break;
  }
  return {std::ceil(largest / step * 0.9999) * step, step, std::move(title)};
}

void Draw(Svg& svg, const Plot& plot, Position corner, double width, double height) {
  Painter(svg, plot, corner, width, height).Paint();
}

}  // namespace lethe::bench
