// Where a kernel takes the elements of a resized image from: ir/Resize.h in the kernel's own arithmetic.
#pragma once

#include "codegen/cpu/KernelBuilder.h"
#include "ir/Resize.h"

namespace cnn::cpu {

struct ResizeTaps {
  mlir::Value low, high;
  /// f32, of `low` and of `high`, and null where `low` is all.
  mlir::Value lowWeight, highWeight;
};
ResizeTaps buildTaps(KernelBuilder &b, const ResizeAxis &axis, mlir::Value output);

/// The outputs [begin, end) that element `place` may take part in.
struct ResizeOutputs {
  mlir::Value begin, end;
};
ResizeOutputs buildOutputs(KernelBuilder &b, const ResizeAxis &axis, mlir::Value place);

/// How much of element `place` one of these outputs takes, f32; null where it takes all.
mlir::Value buildShare(KernelBuilder &b, const ResizeAxis &axis, mlir::Value place, mlir::Value output);

} // namespace cnn::cpu
