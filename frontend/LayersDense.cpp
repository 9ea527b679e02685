// Layers of vectors and parameters: dense, batch normalization, softmax, free parameters.
#include "frontend/LayerCall.h"
#include "ir/Compositions.h"

namespace cnn {
namespace {

Value dense(LayerCall &call) {
  int64_t features = call.integer("features", 0, 1);
  InitAttr init = call.init("init", Initializer::He);
  mlir::Value weight = call.tensor("weights");
  mlir::Value x = call.input(0, 2, "vectors, f32[N, I]");
  if (call.failed)
    return {};
  int64_t inputs = call.typeOf(x).getDimSize(1);
  std::vector<Note> notes;
  Elaborator::addOrigin(notes, call.inputs[0].value, call.elaborator.typeText(x.getType()));
  if (weight) {
    auto type = call.typeOf(weight);
    if (type.getRank() != 2 || !type.hasStaticShape() || type.getDimSize(1) != inputs)
      return call.error(call.rangeOf("weights"),
                        "'weights' is " + call.elaborator.shapeText(type.getShape()) + ", expected [O, " +
                            std::to_string(inputs) + "]",
                        std::move(notes));
    if (call.has("features") && features != type.getDimSize(0))
      return call.error(call.rangeOf("features"), "'features' is " + std::to_string(features) + ", the weights are " +
                                                      call.elaborator.shapeText(type.getShape()));
    features = type.getDimSize(0);
  } else if (!call.has("features")) {
    return call.error("needs the number of outputs, as in dense(10), or 'weights'");
  }
  if (!call.checkSize({call.typeOf(x).getDimSize(0), features}) || !call.checkWork({features}, inputs))
    return {};
  if (!weight)
    weight = call.parameter("weight", {features, inputs}, init);
  mlir::Value bias = call.bias(features);
  if (call.failed)
    return {};
  return call.result(
      call.make<DenseOp>(x, weight, bias, PrecisionAttr::get(call.elaborator.builder.getContext(), Precision::F32)));
}

Value batchNorm(LayerCall &call) {
  double eps = call.number("eps", 1e-5), momentum = call.number("momentum", 0.1);
  if (!(eps >= 0))
    return call.error(call.rangeOf("eps"), "'eps' is " + numberText(eps) + "; it is at least 0");
  if (!(momentum >= 0 && momentum <= 1))
    return call.error(call.rangeOf("momentum"), "'momentum' is " + numberText(momentum) + "; it is between 0 and 1");
  mlir::Value x = call.input();
  if (call.failed)
    return {};
  auto type = call.typeOf(x);
  if (type.getRank() < 2)
    return call.error("the input is " + call.elaborator.typeText(type) + ", expected channels in dimension 1");
  int64_t channels = type.getDimSize(1);
  mlir::Value scale = call.parameter("weight", {channels}, call.initializer(Initializer::Ones));
  mlir::Value offset = call.parameter("bias", {channels}, call.initializer(Initializer::Zeros));
  mlir::Value mean =
      call.parameter("running_mean", {channels}, call.initializer(Initializer::Zeros), StateKind::Statistic);
  mlir::Value variance =
      call.parameter("running_var", {channels}, call.initializer(Initializer::Ones), StateKind::Statistic);
  if (call.failed)
    return {};
  if (!call.elaborator.isTraining(call.path))
    return call.result(call.make<BatchNormOp>(x, scale, offset, mean, variance, llvm::APFloat(eps)));
  TensorBuilder b = call.formula();
  BatchNormTraining norm = batchNormTraining(b, x, scale, offset, mean, variance, momentum, eps);
  call.elaborator.updateState(call.path + ".running_mean", norm.mean);
  call.elaborator.updateState(call.path + ".running_var", norm.variance);
  return call.result(norm.result);
}

Value softmax(LayerCall &call) {
  mlir::Value x = call.input();
  if (!x)
    return {};
  auto type = call.typeOf(x);
  int64_t axis = call.integer("axis", 1, -1);
  if (call.failed)
    return {};
  axis = axis < 0 ? axis + type.getRank() : axis;
  if (axis < 1 || axis >= type.getRank())
    return call.error(call.rangeOf("axis"), "there is no axis " + std::to_string(axis) + " to sum over in " +
                                                call.elaborator.typeText(type) + "; axis 0 is the batch");
  return call.result(call.make<SoftmaxOp>(x, axis));
}

Value param(LayerCall &call) {
  std::vector<int64_t> shape = call.integers("shape");
  InitAttr init = call.init("init", Initializer::Xavier);
  if (call.failed)
    return {};
  for (int64_t extent : shape)
    if (mlir::ShapedType::isDynamic(extent) || extent < 1)
      return call.error(call.rangeOf("shape"), "the extents of a parameter are integers of at least 1");
  mlir::Value value = call.parameter("", shape, init);
  return value ? call.result(value) : Value();
}

} // namespace

llvm::ArrayRef<LayerInfo> denseLayers() {
  static const std::vector<LayerInfo> layers = {
      {"dense", 1, 1, {{"features"}, {"bias"}, {"weights"}, {"init"}, {"mean"}, {"std"}, {"low"}, {"high"}}, dense},
      {"batch_norm", 1, 1, {{"eps"}, {"momentum"}}, batchNorm},
      {"softmax", 1, 1, {{"axis"}}, softmax},
      {"param", 0, 0, {{"shape", true}, {"init"}, {"mean"}, {"std"}, {"low"}, {"high"}}, param},
  };
  return layers;
}

} // namespace cnn
