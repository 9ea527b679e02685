// softmax of row-major tensors (Kernels.h): exp(x - m) / sum of exp(x - m), m the largest. Along the last axis a warp
// has a row, its lanes every 32nd element; along another one a thread has all positions, and its neighbours those
// beside.
#include "codegen/cuda/Kernels.h"

#include "codegen/cpu/ElementOps.h"
#include "codegen/cpu/Elements.h"
#include "codegen/cpu/Kernels.h"
#include "codegen/cpu/Math.h"
#include "passes/TargetModel.h"

#include <limits>

using namespace mlir;

namespace cnn::cuda {

std::string whyNotSoftmax(GroupOp group) {
  if (std::string why = cpu::whyNotSoftmax(group); !why.empty())
    return why;
  auto op = cast<SoftmaxOp>(group.getBlock().front());
  auto type = cast<RankedTensorType>(op.getInput().getType());
  if (!isa<BlockArgument>(op.getInput()))
    return "the input is computed in the group";
  return type.isDynamicDim(op.getAxis()) || op.getAxis() == 0 || !isPerImage(group.getResult(0))
             ? "the axis is that of images"
             : "";
}

namespace {

class SoftmaxBuilder {
public:
  SoftmaxBuilder(DeviceBuilder &b, GroupOp group)
      : b(b), group(group), op(cast<SoftmaxOp>(group.getBlock().front())),
        type(cast<RankedTensorType>(op.getInput().getType())), axis(op.getAxis()), extent(type.getDimSize(axis)),
        isWarp(axis == type.getRank() - 1) {
    for (int64_t dim = 1; dim < type.getRank(); ++dim)
      if (dim != axis) {
        dims.push_back(dim);
        rows *= type.getDimSize(dim);
      }
  }

  DeviceKernel build(StringRef symbol, int64_t threads, ArrayRef<DeviceOperand> known) {
    DeviceKernel kernel;
    kernel.symbol = symbol.str();
    kernel.unitsPerImage = rows;
    if (!isWarp) {
      kernel.launch = b.unitKernel(symbol, known, threads, [&](Value unit) { buildRow(unit, b.index(0), 1); });
      return kernel;
    }
    int64_t warps = threads / kThreadsPerWarp;
    b.deviceKernel(symbol, known, threads, [&] {
      Value thread = b.threadIndex();
      Value unit = b.add(b.mul(b.blockIndex(), warps), b.div(thread, kThreadsPerWarp));
      b.ifThen(b.lessThan(unit, b.units()), [&] { buildRow(unit, b.rem(thread, kThreadsPerWarp), kThreadsPerWarp); });
    });
    kernel.launch.unitsPerBlock = warps;
    kernel.launch.blockThreads = threads;
    return kernel;
  }

private:
  /// The index of position `k` of row `unit`.
  SmallVector<Value> indexAt(Value unit, Value k) {
    SmallVector<Value> index(type.getRank()), bounds;
    index[0] = b.div(unit, rows);
    for (int64_t dim : dims)
      bounds.push_back(b.index(type.getDimSize(dim)));
    if (!dims.empty())
      for (auto [dim, at] : llvm::zip_equal(dims, b.delinearize(b.rem(unit, rows), bounds)))
        index[dim] = at;
    index[axis] = k;
    return index;
  }

  /// The positions from `first` on, `step` apart; those of the other lanes are joined by `join` where lanes share a
  /// row.
  void buildRow(Value unit, Value first, int64_t step) {
    cpu::Elements elements(b, group);
    auto at = [&](Value k) { return elements.at(op.getInput(), indexAt(unit, k)); };
    auto overLanes = [&](Value value, llvm::function_ref<Value(Value, Value)> join) {
      for (int32_t mask = kThreadsPerWarp / 2; isWarp && mask; mask /= 2)
        value = join(value, b.shuffleXor(value, mask));
      return value;
    };
    auto over = [&](float init, llvm::function_ref<Value(Value, Value)> join, llvm::function_ref<Value(Value)> term) {
      Value value = b.forLoop(first, b.index(extent), step, b.scalar(init), [&](Value k, ValueRange carried) {
        return SmallVector<Value>{join(carried[0], term(k))};
      })[0];
      return overLanes(value, join);
    };
    Value largest = over(-std::numeric_limits<float>::infinity(), [&](Value x, Value y) { return b.maxf(x, y); }, at);
    auto power = [&](Value k) { return cpu::buildExp(b, b.subf(at(k), largest)); };
    Value sum = over(0.0f, [&](Value x, Value y) { return b.addf(x, y); }, power);
    b.forLoop(first, b.index(extent), step, [&](Value k) {
      Value address = elements.address(group->getNumOperands(), cast<RankedTensorType>(group.getResult(0).getType()),
                                       indexAt(unit, k));
      cpu::storeElements(b, b.f32(), b.divf(power(k), sum), address, 0);
    });
  }

  DeviceBuilder &b;
  GroupOp group;
  SoftmaxOp op;
  RankedTensorType type;
  int64_t axis, extent, rows = 1;
  bool isWarp;
  SmallVector<int64_t> dims; ///< Of rows, that of images apart.
};

} // namespace

GroupKernels buildSoftmaxKernel(DeviceBuilder &b, StringRef symbol, GroupOp group, int64_t threads,
                                ArrayRef<DeviceOperand> known) {
  GroupKernel made;
  made.operands = llvm::to_vector(llvm::seq<int64_t>(0, group->getNumOperands() + group->getNumResults()));
  made.kernel = SoftmaxBuilder(b, group).build(symbol, threads, known.take_front(made.operands.size()));
  return {made};
}

} // namespace cnn::cuda
