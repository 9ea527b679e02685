// Private to differentiation: what a gradient rule sees and gives. One function a family of operations, each in the
// file of that name, as in ir/reference/.
#pragma once

#include "ir/TensorBuilder.h"

namespace cnn::gradients {

/// One operation on the way back: from the gradient of its result to those of its operands.
class Rule {
public:
  Rule(TensorBuilder &b, mlir::Operation *op, mlir::Value gradient, llvm::function_ref<bool(mlir::Value)> isNeeded,
       llvm::function_ref<void(mlir::Value, mlir::Value)> accumulate)
      : b(b), op(op), gradient(gradient), isNeeded(isNeeded), accumulate(accumulate) {}

  TensorBuilder &b;
  mlir::Operation *op;
  /// The gradient of the operation's result.
  mlir::Value gradient;

  mlir::Value operand(unsigned index) const { return op->getOperand(index); }
  mlir::Value result() const { return op->getResult(0); }
  /// Whether anyone asks for the gradient of the operand; rules build no other.
  bool needs(unsigned index) const { return index < op->getNumOperands() && isNeeded(operand(index)); }
  /// Adds to the gradient of an operand what `build` returns, which has the operand's type.
  void give(unsigned index, llvm::function_ref<mlir::Value()> build) {
    if (needs(index))
      accumulate(operand(index), build());
  }

private:
  llvm::function_ref<bool(mlir::Value)> isNeeded;
  llvm::function_ref<void(mlir::Value, mlir::Value)> accumulate;
};

/// True when the family has a rule for the operation, which has then been applied.
bool elementwise(Rule &);
bool shape(Rule &);
bool contraction(Rule &);
bool pooling(Rule &);
bool normalization(Rule &);
bool random(Rule &);

} // namespace cnn::gradients
