//===- Canvas.h - Drawing with smooth edges -------------------------------===//
//
// Lines, rectangles and text on an RGB picture, with anti-aliased edges. Positions are in pixels from the top left
// corner, pixel (0, 0) covering [0, 1) x [0, 1). What leaves the picture is cut. The same calls give the same bytes.
//
//===----------------------------------------------------------------------===//
#ifndef CNN_RUNTIME_HOST_CANVAS_H
#define CNN_RUNTIME_HOST_CANVAS_H

#include "runtime/host/Image.h"

#include <span>
#include <string_view>

namespace cnn::host {

struct Colour {
  uint8_t red = 0, green = 0, blue = 0;
};

struct Point {
  double x = 0, y = 0;
};

enum class Anchor { Start, Middle, End };

/// The width of text in our font, for a height of capitals of `size` pixels: 6/7 of it a character.
double textWidth(std::string_view text, double size);

class Canvas {
public:
  Canvas(int height, int width, Colour background);

  void rectangle(double left, double top, double right, double bottom, Colour colour);
  /// Joined segments with round ends. `dash` above 0 draws dashes of that length with gaps of the same.
  void polyline(std::span<const Point> points, double thickness, Colour colour, double dash = 0);
  void disc(Point centre, double radius, Colour colour);
  /// Text whose capitals are `size` high and stand on `baseline`; `bold` has thicker strokes. Printable ASCII, others
  /// as '?'. `upward` runs from the bottom to the top, the baseline being to the right of the letters.
  void text(Point anchorPoint, std::string_view text, double size, Colour colour, Anchor anchor = Anchor::Start,
            bool bold = false, bool upward = false);

  int height() const { return picture.height; }
  int width() const { return picture.width; }
  const Image &image() const { return picture; }

private:
  void cover(Point from, Point to, double radius);
  void blend(Colour colour);

  Image picture;
  std::vector<float> coverage;                              // of the shape in the making, zero between shapes
  int dirtyLeft, dirtyTop, dirtyRight = 0, dirtyBottom = 0; // where it is not zero
};

} // namespace cnn::host

#endif // CNN_RUNTIME_HOST_CANVAS_H
