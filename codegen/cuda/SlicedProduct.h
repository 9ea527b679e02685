// Products of few rows and columns whose k is cut into slices, so that enough blocks of threads work on them. The sums
// of a slice go to the scratch; a second kernel adds them in order and goes on with the epilogue. Where the batch alone
// makes enough blocks, the first kernel does everything and the second one nothing.
#pragma once

#include "codegen/cuda/Kernels.h"
#include "codegen/cuda/MatmulTile.h"

namespace cnn::cuda {

/// Slices for a product of images, by the rows of one: of its sizes alone. 1: it is not cut.
int64_t chooseSlices(const MatmulSizes &sizes);
/// Of the scratch, for one image.
int64_t slicesScratchBytes(const MatmulSizes &sizes, int64_t slices);

class SlicedProduct {
public:
  /// `scratch` is the operand that sums of slices lie in; `depth` is known and the same for all rows.
  SlicedProduct(DeviceBuilder &b, const MatmulTile &tile, const MatmulSizes &sizes, int64_t slices, int64_t scratch)
      : b(b), tile(tile), sizes(sizes), slices(slices), scratch(scratch) {}

  /// All rows of the batch.
  Value rows() { return b.mul(b.batch(), sizes.rows); }
  /// Where a block of threads works, whose z is the slice.
  MatmulPart part();
  /// Sums of a block: to the scratch, or, where nothing is cut, to `store`.
  void storePart(Value row, llvm::ArrayRef<MatmulSums> sums, MatmulStore store);
  /// The second kernel.
  DeviceKernel buildJoin(llvm::StringRef symbol, llvm::ArrayRef<DeviceOperand> known, int64_t threads,
                         MatmulStore store);

private:
  /// Whether the batch has few blocks of threads.
  Value isCut();
  /// The address of sums of slice 0.
  Value addressOf(Value row, Value column);
  int64_t pitch() const { return llvm::alignTo(sizes.columns, 4); }
  int64_t sliceBytes() const { return sizes.rows * pitch() * 4; }
  unsigned alignment() const { return b.operand(scratch).alignment % 16 ? 4 : 16; }

  DeviceBuilder &b;
  MatmulTile tile;
  MatmulSizes sizes;
  int64_t slices, scratch;
};

/// One kernel, or, with slices, two. `build(symbol, known)` gives the first one and `join` the second.
GroupKernels slicedKernels(GroupOp group, llvm::StringRef symbol, int64_t slices, llvm::ArrayRef<DeviceOperand> known,
                           llvm::function_ref<DeviceKernel(llvm::StringRef, llvm::ArrayRef<DeviceOperand>)> build,
                           llvm::function_ref<DeviceKernel(llvm::StringRef, llvm::ArrayRef<DeviceOperand>)> join);

} // namespace cnn::cuda
