// Losses and regularizers of train blocks: they find out what a target means beside the network's result and build the
// formulas of ir/Losses.h.
#include "frontend/LayerCall.h"
#include "frontend/TrainElaborator.h"
#include "frontend/TrainFunctions.h"
#include "ir/Compositions.h"
#include "ir/Losses.h"

namespace cnn {
namespace {

/// The extents without the channels.
llvm::SmallVector<int64_t> positionsOf(llvm::ArrayRef<int64_t> shape) {
  llvm::SmallVector<int64_t> positions(shape);
  if (positions.size() > 1)
    positions.erase(positions.begin() + 1);
  return positions;
}

std::vector<Note> originsOf(LayerCall &call) {
  std::vector<Note> notes;
  for (const CallArgument &input : call.inputs)
    if (input.value.isTensor())
      Elaborator::addOrigin(notes, input.value, call.elaborator.describe(input.value));
  return notes;
}

std::string typeOfLabels(LayerCall &call, mlir::Value labels, int64_t classes) {
  return "class(" + std::to_string(classes) + ")" + call.elaborator.shapeText(call.typeOf(labels).getShape());
}

/// Labels as numbers of the shape of `x`: one channel a class, or 0 and 1 where there is one channel or none.
mlir::Value targetFromLabels(LayerCall &call, mlir::Value x, mlir::Value labels, int64_t classes) {
  TensorBuilder b = call.formula();
  llvm::ArrayRef<int64_t> shape = call.typeOf(x).getShape(), given = call.typeOf(labels).getShape();
  mlir::Type f32 = b.builder().getF32Type();
  if (shape.size() > 1 && shape[1] == classes && llvm::ArrayRef(positionsOf(shape)) == given)
    return oneHot(b, labels, classes, f32);
  if (classes == 2 && shape == given)
    return b.convert(labels, f32);
  if (classes == 2 && shape.size() > 1 && shape[1] == 1 && llvm::ArrayRef(positionsOf(shape)) == given)
    return b.reshape(b.convert(labels, f32), TensorBuilder::extentsOf(x));
  llvm::SmallVector<int64_t> wanted(given);
  wanted.insert(wanted.begin() + 1, classes);
  call.error("the values are " + call.elaborator.typeText(x.getType()) + " and the labels " +
                 typeOfLabels(call, labels, classes) + ", which go with f32" + call.elaborator.shapeText(wanted),
             originsOf(call));
  return {};
}

/// The target, a tensor, a number or labels, as a tensor of the shape of `x`; null after an error.
mlir::Value target(LayerCall &call, mlir::Value x, unsigned index = 1) {
  const CallArgument &argument = call.inputs[index];
  mlir::Value given = call.elaborator.toTensor(argument.value, argument.range, call.layer.name.str() + ": the target");
  if (!given) {
    call.failed = true;
    return {};
  }
  if (int64_t classes = call.training()->classesOf(given))
    return targetFromLabels(call, x, given, classes);
  auto type = call.typeOf(given), wanted = call.typeOf(x);
  if (!type.getElementType().isF32()) {
    call.error(argument.range,
               "the target is " + call.elaborator.typeText(type) + ", expected f32; write -> convert(f32) before");
    return {};
  }
  // What repeats as operands do, to the shape of the result.
  bool fits = type.getRank() <= wanted.getRank();
  for (int64_t i = 1; fits && i <= type.getRank(); ++i) {
    int64_t extent = type.getDimSize(type.getRank() - i);
    fits = extent == 1 || extent == wanted.getDimSize(wanted.getRank() - i);
  }
  if (!fits) {
    call.error("the values are " + call.elaborator.typeText(wanted) + " and the target " +
                   call.elaborator.typeText(type) + ", which is not of that shape",
               originsOf(call));
    return {};
  }
  return call.elaborator.broadcastTo(given, wanted.getShape(), call.range, call.path);
}

/// Of a loss that makes probabilities of its scores: the scores are none yet. Null after an error.
mlir::Value logits(LayerCall &call, mlir::Value x, llvm::StringRef applied) {
  mlir::Operation *op = x ? x.getDefiningOp() : nullptr;
  if (!mlir::isa_and_nonnull<SoftmaxOp, SigmoidOp>(op))
    return x;
  std::string met = mlir::isa<SoftmaxOp>(op) ? "softmax" : "sigmoid";
  std::vector<Note> notes;
  Elaborator::addOrigin(notes, call.inputs[0].value, call.elaborator.describe(call.inputs[0].value));
  call.error(call.inputs[0].range,
             "the scores are the result of " + met + ", and the loss applies " + applied.str() +
                 " itself; give it what goes into the " + met,
             std::move(notes));
  return {};
}

using TwoTensors = mlir::Value (*)(TensorBuilder &, mlir::Value, mlir::Value);

template <TwoTensors Loss> Value ofTarget(LayerCall &call) {
  mlir::Value x = call.input();
  if constexpr (Loss == &binaryCrossEntropy)
    x = logits(call, x, "sigmoid");
  mlir::Value t = x ? target(call, x) : mlir::Value();
  if (!t || call.failed)
    return {};
  TensorBuilder b = call.formula();
  return call.result(Loss(b, x, t));
}

Value huberLoss(LayerCall &call) {
  double delta = call.number("delta", 1);
  if (!(delta > 0))
    return call.error(call.rangeOf("delta"), "'delta' is " + numberText(delta) + "; it is above 0");
  mlir::Value x = call.input();
  mlir::Value t = x ? target(call, x) : mlir::Value();
  if (!t || call.failed)
    return {};
  TensorBuilder b = call.formula();
  return call.result(huber(b, x, t, delta));
}

Value focalLoss(LayerCall &call) {
  double gamma = call.number("gamma", 2), alpha = call.number("alpha", 0.25);
  if (!(gamma >= 0))
    return call.error(call.rangeOf("gamma"), "'gamma' is " + numberText(gamma) + "; it is at least 0");
  if (!(alpha >= 0 && alpha <= 1))
    return call.error(call.rangeOf("alpha"), "'alpha' is " + numberText(alpha) + "; it is between 0 and 1");
  mlir::Value x = logits(call, call.input(), "sigmoid");
  mlir::Value t = x ? target(call, x) : mlir::Value();
  if (!t || call.failed)
    return {};
  TensorBuilder b = call.formula();
  return call.result(focal(b, x, t, gamma, alpha));
}

/// With labels of two classes, -1 stands for the first and 1 for the second.
Value hingeLoss(LayerCall &call) {
  mlir::Value x = call.input();
  mlir::Value t = x ? target(call, x) : mlir::Value();
  if (!t || call.failed)
    return {};
  TensorBuilder b = call.formula();
  const Value &given = call.inputs[1].value;
  if (given.isTensor() && call.training()->classesOf(given.tensor()))
    t = b.add(b.mul(t, 2), -1);
  return call.result(hinge(b, x, t));
}

/// Weights of the positions: one a class, from a list, or a tensor with one a position.
mlir::Value positionWeights(LayerCall &call, mlir::Value x, mlir::Value t) {
  const CallArgument *argument = call.find("weights");
  if (!argument)
    return {};
  mlir::Value weights = call.tensor("weights");
  if (!weights)
    return {};
  auto type = call.typeOf(weights), scores = call.typeOf(x);
  TensorBuilder b = call.formula();
  llvm::SmallVector<int64_t> positions = positionsOf(scores.getShape());
  if (type.getElementType().isF32() && type.getShape() == llvm::ArrayRef(positions) && type.isDynamicDim(0))
    return weights;
  if (type.getElementType().isF32() && type.getRank() == 1 && type.getDimSize(0) == scores.getDimSize(1))
    return b.sum(b.mul(t, b.broadcastChannels(weights, x)), {1});
  call.error(argument->range,
             "'weights' is " + call.elaborator.typeText(type) + ", expected f32" +
                 call.elaborator.shapeText(positions) + ", one a position, or f32[" +
                 std::to_string(scores.getDimSize(1)) + "], one a class",
             originsOf(call));
  return {};
}

/// Scores with their classes in dimension 1; null after an error.
mlir::Value scoresOf(LayerCall &call) {
  mlir::Value x = call.input();
  if (x && (call.typeOf(x).getRank() < 2 || call.typeOf(x).getDimSize(1) < 2)) {
    call.error("the scores are " + call.elaborator.typeText(x.getType()) +
                   ", expected f32[N, C, ...] with C classes of at least 2; for one score, bce_logits",
               originsOf(call));
    return {};
  }
  return x;
}

/// As the losses take them that apply a softmax.
mlir::Value softmaxLogits(LayerCall &call) { return logits(call, scoresOf(call), "softmax"); }

Value crossEntropyLoss(LayerCall &call) {
  double smoothing = call.number("smoothing", 0);
  if (!(smoothing >= 0 && smoothing < 1))
    return call.error(call.rangeOf("smoothing"),
                      "'smoothing' is " + numberText(smoothing) + "; it is at least 0 and below 1");
  mlir::Value x = softmaxLogits(call);
  mlir::Value t = x ? target(call, x) : mlir::Value();
  if (!t || call.failed)
    return {};
  mlir::Value weights = positionWeights(call, x, t);
  if (call.failed)
    return {};
  TensorBuilder b = call.formula();
  return call.result(crossEntropy(b, x, t, smoothing, weights));
}

Value kl(LayerCall &call) {
  mlir::Value x = softmaxLogits(call);
  mlir::Value t = x ? target(call, x) : mlir::Value();
  if (!t || call.failed)
    return {};
  TensorBuilder b = call.formula();
  return call.result(klDivergence(b, x, t));
}

Value gaussian(LayerCall &call) {
  mlir::Value mean = call.input(0), variance = call.input(1);
  if (!mean || !variance)
    return {};
  if (mean.getType() != variance.getType() || call.typeOf(mean).getRank() < 2)
    return call.error("the means are " + call.elaborator.typeText(mean.getType()) + " and the logarithms of variance " +
                          call.elaborator.typeText(variance.getType()) + "; both are f32[N, ...] of one shape",
                      originsOf(call));
  TensorBuilder b = call.formula();
  return call.result(gaussianKl(b, mean, variance));
}

/// Of weights, which are the parameters of rank 2 and above; not of biases, nor of batch norm.
Value regularize(LayerCall &call, double l1, double l2) {
  if (call.inputs.empty())
    return call.error("needs a network or a part of one, as in " + call.layer.name.str() + "(net, 1e-4)");
  const CallArgument &input = call.inputs.front();
  auto group = call.training()->group(input.value, input.range, call.layer.name);
  if (!group || call.failed)
    return {};
  llvm::SmallVector<mlir::Value> weights;
  std::vector<std::string> known = call.training()->parametersOf(*group, input.range);
  for (const std::string &path : known)
    if (call.training()->rankOf(path) >= 2)
      weights.push_back(call.training()->read(path));
  if (known.empty())
    return {};
  if (weights.empty())
    return call.error(input.range, "there are no weights here, which have two dimensions or more");
  TensorBuilder b = call.formula();
  return call.result(regularizer(b, weights, l1, l2));
}

double factor(LayerCall &call, llvm::StringRef name) {
  double value = call.number(name, 0);
  if (!(value >= 0))
    call.error(call.rangeOf(name), "'" + name.str() + "' is " + numberText(value) + "; it is at least 0");
  return value;
}

Value l1(LayerCall &call) { return regularize(call, factor(call, "factor"), 0); }
Value l2(LayerCall &call) { return regularize(call, 0, factor(call, "factor")); }
Value elasticNet(LayerCall &call) {
  double l1 = factor(call, "l1"), l2 = factor(call, "l2");
  return regularize(call, l1, l2);
}

} // namespace

llvm::ArrayRef<LayerInfo> lossFunctions() {
  static const std::vector<LayerInfo> functions = {
      LayerInfo{"mse", 2, 2, {}, ofTarget<meanSquaredError>}.shownAs("mse(values, target)"),
      LayerInfo{"mae", 2, 2, {}, ofTarget<meanAbsoluteError>}.shownAs("mae(values, target)"),
      LayerInfo{"huber", 2, 2, {{"delta"}}, huberLoss}.shownAs("huber(values, target)"),
      LayerInfo{"bce_logits", 2, 2, {}, ofTarget<binaryCrossEntropy>}.shownAs("bce_logits(scores, label)"),
      LayerInfo{"cross_entropy_logits", 2, 2, {{"smoothing"}, {"weights"}}, crossEntropyLoss}.shownAs(
          "cross_entropy_logits(scores, label)"),
      LayerInfo{"focal", 2, 2, {{"gamma"}, {"alpha"}}, focalLoss}.shownAs("focal(scores, label)"),
      LayerInfo{"hinge", 2, 2, {}, hingeLoss}.shownAs("hinge(scores, label)"),
      LayerInfo{"kl", 2, 2, {}, kl}.shownAs("kl(scores, target)"),
      LayerInfo{"dice", 2, 2, {}, ofTarget<dice>}.shownAs("dice(probabilities, label)"),
      LayerInfo{"gaussian_kl", 2, 2, {}, gaussian}.shownAs("gaussian_kl(means, log_variances)"),
      LayerInfo{"l1", 0, 1, {{"factor", true}}, l1}.shownAs("l1(net, 1e-4)"),
      LayerInfo{"l2", 0, 1, {{"factor", true}}, l2}.shownAs("l2(net, 1e-4)"),
      LayerInfo{"elastic_net", 0, 1, {{"l1", true}, {"l2", true}}, elasticNet}.shownAs("elastic_net(net, 1e-5, 1e-4)"),
  };
  return functions;
}

} // namespace cnn
