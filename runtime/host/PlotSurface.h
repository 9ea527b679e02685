//===- PlotSurface.h - What a plot is drawn on ----------------------------===//
//
// Lines, discs and text in the plot's units, as pixels or as SVG. Of plots only.
//
//===----------------------------------------------------------------------===//
#ifndef CNN_RUNTIME_HOST_PLOTSURFACE_H
#define CNN_RUNTIME_HOST_PLOTSURFACE_H

#include "runtime/host/Canvas.h"
#include "runtime/host/File.h"

namespace cnn::host {

class PlotSurface {
public:
  virtual ~PlotSurface() = default;
  virtual void line(std::span<const Point> points, double thickness, Colour colour, bool dashed) = 0;
  virtual void disc(Point centre, double radius, Colour colour) = 0;
  /// As Canvas::text().
  virtual void text(Point place, std::string_view text, double size, Colour colour, Anchor anchor, bool bold) = 0;
};

class CanvasSurface final : public PlotSurface {
public:
  explicit CanvasSurface(Canvas &canvas) : canvas(canvas) {}
  void line(std::span<const Point> points, double thickness, Colour colour, bool dashed) override;
  void disc(Point centre, double radius, Colour colour) override;
  void text(Point place, std::string_view text, double size, Colour colour, Anchor anchor, bool bold) override;

private:
  Canvas &canvas;
};

class SvgSurface final : public PlotSurface {
public:
  SvgSurface(double width, double height);
  void line(std::span<const Point> points, double thickness, Colour colour, bool dashed) override;
  void disc(Point centre, double radius, Colour colour) override;
  void text(Point place, std::string_view text, double size, Colour colour, Anchor anchor, bool bold) override;
  /// The document.
  std::string finish() { return out + "</svg>\n"; }

private:
  std::string out;
};

} // namespace cnn::host

#endif // CNN_RUNTIME_HOST_PLOTSURFACE_H
