// The kernels of a group by its schedule; see Kernels.h.
#include "codegen/cuda/Kernels.h"

#include "codegen/cuda/MatrixKernels.h"

using namespace mlir;

namespace cnn::cuda {

/// Of blocks that add the partial sums of a contraction.
static constexpr int64_t kJoinThreads = 256;

FailureOr<GroupKernels> buildGroupKernels(DeviceBuilder &b, StringRef symbol, GroupOp group, ScheduleAttr schedule,
                                          ArrayRef<DeviceOperand> known) {
  if (std::string why = whyNot(group, schedule.getAlgorithm()); !why.empty())
    return group.emitError() << "no CUDA kernel computes this group by '" << schedule.algorithmName() << "': " << why;
  if (hasTile(schedule.getAlgorithm()))
    if (std::string why = whyNotTile(matmulTile(schedule), precisionOf(group.getAnchor()), b.architecture());
        !why.empty())
      return group.emitError() << why;
  int64_t threads = schedule.getThreads();
  switch (schedule.getAlgorithm()) {
  case Algorithm::Element:
    return buildElementKernels(b, symbol, group, threads, known);
  case Algorithm::Chain:
    return buildChainKernel(b, symbol, group, threads, known);
  case Algorithm::Reduce:
    return buildReduceKernels(b, symbol, group, threads, known);
  case Algorithm::Softmax:
    return buildSoftmaxKernel(b, symbol, group, threads, known);
  case Algorithm::Matmul:
    return buildMatmulKernel(b, symbol, group, matmulTile(schedule), known);
  case Algorithm::Conv:
    return buildConvKernel(b, symbol, group, matmulTile(schedule), known);
  case Algorithm::WeightGrad:
    return buildWeightGradKernels(b, symbol, group, matmulTile(schedule), kJoinThreads, known);
  }
  return group.emitError() << "there is no algorithm '" << schedule.algorithmName() << "'";
}

} // namespace cnn::cuda
