// The kernels of a group by its schedule; see Kernels.h.
#include "codegen/cuda/Kernels.h"

#include "codegen/cuda/MatrixKernels.h"

using namespace mlir;

namespace cnn::cuda {

SmallVector<int64_t> bodyOperands(GroupOp group) {
  return llvm::to_vector(llvm::seq<int64_t>(0, group->getNumOperands() + group->getNumResults()));
}

SmallVector<DeviceOperand> knownOf(ArrayRef<DeviceOperand> known, ArrayRef<int64_t> operands) {
  return llvm::map_to_vector(operands, [&](int64_t operand) { return known[operand]; });
}

int64_t partUnits(GroupOp group, Algorithm algorithm) {
  return algorithm == Algorithm::Chain     ? chainPartUnits(group)
         : algorithm == Algorithm::Element ? elementPartUnits(group)
                                           : 0;
}

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
    return buildMatmulKernel(b, symbol, group, matmulTile(schedule), schedule.getSlices(), known);
  case Algorithm::Conv:
    return buildConvKernel(b, symbol, group, matmulTile(schedule), schedule.getSlices(), known);
  case Algorithm::WeightGrad:
    return buildWeightGradKernels(b, symbol, group, matmulTile(schedule), kJoinThreads, known);
  case Algorithm::Depthwise:
    return buildDepthwiseKernel(b, symbol, group, schedule.getColumns(), threads, known);
  case Algorithm::DepthwiseGrad:
    return buildDepthwiseGradKernels(b, symbol, group, threads, known);
  case Algorithm::Pool:
    return buildPoolKernel(b, symbol, group, threads, known);
  }
  return group.emitError() << "there is no algorithm '" << schedule.algorithmName() << "'";
}

} // namespace cnn::cuda
