// Depthwise convolution of blocked images: the input [C/16][H][W][16], the weights [C/16][kh][kw][16], the output
// [C/16][OH][OW][16]. A tile is a piece of an output row; each input column that it needs is loaded once a kernel row
// and feeds all its taps. Taps outside the image are left out. An output's products are added by kernel row, then
// kernel column.
#pragma once

#include "codegen/cpu/ConvKernel.h"

namespace cnn::cpu {

/// `problem` has as many groups as channels and outputs.
KernelInfo buildDepthwiseKernel(KernelBuilder &builder, llvm::StringRef symbol, const ConvProblem &problem,
                                const ConvOperands &operands, const Epilogue &epilogue = nullptr);

} // namespace cnn::cpu
