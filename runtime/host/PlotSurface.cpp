//===- PlotSurface.cpp - What a plot is drawn on --------------------------===//
//
// SVG text is told how wide it is, so that the layout fits whatever font the viewer has.
//
//===----------------------------------------------------------------------===//
#include "runtime/host/PlotSurface.h"

#include <algorithm>
#include <cmath>
#include <iterator>

namespace cnn::host {
namespace {

constexpr double dashLength = 6;

std::string colourText(Colour colour) {
  return fmt::format("#{:02x}{:02x}{:02x}", colour.red, colour.green, colour.blue);
}

/// Printable ASCII with the signs of XML escaped; others as '?', as our font shows them.
std::string escaped(std::string_view text) {
  std::string result;
  for (char c : text) {
    if (c == '&')
      result += "&amp;";
    else if (c == '<')
      result += "&lt;";
    else if (c == '>')
      result += "&gt;";
    else if (c == '"')
      result += "&quot;";
    else
      result += c >= 32 && c <= 126 ? c : '?';
  }
  return result;
}

} // namespace

void CanvasSurface::line(std::span<const Point> points, double thickness, Colour colour, bool dashed) {
  // Thin straight lines look sharp on whole pixels only.
  if (points.size() == 2 && thickness <= 1.5) {
    Point from = points[0], to = points[1];
    if (from.y == to.y) {
      const double y = std::floor(from.y);
      return canvas.rectangle(from.x, y, to.x, y + 1, colour);
    }
    if (from.x == to.x && !dashed) {
      const double x = std::floor(from.x);
      return canvas.rectangle(x, std::min(from.y, to.y), x + 1, std::max(from.y, to.y), colour);
    }
  }
  canvas.polyline(points, thickness, colour, dashed ? dashLength : 0);
}

void CanvasSurface::disc(Point centre, double radius, Colour colour) { canvas.disc(centre, radius, colour); }

void CanvasSurface::text(Point place, std::string_view text, double size, Colour colour, Anchor anchor, bool bold) {
  canvas.text(place, text, size, colour, anchor, bold);
}

SvgSurface::SvgSurface(double width, double height)
    : out(fmt::format(
          "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {0:g} {1:g}\" width=\"{0:g}\" height=\"{1:g}\" "
          "font-family=\"'DejaVu Sans', Verdana, sans-serif\">\n"
          "<rect width=\"{0:g}\" height=\"{1:g}\" fill=\"#ffffff\"/>\n",
          width, height)) {}

void SvgSurface::line(std::span<const Point> points, double thickness, Colour colour, bool dashed) {
  out += "<polyline points=\"";
  for (size_t i = 0; i < points.size(); ++i)
    fmt::format_to(std::back_inserter(out), "{}{:.2f},{:.2f}", i ? " " : "", points[i].x, points[i].y);
  fmt::format_to(std::back_inserter(out),
                 "\" fill=\"none\" stroke=\"{}\" stroke-width=\"{:g}\" stroke-linejoin=\"round\"{}/>\n",
                 colourText(colour), thickness,
                 dashed ? fmt::format(" stroke-dasharray=\"{0:g} {0:g}\"", dashLength) : " stroke-linecap=\"round\"");
}

void SvgSurface::disc(Point centre, double radius, Colour colour) {
  fmt::format_to(std::back_inserter(out), "<circle cx=\"{:.2f}\" cy=\"{:.2f}\" r=\"{:g}\" fill=\"{}\"/>\n", centre.x,
                 centre.y, radius, colourText(colour));
}

void SvgSurface::text(Point place, std::string_view text, double size, Colour colour, Anchor anchor, bool bold) {
  if (text.empty())
    return;
  const char *side = anchor == Anchor::Start ? "start" : anchor == Anchor::Middle ? "middle" : "end";
  // Capitals are 0.73 of the font's size in DejaVu Sans.
  fmt::format_to(std::back_inserter(out),
                 "<text x=\"{:.2f}\" y=\"{:.2f}\" font-size=\"{:.1f}\" fill=\"{}\" text-anchor=\"{}\" "
                 "textLength=\"{:.1f}\" lengthAdjust=\"spacingAndGlyphs\"{}>{}</text>\n",
                 place.x, place.y, size / 0.73, colourText(colour), side, textWidth(text, size),
                 bold ? " font-weight=\"bold\"" : "", escaped(text));
}

} // namespace cnn::host
