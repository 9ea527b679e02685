// What passes ask about constants in networks.
#pragma once

#include "ir/CnnOps.h"

#include <optional>

namespace cnn {

/// The number that every element of `value` is, when that is known: a constant, also broadcast or reshaped.
std::optional<double> splatOf(mlir::Value value);

} // namespace cnn
