// Reductions as vector code. A group is element-wise operations and then one or several reductions of tensors of one
// shape over the same dimensions (batch norm's backward sums of g and of g * xhat take one pass). The forms:
//
//   channels       images in blocks of channels over batch and positions, to one value a channel
//   columns        rows [N, O] over the batch, to [O]
//   scalar         everything, to one number: images of any layout, rows, or what is one for all images
//   image channels images in blocks of channels over positions, to rows [N, C]
//   image scalar   all but the batch, to [N]
//
// `channels` and `scalar` are two kernels: the first reduces each of kReduceSlices slices of the batch (or of what is
// one for all images) into the scratch, the second joins the slices as a tree. A sum adds 32 terms in each of four
// accumulators, then such sums in order, then images; what order depends on shapes and the batch alone. Padded lanes of
// inputs take no part.
#pragma once

#include "codegen/cpu/KernelBuilder.h"
#include "ir/CnnOps.h"

namespace cnn::cpu {

inline constexpr int64_t kReduceSlices = 16;

/// The reductions that the results of a group are, of tensors of one shape over the same dimensions; returns why they
/// are not, or nothing.
std::string reductionsOf(GroupOp group, llvm::SmallVectorImpl<ReduceOp> &reductions);

/// Empty for a group that these kernels compute.
std::string whyNotReduce(GroupOp group);
/// Bytes of the scratch, the same for every batch; 0 for a form of one kernel.
int64_t reduceScratchBytes(GroupOp group);

/// Appends `<symbol>.sum`, from the group's inputs to the scratch, and `symbol`, from the scratch to the results; or
/// just `symbol`, from inputs to results, where there is no scratch.
llvm::SmallVector<KernelInfo> buildReduceKernels(KernelBuilder &b, llvm::StringRef symbol, GroupOp group);

} // namespace cnn::cpu
