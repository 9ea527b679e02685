// Gradient descent, with Polyak's (1964) and Nesterov's (1983) momentum as Sutskever et al. 2013 write them: the
// velocity holds the rate, so that a change of the rate does not change the past.
#include "passes/optimizers/Optimizer.h"

using namespace mlir;

namespace cnn::optimizers {

/// p - r g; v' = m v - r g and p + v'; or p + m v' - r g.
Value descent(Update &u) {
  TensorBuilder &b = u.b;
  Value step = u.scale(u.rate, u.gradient);
  if (u.optimizer.getKind() == OptimizerKind::Sgd)
    return b.sub(u.parameter, step);
  double momentum = u.setting("momentum");
  Value velocity = b.sub(b.mul(u.variables.slot("velocity"), momentum), step);
  u.variables.setSlot("velocity", velocity);
  if (u.optimizer.getKind() == OptimizerKind::Momentum)
    return b.add(u.parameter, velocity);
  return b.add(u.parameter, b.sub(b.mul(velocity, momentum), step));
}

} // namespace cnn::optimizers
