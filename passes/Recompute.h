// `@recompute`: memory for time.
#pragma once

#include "ir/CnnOps.h"

namespace cnn {

/// The operations from `firstBackward` to the one before `end`, the gradients of what stands before them, stop reading
/// what regions (ir/Recompute.h) compute: they read copies of these operations, which stand before the first that needs
/// them. What is saved are the operands of a region, what others than its own gradients read anyway, what `@keep`
/// marks, and what has no batch, such as the statistics of batch normalization. Operations between are of the region
/// whose number they carry.
void recomputeRegions(mlir::Operation *firstBackward, mlir::Operation *end);

} // namespace cnn
