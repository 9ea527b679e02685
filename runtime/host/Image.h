//===- Image.h - Pictures: PNG and JPEG -----------------------------------===//
//
// Decodes PNG and JPEG from memory, told apart by their first bytes, and encodes PNG. Truncated, hostile and huge files
// (above 2^28 pixels) give an error.
//
//===----------------------------------------------------------------------===//
#ifndef CNN_RUNTIME_HOST_IMAGE_H
#define CNN_RUNTIME_HOST_IMAGE_H

#include "runtime/host/Error.h"

#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace cnn::host {

/// 8-bit pixels, rows from the top, channels interleaved (HWC): grey (1) or red, green, blue (3).
struct Image {
  int height = 0;
  int width = 0;
  int channels = 0;
  std::vector<uint8_t> pixels;

  static Image filled(int height, int width, int channels, uint8_t value);
  uint8_t *at(int y, int x) { return pixels.data() + offset(y, x); }
  const uint8_t *at(int y, int x) const { return pixels.data() + offset(y, x); }

private:
  size_t offset(int y, int x) const { return (static_cast<size_t>(y) * width + x) * channels; }
};

constexpr int64_t maximumPixels = int64_t(1) << 28;

/// A PNG of any kind, or a JPEG (grey, colour, CMYK). Palettes become RGB, 16 bits become 8 by value / 257 rounded,
/// alpha is dropped without blending, colour profiles, gamma and orientation tags are not applied. `name` stands in
/// messages.
Result<Image> decodeImage(std::span<const uint8_t> file, const std::string &name);
Result<Image> readImage(const std::string &path);

/// The same bytes for the same picture, always.
Result<std::vector<uint8_t>> encodePng(const Image &image);
/// Writes through a temporary file.
Result<void> writePng(const std::string &path, const Image &image);

} // namespace cnn::host

#endif // CNN_RUNTIME_HOST_IMAGE_H
