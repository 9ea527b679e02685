// Reverse-mode differentiation of tensor programs: the gradients of a scalar are ordinary operations, which can be
// simplified, fused, differentiated again and compiled like any other.
#pragma once

#include "ir/TensorBuilder.h"

namespace cnn {

/// On a `minimize`: its gradients are those of the loss times a scale that the function is given with each step,
/// divided by it again, so that small ones survive where contractions multiply in half precision. An output of the
/// function says how many elements of all gradients are not finite; with any, the step's state is of no use.
inline constexpr llvm::StringLiteral kLossScalingAttr = "loss_scaling", kLossScaleHyper = "loss_scaling.scale",
                                     kOverflowOutput = "loss_scaling.overflow";

/// The gradients of `loss`, a scalar of floats, by each of the values, of their types; built at the builder's place,
/// where all that the loss is computed from must be visible, in one block. Zeros for a value that the loss does not
/// depend on. Only what these gradients need is built. An operation between that has no rule is an error at the
/// operation, which names it and its path, and failure.
///
/// An operation made for another's gradient has the path of that one with `.grad` appended.
llvm::FailureOr<llvm::SmallVector<mlir::Value>> buildGradients(mlir::OpBuilder &builder, mlir::Value loss,
                                                               llvm::ArrayRef<mlir::Value> withRespectTo);

} // namespace cnn
