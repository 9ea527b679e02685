// What tiles of products have in common, whatever multiplies: copies to shared memory and the way of sums to memory.
#pragma once

#include "codegen/cuda/MatmulTile.h"

namespace cnn::cuda {

/// Begins a copy of 4 or 16 bytes to shared memory, or does it where copies are not asynchronous; zeros are written
/// where the place is not valid.
void moveToShared(DeviceBuilder &b, Value target, const MatmulFactor::Place &place, int64_t bytes);

/// Where a warp's sums lie in the result: `down` by `across` parts of 16 by 8.
struct WarpSums {
  Value firstRow, firstColumn;
  int64_t down, across;
};
/// Stores the four sums that a lane has of each part, parts row by row; which they are: WarpProduct.h.
void storeSums(DeviceBuilder &b, llvm::ArrayRef<Value> sums, const WarpSums &where, MatmulStore store);

} // namespace cnn::cuda
