// The way of a network through the passes: named stages, each verified at its boundary. What an elaborated module goes
// through on its way to code generation is the table in Pipeline.cpp and nothing else.
#pragma once

#include "passes/TargetModel.h"

#include <functional>
#include <string>
#include <vector>

namespace cnn {

struct PipelineOptions {
  /// Needed from the stage `fuse` on.
  const TargetModel *target = nullptr;
  /// Some of the target's; empty: all.
  std::vector<std::string> isas;
  /// Only algorithms that add the products as the formulas do: no Winograd.
  bool exact = false;
  /// Give every result memory of its own (`verify` compares values group by group).
  bool keepBuffers = false;
  /// The outputs to keep; empty: all.
  std::vector<std::string> outputs;
  /// Called with each pass's flag and the module once the pass is done; a failure of it ends the pipeline.
  std::function<llvm::LogicalResult(llvm::StringRef pass, mlir::ModuleOp)> afterPass;
};

/// elaborate simplify differentiate hoist fuse layout schedule plan
llvm::ArrayRef<llvm::StringRef> pipelineStages();

/// Takes an elaborated module through the stages up to `lastStage` (the last one by default), calling `after` with each
/// stage's name and the module once the stage is done and verified; a failure of it ends the pipeline. Errors are
/// reported as diagnostics.
llvm::LogicalResult
runPipeline(mlir::ModuleOp module, const PipelineOptions &options, llvm::StringRef lastStage = "plan",
            llvm::function_ref<llvm::LogicalResult(llvm::StringRef stage, mlir::ModuleOp)> after = nullptr);

/// Verifies what must hold after `stage` (docs/passes.md, cnn-verify-stage), beyond what the operations' verifiers
/// hold.
llvm::LogicalResult verifyStage(llvm::StringRef stage, mlir::ModuleOp module);

} // namespace cnn
