// Where along an axis a resized image takes its elements from, in whole numbers, so that all who compute it agree on
// every place. As PyTorch's `interpolate`, which rounds to f32 on the way.
#pragma once

#include "ir/CnnOps.h"

#include <algorithm>

namespace cnn {

struct ResizeAxis {
  /// Extents of the image and of the resized image.
  int64_t from, to;
  /// Output d lies max(d * step + first, 0) / unit elements from the first one's centre: at the element of the quotient
  /// or, `linear`, between that and the next by the remainder.
  int64_t step, first, unit;
  bool linear;

  ResizeAxis(int64_t from, int64_t to, ResizeMode mode, bool alignCorners)
      : from(from), to(to), linear(mode == ResizeMode::Bilinear) {
    if (!linear)
      step = from, first = 0, unit = to;
    else if (alignCorners)
      step = from - 1, first = 0, unit = std::max<int64_t>(to - 1, 1);
    else
      step = 2 * from, first = from - to, unit = 2 * to;
  }

  /// The elements between which output `d` lies, and how much the second counts, of `unit`.
  struct Place {
    int64_t low, high, remainder;
  };
  Place place(int64_t d) const {
    int64_t distance = std::max<int64_t>(d * step + first, 0), low = distance / unit;
    return {low, std::min(low + 1, from - 1), linear ? distance % unit : 0};
  }
  /// The most outputs that one element takes part in.
  int64_t mostOutputs() const { return std::min(to, (linear ? 2 : 1) * (to / std::max<int64_t>(from - 1, 1) + 1) + 1); }
};

/// The two axes of a `resize` of `image` [N, C, H, W] to `resized`, or of the transpose of one.
template <typename Op>
std::array<ResizeAxis, 2> resizeAxes(Op op, llvm::ArrayRef<int64_t> image, llvm::ArrayRef<int64_t> resized) {
  return {ResizeAxis(image[2], resized[2], op.getMode(), op.getAlignCorners()),
          ResizeAxis(image[3], resized[3], op.getMode(), op.getAlignCorners())};
}

} // namespace cnn
