// Largest value and mean over windows.
#include "ir/reference/Operations.h"

#include <cmath>
#include <limits>

using namespace mlir;

namespace cnn::reference {

/// The positions [begin, end) of one window along an axis: those inside the input, and the end of those inside the
/// padded input.
struct Window {
  int64_t begin, end, paddedBegin, paddedEnd;
  Window(int64_t index, int64_t stride, int64_t kernel, int64_t before, int64_t after, int64_t extent) {
    paddedBegin = index * stride - before;
    paddedEnd = std::min(paddedBegin + kernel, extent + after);
    begin = std::max<int64_t>(paddedBegin, 0);
    end = std::min(paddedEnd, extent);
  }
};

/// result[n, c, y, x] = fn(plane, window of rows, window of columns)
template <typename Op, typename Fn> static Tensor pool(Op op, const Application &at, Fn fn) {
  const Tensor &x = at.operand(0);
  ArrayRef<int64_t> kernel = op.getKernel(), strides = op.getStrides(), padding = op.getPadding();
  int64_t h = x.shape[2], w = x.shape[3];
  Tensor result(at.shape);
  double *out = result.data();
  for (int64_t plane = 0; plane < at.shape[0] * at.shape[1]; ++plane)
    for (int64_t row = 0; row < at.shape[2]; ++row)
      for (int64_t column = 0; column < at.shape[3]; ++column)
        *out++ = fn(x.data() + plane * h * w, Window(row, strides[0], kernel[0], padding[0], padding[1], h),
                    Window(column, strides[1], kernel[1], padding[2], padding[3], w));
  return result;
}

std::optional<Tensor> evaluatePooling(const Application &at) {
  if (auto op = dyn_cast<MaxPoolOp>(at.op)) {
    int64_t width = at.operand(0).shape[3];
    return pool(op, at, [=](const double *plane, Window y, Window x) {
      double largest = -std::numeric_limits<double>::infinity();
      for (int64_t i = y.begin; i < y.end; ++i)
        for (int64_t j = x.begin; j < x.end; ++j) {
          double value = plane[i * width + j];
          if (value > largest || std::isnan(value))
            largest = value;
        }
      return largest;
    });
  }
  if (auto op = dyn_cast<AvgPoolOp>(at.op)) {
    int64_t width = at.operand(0).shape[3];
    bool countPad = op.getCountPad();
    return pool(op, at, [=](const double *plane, Window y, Window x) {
      double sum = 0;
      for (int64_t i = y.begin; i < y.end; ++i)
        for (int64_t j = x.begin; j < x.end; ++j)
          sum += plane[i * width + j];
      int64_t count = countPad ? (y.paddedEnd - y.paddedBegin) * (x.paddedEnd - x.paddedBegin)
                               : (y.end - y.begin) * (x.end - x.begin);
      return sum / double(count);
    });
  }
  return std::nullopt;
}

} // namespace cnn::reference
