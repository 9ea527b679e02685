// Error bounds of compiled groups: what `verify` compares with.
//
// A group is evaluated in double on the values that the compiled code had as inputs, and every value of its body
// carries a bound of how far compiled code may be from it. `eps` is the unit roundoff of the precision, 2^-24 for f32.
// The rules:
//
// - One rounding of v: eps |v| + 2^-126 (results below the smallest normal number may be flushed to zero).
// - A contraction or sum of n products: c(n) eps sum |w||x|, with c(n) = min(n, 8 sqrt(n)) + 2. n is the worst case in
// any order
//   of summation; 8 sqrt(n) holds with probability 1 - 2 exp(-32) an element when roundings are independent (Higham and
//   Mary 2019, "A New Approach to Probabilistic Rounding Error Analysis", Theorem 2.4 with lambda = 8); 2 is for the
//   bias and the final rounding.
// - Where a contraction's `precision` is less than f32, also (2u + u^2) sum |w||x|, with the unit roundoff u of its
//   factors, 2^-11 of tf32 and f16, 2^-8 of bf16; and for f16 the distance of its subnormal numbers.
// - Winograd F(4x4, 3x3): (c(C) + 24) eps |A|ᵀ [ sum over c of |u[.., c]| ⊙ r rᵀ max |x[c]| ] |A|, with r the sums of
// |Bt|'s rows
//   and the largest |x| among the 6 x 6 inputs of the tile: 24 roundings in the four passes of the transforms.
// - Errors of operands go through: unchanged through what moves or selects elements and what has Lipschitz constant 1
// (relu,
//   clamp, tanh, max_pool ...), by the operation itself on magnitudes where it is a sum of products, by the derivative
//   elsewhere.
// - tanh, sigmoid, exp and log are within 8 eps |v|, the contract of the generated code.
#pragma once

#include "ir/reference/Evaluate.h"

namespace cnn::reference {

/// The unit roundoff of f32.
inline constexpr double kEpsilonF32 = 0x1p-24;

/// A value as evaluated in double, and for each element how far compiled code may be from it.
struct Bounded {
  TensorRef value, bound;
};

/// The results of a group, or of any other operation, for exact operands.
llvm::FailureOr<llvm::SmallVector<Bounded>> evaluateWithBounds(mlir::Operation *op, llvm::ArrayRef<TensorRef> operands,
                                                               const EvaluateOptions &options = {},
                                                               double epsilon = kEpsilonF32);

/// How compiled f32 values differ from a Bounded. An Inf or NaN must be met by the same; it does not count in the
/// maxima.
struct Difference {
  /// maxRelative is maxAbsolute divided by the largest magnitude of the tensor.
  double maxAbsolute = 0, maxRelative = 0, maxUlp = 0;
  /// The largest error divided by its bound; at most 1 where all elements are within.
  double maxOfBound = 0;
  /// The element with that ratio, or the first whose Inf or NaN is not met; -1 for an empty tensor.
  int64_t worst = -1;
  bool passed = true;
};
Difference compare(const Tensor &computed, const Bounded &expected);

} // namespace cnn::reference
