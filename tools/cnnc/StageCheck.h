// Whether passes keep the meaning of a network: the reference implementation evaluates it after each of them.
#pragma once

#include "ir/reference/Evaluate.h"
#include "tools/cnnc/Compile.h"

#include "llvm/ADT/StringMap.h"

#include <string>
#include <vector>

namespace cnn {

/// The largest difference of two tensors as a share of the second one's largest magnitude; infinity where one is NaN or
/// Inf and the other is not the same.
double largestDifference(const host::Tensor &computed, const host::Tensor &expected);

/// Compares what a network computes after a pass with what it computed at the beginning.
class StageCheck {
public:
  StageCheck(const Weights &weights, llvm::ArrayRef<host::Tensor> inputs, unsigned threads)
      : weights(weights), inputs(inputs) {
    options.threads = threads;
  }

  /// Evaluates the network as elaborated.
  llvm::LogicalResult begin(mlir::ModuleOp network);
  /// Evaluates the network after `pass`; fails where that has changed the meaning.
  llvm::LogicalResult after(llvm::StringRef pass, mlir::ModuleOp module);

  /// What a failure was.
  std::string problem;

private:
  using Outputs = llvm::StringMap<reference::TensorRef>;
  /// The outputs by name, of @infer or of @prepare and @run, whichever the module has.
  llvm::FailureOr<Outputs> evaluate(mlir::ModuleOp module);
  llvm::FailureOr<llvm::SmallVector<reference::TensorRef>> call(mlir::func::FuncOp function,
                                                                llvm::ArrayRef<reference::TensorRef> packed);

  const Weights &weights;
  llvm::ArrayRef<host::Tensor> inputs;
  reference::EvaluateOptions options;
  Outputs exact;
};

/// Runs the tensor-level pipeline on a copy of `network` and evaluates it after every pass. Returns the pass that
/// changed the meaning and how, or an empty string when none did.
std::string checkStages(mlir::ModuleOp network, const Weights &weights, const std::vector<host::Tensor> &inputs,
                        const CompileOptions &options, unsigned threads);

} // namespace cnn
