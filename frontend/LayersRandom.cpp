// Layers that draw: dropout and normal noise. They draw while a network is trained; in inference, where a result
// depends on the input alone, dropout is the identity and noise its mean.
#include "frontend/LayerCall.h"
#include "ir/Compositions.h"

namespace cnn {
namespace {

/// The identity but for training.
Value dropout(LayerCall &call) {
  double rate = call.number("rate", 0.5);
  if (!(rate >= 0 && rate < 1))
    return call.error(call.rangeOf("rate"), "'rate' is " + numberText(rate) + "; it is at least 0 and below 1");
  mlir::Value x = call.input();
  if (!x || call.failed)
    return {};
  if (rate == 0 || !call.elaborator.isTraining(call.path))
    return Value(x, call.inputs[0].value.origin);
  TensorBuilder b = call.draws();
  return call.result(cnn::dropout(b, x, rate, call.seed(), call.step()));
}

/// Draws of a shape. In a train block itself the evaluation draws as well: what a generator makes has no other source.
Value normal(LayerCall &call) {
  std::vector<int64_t> shape = call.integers("shape");
  double mean = call.number("mean", 0), deviation = call.number("std", 1);
  if (!(deviation >= 0))
    return call.error(call.rangeOf("std"), "'std' is " + numberText(deviation) + "; it is at least 0");
  if (call.failed)
    return {};
  for (size_t i = 0; i < shape.size(); ++i) {
    bool isBatch = mlir::ShapedType::isDynamic(shape[i]);
    if (isBatch ? i != 0 : shape[i] < 1)
      return call.error(call.rangeOf("shape"), isBatch ? "the batch is the first extent of a shape, and no other"
                                                       : "extents are integers of at least 1");
  }
  if (!call.checkSize(shape))
    return {};
  for (int64_t &extent : shape)
    extent = mlir::ShapedType::isDynamic(extent) ? -1 : extent;
  if (!call.elaborator.drawsAt(call.path)) {
    TensorBuilder b = call.formula();
    auto scalar = mlir::RankedTensorType::get({}, b.builder().getF32Type());
    mlir::Value value =
        ConstantOp::create(b.builder(), b.loc(), mlir::DenseElementsAttr::get(scalar, static_cast<float>(mean)));
    return call.result(b.make<BroadcastOp>(value, {b.ints("dims", {}), b.ints("shape", shape)}));
  }
  TensorBuilder b = call.draws();
  llvm::SmallVector<mlir::Value> operands = {call.seed(), call.step()};
  if (!shape.empty() && shape[0] == -1)
    operands.push_back(call.elaborator.batched());
  return call.result(b.make<RandomNormalOp>(
      operands, {b.ints("shape", shape), b.number("mean", mean), b.number("deviation", deviation)}));
}

} // namespace

llvm::ArrayRef<LayerInfo> randomLayers() {
  static const std::vector<LayerInfo> layers = {
      {"dropout", 1, 1, {{"rate"}}, dropout},
      {"normal", 0, 0, {{"shape", true}, {"mean"}, {"std"}}, normal},
  };
  return layers;
}

} // namespace cnn
