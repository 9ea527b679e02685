// Convolutions of planar images with few outputs, for first layers: where a vector of 16 channels would be half empty,
// the lanes are 16 pixels along a row instead, and the weights are splat. The element-wise part of the group runs on
// such vectors too; then they are transposed and stored in blocks of channels.
//
// Weights are packed as ConvKernel reads them, [1][C][kh][kw][16k]. Rows of the input are copied to the scratch with
// zeros left and right of them. An output's products are added in the order of ConvKernel's.
#pragma once

#include "codegen/cpu/CpuDialect.h"
#include "codegen/cpu/KernelBuilder.h"

namespace cnn::cpu {

/// Why the group, a convolution of a planar image, is not for this kernel; empty when it is.
std::string whyNotRowConv(GroupOp group);

/// Whether the kernel is faster for it than vectors of channels are.
bool rowConvPays(const ConvProblem &problem);

/// Output rows of a work unit come from `tile`.
KernelInfo buildRowConvKernel(KernelBuilder &b, llvm::StringRef symbol, GroupOp group, const ConvTile &tile);

/// Columns and outputs of a register tile, and the rows of a work unit.
ConvTile chooseRowConvTile(const ConvProblem &problem, Isa isa);

} // namespace cnn::cpu
