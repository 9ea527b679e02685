// The kernels of one group: which there are, in what order they run and on which operands.
#pragma once

#include "codegen/cpu/CpuDialect.h"

namespace cnn::cpu {

/// One kernel of a group.
struct GroupKernel {
  KernelInfo info;
  /// What the kernel's operands are: the group's inputs, then its results, then the parts of its scratch.
  llvm::SmallVector<int64_t> operands;
};

/// Parts of a group's scratch: image i of part k lies at `offset + i * the scratch's image stride`.
struct ScratchPart {
  int64_t offset;
  int64_t bytes;
};

/// The parts of the scratch of a group with that schedule, in order.
llvm::SmallVector<ScratchPart> scratchParts(GroupOp group, ScheduleAttr schedule);

/// Appends the kernels of `group` to the builder's module, in the order in which they run; their symbols begin with
/// `symbol`. An error at the group when no kernel fits.
llvm::FailureOr<llvm::SmallVector<GroupKernel>> buildGroupKernels(KernelBuilder &b, llvm::StringRef symbol,
                                                                  GroupOp group, ScheduleAttr schedule);

} // namespace cnn::cpu
