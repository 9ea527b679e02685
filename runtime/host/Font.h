//===- Font.h - The letters of pictures -----------------------------------===//
//
// A 5x7 font of our own for printable ASCII, in cells of 6x8.
//
//===----------------------------------------------------------------------===//
#ifndef CNN_RUNTIME_HOST_FONT_H
#define CNN_RUNTIME_HOST_FONT_H

#include <cstdint>

namespace cnn::host {

constexpr int glyphWidth = 5, glyphHeight = 7, cellWidth = 6, cellHeight = 8;

/// A byte a column from the left, the least significant bit on top; what is not printable ASCII looks like '?'.
const uint8_t *glyphOf(char letter);

inline bool glyphPixel(const uint8_t *glyph, int row, int column) { return (glyph[column] >> row & 1) != 0; }

} // namespace cnn::host

#endif // CNN_RUNTIME_HOST_FONT_H
