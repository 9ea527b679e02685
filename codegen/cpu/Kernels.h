// The kernels of groups other than convolutions. Each function appends the kernel `symbol` for `group`, whose layouts
// are decided, to the builder's module; the kernel's operands are the group's inputs and then its results. What each
// one takes is said by a function whyNot..., which gives the reason when a group is not for this kernel and is empty
// when it is.
//
// Sums are taken in an order that depends on shapes alone.
#pragma once

#include "codegen/cpu/Epilogue.h"
#include "codegen/cpu/GemmKernel.h"

namespace cnn::cpu {

/// Element-wise operations on tensors of one layout, of images or one for all of them.
std::string whyNotElementwise(GroupOp group);
KernelInfo buildElementwiseKernel(KernelBuilder &b, llvm::StringRef symbol, GroupOp group);

/// How a fully connected layer is computed.
struct DenseTile {
  int64_t rows = 1;   ///< Rows (images) of the register tile for batches; single rows have a tile of their own.
  int64_t blocks = 2; ///< Blocks of 16 outputs of both tiles.
  int64_t concurrent =
      4; ///< Segments of the reduction summed at the same time in the tile of one row; divides denseSegments.
};
/// The reduction is cut into this many equal segments, each summed in order, and the segments' sums are added in order.
int64_t denseSegments(int64_t inputs, int64_t outputs);
DenseTile chooseDenseTile(int64_t inputs, int64_t outputs, Isa isa);
/// Input [N, I] and results [N, O] row-major, weights [O/16][I][16].
std::string whyNotDense(GroupOp group);
KernelInfo buildDenseKernel(KernelBuilder &b, llvm::StringRef symbol, GroupOp group, const DenseTile &tile);

/// Products of row-major matrices, a dense layer's with row-major weights included: images by weights with an epilogue,
/// or sums over a batch without.
std::string whyNotGemm(GroupOp group);
GemmProblem gemmProblemOf(GroupOp group);
KernelInfo buildGemmKernel(KernelBuilder &b, llvm::StringRef symbol, GroupOp group, const GemmTile &tile);

/// max_pool and avg_pool of channel-blocked images; a window is summed by rows.
std::string whyNotPool(GroupOp group);
KernelInfo buildPoolKernel(KernelBuilder &b, llvm::StringRef symbol, GroupOp group);

/// max_pool_grad and avg_pool_grad of channel-blocked images; where windows overlap their values are added in row-major
/// order.
std::string whyNotPoolGrad(GroupOp group);
KernelInfo buildPoolGradKernel(KernelBuilder &b, llvm::StringRef symbol, GroupOp group);

/// resize and resize_grad of channel-blocked images.
std::string whyNotResize(GroupOp group);
KernelInfo buildResizeKernel(KernelBuilder &b, llvm::StringRef symbol, GroupOp group);

/// softmax of a row-major tensor along any axis.
std::string whyNotSoftmax(GroupOp group);
KernelInfo buildSoftmaxKernel(KernelBuilder &b, llvm::StringRef symbol, GroupOp group);

/// random_uniform and random_normal of row-major tensors of images.
std::string whyNotRandom(GroupOp group);
KernelInfo buildRandomKernel(KernelBuilder &b, llvm::StringRef symbol, GroupOp group);

/// warp of row-major images.
std::string whyNotWarp(GroupOp group);
KernelInfo buildWarpKernel(KernelBuilder &b, llvm::StringRef symbol, GroupOp group);

/// The kernels of a convolution, flipped or transformed for Winograd first, in the layout that its kernel reads; or
/// flipped only.
std::string whyNotWeightPack(GroupOp group);
KernelInfo buildWeightPackKernel(KernelBuilder &b, llvm::StringRef symbol, GroupOp group);

/// A relayout between row-major and channel-blocked, a reshape of a row-major tensor, or a concatenation whose operands
/// are contiguous parts of the result.
std::string whyNotCopy(GroupOp group);
KernelInfo buildCopyKernel(KernelBuilder &b, llvm::StringRef symbol, GroupOp group);

/// slice, unslice and pad with zeros of channel-blocked images whose channels stay side by side.
std::string whyNotMove(GroupOp group);
KernelInfo buildMoveKernel(KernelBuilder &b, llvm::StringRef symbol, GroupOp group);
/// Whether `op` is one of these, whatever its layouts.
bool movesBlocks(mlir::Operation *op);

/// In a step: a relayout of what is one for all images.
std::string whyNotPack(GroupOp group);
KernelInfo buildPackKernel(KernelBuilder &b, llvm::StringRef symbol, GroupOp group);

/// Any group, element by element from the operations' formulas; for what is rare.
std::string whyNotGeneric(GroupOp group);
KernelInfo buildGenericKernel(KernelBuilder &b, llvm::StringRef symbol, GroupOp group);

} // namespace cnn::cpu
