// From a planned module to the program that package emission takes (codegen/Program.h): a step or several for each
// group, the kernels of every instruction set, and where everything lies. Groups of the same structure share kernels.
#pragma once

#include "codegen/PlannedProgram.h"

namespace cnn::cpu {

struct LowerOptions : ProgramOptions {
  /// Instruction sets to emit, of those that groups have schedules for; empty: all of them.
  std::vector<std::string> isas;
  /// Is shown the kernels of each instruction set, a module that bears its name, before they become LLVM IR; may be
  /// null.
  std::function<void(mlir::ModuleOp kernels)> onKernels;
};

/// Lowers `module`, which has passed every stage up to plan; it must outlive the program. Reports its own errors.
llvm::FailureOr<Program> lowerToProgram(mlir::ModuleOp module, const LowerOptions &options);

} // namespace cnn::cpu
