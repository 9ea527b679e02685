// Largest value and mean over windows, and their transposes.
#include "ir/reference/Operations.h"

#include "llvm/ADT/TypeSwitch.h"

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

/// Calls fn(plane, pooled, rows, columns) for each window of an image batch of the shape `image`, in row-major order:
/// `plane` is the number of its [H, W] plane, `pooled` its place in the pooled result.
template <typename Op, typename Fn>
static void forEachWindow(Op op, ArrayRef<int64_t> image, ArrayRef<int64_t> pooled, Fn fn) {
  ArrayRef<int64_t> kernel = op.getKernel(), strides = op.getStrides(), padding = op.getPadding();
  int64_t at = 0;
  for (int64_t plane = 0; plane < image[0] * image[1]; ++plane)
    for (int64_t row = 0; row < pooled[2]; ++row)
      for (int64_t column = 0; column < pooled[3]; ++column)
        fn(plane, at++, Window(row, strides[0], kernel[0], padding[0], padding[1], image[2]),
           Window(column, strides[1], kernel[1], padding[2], padding[3], image[3]));
}

/// The place within its plane of the largest element of a window: the first of equal ones, or the first NaN; -1 in a
/// window without elements.
static int64_t largestOf(const double *plane, int64_t width, Window y, Window x) {
  int64_t largest = -1;
  for (int64_t i = y.begin; i < y.end; ++i)
    for (int64_t j = x.begin; j < x.end; ++j) {
      int64_t place = i * width + j;
      if (largest < 0 || plane[place] > plane[largest] || (std::isnan(plane[place]) && !std::isnan(plane[largest])))
        largest = place;
    }
  return largest;
}

template <typename Op> static int64_t countOf(Op op, Window y, Window x) {
  return op.getCountPad() ? (y.paddedEnd - y.paddedBegin) * (x.paddedEnd - x.paddedBegin)
                          : (y.end - y.begin) * (x.end - x.begin);
}

/// Calls fn(largest, window): places in the input and in the pooled result.
template <typename Op, typename Fn>
static void forEachLargest(Op op, const Tensor &input, ArrayRef<int64_t> pooled, Fn fn) {
  int64_t width = input.shape[3], plane = input.shape[2] * width;
  forEachWindow(op, input.shape, pooled, [&](int64_t number, int64_t window, Window y, Window x) {
    int64_t largest = largestOf(input.data() + number * plane, width, y, x);
    fn(largest < 0 ? -1 : number * plane + largest, window);
  });
}

static Tensor maxPool(MaxPoolOp op, const Application &at) {
  Tensor result = Tensor::filled(at.shape, -std::numeric_limits<double>::infinity());
  forEachLargest(op, at.operand(0), at.shape, [&](int64_t largest, int64_t window) {
    if (largest >= 0)
      result.values[window] = at.operand(0).values[largest];
  });
  return result;
}

static Tensor maxPoolGrad(MaxPoolGradOp op, const Application &at) {
  Tensor result(at.shape);
  forEachLargest(op, at.operand(0), at.operand(1).shape, [&](int64_t largest, int64_t window) {
    if (largest >= 0)
      result.values[largest] += at.operand(1).values[window];
  });
  return result;
}

static Tensor maxPoolPick(MaxPoolPickOp op, const Application &at) {
  Tensor result(at.shape);
  forEachLargest(op, at.operand(0), at.shape, [&](int64_t largest, int64_t window) {
    if (largest >= 0)
      result.values[window] = at.operand(1).values[largest];
  });
  return result;
}

static Tensor avgPool(AvgPoolOp op, const Application &at) {
  const Tensor &input = at.operand(0);
  int64_t width = input.shape[3], plane = input.shape[2] * width;
  Tensor result(at.shape);
  forEachWindow(op, input.shape, at.shape, [&](int64_t number, int64_t window, Window y, Window x) {
    double sum = 0;
    for (int64_t i = y.begin; i < y.end; ++i)
      for (int64_t j = x.begin; j < x.end; ++j)
        sum += input.values[number * plane + i * width + j];
    result.values[window] = sum / double(countOf(op, y, x));
  });
  return result;
}

static Tensor avgPoolGrad(AvgPoolGradOp op, const Application &at) {
  int64_t width = at.shape[3], plane = at.shape[2] * width;
  Tensor result(at.shape);
  forEachWindow(op, at.shape, at.operand(0).shape, [&](int64_t number, int64_t window, Window y, Window x) {
    double share = at.operand(0).values[window] / double(countOf(op, y, x));
    for (int64_t i = y.begin; i < y.end; ++i)
      for (int64_t j = x.begin; j < x.end; ++j)
        result.values[number * plane + i * width + j] += share;
  });
  return result;
}

std::optional<Tensor> evaluatePooling(const Application &at) {
  using Result = std::optional<Tensor>;
  return llvm::TypeSwitch<Operation *, Result>(at.op)
      .Case([&](MaxPoolOp op) -> Result { return maxPool(op, at); })
      .Case([&](AvgPoolOp op) -> Result { return avgPool(op, at); })
      .Case([&](MaxPoolGradOp op) -> Result { return maxPoolGrad(op, at); })
      .Case([&](MaxPoolPickOp op) -> Result { return maxPoolPick(op, at); })
      .Case([&](AvgPoolGradOp op) -> Result { return avgPoolGrad(op, at); })
      .Default(Result());
}

} // namespace cnn::reference
