// Counts parameters and arithmetic and follows receptive fields through a network; Layers.h has the contract.
#include "tools/cnnc/Layers.h"

#include "tools/cnnc/Driver.h"

#include "llvm/ADT/DenseMap.h"
#include "llvm/ADT/DenseSet.h"
#include "llvm/ADT/TypeSwitch.h"

#include <algorithm>

using namespace mlir;

namespace cnn {
namespace {

/// How far a value sees along rows and columns: neighbours in it are `step` pixels of the input apart, and each depends
/// on `size` pixels in a row.
struct View {
  std::array<int64_t, 2> size{1, 1}, step{1, 1};

  /// Takes `count` neighbours `dilation` apart and moves on by `stride`.
  void window(size_t axis, int64_t count, int64_t dilation, int64_t stride) {
    size[axis] += (count - 1) * dilation * step[axis];
    step[axis] *= stride;
  }
};

/// The view of `op`'s result, given the widest one of its operands, `view`.
View viewOf(Operation *op, View view) {
  auto windows = [&](ArrayRef<int64_t> kernel, ArrayRef<int64_t> dilations, ArrayRef<int64_t> strides) {
    for (size_t axis : {0, 1})
      view.window(axis, kernel[axis], dilations[axis], strides[axis]);
  };
  auto wholeAxes = [&](RankedTensorType type, auto isGathered) {
    for (size_t axis : {0, 1})
      if (type.getRank() == 4 && isGathered(axis + 2))
        view.window(axis, type.getDimSize(axis + 2), 1, 1);
  };
  llvm::TypeSwitch<Operation *>(op)
      .Case([&](Conv2dOp conv) {
        windows(cast<RankedTensorType>(conv.getWeight().getType()).getShape().take_back(2), conv.getDilations(),
                conv.getStrides());
      })
      .Case<MaxPoolOp, AvgPoolOp>([&](auto pool) { windows(pool.getKernel(), {1, 1}, pool.getStrides()); })
      .Case([&](SliceOp slice) {
        if (slice.getSteps().size() == 4)
          windows({1, 1}, {1, 1}, slice.getSteps().take_back(2));
      })
      .Case([&](ReshapeOp reshape) {
        wholeAxes(cast<RankedTensorType>(reshape.getInput().getType()), [](size_t) { return true; });
      })
      .Case([&](ReduceOp reduce) {
        wholeAxes(cast<RankedTensorType>(reduce.getInput().getType()),
                  [&](size_t axis) { return llvm::is_contained(reduce.getDims(), static_cast<int64_t>(axis)); });
      });
  return view;
}

} // namespace

NetworkSummary summarize(ModuleOp network) {
  NetworkSummary summary;
  llvm::DenseMap<StringRef, int64_t> parameterSizes;
  for (auto param : network.getOps<ParamOp>())
    parameterSizes[param.getSymName()] = cast<RankedTensorType>(param.getType()).getNumElements();

  func::FuncOp infer = mainFunction(network);
  llvm::DenseMap<Value, View> views;
  // Parameters that a value holds and that no layer has been charged with.
  llvm::DenseMap<Value, SmallVector<StringRef, 2>> states;
  llvm::DenseSet<StringRef> charged;
  for (BlockArgument argument : infer.getArguments()) {
    if (auto state = infer.getArgAttrOfType<FlatSymbolRefAttr>(argument.getArgNumber(), kStateAttr))
      states[argument] = {state.getValue()};
    else if (cast<RankedTensorType>(argument.getType()).getRank() == 4)
      views[argument] = View();
  }

  for (Operation &op : infer.front().without_terminator()) {
    std::optional<View> view;
    SmallVector<StringRef, 2> used;
    for (Value operand : op.getOperands()) {
      if (auto found = states.find(operand); found != states.end())
        llvm::append_range(used, found->second);
      auto found = views.find(operand);
      if (found == views.end())
        continue;
      if (!view)
        view = found->second;
      for (size_t axis : {0, 1}) {
        view->size[axis] = std::max(view->size[axis], found->second.size[axis]);
        view->step[axis] = std::max(view->step[axis], found->second.step[axis]);
      }
    }
    if (view)
      view = viewOf(&op, *view);
    // Broadcasting an operand is part of the layer that reads it.
    bool isLayer = !getPath(&op).empty() && !isa<BroadcastOp>(op);
    for (Value result : op.getResults()) {
      if (view)
        views[result] = *view;
      if (!isLayer && !used.empty())
        states[result] = used;
    }
    if (!isLayer)
      continue;

    Layer layer;
    layer.path = getPath(&op).str();
    layer.op = op.getName().stripDialect().str();
    layer.shape = cast<RankedTensorType>(op.getResult(0).getType()).getShape().vec();
    layer.multiplyAdds = multiplyAdds(&op);
    if (view)
      layer.receptiveField = view->size;
    for (StringRef name : used)
      if (parameterSizes.contains(name) && charged.insert(name).second)
        layer.parameters += parameterSizes[name];
    summary.multiplyAdds += layer.multiplyAdds;
    summary.layers.push_back(std::move(layer));
  }
  for (auto [name, size] : parameterSizes)
    summary.parameters += size;
  return summary;
}

} // namespace cnn
