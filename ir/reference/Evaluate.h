// The reference implementation: what every operation of the dialect means. It evaluates any tensor-level IR, at every
// stage from elaboration to the memory plan (groups by their bodies, layouts without effect), in double precision and
// one operation at a time. It is written to be read and compared with; kernels are checked against it.
//
// Evaluation is the same on every machine for operations made of + - * / and square root, as it uses plain IEEE
// operations in a fixed order; exp, tanh and log are those of the C library. What cannot be evaluated (mismatched
// arguments, an operation without a meaning here) is reported as an error at the operation and returned as failure.
#pragma once

#include "ir/CnnOps.h"
#include "ir/reference/Tensor.h"

#include <functional>

namespace cnn::reference {

struct EvaluateOptions {
  /// N, where no argument tells it.
  int64_t batch = 1;
  /// Number of threads, 0: one a core. Changes no bit.
  unsigned threads = 0;
  /// Called after each operation with its results, in the bodies of groups too; failure ends the evaluation.
  std::function<llvm::LogicalResult(mlir::Operation *, llvm::ArrayRef<TensorRef>)> after;
};

/// The function's results for one tensor an argument. An argument's dynamic dimension 0 is N, the same for all. A value
/// is freed after its last use unless the caller holds it.
llvm::FailureOr<llvm::SmallVector<TensorRef>> evaluate(mlir::func::FuncOp function, llvm::ArrayRef<TensorRef> arguments,
                                                       const EvaluateOptions &options = {});

/// The results of one operation, which may be a group, for one tensor an operand.
llvm::FailureOr<llvm::SmallVector<TensorRef>> evaluate(mlir::Operation *op, llvm::ArrayRef<TensorRef> operands,
                                                       const EvaluateOptions &options = {});

/// N for values of these types: the extent of the dynamic dimensions 0, or `batch` where there is none. An error at
/// `op` where the tensors don't fit the types.
llvm::FailureOr<int64_t> batchOf(mlir::Operation *op, mlir::TypeRange types, llvm::ArrayRef<TensorRef> tensors,
                                 int64_t batch);

} // namespace cnn::reference
