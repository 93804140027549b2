#include "bench/teardown/svg.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_replace.h"

namespace lethe::bench {
namespace {

std::string Escaped(absl::string_view text) {
  return absl::StrReplaceAll(text,
                             {{"&", "&amp;"}, {"<", "&lt;"}, {">", "&gt;"}, {"\"", "&quot;"}});
}

std::string Attributes(const Stroke& stroke) {
  return absl::StrFormat("stroke=\"%s\" stroke-width=\"%.4g\"%s", stroke.colour, stroke.width,
                         stroke.dashed ? " stroke-dasharray=\"6 4\"" : "");
}

}  // namespace

Svg::Svg(double width, double height, absl::string_view title) {
  absl::StrAppendFormat(
      &body_,
      "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%.0f\" height=\"%.0f\" "
      "viewBox=\"0 0 %.0f %.0f\" role=\"img\" "
      "font-family=\"Inter, 'Helvetica Neue', Helvetica, Arial, 'Liberation Sans', sans-serif\">\n"
      "<title>%s</title>\n"
      "<rect width=\"100%%\" height=\"100%%\" fill=\"#ffffff\"/>\n",
      width, height, width, height, Escaped(title));
}

void Svg::Text(Position at, absl::string_view text, const TextStyle& style) {
  absl::StrAppendFormat(
      &body_,
      "<text x=\"%.1f\" y=\"%.1f\" font-size=\"%.4g\" fill=\"%s\" text-anchor=\"%s\"%s>%s</text>\n",
      at.x, at.y, style.size, style.colour, style.anchor, style.bold ? " font-weight=\"600\"" : "",
      Escaped(text));
}

void Svg::Line(Position from, Position to, const Stroke& stroke) {
  absl::StrAppendFormat(&body_, "<line x1=\"%.1f\" y1=\"%.1f\" x2=\"%.1f\" y2=\"%.1f\" %s/>\n",
                        from.x, from.y, to.x, to.y, Attributes(stroke));
}

void Svg::Path(const std::vector<Position>& points, const Stroke& stroke) {
  if (points.empty()) return;
  std::string list;
  for (const Position& point : points)
    absl::StrAppendFormat(&list, "%s%.1f,%.1f", list.empty() ? "" : " ", point.x, point.y);
  absl::StrAppendFormat(
      &body_,
      "<polyline points=\"%s\" fill=\"none\" stroke-linejoin=\"round\" stroke-linecap=\"round\" "
      "%s/>\n",
      list, Attributes(stroke));
}

void Svg::Box(Position corner, double width, double height, absl::string_view fill,
              double opacity) {
  absl::StrAppendFormat(&body_,
                        "<rect x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%.1f\" fill=\"%s\" "
                        "fill-opacity=\"%.3g\"/>\n",
                        corner.x, corner.y, width, height, fill, opacity);
}

void Svg::Dot(Position centre, double radius, absl::string_view fill) {
  absl::StrAppendFormat(&body_,
                        "<circle cx=\"%.1f\" cy=\"%.1f\" r=\"%.4g\" fill=\"%s\" stroke=\"#ffffff\" "
                        "stroke-width=\"1.5\"/>\n",
                        centre.x, centre.y, radius, fill);
}

std::string Svg::Finish() const { return absl::StrCat(body_, "</svg>\n"); }

}  // namespace lethe::bench
