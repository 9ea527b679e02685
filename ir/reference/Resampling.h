// Private to this folder: the places that `warp` takes pixels from, for its value and for its error bound.
#pragma once

#include "ir/CnnOps.h"
#include "ir/reference/Tensor.h"

#include <cmath>
#include <optional>

namespace cnn::reference {

/// One axis of an image.
struct WarpAxis {
  int64_t extent;
  WarpBorder border;

  /// Where in the image, or up to one pixel outside of it, a place has its value from.
  double settle(double place) const {
    if (std::isnan(place))
      place = -1;
    double low = -1, high = double(extent);
    if (border != WarpBorder::Zero) {
      low = 0;
      high = double(extent - 1);
    }
    if (border == WarpBorder::Reflect) {
      double period = 2 * std::max(high, 0.5);
      place -= period * std::floor(place / period);
      place = std::min(place, period - place);
    }
    return !(place >= low) ? low : place > high ? high : place;
  }
  /// The pixel at a settled index; nothing where there is only a border of zeros.
  std::optional<int64_t> pixel(int64_t index) const {
    if (border != WarpBorder::Zero)
      return std::clamp<int64_t>(index, 0, extent - 1);
    return index >= 0 && index < extent ? std::optional(index) : std::nullopt;
  }
};

/// Calls fn(n, y, x, v, u) with the place, not settled yet, of each position of a result of that shape.
template <typename Fn>
void forEachPlace(llvm::ArrayRef<int64_t> shape, const Tensor &matrix, const Tensor *displacement, Fn fn) {
  int64_t h = shape[2], w = shape[3];
  for (int64_t n = 0; n < shape[0]; ++n)
    for (int64_t y = 0; y < h; ++y)
      for (int64_t x = 0; x < w; ++x) {
        double place[2];
        for (int axis = 0; axis < 2; ++axis) {
          const double *m = matrix.data() + (n * 2 + axis) * 3;
          place[axis] = m[0] * double(y) + m[1] * double(x) + m[2];
          if (displacement)
            place[axis] += displacement->values[((n * 2 + axis) * h + y) * w + x];
        }
        fn(n, y, x, place[0], place[1]);
      }
}

} // namespace cnn::reference
