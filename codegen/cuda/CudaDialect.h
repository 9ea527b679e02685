// The `cuda` dialect, and which kernel fits which group.
#pragma once

#include "ir/CnnOps.h"

#include "codegen/cuda/CudaEnums.h.inc"

#include "codegen/cuda/CudaDialect.h.inc"

#define GET_ATTRDEF_CLASSES
#include "codegen/cuda/CudaAttrs.h.inc"

namespace cnn::cuda {

/// The best algorithm for a group whose layouts are decided, or the reason why there is none.
std::optional<Algorithm> algorithmOf(GroupOp group, std::string &whyNot);
/// Why `algorithm` cannot compute a group whose layouts are decided; empty when it can.
std::string whyNot(GroupOp group, Algorithm algorithm);

} // namespace cnn::cuda
