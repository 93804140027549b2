#include "bench/teardown/chart.h"

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <vector>

#include "absl/strings/str_cat.h"
#include "bench/teardown/plot.h"
#include "bench/teardown/results_json.h"
#include "bench/teardown/svg.h"
#include "bench/teardown/table.h"

namespace lethe::bench {
namespace {

constexpr double kWidth = 1240;
constexpr double kHeight = 900;
constexpr double kMargin = 44;
constexpr double kPlotWidth = 550;
constexpr double kPlotHeight = 350;
constexpr double kFirstPlots = 152;
constexpr double kSecondPlots = kFirstPlots + kPlotHeight + 30;
constexpr double kLegend = 112;
constexpr double kGibibyte = 1 << 30;
constexpr std::size_t kCurvePoints = 300;

constexpr char kInk[] = "#1f2933";
constexpr char kFaint[] = "#7b8794";

std::string ColourOf(const Subject& subject) {
  if (subject.vmm == "qemu") return subject.mode == "exit" ? "#7b8794" : "#9a6cc9";
  return subject.mode == "sync" ? "#d9480f" : subject.mode == "lazy" ? "#0b7285" : "#2b8a3e";
}

// The unit in which times up to `largest` seconds are shown.
struct TimeUnit {
  double per_second;
  const char* name;
};
TimeUnit UnitFor(double largest) {
  return largest < 1 ? TimeUnit{1000, "milliseconds"} : TimeUnit{1, "seconds"};
}

class Chart {
 public:
  explicit Chart(const Results& results) : results_(results) {
    for (const Row& row : results.rows) {
      if (row.rounds.empty()) continue;
      rounds_ = std::max(rounds_, row.rounds.size());
      largest_size_ = std::max(largest_size_, row.subject.size);
      if (row.subject.vmm != "lethe") continue;
      largest_cost_ = std::max(largest_cost_, row.subject.uvc_cost);
      smallest_cost_ = std::min(smallest_cost_, row.subject.uvc_cost);
    }
  }

  std::string Draw() {
    const double second = kWidth - kMargin - kPlotWidth;
    svg_.Text({kMargin, 52}, "The end of a protected guest, lazily and at once",
              {25, kInk, "start", true});
    svg_.Text({kMargin, 78}, Explanation(), {13.5, kFaint});
    bench::Draw(svg_, RebootPlot(), {kMargin, kFirstPlots}, kPlotWidth, kPlotHeight);
    bench::Draw(svg_, ExitPlot(), {second, kFirstPlots}, kPlotWidth, kPlotHeight);
    bench::Draw(svg_, OwedPlot(), {kMargin, kSecondPlots}, kPlotWidth, kPlotHeight);
    bench::Draw(svg_, ProgressPlot(), {second, kSecondPlots}, kPlotWidth, kPlotHeight);
    DrawLegend();
    return svg_.Finish();
  }

 private:
  std::string Explanation() const {
    return absl::StrCat(
        "Every guest has written to all of its memory. ",
        rounds_ == 1 ? "One round" : absl::StrCat("Medians of ", rounds_, " rounds"),
        "; curves over time: one round, ", SizeText(largest_size_), ", ", CallText(largest_cost_),
        ".");
  }

  static std::string CallText(std::chrono::nanoseconds cost) {
    return cost.count() == 0 ? "Ultravisor calls at no extra cost"
                             : absl::StrCat(Micro(CostText(cost)), " per Ultravisor call");
  }

  static std::string Micro(const std::string& text) {
    const std::size_t at = text.find("us");
    return at == std::string::npos ? text : absl::StrCat(text.substr(0, at), "\u00b5s");
  }

  bool costs_differ() const { return smallest_cost_ < largest_cost_; }

  void DrawLegend() {
    const double y = kLegend;
    double x = kMargin;
    const auto entry = [&](const char* colour, bool dashed, const std::string& text) {
      svg_.Line({x, y - 4}, {x + 26, y - 4}, {colour, 2.5, dashed});
      svg_.Text({x + 33, y}, text, {12.5, kInk});
      x += 33 + 6.6 * static_cast<double>(text.size()) + 26;
    };
    const auto drawn = [this](const char* vmm, const char* mode) {
      return std::any_of(results_.rows.begin(), results_.rows.end(), [&](const Row& row) {
        return !row.rounds.empty() && row.subject.vmm == vmm && row.subject.mode == mode;
      });
    };
    const auto subject = [&](const char* vmm, const char* mode, const std::string& text) {
      if (drawn(vmm, mode)) entry(ColourOf({vmm, mode}).c_str(), false, text);
    };
    subject("lethe", "lazy", "lazy: in the background");
    subject("lethe", "sync", "sync: at once");
    subject("lethe", "auto", "auto: as the policy decides");
    subject("qemu", "exit", "QEMU (TCG), ordinary guest");
    subject("qemu", "async-teardown", "the same, async-teardown");
    if (costs_differ()) {
      entry(kInk, false, absl::StrCat(Micro(CostText(largest_cost_)), " a call"));
      entry(kInk, true,
            smallest_cost_.count() == 0 ? "calls for free"
                                        : absl::StrCat(Micro(CostText(smallest_cost_)), " a call"));
    }
  }

  // A curve over the sizes for each subject that has the value.
  using Value = std::function<std::optional<double>(const Row&)>;
  Plot SizePlot(const Value& value) const {
    Plot plot;
    double largest = 0;
    for (const Row& row : results_.rows)
      if (!row.rounds.empty()) largest = std::max(largest, value(row).value_or(0));
    const TimeUnit unit = UnitFor(largest);
    plot.x =
        AxisUpTo(static_cast<double>(largest_size_) / kGibibyte, 4, "memory of the guest, GiB");
    // To the largest guest, which is no round number.
    if (largest_size_ != 0) plot.x.end = static_cast<double>(largest_size_) / kGibibyte;
    plot.y = AxisUpTo(largest * unit.per_second, 4, unit.name);
    for (const Row& row : results_.rows) {
      const auto median = row.rounds.empty() ? std::nullopt : value(row);
      if (!median) continue;
      const double size = static_cast<double>(row.subject.size) / kGibibyte;
      if (std::find(plot.x_ticks.begin(), plot.x_ticks.end(), size) == plot.x_ticks.end())
        plot.x_ticks.push_back(size);
      Curve& curve = CurveOf(plot, row.subject);
      curve.points.push_back({size, *median * unit.per_second});
      curve.label = absl::StrCat(NameOf(row.subject), " ", Micro(SecondsText(*median)));
    }
    for (Curve& curve : plot.curves)
      std::sort(curve.points.begin(), curve.points.end(),
                [](const Point& one, const Point& other) { return one.seconds < other.seconds; });
    return plot;
  }

  static std::string NameOf(const Subject& subject) {
    if (subject.vmm == "lethe") return subject.mode;
    return subject.mode == "exit" ? "QEMU" : "QEMU async";
  }

  Curve& CurveOf(Plot& plot, const Subject& subject) const {
    const std::string colour = ColourOf(subject);
    const bool dashed =
        subject.vmm == "lethe" && costs_differ() && subject.uvc_cost != largest_cost_;
    for (Curve& curve : plot.curves)
      if (curve.colour == colour && curve.dashed == dashed) return curve;
    plot.curves.push_back({{}, colour, dashed, true, ""});
    return plot.curves.back();
  }

  Plot RebootPlot() const {
    Plot plot = SizePlot([](const Row& row) -> std::optional<double> {
      if (!row.rounds.front().reboot) return std::nullopt;
      return MedianOf(row, [](const Round& round) { return round.reboot->pause; });
    });
    plot.title = "Reboot";
    plot.subtitle = "pause: from the guest's request until the new guest runs";
    return plot;
  }

  Plot ExitPlot() const {
    Plot plot = SizePlot([](const Row& row) -> std::optional<double> {
      return MedianOf(row, [](const Round& round) { return round.end.exit; });
    });
    plot.title = "Power-off";
    plot.subtitle = "from the request until the process has ended";
    return plot;
  }

  // The last round of the largest guest with the largest cost; null: there is none.
  const Round* LastRound(const char* mode) const {
    const Row* const row = Find(results_, {"lethe", mode, largest_size_, largest_cost_});
    return row == nullptr ? nullptr : &row->rounds.back();
  }

  static std::vector<Point> Scaled(const Series& series, double from, double to, double unit) {
    Series part;
    for (const Point& point : series)
      if (point.seconds >= from && point.seconds <= to)
        part.push_back({point.seconds * unit, point.value / kGibibyte});
    return Thinned(part, kCurvePoints);
  }

  Plot OwedPlot() const {
    Plot plot;
    plot.title = "Memory owed after a power-off";
    plot.subtitle = "until it is clean and back with the host; the dot: the process has ended";
    double end = 0;
    for (const char* const mode : {"sync", "lazy"})
      if (const Round* const round = LastRound(mode)) end = std::max(end, round->end.released);
    const TimeUnit unit = UnitFor(end);
    plot.x = AxisUpTo(end * unit.per_second, 6, absl::StrCat(unit.name, " since the request"));
    plot.y = AxisUpTo(static_cast<double>(largest_size_) / kGibibyte, 4, "GiB");
    for (const char* const mode : {"sync", "lazy"}) {
      const Round* const round = LastRound(mode);
      if (round == nullptr) continue;
      const EndTimes& times = round->end;
      Curve curve{Scaled(times.owed, 0, times.released, unit.per_second),
                  ColourOf({"lethe", mode})};
      Point at{times.exit * unit.per_second, 0};
      for (const Point& point : curve.points)
        if (point.seconds <= at.seconds) at.value = point.value;
      curve.mark = Mark{at, absl::StrCat(mode, ": ", Micro(SecondsText(times.exit)))};
      plot.curves.push_back(std::move(curve));
    }
    return plot;
  }

  Plot ProgressPlot() const {
    Plot plot;
    plot.title = "The new guest's work after a reboot";
    plot.subtitle = "memory that it has worked through, written to and summed up";
    double end = 0;
    double most = 0;
    for (const char* const mode : {"sync", "lazy"}) {
      const Round* const round = LastRound(mode);
      if (round == nullptr || !round->reboot || round->reboot->progress.empty()) continue;
      end = std::max(end, round->reboot->progress.back().seconds);
      most = std::max(most, round->reboot->progress.back().value);
    }
    const TimeUnit unit = UnitFor(end);
    plot.x = AxisUpTo(end * unit.per_second, 6,
                      absl::StrCat(unit.name, " since the old guest's request"));
    plot.y = AxisUpTo(most / kGibibyte, 4, "GiB");
    for (const char* const mode : {"sync", "lazy"}) {
      const Round* const round = LastRound(mode);
      if (round == nullptr || !round->reboot) continue;
      const RebootTimes& times = *round->reboot;
      Curve curve{Scaled(times.progress, 0, end, unit.per_second), ColourOf({"lethe", mode})};
      curve.label = mode;
      plot.curves.push_back(std::move(curve));
      if (times.clean_begin && times.clean_end)
        plot.bands.push_back({*times.clean_begin * unit.per_second,
                              *times.clean_end * unit.per_second, ColourOf({"lethe", mode}),
                              "old guest is being cleaned"});
    }
    return plot;
  }

  const Results& results_;
  Svg svg_{kWidth, kHeight, "The end of a protected guest, lazily and at once"};
  std::size_t rounds_ = 0;
  std::uint64_t largest_size_ = 0;
  std::chrono::nanoseconds largest_cost_{0};
  std::chrono::nanoseconds smallest_cost_ = std::chrono::nanoseconds::max();
};

}  // namespace

std::string ToChart(const Results& results) { return Chart(results).Draw(); }

}  // namespace lethe::bench
