// From a planned module to the program that package emission takes (codegen/Program.h), with a kernel launch a step and
// the kernels of each architecture as LLVM IR of NVIDIA's triple. Groups of the same structure share kernels.
#pragma once

#include "codegen/PlannedProgram.h"

namespace cnn::cuda {

struct LowerOptions : ProgramOptions {
  /// Architectures to emit, of those that groups have schedules for; empty: all of them.
  std::vector<std::string> architectures;
  /// Is shown the kernels of each architecture, a module that bears its name, before they become LLVM IR; may be null.
  std::function<void(mlir::ModuleOp kernels)> onKernels;
  /// Groups next to each other that need nothing of each other, an element or some a thread whatever the batch is, are
  /// one launch, the step of the first of them: the updates of a step's parameters, and its packing of them. Else each
  /// group has steps of its own.
  bool joinsGroups = true;
};

/// Lowers `module`, which has passed every stage up to plan for the target "cuda"; it must outlive the program. Reports
/// its own errors.
llvm::FailureOr<Program> lowerToProgram(mlir::ModuleOp module, const LowerOptions &options);

} // namespace cnn::cuda
