// See Losses.h.
#include "ir/Losses.h"

#include "ir/Compositions.h"

using namespace mlir;

namespace cnn {

Value meanSquaredError(TensorBuilder &b, Value x, Value target) { return b.mean(b.square(b.sub(x, target))); }

Value meanAbsoluteError(TensorBuilder &b, Value x, Value target) { return b.mean(b.abs(b.sub(x, target))); }

Value huber(TensorBuilder &b, Value x, Value target, double delta) {
  // With q = min(|e|, delta): q^2 / 2 within, delta |e| - delta^2 / 2 beyond.
  Value error = b.abs(b.sub(x, target)), bounded = b.clamp(error, 0, delta);
  return b.mean(b.mul(bounded, b.sub(error, b.mul(bounded, 0.5))));
}

Value binaryCrossEntropy(TensorBuilder &b, Value logits, Value target) {
  return b.mean(b.sub(b.softplus(logits), b.mul(logits, target)));
}

Value crossEntropy(TensorBuilder &b, Value logits, Value target, double smoothing, Value weights) {
  if (smoothing != 0)
    target = b.add(b.mul(target, 1 - smoothing), smoothing / double(TensorBuilder::typeOf(logits).getDimSize(1)));
  Value loss = b.neg(b.sum(b.mul(target, logSoftmax(b, logits)), {1}));
  return b.mean(weights ? b.mul(loss, weights) : loss);
}

Value klDivergence(TensorBuilder &b, Value logits, Value target) {
  // 0 log 0 is 0.
  Value logarithm = b.log(b.max(target, 1e-30));
  return b.mean(b.sum(b.mul(target, b.sub(logarithm, logSoftmax(b, logits))), {1}));
}

Value gaussianKl(TensorBuilder &b, Value mean, Value logVariance) {
  Value terms = b.add(b.sub(b.add(b.exp(logVariance), -1), logVariance), b.square(mean));
  return b.mul(b.mean(b.sum(terms, TensorBuilder::Dims(TensorBuilder::allDims(terms)).drop_front())), 0.5);
}

Value hinge(TensorBuilder &b, Value x, Value target) { return b.mean(b.relu(b.subFrom(1, b.mul(x, target)))); }

Value dice(TensorBuilder &b, Value probabilities, Value target) {
  SmallVector<int64_t> image = llvm::to_vector(llvm::drop_begin(TensorBuilder::allDims(probabilities)));
  Value common = b.add(b.mul(b.sum(b.mul(probabilities, target), image), 2), 1);
  Value all = b.add(b.add(b.sum(probabilities, image), b.sum(target, image)), 1);
  return b.mean(b.subFrom(1, b.div(common, all)));
}

Value focal(TensorBuilder &b, Value logits, Value target, double gamma, double alpha) {
  // With s = 2 t - 1, log q = -softplus(-s x) and log(1 - q) = -softplus(s x).
  Value margin = b.mul(logits, b.add(b.mul(target, 2), -1));
  Value hardness = b.exp(b.mul(b.softplus(margin), -gamma));
  Value share = b.add(b.mul(target, 2 * alpha - 1), 1 - alpha);
  return b.mean(b.mul(share, b.mul(hardness, b.softplus(b.neg(margin)))));
}

static Value sumOf(TensorBuilder &b, ArrayRef<Value> scalars) {
  Value sum = scalars.front();
  for (Value scalar : scalars.drop_front())
    sum = b.add(sum, scalar);
  return sum;
}

Value regularizer(TensorBuilder &b, ArrayRef<Value> parameters, double l1, double l2) {
  SmallVector<Value> terms;
  for (Value parameter : parameters) {
    if (l1 != 0)
      terms.push_back(b.mul(b.sum(b.abs(parameter)), l1));
    if (l2 != 0)
      terms.push_back(b.mul(b.sum(b.square(parameter)), l2));
  }
  return terms.empty() ? b.scalar(0, parameters.front()) : sumOf(b, terms);
}

SmallVector<Value> clipByValue(TensorBuilder &b, ArrayRef<Value> gradients, double limit) {
  return llvm::map_to_vector(gradients, [&](Value gradient) { return b.clamp(gradient, -limit, limit); });
}

SmallVector<Value> clipByNorm(TensorBuilder &b, ArrayRef<Value> gradients, double limit) {
  SmallVector<Value> squares =
      llvm::map_to_vector(gradients, [&](Value gradient) { return b.sum(b.square(gradient)); });
  // limit / 0 is infinite, and so no limit.
  Value factor = b.min(b.divide(limit, b.sqrt(sumOf(b, squares))), 1);
  return llvm::map_to_vector(gradients,
                             [&](Value gradient) { return b.mul(gradient, b.broadcastScalar(factor, gradient)); });
}

} // namespace cnn
