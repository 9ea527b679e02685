// Batch normalization, softmax and reductions.
#include "ir/reference/Operations.h"

#include <cmath>
#include <limits>

using namespace mlir;

namespace cnn::reference {

/// y[n, c, ...] = (x[n, c, ...] - mean[c]) / sqrt(variance[c] + epsilon) * scale[c] + offset[c]
static Tensor batchNorm(BatchNormOp op, const Application &at) {
  ArrayRef<double> scale = at.operand(1).values, offset = at.operand(2).values, mean = at.operand(3).values,
                   variance = at.operand(4).values;
  double epsilon = op.getEpsilon().convertToDouble();
  Tensor result = at.operand(0);
  int64_t channels = at.shape[1], inner = elementCount(ArrayRef(at.shape).drop_front(2));
  double *y = result.data();
  for (int64_t plane = 0; plane < at.shape[0] * channels; ++plane) {
    int64_t c = plane % channels;
    double deviation = std::sqrt(variance[c] + epsilon);
    for (int64_t i = 0; i < inner; ++i, ++y)
      *y = (*y - mean[c]) / deviation * scale[c] + offset[c];
  }
  return result;
}

/// exp(x - m) / sum of exp(x - m) along the axis, m the largest x
static Tensor softmax(SoftmaxOp op, const Application &at) {
  Tensor result = at.operand(0);
  int64_t axis = op.getAxis(), extent = at.shape[axis], inner = elementCount(ArrayRef(at.shape).drop_front(axis + 1));
  int64_t rows = elementCount(ArrayRef(at.shape).take_front(axis)) * inner;
  for (int64_t row = 0; row < rows; ++row) {
    double *x = result.data() + row / inner * extent * inner + row % inner;
    double largest = -std::numeric_limits<double>::infinity(), sum = 0;
    for (int64_t i = 0; i < extent; ++i)
      if (x[i * inner] > largest || std::isnan(x[i * inner]))
        largest = x[i * inner];
    for (int64_t i = 0; i < extent; ++i)
      sum += x[i * inner] = std::exp(x[i * inner] - largest);
    for (int64_t i = 0; i < extent; ++i)
      x[i * inner] /= sum;
  }
  return result;
}

/// The axes in `dims` are dropped; elements are taken in row-major order.
static Tensor reduce(ReduceOp op, const Application &at) {
  const Tensor &x = at.operand(0);
  ReduceKind kind = op.getKind();
  double infinity = std::numeric_limits<double>::infinity();
  Tensor result = Tensor::filled(at.shape, kind == ReduceKind::Max   ? -infinity
                                           : kind == ReduceKind::Min ? infinity
                                                                     : 0);
  // What a step along an axis of the input adds to the index of the result: 0 along the dropped ones.
  Shape strides(x.rank(), 0), kept = rowMajorStrides(at.shape), index(x.rank(), 0);
  for (int64_t dim = 0, k = 0; dim < x.rank(); ++dim)
    if (!llvm::is_contained(op.getDims(), dim))
      strides[dim] = kept[k++];
  int64_t to = 0;
  for (double value : x.values) {
    double &out = result.values[to];
    if (kind == ReduceKind::Max)
      out = value > out || std::isnan(value) ? value : out;
    else if (kind == ReduceKind::Min)
      out = value < out || std::isnan(value) ? value : out;
    else
      out += value;
    for (int64_t dim = x.rank() - 1; dim >= 0; --dim) {
      to += strides[dim];
      if (++index[dim] < x.shape[dim])
        break;
      to -= strides[dim] * x.shape[dim];
      index[dim] = 0;
    }
  }
  if (kind == ReduceKind::Mean)
    for (double &out : result.values)
      out /= double(x.elements()) / double(result.elements());
  return result;
}

std::optional<Tensor> evaluateNormalization(const Application &at) {
  if (auto op = dyn_cast<BatchNormOp>(at.op))
    return batchNorm(op, at);
  if (auto op = dyn_cast<SoftmaxOp>(at.op))
    return softmax(op, at);
  if (auto op = dyn_cast<ReduceOp>(at.op))
    return reduce(op, at);
  return std::nullopt;
}

} // namespace cnn::reference
