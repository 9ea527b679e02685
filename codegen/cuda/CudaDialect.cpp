// The `cuda` dialect, and which algorithm fits which group.
#include "codegen/cuda/CudaDialect.h"

#include "codegen/cpu/Kernels.h"
#include "codegen/cuda/Kernels.h"
#include "codegen/cuda/MatrixKernels.h"
#include "codegen/cuda/SlicedProduct.h"

#include "mlir/IR/DialectImplementation.h"
#include "llvm/ADT/TypeSwitch.h"
#include "llvm/Support/FormatVariadic.h"

using namespace mlir;

#include "codegen/cuda/CudaEnums.cpp.inc"

#include "codegen/cuda/CudaDialect.cpp.inc"

#define GET_ATTRDEF_CLASSES
#include "codegen/cuda/CudaAttrs.cpp.inc"

namespace cnn::cuda {

/// Of a thread of a depthwise convolution, which has their sums in registers.
static constexpr int64_t kMostPositions = 16;
static constexpr int64_t kMostSlices = 64;

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
  case Algorithm::Matmul:
    return whyNotMatmul(group);
  case Algorithm::Conv:
    return whyNotConv(group);
  case Algorithm::WeightGrad:
    return whyNotWeightGrad(group);
  case Algorithm::Depthwise:
    return whyNotDepthwise(group);
  case Algorithm::DepthwiseGrad:
    return whyNotDepthwiseGrad(group);
  case Algorithm::Pool:
    return whyNotPool(group);
  }
  return "there is no such algorithm";
}

std::optional<Algorithm> algorithmOf(GroupOp group, std::string &why) {
  for (Algorithm algorithm :
       {Algorithm::Conv, Algorithm::Matmul, Algorithm::WeightGrad, Algorithm::Depthwise, Algorithm::DepthwiseGrad,
        Algorithm::Pool, Algorithm::Chain, Algorithm::Reduce, Algorithm::Softmax, Algorithm::Element})
    if (why = whyNot(group, algorithm); why.empty())
      return algorithm;
  return std::nullopt;
}

//===-- The schedule
//------------------------------------------------------------------------------------------------------===//

LogicalResult ScheduleAttr::verify(function_ref<InFlightDiagnostic()> emitError, Algorithm algorithm, int64_t threads,
                                   int64_t rows, int64_t columns, int64_t depth, int64_t stages, bool warpgroups,
                                   int64_t slices) {
  if (threads < kThreadsPerWarp || threads > kThreadsPerBlock || threads % kThreadsPerWarp)
    return emitError() << "cuda_schedule_c1: 'threads' must be a multiple of " << kThreadsPerWarp << " up to "
                       << kThreadsPerBlock;
  if (slices < 1 || slices > kMostSlices || (slices > 1 && !hasTile(algorithm)))
    return emitError() << "cuda_schedule_c8: 'slices' must be 1 to " << kMostSlices << ", and 1 without a tile";
  if (algorithm == Algorithm::Depthwise) {
    if (columns < 1 || columns > kMostPositions || rows || depth || stages || warpgroups)
      return emitError() << "cuda_schedule_c7: a thread of 'depthwise' has 1 to " << kMostPositions
                         << " positions, its 'columns', and no tile else";
    return success();
  }
  MatmulTile tile{rows, columns, depth, stages, warpgroups};
  if (!hasTile(algorithm))
    return rows || columns || depth || stages || warpgroups
               ? emitError() << "cuda_schedule_c4: the algorithm '" << stringifyAlgorithm(algorithm) << "' has no tile"
               : success();
  if (std::string why = tile.whyNot(); !why.empty())
    return emitError() << "cuda_schedule_c5: " << why;
  if (threads != tile.threads())
    return emitError() << "cuda_schedule_c6: the tile has " << tile.threads() << " threads";
  return success();
}

LogicalResult ScheduleAttr::verifyFor(Operation *op) const {
  if (std::string why = whyNot(cast<GroupOp>(op), getAlgorithm()); !why.empty())
    return op->emitOpError("cuda_schedule_c2: the algorithm '") << algorithmName() << "' does not fit: " << why;
  bool joinsThreads = getAlgorithm() == Algorithm::Reduce || getAlgorithm() == Algorithm::DepthwiseGrad;
  if (joinsThreads && !llvm::isPowerOf2_64(getThreads()))
    return op->emitOpError("cuda_schedule_c3: 'threads' of a reduction must be a power of two");
  if (getSlices() > 1 && !isSliceable(cast<GroupOp>(op), getAlgorithm()))
    return op->emitOpError("cuda_schedule_c9: the sums of this group cannot be cut into 'slices'");
  return success();
}

int64_t ScheduleAttr::scratchBytesPerImage(Operation *op) const {
  if (getSlices() == 1)
    return 0;
  auto group = cast<GroupOp>(op);
  return slicesScratchBytes(getAlgorithm() == Algorithm::Conv ? convSizes(group) : matmulSizes(group), getSlices());
}

int64_t ScheduleAttr::scratchBytes(Operation *op) const {
  if (getAlgorithm() == Algorithm::WeightGrad)
    return weightGradScratchBytes(cast<GroupOp>(op));
  if (getAlgorithm() == Algorithm::DepthwiseGrad)
    return depthwiseGradScratchBytes(cast<GroupOp>(op));
  return getAlgorithm() == Algorithm::Reduce ? reduceScratchBytes(cast<GroupOp>(op)) : 0;
}

StringRef ScheduleAttr::algorithmName() const { return stringifyAlgorithm(getAlgorithm()); }

SmallVector<Attribute> ScheduleAttr::neighbours(Operation *op) const {
  SmallVector<Attribute> result;
  if (hasTile(getAlgorithm())) {
    auto add = [&](MatmulTile tile) {
      if (tile.whyNot().empty())
        result.push_back(scheduleOf(getContext(), getAlgorithm(), tile, getSlices()));
    };
    MatmulTile tile = matmulTile(*this);
    for (int64_t MatmulTile::*size : {&MatmulTile::rows, &MatmulTile::columns, &MatmulTile::depth}) {
      MatmulTile other = tile;
      other.*size = tile.*size * 2;
      add(other);
      other.*size = tile.*size / 2;
      add(other);
    }
    for (int64_t stages : {tile.stages - 1, tile.stages + 1})
      add({tile.rows, tile.columns, tile.depth, stages, tile.ofWarpgroups});
    for (int64_t slices : {getSlices() / 2, getSlices() * 2})
      if (slices >= 1 && slices <= kMostSlices && isSliceable(cast<GroupOp>(op), getAlgorithm()))
        result.push_back(scheduleOf(getContext(), getAlgorithm(), tile, slices));
    return result;
  }
  for (int64_t threads : {getThreads() / 2, getThreads() * 2})
    if (threads >= kThreadsPerWarp && threads <= kThreadsPerBlock)
      result.push_back(ScheduleAttr::get(getContext(), getAlgorithm(), threads, getColumns()));
  for (int64_t positions : {getColumns() / 2, getColumns() * 2})
    if (positions >= 1 && positions <= kMostPositions)
      result.push_back(ScheduleAttr::get(getContext(), getAlgorithm(), getThreads(), positions));
  return result;
}

std::string ScheduleAttr::describe() const {
  if (hasTile(getAlgorithm()))
    return llvm::formatv("{0}, tiles of {1}x{2}x{3} in {4} stages{5}, {6} threads a block", algorithmName(), getRows(),
                         getColumns(), getDepth(), getStages(),
                         (getWarpgroups() ? std::string(" by wgmma") : std::string()) +
                             (getSlices() > 1 ? ", " + std::to_string(getSlices()) + " slices of k" : std::string()),
                         getThreads());
  if (getAlgorithm() == Algorithm::Depthwise)
    return llvm::formatv("{0}, {1} position{2} a thread, {3} threads a block", algorithmName(), getColumns(),
                         getColumns() == 1 ? "" : "s", getThreads());
  return llvm::formatv("{0}, {1} threads a block", algorithmName(), getThreads());
}

} // namespace cnn::cuda
