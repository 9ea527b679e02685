// What the tests of differentiation share: functions built from C++, their gradients, and the comparison of these with
// central differences in double, which is the one test of every rule.
#pragma once

#include "test/unit/ir/Support.h"

#include "ir/TensorBuilder.h"
#include "passes/Gradients.h"

namespace cnn::test {

/// An argument of a function to differentiate.
struct Argument {
  Shape shape;
  /// Dimension 0 is the batch.
  bool batched = false;
  /// The range of its values.
  double low = -1, high = 1;
  /// Whether the gradient by it is asked for.
  bool wanted = true;
};

/// A scalar from the arguments.
using Formula = std::function<mlir::Value(TensorBuilder &, mlir::ValueRange)>;

/// A formula as IR, and its gradients by the arguments.
class Differentiated {
public:
  Differentiated(std::vector<Argument> arguments, const Formula &formula);

  double value(const std::vector<Tensor> &arguments);
  /// By the wanted arguments, in order.
  std::vector<Tensor> gradients(const std::vector<Tensor> &arguments);
  /// What differentiation reported.
  const std::string &messages() const { return ir.messages; }
  Ir ir;

private:
  std::vector<Argument> arguments;
};

/// Random arguments by `random`; the gradients must be the central differences. `what` and the arguments are printed
/// otherwise.
void expectGradients(Random &random, const std::string &what, const std::vector<Argument> &arguments,
                     const Formula &formula);

/// The same, and for the gradients of a sum of the gradients' squares.
void expectSecondGradients(Random &random, const std::string &what, const std::vector<Argument> &arguments,
                           const Formula &formula);

/// A scalar to which every element of x contributes differently: sum(w x) + sum(x^2) / 2.
mlir::Value weigh(TensorBuilder &b, mlir::Value x);

} // namespace cnn::test
