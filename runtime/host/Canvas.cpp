//===- Canvas.cpp - Drawing with smooth edges -----------------------------===//
//
// A shape is gathered as the coverage of each pixel, the largest over its parts (so that joints are not drawn twice),
// and then blended over the picture. Letters are strokes: the pixels of the font are points, joined to the neighbours
// that are set too; diagonals only where no corner joins them.
//
//===----------------------------------------------------------------------===//
#include "runtime/host/Canvas.h"

#include "runtime/host/Font.h"

#include <algorithm>
#include <cmath>
#include <utility>

namespace cnn::host {

double textWidth(std::string_view text, double size) {
  return text.empty() ? 0 : (static_cast<double>(text.size()) * cellWidth - 1) * size / glyphHeight;
}

Canvas::Canvas(int height, int width, Colour background)
    : picture(Image::filled(height, width, 3, 255)), coverage(static_cast<size_t>(height) * static_cast<size_t>(width)),
      dirtyLeft(width), dirtyTop(height) {
  rectangle(0, 0, width, height, background);
}

void Canvas::rectangle(double left, double top, double right, double bottom, Colour colour) {
  const int fromY = std::max(0, static_cast<int>(std::floor(top)));
  const int toY = std::min(picture.height, static_cast<int>(std::ceil(bottom)));
  const int fromX = std::max(0, static_cast<int>(std::floor(left)));
  const int toX = std::min(picture.width, static_cast<int>(std::ceil(right)));
  for (int y = fromY; y < toY; ++y)
    for (int x = fromX; x < toX; ++x) {
      const double part = (std::min(bottom, y + 1.0) - std::max(top, double(y))) *
                          (std::min(right, x + 1.0) - std::max(left, double(x)));
      coverage[static_cast<size_t>(y) * picture.width + x] = static_cast<float>(std::clamp(part, 0.0, 1.0));
    }
  dirtyTop = fromY, dirtyBottom = toY, dirtyLeft = fromX, dirtyRight = toX;
  blend(colour);
}

/// Adds a segment with round ends to the coverage.
void Canvas::cover(Point from, Point to, double radius) {
  const double reach = radius + 1;
  if (!(std::abs(from.x) < 1e6 && std::abs(from.y) < 1e6 && std::abs(to.x) < 1e6 && std::abs(to.y) < 1e6))
    return;
  const int fromY = std::max(0, static_cast<int>(std::floor(std::min(from.y, to.y) - reach)));
  const int toY = std::min(picture.height, static_cast<int>(std::ceil(std::max(from.y, to.y) + reach)));
  const int fromX = std::max(0, static_cast<int>(std::floor(std::min(from.x, to.x) - reach)));
  const int toX = std::min(picture.width, static_cast<int>(std::ceil(std::max(from.x, to.x) + reach)));
  if (fromY >= toY || fromX >= toX)
    return;
  const double dx = to.x - from.x, dy = to.y - from.y, squared = dx * dx + dy * dy;
  for (int y = fromY; y < toY; ++y)
    for (int x = fromX; x < toX; ++x) {
      const double px = x + 0.5 - from.x, py = y + 0.5 - from.y;
      const double along = squared > 0 ? std::clamp((px * dx + py * dy) / squared, 0.0, 1.0) : 0;
      const double distance = std::hypot(px - along * dx, py - along * dy);
      const double part = std::clamp(radius + 0.5 - distance, 0.0, std::min(1.0, 2 * radius));
      float &covered = coverage[static_cast<size_t>(y) * picture.width + x];
      covered = std::max(covered, static_cast<float>(part));
    }
  dirtyTop = std::min(dirtyTop, fromY), dirtyBottom = std::max(dirtyBottom, toY);
  dirtyLeft = std::min(dirtyLeft, fromX), dirtyRight = std::max(dirtyRight, toX);
}

/// Puts the colour where the shape is, and forgets the shape.
void Canvas::blend(Colour colour) {
  const uint8_t channels[3] = {colour.red, colour.green, colour.blue};
  for (int y = dirtyTop; y < dirtyBottom; ++y)
    for (int x = dirtyLeft; x < dirtyRight; ++x) {
      const float part = std::exchange(coverage[static_cast<size_t>(y) * picture.width + x], 0.0F);
      if (part == 0)
        continue;
      uint8_t *pixel = picture.at(y, x);
      for (int c = 0; c < 3; ++c)
        pixel[c] = static_cast<uint8_t>(std::lround(pixel[c] + (float(channels[c]) - float(pixel[c])) * part));
    }
  dirtyTop = picture.height, dirtyLeft = picture.width, dirtyBottom = dirtyRight = 0;
}

void Canvas::polyline(std::span<const Point> points, double thickness, Colour colour, double dash) {
  const double radius = thickness / 2;
  if (points.size() == 1)
    cover(points[0], points[0], radius);
  double walked = 0; // since the first point
  for (size_t i = 1; i < points.size(); ++i) {
    const Point from = points[i - 1], to = points[i];
    if (dash <= 0) {
      cover(from, to, radius);
      continue;
    }
    const double length = std::hypot(to.x - from.x, to.y - from.y);
    if (!(length < 1e6))
      continue;
    auto pointAt = [&](double distance) {
      const double part = length > 0 ? distance / length : 0;
      return Point{from.x + (to.x - from.x) * part, from.y + (to.y - from.y) * part};
    };
    for (double done = 0; done < length;) {
      const double phase = std::fmod(walked + done, 2 * dash);
      const double rest = std::max(1e-6, (phase < dash ? dash : 2 * dash) - phase);
      const double next = std::min(length, done + rest);
      if (phase < dash)
        cover(pointAt(done), pointAt(next), radius);
      done = next;
    }
    walked += length;
  }
  blend(colour);
}

void Canvas::disc(Point centre, double radius, Colour colour) {
  cover(centre, centre, radius);
  blend(colour);
}

void Canvas::text(Point anchorPoint, std::string_view text, double size, Colour colour, Anchor anchor, bool bold,
                  bool upward) {
  const double unit = size / glyphHeight;
  const double width = textWidth(text, size);
  const double start = anchor == Anchor::Start ? 0 : anchor == Anchor::Middle ? -width / 2 : -width;
  const double radius = std::max(0.5, unit * (bold ? 0.72 : 0.52));
  for (size_t i = 0; i < text.size(); ++i) {
    const uint8_t *glyph = glyphOf(text[i]);
    auto isSet = [&](int row, int column) {
      return row >= 0 && row < glyphHeight && column >= 0 && column < glyphWidth && glyphPixel(glyph, row, column);
    };
    // The middle of a font pixel, along the line of text and above its baseline, turned where the text runs upward.
    auto place = [&](int row, int column) {
      const double along = start + (static_cast<double>(i) * cellWidth + column + 0.5) * unit;
      const double above = (glyphHeight - row - 0.5) * unit;
      return upward ? Point{anchorPoint.x - above, anchorPoint.y - along}
                    : Point{anchorPoint.x + along, anchorPoint.y - above};
    };
    for (int row = 0; row < glyphHeight; ++row)
      for (int column = 0; column < glyphWidth; ++column) {
        if (!isSet(row, column))
          continue;
        const Point here = place(row, column);
        cover(here, here, radius);
        if (isSet(row, column + 1))
          cover(here, place(row, column + 1), radius);
        if (isSet(row + 1, column))
          cover(here, place(row + 1, column), radius);
        if (isSet(row + 1, column + 1) && !isSet(row, column + 1) && !isSet(row + 1, column))
          cover(here, place(row + 1, column + 1), radius);
        if (isSet(row + 1, column - 1) && !isSet(row, column - 1) && !isSet(row + 1, column))
          cover(here, place(row + 1, column - 1), radius);
      }
  }
  blend(colour);
}

} // namespace cnn::host
