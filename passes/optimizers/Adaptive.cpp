// Rates of each element's own, by the squares of its gradients.
#include "passes/optimizers/Optimizer.h"

using namespace mlir;

namespace cnn::optimizers {

/// Duchi et al. 2011: s' = s + g^2, p - r g / (sqrt(s') + epsilon).
static Value adagrad(Update &u) {
  TensorBuilder &b = u.b;
  Value squares = b.add(u.variables.slot("squares"), b.square(u.gradient));
  u.variables.setSlot("squares", squares);
  return b.sub(u.parameter, b.div(u.scale(u.rate, u.gradient), b.add(b.sqrt(squares), u.setting("epsilon"))));
}

/// Zeiler 2012, algorithm 1: s the average of g^2, d = sqrt((e + epsilon) / (s' + epsilon)) g, e that of d^2; p - r d.
static Value adadelta(Update &u) {
  TensorBuilder &b = u.b;
  double rho = u.setting("rho"), epsilon = u.setting("epsilon");
  Value squares = u.average("squares", rho, b.square(u.gradient));
  Value ratio = b.div(b.sqrt(b.add(u.variables.slot("steps"), epsilon)), b.sqrt(b.add(squares, epsilon)));
  Value step = b.mul(ratio, u.gradient);
  u.average("steps", rho, b.square(step));
  return b.sub(u.parameter, u.scale(u.rate, step));
}

/// Tieleman and Hinton 2012: s the average of g^2; v' = m v + r g / (sqrt(s') + epsilon), p - v'.
static Value rmsProp(Update &u) {
  TensorBuilder &b = u.b;
  Value squares = u.average("squares", u.setting("rho"), b.square(u.gradient));
  Value step = b.div(u.scale(u.rate, u.gradient), b.add(b.sqrt(squares), u.setting("epsilon")));
  if (double momentum = u.setting("momentum")) {
    step = b.add(b.mul(u.variables.slot("velocity"), momentum), step);
    u.variables.setSlot("velocity", step);
  }
  return b.sub(u.parameter, step);
}

Value adaptive(Update &u) {
  switch (u.optimizer.getKind()) {
  case OptimizerKind::Adagrad:
    return adagrad(u);
  case OptimizerKind::Adadelta:
    return adadelta(u);
  default:
    return rmsProp(u);
  }
}

} // namespace cnn::optimizers
