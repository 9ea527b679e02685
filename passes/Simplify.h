// What passes that run before hoist share.
#pragma once

#include "ir/CnnOps.h"

#include <optional>

namespace cnn {

/// The number that every element of `value` is, when that is known: a constant, also broadcast or reshaped.
std::optional<double> splatOf(mlir::Value value);

/// Merges operations of a function that compute the same from the same values, whatever their paths; the first one's
/// path stays. Random draws differ by their paths.
void mergeEqual(mlir::func::FuncOp function);

} // namespace cnn
