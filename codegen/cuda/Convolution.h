// The extents of a convolution, of a transposed one or of the gradient of one by its weights, and which position of the
// input a tap of a result reads: what their kernels share.
#pragma once

#include "codegen/cuda/DeviceBuilder.h"
#include "ir/CnnOps.h"

namespace cnn::cuda {

using mlir::Value;

struct Axis {
  int64_t input, output, taps, stride, dilation, pad;
};

struct Convolution {
  bool isTransposed = false;
  Value input;
  Value weight;            ///< Of the gradient by it: the gradient of the result.
  int64_t inputs, outputs; ///< Channels.
  int64_t groups;
  Axis y, x;

  /// Of a conv2d, conv2d_transpose or conv2d_weight_grad.
  explicit Convolution(mlir::Operation *op);

  int64_t taps() const { return y.taps * x.taps; }
  int64_t pixels() const { return y.output * x.output; }
  /// The input is row-major; else it is in blocks of channels.
  bool isPlanar() const { return !getLayout(input.getType()); }
  /// Each channel of the result is of one channel of the input.
  bool isDepthwise() const { return groups > 1 && groups == inputs && groups == outputs; }

  /// What a position of the result contributes to the position of the input that a tap reads.
  Value startOf(DeviceBuilder &b, const Axis &axis, Value output) const;
  /// The position of the input, and whether there is one.
  std::pair<Value, Value> positionOf(DeviceBuilder &b, const Axis &axis, Value start, Value tap) const;
};

/// Whether 0 <= position < extent.
Value isInside(DeviceBuilder &b, Value position, int64_t extent);
/// A position of [lowest, highest] moved into [0, extent), and whether it was there; null where it always is.
std::pair<Value, Value> clipInside(DeviceBuilder &b, Value position, int64_t lowest, int64_t highest, int64_t extent);
/// Both, where null is always true.
Value both(DeviceBuilder &b, Value x, Value y);

/// Why operands 0 and 1 of the group's anchor are not tensors of f32 that kernels read from memory, nor its result of
/// f32; the first is of images.
std::string whyNotRead(GroupOp group);

} // namespace cnn::cuda
