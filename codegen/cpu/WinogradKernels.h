// Convolution by Winograd's F(4x4, 3x3) (ir/Winograd.h) as three kernels, for 3x3 kernels with stride and dilation 1:
//
//   input    V[36][C/16][tiles][16] from the blocked image, a tile being 6x6 pixels, four apart, zero outside the
//   image; product  M[36][K/16][tiles][16] = U[36][K/16][C][16k] V, for each of the 36 points a product of matrices;
//   output   the blocked result from M, with bias and epilogue.
//
// A batch may also be *scattered*: for padding of 2 on all sides, as the gradient of an unpadded convolution has it, a
// tile is 4x4 pixels of the input, whose products add to 6x6 outputs. By reversing the taps the convolution is the
// transpose of F(4x4, 3x3): with U' of the reversed taps, A x A', then U', then B. As points come with their
// reciprocals, U' is U at the reciprocal points, times powers of two that are made a part of B. 11x11 to 13x13 pixels
// take 9 tiles instead of 16.
//
// V and M belong to one image each (their image strides are the sizes below). Each sum is added in one order, whatever
// the tile, the batch and the thread.
#pragma once

#include "codegen/cpu/ConvKernel.h"

namespace cnn::cpu {

struct WinogradSizes {
  int64_t rows, columns; ///< Tiles of 4x4 outputs.
  int64_t tiles;         ///< From one block of channels of a point to the next.
  int64_t inputBytes;    ///< V.
  int64_t productBytes;  ///< M.
  ConvProblem product;   ///< The 36 products as a pointwise convolution of 36 groups.
};

/// For one image, or for `images` images side by side in V and M, so that more tiles share what is read of U; then the
/// number of tiles is rounded up to an odd one, since the 36 places of a tile would else share few sets of the cache.
WinogradSizes winogradSizes(const ConvProblem &problem, int64_t images = 0);

/// G w G' of nine blocks, the taps of a kernel row by row, as 36.
llvm::SmallVector<mlir::Value> winogradTransformKernel(KernelBuilder &builder, llvm::ArrayRef<mlir::Value> taps);

/// G' M G of the 36 points of M, as the nine taps of a kernel.
llvm::SmallVector<mlir::Value> winogradTransformSums(KernelBuilder &builder, llvm::ArrayRef<mlir::Value> points);

/// From operand `input` (the image) to operand `output` (V, at the image's first tile).
KernelInfo buildWinogradInputKernel(KernelBuilder &builder, llvm::StringRef symbol, const ConvProblem &problem,
                                    const ConvOperands &operands, int64_t images = 0);
/// From operand `input` (the gradient of the result) to operand `output` (A dy A', as V lies, at the image's first
/// tile).
KernelInfo buildWinogradGradientKernel(KernelBuilder &builder, llvm::StringRef symbol, const ConvProblem &problem,
                                       const ConvOperands &operands, int64_t images = 0);
/// From operands `input` (V) and `weights` (U) to operand `output` (M). `tile` is one of
/// winogradSizes(problem).product.
KernelInfo buildWinogradProductKernel(KernelBuilder &builder, llvm::StringRef symbol, const ConvProblem &problem,
                                      const ConvTile &tile, const ConvOperands &operands);
/// From operands `input` (M, at the image's first tile) and `bias` to operand `output`, the result.
KernelInfo buildWinogradOutputKernel(KernelBuilder &builder, llvm::StringRef symbol, const ConvProblem &problem,
                                     const ConvOperands &operands, const Epilogue &epilogue = nullptr,
                                     int64_t images = 0);

/// All of it for a batch, a few images at a time in the scratch of a worker: nothing but the images themselves goes to
/// memory. `input` is the image and `weights` U. A unit is a part of the outputs of an image; where these are too few
/// images for two workers to share each what is read of U, units that follow each other have the part in common, else
/// the image. Calls kernels whose symbols begin with `symbol`.
KernelInfo buildWinogradBatchKernel(KernelBuilder &builder, llvm::StringRef symbol, const ConvProblem &problem,
                                    const ConvTile &tile, const ConvOperands &operands, const Epilogue &epilogue);
/// Like winogradSizes, of what it computes.
WinogradSizes winogradBatchSizes(const ConvProblem &problem, int64_t images = 0);
/// Images that it takes at a time.
int64_t winogradBatchImages(const ConvProblem &problem);

} // namespace cnn::cpu
