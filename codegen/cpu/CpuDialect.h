// The `cpu` dialect and the way from its schedules to the tiles that kernels are built from.
#pragma once

#include "codegen/cpu/ConvTile.h"
#include "codegen/cpu/Kernels.h"
#include "ir/CnnOps.h"

#include "codegen/cpu/CpuEnums.h.inc"

#include "codegen/cpu/CpuDialect.h.inc"

#define GET_ATTRDEF_CLASSES
#include "codegen/cpu/CpuAttrs.h.inc"

namespace cnn::cpu {

/// Which kernel computes a group.
enum class KernelKind {
  FirstConv,
  Conv,
  Depthwise,
  Winograd,
  ConvTranspose,
  WeightGrad,
  Dense,
  Gemm,
  Pool,
  PoolGrad,
  Resize,
  Reduce,
  Random,
  Softmax,
  Warp,
  Elementwise,
  Copy,
  Move,
  Pack,
  WeightPack,
  Generic
};

/// The kernel for a group whose layouts are decided, or the reason why there is none.
std::optional<KernelKind> kernelKindOf(GroupOp group, std::string &whyNot);
/// The algorithm that a kernel implements; of two, the one that needs no more than the layouts.
Algorithm algorithmOf(KernelKind kind);
/// Whether a group of that kind may be computed by `algorithm`.
bool isComputedBy(GroupOp group, KernelKind kind, Algorithm algorithm);

/// Whether the second operand of the group's anchor is prepared ahead of time, as weights are but in a training step.
bool readsPackedWeights(GroupOp group);

/// The shape of the conv2d, winograd_conv2d or conv2d_weight_grad that anchors a group.
ConvProblem problemOf(GroupOp group);

/// The convolutions of which a conv2d_transpose on a whole group consists: each computes the outputs of one residue by
/// the strides from the taps that reach them.
llvm::SmallVector<ConvProblem> transposedProblems(GroupOp group);
/// How it reads its kernels [O, C, kh, kw]: [C/16][O/16][kh][kw][16o][16c].
LayoutAttr transposedKernelLayout(mlir::MLIRContext *context);

/// Input channels up to which a convolution, and its gradient by the weight, read their input row-major.
constexpr int64_t kPlanarChannels = 4;

/// A tensor in blocks of 16 channels.
bool isChannelBlocked(mlir::Type type);

ConvTile convTile(ScheduleAttr schedule);
ScheduleAttr convSchedule(mlir::MLIRContext *context, Algorithm algorithm, const ConvTile &tile);
DenseTile denseTile(ScheduleAttr schedule);
ScheduleAttr denseSchedule(mlir::MLIRContext *context, const DenseTile &tile);

} // namespace cnn::cpu
