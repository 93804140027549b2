#ifndef LETHE_BENCH_TEARDOWN_SVG_H_
#define LETHE_BENCH_TEARDOWN_SVG_H_

#include <string>
#include <vector>

#include "absl/strings/string_view.h"

namespace lethe::bench {

struct TextStyle {
  double size = 12;
  absl::string_view colour = "#52606d";
  absl::string_view anchor = "start";
  bool bold = false;
};

struct Stroke {
  absl::string_view colour;
  double width = 1;
  bool dashed = false;
};

struct Position {
  double x = 0;
  double y = 0;
};

// A drawing, element by element, in the order in which they cover each other.
class Svg {
 public:
  Svg(double width, double height, absl::string_view title);

  void Text(Position at, absl::string_view text, const TextStyle& style);
  void Line(Position from, Position to, const Stroke& stroke);
  void Path(const std::vector<Position>& points, const Stroke& stroke);
  void Box(Position corner, double width, double height, absl::string_view fill,
           double opacity = 1);
  void Dot(Position centre, double radius, absl::string_view fill);

  // The whole document.
  std::string Finish() const;

 private:
  std::string body_;
};

}  // namespace lethe::bench

#endif  // LETHE_BENCH_TEARDOWN_SVG_H_
