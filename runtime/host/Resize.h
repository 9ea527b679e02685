//===- Resize.h - Resizing pictures, defined to the pixel -----------------===//
//
// The definition, so that a network sees here what it saw in training. For one axis of n pixels resized to m, with
// scale s = n / m, output pixel i is centred at c = (i + 0.5) s.
//
// nearest: pixel floor(c).
// bilinear, bicubic: with f = max(s, 1) when antialiased and f = 1 otherwise, and a filter of half width r (triangle:
// r = 1; Keys' cubic with a = -0.5: r = 2), the pixels x from max(0, floor(c - r f + 0.5)) to
// min(n, floor(c + r f + 0.5)) - 1 are weighted by filter((x + 0.5 - c) / f) and the weights divided by their sum, so
// that what lies outside the picture does not count. Weights are rounded to multiples of 2^-22. The horizontal pass
// comes first; each pass rounds to 8 bits, half up, and clamps to 0..255; an axis that keeps its size is left alone.
//
// With antialiasing this is, to the bit, Pillow's Image.resize (and torchvision's on PIL images) up to Pillow 12; from
// 13 on Pillow takes the vertical pass first where the height shrinks much more than the width. Without antialiasing it
// is interpolation at half-pixel centres (torch's interpolate with align_corners = false; for bicubic torch takes a =
// -0.75 and repeats border pixels).
//
//===----------------------------------------------------------------------===//
#ifndef CNN_RUNTIME_HOST_RESIZE_H
#define CNN_RUNTIME_HOST_RESIZE_H

#include "runtime/host/Image.h"

namespace cnn::host {

enum class ResizeFilter { Nearest, Bilinear, Bicubic };

/// The image at `height` x `width`; an error where that is no size or above maximumPixels.
Result<Image> resizeImage(const Image &image, int64_t height, int64_t width, ResizeFilter filter, bool antialias);

} // namespace cnn::host

#endif // CNN_RUNTIME_HOST_RESIZE_H
