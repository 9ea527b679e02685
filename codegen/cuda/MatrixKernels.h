// Kernels of groups whose anchor is a contraction, on the tiles of MatmulTile.h: dense layers and products of matrices,
// convolutions, their gradients. As Kernels.h says, of which this is a part.
#pragma once

#include "codegen/cuda/Kernels.h"
#include "codegen/cuda/MatmulTile.h"

namespace cnn::cuda {

/// Whether kernels of the algorithm work in tiles.
bool hasTile(Algorithm algorithm);
/// The tile that a schedule says.
MatmulTile matmulTile(ScheduleAttr schedule);
ScheduleAttr scheduleOf(mlir::MLIRContext *context, Algorithm algorithm, const MatmulTile &tile, int64_t slices);
/// Whether the k of such a group may be cut into slices (SlicedProduct.h).
bool isSliceable(GroupOp group, Algorithm algorithm);
/// With the tile for a group that `algorithm` computes, or with blocks of `threads` where it has none.
ScheduleAttr chooseSchedule(GroupOp group, Algorithm algorithm, const Architecture &architecture, int64_t threads);

/// A dense layer or a product of row-major matrices.
std::string whyNotMatmul(GroupOp group);
MatmulSizes matmulSizes(GroupOp group);
GroupKernels buildMatmulKernel(DeviceBuilder &b, llvm::StringRef symbol, GroupOp group, const MatmulTile &tile,
                               int64_t slices, llvm::ArrayRef<DeviceOperand> known);

/// conv2d and conv2d_transpose without groups: rows are the pixels of the result, columns its channels, and k goes
/// over the input's channels and the kernel's taps. The result and, but for the few channels of a network's input, the
/// input are in blocks of channels.
std::string whyNotConv(GroupOp group);
MatmulSizes convSizes(GroupOp group);
/// How the weights of a group for which whyNotConv is empty are best stored: an output's weights in the order of k; of
/// the few channels of a network's input, in blocks of outputs whose rows follow k.
LayoutAttr convWeightLayout(GroupOp group);
GroupKernels buildConvKernel(DeviceBuilder &b, llvm::StringRef symbol, GroupOp group, const MatmulTile &tile,
                             int64_t slices, llvm::ArrayRef<DeviceOperand> known);

/// conv2d_weight_grad without groups: rows are the gradient's channels, columns the input's channels and the kernel's
/// taps, and k goes over the pixels of the batch. These are cut into slices, whose sums go to the scratch; a second
/// kernel adds them in order.
std::string whyNotWeightGrad(GroupOp group);
MatmulSizes weightGradSizes(GroupOp group);
int64_t weightGradScratchBytes(GroupOp group);
GroupKernels buildWeightGradKernels(DeviceBuilder &b, llvm::StringRef symbol, GroupOp group, const MatmulTile &tile,
                                    int64_t threads, llvm::ArrayRef<DeviceOperand> known);

//===-- Shared by them
//---------------------------------------------------------------------------------------------===//

/// Of blocks that add the partial sums of a contraction.
constexpr int64_t kJoinThreads = 256;

/// The operand of the group's kernels that a value of its body is; -1 where the value is computed in the group.
int64_t operandOf(Value value);
/// The precision that a contraction asks for.
Precision precisionOf(mlir::Operation *anchor);

/// A kernel of `tile` over `columns` columns.
DeviceLaunch matmulLaunch(const MatmulTile &tile, int64_t columns, Precision precision);
/// Builds `body` where `value` is below `limit`, which needs no check where `always`.
void ifBelow(DeviceBuilder &b, Value value, Value limit, bool always, llvm::function_ref<void()> body);

/// A row-major matrix as a factor.
struct StoredMatrix {
  int64_t operand = 0;
  /// Whether rows of memory are lines; else they are of one k.
  bool alongDepth = true;
  /// Whether rows of memory are images.
  bool ofImages = false;
  int64_t rowElements = 0;
  Value lines;    ///< Their number, null where every line that is asked for exists.
  Value depthEnd; ///< The end of k, null where every k that is asked for exists.
};
MatmulFactor factorOf(DeviceBuilder &b, const StoredMatrix &matrix);

} // namespace cnn::cuda
