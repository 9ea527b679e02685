// Adam (Kingma and Ba 2015, algorithm 1), AdamW (Loshchilov and Hutter 2019, algorithm 2) and Nadam (Dozat 2016,
// algorithm 2).
#include "passes/optimizers/Optimizer.h"

#include <cmath>

using namespace mlir;

namespace cnn::optimizers {

/// 1 - base^exponent, exact for bases near 1: 1 - e^z = -tanh(z / 2) (e^z + 1).
static Value oneMinusPower(TensorBuilder &b, double base, Value exponent) {
  if (base == 0)
    return b.scalar(1, exponent);
  Value z = b.mul(exponent, std::log(base));
  return b.neg(b.mul(b.tanh(b.mul(z, 0.5)), b.add(b.exp(z), 1)));
}

Value adam(Update &u) {
  TensorBuilder &b = u.b;
  OptimizerKind kind = u.optimizer.getKind();
  double beta1 = u.setting("beta1"), beta2 = u.setting("beta2");
  Value time = u.variables.time();
  Value first = u.average("mean", beta1, u.gradient), second = u.average("squares", beta2, b.square(u.gradient));
  // sqrt(v / (1 - beta2^t)) + epsilon
  Value correction =
      u.variables.once("squares_correction", [&](TensorBuilder &b) { return b.sqrt(oneMinusPower(b, beta2, time)); });
  Value deviation = b.add(b.div(b.sqrt(second), b.broadcastScalar(correction, second)), u.setting("epsilon"));

  if (kind == OptimizerKind::Nadam) {
    // m_t = beta1 (1 - 0.96^(t * decay) / 2); the first moment is corrected by the product of all m.
    auto momentum = [&](TensorBuilder &b, double ahead) {
      Value decay = b.exp(b.mul(b.add(time, ahead), u.setting("momentum_decay") * std::log(0.96)));
      return b.mul(b.subFrom(1, b.mul(decay, 0.5)), beta1);
    };
    Value now = u.variables.once("momentum", [&](TensorBuilder &b) { return momentum(b, 0); });
    Value next = u.variables.once("next_momentum", [&](TensorBuilder &b) { return momentum(b, 1); });
    Value product =
        u.variables.shared("momentum_product", 1, [&](TensorBuilder &b, Value before) { return b.mul(before, now); });
    Value ofGradient = u.variables.once("gradient_rate", [&](TensorBuilder &b) {
      return b.mul(u.rate, b.div(b.subFrom(1, now), b.subFrom(1, product)));
    });
    Value ofMean = u.variables.once(
        "mean_rate", [&](TensorBuilder &b) { return b.mul(u.rate, b.div(next, b.subFrom(1, b.mul(product, next)))); });
    Value step = b.add(u.scale(ofGradient, u.gradient), u.scale(ofMean, first));
    return b.sub(u.parameter, b.div(step, deviation));
  }

  Value rate = u.variables.once("corrected_rate",
                                [&](TensorBuilder &b) { return b.div(u.rate, oneMinusPower(b, beta1, time)); });
  Value parameter = u.parameter;
  if (kind == OptimizerKind::AdamW)
    parameter = b.sub(parameter, b.mul(u.scale(u.rate, parameter), u.setting("weight_decay")));
  return b.sub(parameter, b.div(u.scale(rate, first), deviation));
}

} // namespace cnn::optimizers
