// Convolution by Winograd's F(4x4, 3x3) (ir/Winograd.h) as three kernels, for 3x3 kernels with stride and dilation 1:
//
//   input    V[36][C/16][tiles][16] from the blocked image, a tile being 6x6 pixels, four apart, zero outside the
//   image; product  M[36][K/16][tiles][16] = U[36][K/16][C][16k] V, for each of the 36 points a product of matrices;
//   output   the blocked result from M, with bias and epilogue.
//
// V and M belong to one image each (their image strides are the sizes below). Each sum is added in one order, whatever
// the tile, the batch and the thread.
#pragma once

#include "codegen/cpu/ConvKernel.h"

namespace cnn::cpu {

struct WinogradSizes {
  int64_t rows, columns; ///< Tiles of 4x4 outputs.
  int64_t inputBytes;    ///< V of one image.
  int64_t productBytes;  ///< M of one image.
  ConvProblem product;   ///< The 36 products as a pointwise convolution of 36 groups.
};

WinogradSizes winogradSizes(const ConvProblem &problem);

/// From operand `input` (the image) to operand `output` (V).
KernelInfo buildWinogradInputKernel(KernelBuilder &builder, llvm::StringRef symbol, const ConvProblem &problem,
                                    const ConvOperands &operands);
/// From operands `input` (V) and `weights` (U) to operand `output` (M). `tile` is one of
/// winogradSizes(problem).product.
KernelInfo buildWinogradProductKernel(KernelBuilder &builder, llvm::StringRef symbol, const ConvProblem &problem,
                                      const ConvTile &tile, const ConvOperands &operands);
/// From operands `input` (M) and `bias` to operand `output`, the result.
KernelInfo buildWinogradOutputKernel(KernelBuilder &builder, llvm::StringRef symbol, const ConvProblem &problem,
                                     const ConvOperands &operands, const Epilogue &epilogue = nullptr);

} // namespace cnn::cpu
