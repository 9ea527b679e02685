// The kernels of groups on a device. Each function appends the kernels of `group`, whose layouts are decided, to the
// builder's module, their symbols beginning with `symbol`. What an algorithm takes is said by a function whyNot...,
// which gives the reason when a group is not for it and is empty when it is.
//
// A kernel's operands are chosen from the group's inputs, then its results, then its scratch; `known` says what is
// known of each of them. Sums are taken in an order that depends on shapes and the batch alone.
#pragma once

#include "codegen/cuda/CudaDialect.h"
#include "codegen/cuda/DeviceBuilder.h"

namespace cnn::cuda {

struct GroupKernel {
  DeviceKernel kernel;
  /// What the kernel's operands are: indices into the group's inputs, results and scratch.
  llvm::SmallVector<int64_t> operands;
};

using GroupKernels = llvm::SmallVector<GroupKernel>;

/// The kernels of a group by its schedule, in the order in which they run. An error at the group when none fits.
llvm::FailureOr<GroupKernels> buildGroupKernels(DeviceBuilder &b, llvm::StringRef symbol, GroupOp group,
                                                ScheduleAttr schedule, llvm::ArrayRef<DeviceOperand> known);

/// Any group whose operations have formulas (codegen/cpu/Elements.h): a thread a stored element, a kernel a shape of
/// results.
GroupKernels buildElementKernels(DeviceBuilder &b, llvm::StringRef symbol, GroupOp group, int64_t threads,
                                 llvm::ArrayRef<DeviceOperand> known);

/// Element-wise operations on tensors of one layout, four elements a thread.
std::string whyNotChain(GroupOp group);
GroupKernels buildChainKernel(DeviceBuilder &b, llvm::StringRef symbol, GroupOp group, int64_t threads,
                              llvm::ArrayRef<DeviceOperand> known);

/// One or several reductions of tensors of one shape over the same dimensions, and what comes before them.
std::string whyNotReduce(GroupOp group);
int64_t reduceScratchBytes(GroupOp group);
GroupKernels buildReduceKernels(DeviceBuilder &b, llvm::StringRef symbol, GroupOp group, int64_t threads,
                                llvm::ArrayRef<DeviceOperand> known);

/// softmax of a row-major tensor along its last axis.
std::string whyNotSoftmax(GroupOp group);
GroupKernels buildSoftmaxKernel(DeviceBuilder &b, llvm::StringRef symbol, GroupOp group, int64_t threads,
                                llvm::ArrayRef<DeviceOperand> known);

} // namespace cnn::cuda
