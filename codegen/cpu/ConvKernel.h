// Direct convolution on register tiles: the output in blocks, [K/16][OH][OW][16], the weights zero in padded lanes, and
// either
//
//   a blocked input [C/16][H][W][16] with weights [K/16][C/16][kh][kw][16c][16k] (without padding of c where
//   problem.paddedWeights is false, for kernels of one tap), or a planar input [C][H][W] with weights
//   [K/16][C][kh][kw][16k], for first layers.
//
// With several groups each group's channels are blocks of their own: padded, where their number is not a multiple
// of 16. Taps outside the image are left out, so that no padded copy is made; nor are padded lanes of the input read.
//
// An output's products are added in one order (blocks of input channels, kernel rows, kernel columns, channels),
// whatever the tile, the batch, the thread and the place in the image; different instruction sets may round
// differently.
#pragma once

#include "codegen/cpu/ConvTile.h"
#include "codegen/cpu/KernelBuilder.h"

namespace cnn::cpu {

/// Where the block lies that an epilogue is applied to.
struct EpiloguePosition {
  mlir::Value image;    ///< Index of the image.
  mlir::Value block;    ///< Index of the block of 16 output channels, over all groups.
  mlir::Value bytes;    ///< bytes + displacement: offset of the block in an image of the output's shape and layout.
  int64_t displacement; ///< The part of that offset that is known now.
};

/// Called with each block of the result while it is in registers; returns what is stored. Padded lanes of the value are
/// zero and must be zero in what it returns (KernelBuilder::keepChannels).
using Epilogue = std::function<mlir::Value(KernelBuilder &, mlir::Value value, const EpiloguePosition &)>;

/// Which operand of the kernel is which; an epilogue may use further ones.
struct ConvOperands {
  int input = 0;
  int weights = 1;
  int bias = -1; ///< [K/16][16], zero in padded lanes; -1 without.
  int output = 2;
  int count = 3; ///< Operands of the kernel, those of the epilogue included.
  /// Operands of the output's shape and layout that the epilogue reads: they are fetched while a tile is computed.
  llvm::SmallVector<int, 2> residuals = {};
};

KernelInfo buildConvKernel(KernelBuilder &builder, llvm::StringRef symbol, const ConvProblem &problem,
                           const ConvTile &tile, const ConvOperands &operands, const Epilogue &epilogue = nullptr);

} // namespace cnn::cpu
