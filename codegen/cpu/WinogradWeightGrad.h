// The gradient of a 3x3 convolution of stride 1 by its weight by Winograd's F(4x4, 3x3), transposed: with the tiles of
// the forward convolution,
//
//   dW = G' [ sum over images and tiles of (B' x B) * (A dy A') ] G        (* element by element)
//
// in three kernels:
//
//   sum        a work unit takes a slice of the batch, some blocks of inputs and some of outputs; it transforms a few
//              images at a time in its scratch and adds the 36 products to P[slice][36][K/16][C/16][16c][16k];
//   transform  adds the slices and goes from 36 points to nine taps, Q[K/16][C/16][3][3][16c][16k];
//   finish     of WeightGradKernel.h, on Q.
//
// Each sum is added in one order, whatever the threads.
#pragma once

#include "codegen/cpu/ConvTile.h"
#include "codegen/cpu/KernelBuilder.h"

namespace cnn::cpu {

/// Whether this is faster than WeightGradKernel.h for `problem`, a 3x3 convolution of stride and dilation 1 on blocked
/// images without groups. The number of products is large enough for its rounding error to be lost in that of the sum.
bool winogradWeightGradPays(const ConvProblem &problem);

struct WinogradWeightGradSizes {
  int64_t slices;         ///< Of the batch.
  int64_t productBytes;   ///< P.
  int64_t transformBytes; ///< Q.
};
/// The same for every instruction set and batch.
WinogradWeightGradSizes winogradWeightGradSizes(const ConvProblem &problem);

/// From operands 0 (input) and 1 (gradient), in blocks, to operand 2 (P). fixedUnits only.
KernelInfo buildWinogradWeightGradSumKernel(KernelBuilder &builder, llvm::StringRef symbol, const ConvProblem &problem);
/// From operand 0 (P) to operand 1 (Q). fixedUnits only.
KernelInfo buildWinogradWeightGradTransformKernel(KernelBuilder &builder, llvm::StringRef symbol,
                                                  const ConvProblem &problem);

} // namespace cnn::cpu
