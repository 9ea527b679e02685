// Sums, means, largest and smallest elements over dimensions.
#include "frontend/LayerCall.h"

#include <numeric>

namespace cnn {
namespace {

template <ReduceKind kind> Value reduction(LayerCall &call) {
  mlir::Value x = call.input();
  bool keep = call.boolean("keep", false);
  if (!x || call.failed)
    return {};
  auto type = call.typeOf(x);
  bool batched = type.getRank() > 0 && type.isDynamicDim(0);
  std::vector<int64_t> all(type.getRank() - batched);
  std::iota(all.begin(), all.end(), int64_t(batched));
  std::vector<int64_t> axes = call.axes("axis", type.getRank(), all);
  if (call.failed)
    return {};
  // A network's result for an image depends on no other image of the batch; a loss does.
  if (batched && !axes.empty() && axes.front() == 0 && !call.elaborator.isTrainBlock())
    return call.error(call.rangeOf("axis"),
                      "images of a batch do not mix in a network; dimension 0 is reduced in train blocks alone");
  mlir::Value result = call.formula().reduce(kind, x, axes);
  if (keep && !axes.empty()) {
    llvm::SmallVector<int64_t> shape(type.getShape());
    for (int64_t axis : axes)
      shape[axis] = 1;
    result = call.elaborator.reshapeTo(result, shape, call.range, call.path);
  }
  return call.result(result);
}

} // namespace

llvm::ArrayRef<LayerInfo> reductionLayers() {
  static const std::vector<LayerInfo> layers = {
      {"sum", 1, 1, {{"axis"}, {"keep"}}, reduction<ReduceKind::Sum>},
      {"mean", 1, 1, {{"axis"}, {"keep"}}, reduction<ReduceKind::Mean>},
      {"largest", 1, 1, {{"axis"}, {"keep"}}, reduction<ReduceKind::Max>},
      {"smallest", 1, 1, {{"axis"}, {"keep"}}, reduction<ReduceKind::Min>},
  };
  return layers;
}

} // namespace cnn
