// What of lowering is the same for every target: a planned module's tensors, state and packed weights, and where the
// operands of its groups lie. A target adds the kernels and the steps that launch them.
#pragma once

#include "codegen/Program.h"
#include "ir/CnnOps.h"
#include "ir/reference/Tensor.h"

#include <optional>

namespace cnn {

struct ProgramOptions {
  /// The library's name, a C identifier; by default the module's name, made one.
  std::string name;
  /// Gives the value of a state variable, of the shape of its type, and reports its own errors; asked while weights are
  /// streamed.
  std::function<llvm::FailureOr<reference::Tensor>(llvm::StringRef name, mlir::RankedTensorType type)> state;
};

/// A group that runs code.
struct PlannedGroup {
  GroupOp group;
  int64_t index = 0;                   ///< In Program::groups.
  llvm::SmallVector<Operand> operands; ///< Inputs and results.
  std::optional<Operand> scratch;
};

/// A program without steps and variants, and its groups in the order in which they run.
struct PlannedProgram {
  Program program;
  std::vector<PlannedGroup> groups;
};

/// Of `module`, which has passed every stage up to plan; it must outlive the program. Reports its own errors.
llvm::FailureOr<PlannedProgram> planProgram(mlir::ModuleOp module, const ProgramOptions &options);

/// A text that is the same for groups whose kernels are the same: what the body computes, on which types, by which
/// schedule.
std::string structuralKey(GroupOp group, mlir::Attribute schedule);

/// A C identifier made from `text`.
std::string identifier(llvm::StringRef text);

} // namespace cnn
