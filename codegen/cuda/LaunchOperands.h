// Where the operands of a launch lie, and what follows for what its kernel may know of them.
#pragma once

#include "codegen/PlannedProgram.h"
#include "codegen/cuda/DeviceBuilder.h"

namespace cnn::cuda {

struct LaunchOperand {
  Operand place;
  int64_t bytes = 0; ///< Of each image, or of what all share.
  bool isWritten = false;
};
using LaunchOperands = llvm::SmallVector<LaunchOperand>;

/// A group's inputs, results and scratch, of `scratchBytes`, if it has one.
LaunchOperands launchOperands(const PlannedGroup &planned, int64_t scratchBytes);
/// What is known of each.
llvm::SmallVector<DeviceOperand> knownOf(llvm::ArrayRef<LaunchOperand> operands);
/// Whether nothing that one of them writes is read or written by the other.
bool areIndependent(llvm::ArrayRef<LaunchOperand> a, llvm::ArrayRef<LaunchOperand> b);

/// Groups that one kernel computes (DeviceBuilder::part), and their operands, those in the same place as one.
struct JoinedGroups {
  LaunchOperands operands;
  llvm::SmallVector<llvm::SmallVector<int64_t>> parts; ///< Of each group, its own as numbers of `operands`.

  /// Takes a group in, unless it needs what another one of them computes or there are too many operands.
  bool take(llvm::ArrayRef<LaunchOperand> group);

private:
  llvm::SmallVector<LaunchOperands> groups;
};

} // namespace cnn::cuda
