// The kernels of a group by its schedule; see Kernels.h.
#include "codegen/cuda/Kernels.h"

using namespace mlir;

namespace cnn::cuda {

FailureOr<GroupKernels> buildGroupKernels(DeviceBuilder &b, StringRef symbol, GroupOp group, ScheduleAttr schedule,
                                          ArrayRef<DeviceOperand> known) {
  if (std::string why = whyNot(group, schedule.getAlgorithm()); !why.empty())
    return group.emitError() << "no CUDA kernel computes this group by '" << schedule.algorithmName() << "': " << why;
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
  }
  return group.emitError() << "there is no algorithm '" << schedule.algorithmName() << "'";
}

} // namespace cnn::cuda
