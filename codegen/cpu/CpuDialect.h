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
  WeightGrad,
  Dense,
  Gemm,
  Pool,
  PoolGrad,
  Reduce,
  Random,
  Softmax,
  Elementwise,
  Copy,
  Pack,
  Generic
};

/// The kernel for a group whose layouts are decided, or the reason why there is none.
std::optional<KernelKind> kernelKindOf(GroupOp group, std::string &whyNot);
/// The algorithm that a kernel implements.
Algorithm algorithmOf(KernelKind kind);

/// The shape of the conv2d, winograd_conv2d or conv2d_weight_grad that anchors a group.
ConvProblem problemOf(GroupOp group);

/// Input channels up to which a convolution, and its gradient by the weight, read their input row-major.
constexpr int64_t kPlanarChannels = 4;

/// A tensor in blocks of 16 channels.
bool isChannelBlocked(mlir::Type type);

ConvTile convTile(ScheduleAttr schedule);
ScheduleAttr convSchedule(mlir::MLIRContext *context, Algorithm algorithm, const ConvTile &tile);
DenseTile denseTile(ScheduleAttr schedule);
ScheduleAttr denseSchedule(mlir::MLIRContext *context, const DenseTile &tile);

} // namespace cnn::cpu
