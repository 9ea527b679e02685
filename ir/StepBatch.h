// The batch that a training step is meant for, as its train block says: steps run on any batch, but what pays can
// depend on it.
#pragma once

#include "llvm/ADT/StringRef.h"

namespace cnn {

/// An integer, on the function of the step; where it is missing, the batch is large.
inline constexpr llvm::StringLiteral kStepBatchAttr = "cnn.step_batch";

} // namespace cnn
