#ifndef LETHE_BENCH_TEARDOWN_PLOT_H_
#define LETHE_BENCH_TEARDOWN_PLOT_H_

#include <optional>
#include <string>
#include <vector>

#include "bench/teardown/results.h"
#include "bench/teardown/svg.h"

namespace lethe::bench {

// A linear axis from zero, with round numbers at its ticks.
struct Axis {
  double end = 1;
  double step = 1;
  std::string title;
};
// `largest`: what has to fit; `ticks`: how many there are about.
Axis AxisUpTo(double largest, int ticks, std::string title);

struct Mark {
  Point at;
  std::string label;
};

struct Curve {
  std::vector<Point> points;
  std::string colour;
  bool dashed = false;
  bool dots = false;                        // at each point
  std::string label = {};                   // beside its end
  std::optional<Mark> mark = std::nullopt;  // a dot with a word to it
};

// A band of the horizontal axis, with its name at its top.
struct Band {
  double from = 0;
  double to = 0;
  std::string colour;
  std::string label;
};

struct Plot {
  std::string title;
  std::string subtitle;
  Axis x;
  Axis y;
  std::vector<double> x_ticks;  // empty: as the axis has them
  std::vector<Band> bands;
  std::vector<Curve> curves;
};

// `corner`: upper left of all that belongs to the plot, `width` and `height` of it.
void Draw(Svg& svg, const Plot& plot, Position corner, double width, double height);

}  // namespace lethe::bench

#endif  // LETHE_BENCH_TEARDOWN_PLOT_H_
