// A warp's part of a product of matrices (MatmulTile.h): fragments of both factors from shared memory, and their
// products, by mma.sync with f32 sums or by fused multiply-adds.
//
// With g = lane / 4 and t = lane % 4 a lane has of each 16 by 8 part of the result rows g and g + 8, columns 2t and
// 2t + 1, four sums in this order, whatever the precision is: PTX ISA, "Matrix Fragments for mma.m16n8k8".
#pragma once

#include "codegen/cuda/SharedTile.h"
#include "ir/CnnOps.h"

namespace cnn::cuda {

class WarpProduct {
public:
  using Value = mlir::Value;
  using Values = llvm::SmallVector<Value>;

  /// For warps that stand side by side over `columns` columns of the tiles, then below each other.
  WarpProduct(DeviceBuilder &b, Precision precision, const SharedTile &lhs, const SharedTile &rhs, int64_t columns);

  /// The first row and column of the warp's part of the tile.
  Value firstRow() const { return rowBase; }
  Value firstColumn() const { return columnBase; }

  /// The sums in the beginning: four of each 16 by 8 part, rows of parts after each other.
  Values zeros();
  /// The sums after the tiles of the factors at these addresses of shared memory.
  Values multiply(Value lhsAddress, Value rhsAddress, mlir::ValueRange sums);

private:
  /// What a lane holds of eight k of a factor: of a 16 by 8 part of lhs (g, t), (g + 8, t), (g, t + 4), (g + 8, t + 4),
  /// of an 8 by 8 part of rhs (t, g), (t + 4, g).
  Values lhsFragment(Value address, int64_t part, int64_t k);
  /// Of parts `part` and `part + 1`.
  std::pair<Values, Values> rhsFragments(Value address, int64_t part, int64_t k);
  /// Elements (g, t) of four 8 by 4 matrices, whose rows begin at the lines and k that lanes 8q to 8q + 7 give.
  Values loadMatrices(const SharedTile &tile, Value address, Value line, Value k);
  Value loadElement(const SharedTile &tile, Value address, Value line, Value k);

  void multiplyOnTensorCores(Value lhsAddress, Value rhsAddress, Values &sums);
  void multiplyByThreads(Value lhsAddress, Value rhsAddress, Values &sums);
  /// Registers of mma's operands from fragments of one step of eight k (tf32) or two.
  Values round(llvm::ArrayRef<Values> fragments);
  Values mma(llvm::ArrayRef<Value> lhs, llvm::ArrayRef<Value> rhs, llvm::ArrayRef<Value> sums);

  DeviceBuilder &b;
  Precision precision;
  SharedTile lhs, rhs;
  Value lane, group, pair; ///< lane = 4 * group + pair
  Value rowBase, columnBase;
};

} // namespace cnn::cuda
