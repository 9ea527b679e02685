// See Compositions.h.
#include "ir/Compositions.h"

using namespace mlir;

namespace cnn {

Value leakyRelu(TensorBuilder &b, Value x, double slope) {
  // The factor is slope or 1, exactly, for slopes in [0, 1].
  return b.mul(x, b.add(b.mul(b.step(x), 1 - slope), slope));
}

Value logSoftmax(TensorBuilder &b, Value x, int64_t axis) {
  // The result does not depend on what is subtracted, so neither does its derivative.
  Value largest = b.stopGradient(b.reduce(ReduceKind::Max, x, {axis}));
  Value centred = b.sub(x, b.broadcastReduced(largest, {axis}, x));
  return b.sub(centred, b.broadcastReduced(b.log(b.sum(b.exp(centred), {axis})), {axis}, x));
}

Value oneHot(TensorBuilder &b, Value labels, int64_t classes, Type element) {
  Value numbers = b.convert(labels, element);
  SmallVector<int64_t> shape = TensorBuilder::extentsOf(labels), kept = {0};
  shape.insert(shape.begin() + 1, classes);
  for (int64_t dim = 1; dim < int64_t(shape.size()) - 1; ++dim)
    kept.push_back(dim + 1);
  Value label = b.make<BroadcastOp>(numbers, {b.ints("dims", kept), b.ints("shape", shape)});
  Value index = b.broadcastChannels(b.iota(classes, numbers), label);
  return b.relu(b.subFrom(1, b.abs(b.sub(label, index))));
}

Value dropout(TensorBuilder &b, Value x, double rate, Value seed, Value step) {
  Value draw = b.make<RandomUniformOp>({seed, step, x}, {b.ints("shape", TensorBuilder::extentsOf(x))});
  Value dropped = b.step(b.subFrom(rate, b.convert(draw, TensorBuilder::typeOf(x).getElementType())));
  return b.mul(x, b.mul(b.subFrom(1, dropped), 1 / (1 - rate)));
}

BatchNormTraining batchNormTraining(TensorBuilder &b, Value x, Value scale, Value offset, Value runningMean,
                                    Value runningVariance, double momentum, double epsilon) {
  SmallVector<int64_t> dims = TensorBuilder::allDims(x);
  dims.erase(dims.begin() + 1);
  Value mean = b.mean(x, dims);
  Value centred = b.sub(x, b.broadcastChannels(mean, x));
  Value variance = b.mean(b.square(centred), dims);
  Value factor = b.div(scale, b.sqrt(b.add(variance, epsilon)));
  Value result = b.add(b.mul(centred, b.broadcastChannels(factor, x)), b.broadcastChannels(offset, x));

  Value count = b.count(x, dims);
  Value unbiased = b.mul(variance, b.broadcastScalar(b.div(count, b.max(b.add(count, -1), 1)), variance));
  auto next = [&](Value before, Value current) {
    return b.add(b.mul(before, 1 - momentum), b.mul(b.stopGradient(current), momentum));
  };
  return {result, next(runningMean, mean), next(runningVariance, unbiased)};
}

} // namespace cnn
