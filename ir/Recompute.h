// The attributes by which `@recompute` goes through the IR. A region is what one `@recompute` stands before: operations
// with one number. Differentiation saves nothing from within, but computes it again in the backward pass
// (passes/Recompute.h); what it computes again is marked, so that it is merged and fused with nothing of the forward
// pass, which would keep the values after all.
#pragma once

#include "ir/CnnOps.h"

namespace cnn {

/// The number of the region, on operations of the forward pass; after differentiation there is none.
inline constexpr llvm::StringLiteral kRecomputeAttr = "cnn.recompute";
/// The same, on the copies that compute again.
inline constexpr llvm::StringLiteral kRecomputedAttr = "cnn.recomputed";
/// `@keep`: the operation's value is saved, also within a region.
inline constexpr llvm::StringLiteral kKeepAttr = "cnn.keep";

/// What a gradient's path has in place of its operation's.
inline constexpr llvm::StringLiteral kGradientSuffix = ".grad";

/// Whether a path is that of an operation of the backward pass: a gradient, or a copy that computes again.
bool isBackwardPath(llvm::StringRef path);

/// Whether the operation, or one in the group, computes again what the forward pass had.
bool isRecomputed(mlir::Operation *op);

/// The path of a copy is that of the original with this appended, but for draws, whose values depend on it.
inline constexpr llvm::StringLiteral kAgainSuffix = ".again";

} // namespace cnn
