// The `cuda` dialect, and which algorithm fits which group.
#include "codegen/cuda/CudaDialect.h"

#include "codegen/cpu/Kernels.h"
#include "codegen/cuda/Kernels.h"

#include "mlir/IR/DialectImplementation.h"
#include "llvm/ADT/TypeSwitch.h"
#include "llvm/Support/FormatVariadic.h"

using namespace mlir;

#include "codegen/cuda/CudaEnums.cpp.inc"

#include "codegen/cuda/CudaDialect.cpp.inc"

#define GET_ATTRDEF_CLASSES
#include "codegen/cuda/CudaAttrs.cpp.inc"

namespace cnn::cuda {

void CudaDialect::registerAttributes() {
  addAttributes<
#define GET_ATTRDEF_LIST
#include "codegen/cuda/CudaAttrs.cpp.inc"
      >();
}
void CudaDialect::initialize() { registerAttributes(); }

//===-- Which algorithm
//---------------------------------------------------------------------------------------------------===//

std::string whyNot(GroupOp group, Algorithm algorithm) {
  switch (algorithm) {
  case Algorithm::Element:
    return cpu::whyNotGeneric(group);
  case Algorithm::Chain:
    return whyNotChain(group);
  case Algorithm::Reduce:
    return whyNotReduce(group);
  case Algorithm::Softmax:
    return whyNotSoftmax(group);
  }
  return "there is no such algorithm";
}

std::optional<Algorithm> algorithmOf(GroupOp group, std::string &why) {
  for (Algorithm algorithm : {Algorithm::Chain, Algorithm::Reduce, Algorithm::Softmax, Algorithm::Element})
    if (why = whyNot(group, algorithm); why.empty())
      return algorithm;
  return std::nullopt;
}

//===-- The schedule
//------------------------------------------------------------------------------------------------------===//

LogicalResult ScheduleAttr::verify(function_ref<InFlightDiagnostic()> emitError, Algorithm, int64_t threads) {
  if (threads < kThreadsPerWarp || threads > kThreadsPerBlock || threads % kThreadsPerWarp)
    return emitError() << "cuda_schedule_c1: 'threads' must be a multiple of " << kThreadsPerWarp << " up to "
                       << kThreadsPerBlock;
  return success();
}

LogicalResult ScheduleAttr::verifyFor(Operation *op) const {
  if (std::string why = whyNot(cast<GroupOp>(op), getAlgorithm()); !why.empty())
    return op->emitOpError("cuda_schedule_c2: the algorithm '") << algorithmName() << "' does not fit: " << why;
  if (getAlgorithm() == Algorithm::Reduce && !llvm::isPowerOf2_64(getThreads()))
    return op->emitOpError("cuda_schedule_c3: 'threads' of a reduction must be a power of two");
  return success();
}

int64_t ScheduleAttr::scratchBytesPerImage(Operation *) const { return 0; }

int64_t ScheduleAttr::scratchBytes(Operation *op) const {
  return getAlgorithm() == Algorithm::Reduce ? reduceScratchBytes(cast<GroupOp>(op)) : 0;
}

StringRef ScheduleAttr::algorithmName() const { return stringifyAlgorithm(getAlgorithm()); }

SmallVector<Attribute> ScheduleAttr::neighbours(Operation *) const {
  SmallVector<Attribute> result;
  for (int64_t threads : {getThreads() / 2, getThreads() * 2})
    if (threads >= kThreadsPerWarp && threads <= kThreadsPerBlock)
      result.push_back(ScheduleAttr::get(getContext(), getAlgorithm(), threads));
  return result;
}

std::string ScheduleAttr::describe() const {
  return llvm::formatv("{0}, {1} threads a block", algorithmName(), getThreads());
}

} // namespace cnn::cuda
