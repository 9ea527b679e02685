// Private to differentiation: what an optimizer sees and gives. An optimizer is IR: the new value of one parameter from
// its gradient, the learning rate and variables of its own. Settings and their defaults are in ir/Optimizer.h.
#pragma once

#include "ir/Optimizer.h"
#include "ir/TensorBuilder.h"

namespace cnn::optimizers {

/// The variables of one `minimize`, and what all its parameters share.
class Variables {
public:
  virtual ~Variables() = default;
  /// The variable `name` of the parameter, of the parameter's type, as it is before the step; it starts as zeros.
  virtual mlir::Value slot(llvm::StringRef name) = 0;
  /// Its value after the step.
  virtual void setSlot(llvm::StringRef name, mlir::Value value) = 0;
  /// A scalar variable of all the parameters after the step, which `next` computes once from that before. It starts at
  /// `initial`.
  virtual mlir::Value shared(llvm::StringRef name, double initial,
                             llvm::function_ref<mlir::Value(TensorBuilder &, mlir::Value)> next) = 0;
  /// A scalar that all the parameters share, computed once.
  virtual mlir::Value once(llvm::StringRef name, llvm::function_ref<mlir::Value(TensorBuilder &)> build) = 0;
  /// The number of the step as a scalar of the rate's type, 1 in the first.
  virtual mlir::Value time() = 0;
};

struct Update {
  TensorBuilder &b;
  OptimizerAttr optimizer;
  mlir::Value parameter, gradient;
  /// A scalar.
  mlir::Value rate;
  Variables &variables;

  double setting(llvm::StringRef name) const { return optimizer.setting(name); }
  /// A scalar times a tensor of the parameter's shape.
  mlir::Value scale(mlir::Value scalar, mlir::Value tensor) { return b.mul(b.broadcastScalar(scalar, tensor), tensor); }
  /// The slot's new value, decay * before + (1 - decay) * value.
  mlir::Value average(llvm::StringRef slot, double decay, mlir::Value value) {
    mlir::Value next = b.add(b.mul(variables.slot(slot), decay), b.mul(value, 1 - decay));
    variables.setSlot(slot, next);
    return next;
  }
};

/// The parameter after the step, as the optimizer says. One function a kind, in the file of its family.
mlir::Value descent(Update &);
mlir::Value adaptive(Update &);
mlir::Value adam(Update &);

} // namespace cnn::optimizers
