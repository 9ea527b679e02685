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

/// A depthwise convolution or a transposed one, four channels of `positions` neighbours in a row a thread. Images and
/// weights are in blocks of channels.
std::string whyNotDepthwise(GroupOp group);
int64_t depthwisePositions(GroupOp group);
GroupKernels buildDepthwiseKernel(DeviceBuilder &b, llvm::StringRef symbol, GroupOp group, int64_t positions,
                                  int64_t threads, llvm::ArrayRef<DeviceOperand> known);

/// The gradient of one by its weights: sums over the batch in slices, whose sums go to the scratch; a second kernel
/// adds them in order. `threads` is a power of two.
std::string whyNotDepthwiseGrad(GroupOp group);
int64_t depthwiseGradScratchBytes(GroupOp group);
GroupKernels buildDepthwiseGradKernels(DeviceBuilder &b, llvm::StringRef symbol, GroupOp group, int64_t threads,
                                       llvm::ArrayRef<DeviceOperand> known);

/// Whether the anchor is one of these, whatever its operands are; how their weights are best stored.
bool isDepthwise(GroupOp group);
LayoutAttr depthwiseWeightLayout(mlir::MLIRContext *context);

/// A pooling of images in blocks of channels or the gradient of one, four channels of a position a thread.
std::string whyNotPool(GroupOp group);
GroupKernels buildPoolKernel(DeviceBuilder &b, llvm::StringRef symbol, GroupOp group, int64_t threads,
                             llvm::ArrayRef<DeviceOperand> known);

/// The units of a group that is computed by one kernel of one thread a unit, as many whatever the batch is, so that it
/// may be a part of a kernel of several groups (DeviceBuilder::part); 0 of any other.
int64_t partUnits(GroupOp group, Algorithm algorithm);
int64_t chainPartUnits(GroupOp group);
int64_t elementPartUnits(GroupOp group);

//===-- Shared by them
//---------------------------------------------------------------------------------------------===//

/// The operands of a group but for its scratch, as those of one kernel.
llvm::SmallVector<int64_t> bodyOperands(GroupOp group);
/// What is known of the operands of a kernel that has some of the group's.
llvm::SmallVector<DeviceOperand> knownOf(llvm::ArrayRef<DeviceOperand> known, llvm::ArrayRef<int64_t> operands);

} // namespace cnn::cuda
