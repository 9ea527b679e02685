// A warpgroup's part of a product of matrices: wgmma.mma_async, 64 rows by all columns of a tile, f32 sums. Both
// factors lie in shared memory in rows of 32 k, swizzled over the length of a row (128 bytes of tf32, 64 of halves).
// PTX ISA, "Asynchronous Warpgroup Level Matrix Instructions".
//
// A lane has of its warp's 16 rows the four sums of each 16 by 8 part that WarpProduct.h says ("Register Fragments").
#pragma once

#include "codegen/cuda/DeviceBuilder.h"
#include "ir/CnnOps.h"

namespace cnn::cuda {

/// f32, or four of them, as the tensor cores' numbers: tf32 in f32, f16 or bf16, to the nearest.
mlir::Value roundForTensorCores(DeviceBuilder &b, mlir::Value values, Precision precision);

class WarpgroupProduct {
public:
  using Value = mlir::Value;
  using Values = llvm::SmallVector<Value>;
  static constexpr int64_t kRows = 64, kThreads = 128;

  WarpgroupProduct(DeviceBuilder &b, Precision precision, int64_t columns);

  Values zeros() { return Values(columns / 2, b.scalar(0.0f)); }
  /// Lets the tensor cores see what this thread wrote to shared memory.
  void publish();
  /// Begins a product of the rows at these bytes of the block's shared memory and waits for the one before.
  Values multiply(Value lhs, Value rhs, mlir::ValueRange sums);
  /// Waits for all products: the sums, which may be used now.
  Values finish(mlir::ValueRange sums);

private:
  Value descriptor(Value begin);

  DeviceBuilder &b;
  Precision precision;
  int64_t columns;
  Value base; ///< A descriptor of what begins with the block's shared memory.
};

} // namespace cnn::cuda
