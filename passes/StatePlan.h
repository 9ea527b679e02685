// Where the variables of a training step lie in its block of state: the one rule that planning, its verification and
// lowering share.
#pragma once

#include "ir/CnnOps.h"

#include "llvm/ADT/MapVector.h"

namespace cnn {

/// The offset of each variable that an argument of `run` is tied to, in bytes: in the order of the arguments,
/// row-major, each at a multiple of 64.
llvm::MapVector<mlir::Attribute, int64_t> stateOffsets(mlir::func::FuncOp run);

/// The argument of `run` that is the variable's value before the step, or null.
mlir::BlockArgument stateArgument(mlir::func::FuncOp run, mlir::Attribute variable);

} // namespace cnn
