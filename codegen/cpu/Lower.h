// From a planned module to the program that package emission takes (codegen/Program.h): a step or several for each
// group, the kernels of every instruction set, and where everything lies. Groups of the same structure share kernels.
#pragma once

#include "codegen/Program.h"
#include "ir/CnnOps.h"
#include "ir/reference/Tensor.h"

namespace cnn::cpu {

struct LowerOptions {
  /// The library's name, a C identifier; by default the module's name, made one.
  std::string name;
  /// Instruction sets to emit, of those that groups have schedules for; empty: all of them.
  std::vector<std::string> isas;
  /// Gives the value of a state variable, of the shape of its type, and reports its own errors; asked while weights are
  /// streamed.
  std::function<llvm::FailureOr<reference::Tensor>(llvm::StringRef name, mlir::RankedTensorType type)> state;
  /// Is shown the kernels of each instruction set, a module that bears its name, before they become LLVM IR; may be
  /// null.
  std::function<void(mlir::ModuleOp kernels)> onKernels;
};

/// Lowers `module`, which has passed every stage up to plan; it must outlive the program. Reports its own errors.
llvm::FailureOr<Program> lowerToProgram(mlir::ModuleOp module, const LowerOptions &options);

} // namespace cnn::cpu
