//===- Resize.cpp - Resizing pictures, defined to the pixel ---------------===//
//
// Two passes of weighted sums in fixed point, as in Pillow's Resample.c (from which the constants come).
//
//===----------------------------------------------------------------------===//
#include "runtime/host/Resize.h"

#include <algorithm>
#include <cmath>

namespace cnn::host {
namespace {

constexpr int fractionBits = 32 - 8 - 2;

double filterWeight(ResizeFilter filter, double x) {
  x = std::abs(x);
  if (filter == ResizeFilter::Bilinear)
    return x < 1 ? 1 - x : 0;
  constexpr double a = -0.5;
  if (x < 1)
    return ((a + 2) * x - (a + 3)) * x * x + 1;
  return x < 2 ? (((x - 5) * x + 8) * x - 4) * a : 0;
}

/// Which pixels make an output pixel, and how much each of them counts.
struct Taps {
  int first = 0;
  std::vector<int32_t> weights;
};

std::vector<Taps> tapsOf(int inSize, int outSize, ResizeFilter filter, bool antialias) {
  std::vector<Taps> taps(static_cast<size_t>(outSize));
  const double scale = static_cast<double>(inSize) / outSize;
  const double filterScale = antialias ? std::max(scale, 1.0) : 1.0;
  const double support = (filter == ResizeFilter::Bilinear ? 1 : 2) * filterScale;
  std::vector<double> weights;
  for (int i = 0; i < outSize; ++i) {
    const double centre = (i + 0.5) * scale;
    const int first = std::max(0, static_cast<int>(std::floor(centre - support + 0.5)));
    const int last = std::min(inSize, static_cast<int>(std::floor(centre + support + 0.5)));
    weights.clear();
    double sum = 0;
    for (int x = first; x < last; ++x) {
      weights.push_back(filterWeight(filter, (x - centre + 0.5) * (1 / filterScale)));
      sum += weights.back();
    }
    Taps &tap = taps[static_cast<size_t>(i)];
    tap.first = first;
    for (double weight : weights) {
      const double scaled = (sum != 0 ? weight / sum : weight) * (1 << fractionBits);
      tap.weights.push_back(static_cast<int32_t>(std::lround(scaled)));
    }
  }
  return taps;
}

uint8_t roundedByte(int64_t sum) {
  return static_cast<uint8_t>(std::clamp<int64_t>((sum + (1 << (fractionBits - 1))) >> fractionBits, 0, 255));
}

Image resizeRows(const Image &image, int width, ResizeFilter filter, bool antialias) {
  const std::vector<Taps> taps = tapsOf(image.width, width, filter, antialias);
  Image out = Image::filled(image.height, width, image.channels, 0);
  for (int y = 0; y < image.height; ++y)
    for (int x = 0; x < width; ++x) {
      const Taps &tap = taps[static_cast<size_t>(x)];
      for (int c = 0; c < image.channels; ++c) {
        const uint8_t *in = image.at(y, tap.first) + c;
        int64_t sum = 0;
        for (size_t i = 0; i < tap.weights.size(); ++i)
          sum += int64_t(tap.weights[i]) * in[i * image.channels];
        out.at(y, x)[c] = roundedByte(sum);
      }
    }
  return out;
}

Image resizeColumns(const Image &image, int height, ResizeFilter filter, bool antialias) {
  const std::vector<Taps> taps = tapsOf(image.height, height, filter, antialias);
  Image out = Image::filled(height, image.width, image.channels, 0);
  const size_t rowBytes = static_cast<size_t>(image.width) * image.channels;
  std::vector<int64_t> sums(rowBytes);
  for (int y = 0; y < height; ++y) {
    const Taps &tap = taps[static_cast<size_t>(y)];
    std::fill(sums.begin(), sums.end(), 0);
    for (size_t i = 0; i < tap.weights.size(); ++i) {
      const uint8_t *in = image.at(tap.first + static_cast<int>(i), 0);
      for (size_t x = 0; x < rowBytes; ++x)
        sums[x] += int64_t(tap.weights[i]) * in[x];
    }
    std::transform(sums.begin(), sums.end(), out.at(y, 0), roundedByte);
  }
  return out;
}

Image resizeNearest(const Image &image, int height, int width) {
  // floor((i + 0.5) n / m) in integers.
  auto source = [](int64_t i, int64_t in, int64_t out) { return static_cast<int>((2 * i + 1) * in / (2 * out)); };
  Image result = Image::filled(height, width, image.channels, 0);
  for (int y = 0; y < height; ++y) {
    const int sourceY = source(y, image.height, height);
    for (int x = 0; x < width; ++x)
      std::copy_n(image.at(sourceY, source(x, image.width, width)), image.channels, result.at(y, x));
  }
  return result;
}

} // namespace

Result<Image> resizeImage(const Image &image, int64_t height, int64_t width, ResizeFilter filter, bool antialias) {
  if (height <= 0 || width <= 0)
    return makeError("resize to {}x{}: a size has at least one pixel", height, width);
  // The picture between the two passes has the old height and the new width.
  if (height > maximumPixels || width > maximumPixels || height * width > maximumPixels ||
      width * image.height > maximumPixels)
    return makeError("resize of {}x{} to {}x{}: more than {} pixels", image.height, image.width, height, width,
                     maximumPixels);
  const int newHeight = static_cast<int>(height), newWidth = static_cast<int>(width);
  if (filter == ResizeFilter::Nearest)
    return resizeNearest(image, newHeight, newWidth);
  Image out = newWidth == image.width ? image : resizeRows(image, newWidth, filter, antialias);
  return newHeight == image.height ? out : resizeColumns(out, newHeight, filter, antialias);
}

} // namespace cnn::host
