// The gradient of a convolution by its weight, summed over a batch, as two kernels without transposes:
//
//   sum     each work unit takes one slice of the batch and some blocks of channels, and leaves in the scratch what
//           its images contribute: P[slice][K/16][C/16][kh][kw][16c][16k], or P[slice][K/16][C][kh][kw][16k] for a
//           planar input and, with C = 1, for a depthwise convolution;
//   finish  adds the slices and stores the result: row-major, or packed as the weights of ConvKernel.h are.
//
// A register tile is some input channels of one tap (some taps of all channels, for a planar or depthwise input) by
// some blocks of outputs; per pixel of the gradient it takes one vector a block and one broadcast a channel. Taps
// outside the image are left out. Each sum is added in one order (images of a slice, rows, columns; then slices),
// whatever the tile and the threads; the number of slices depends on the shapes alone.
#pragma once

#include "codegen/cpu/ConvTile.h"
#include "codegen/cpu/KernelBuilder.h"

namespace cnn::cpu {

/// How the sums are cut. `problem` is the convolution's: its input and, as its outputs, the gradient.
struct WeightGradPlan {
  int64_t rows = 8;         ///< Broadcast values of a register tile: input channels, or taps where the input is planar.
  int64_t blocks = 2;       ///< Blocks of 16 outputs of a register tile.
  int64_t regionInputs = 1; ///< Blocks of input channels of a work unit.
  int64_t regionParts = 1;  ///< Register tiles along the outputs of a work unit.
  int64_t chunk = 1;        ///< Images that a work unit goes through before its next tile.
  int64_t slices = 1;       ///< Of the batch.
};

/// Without groups, or depthwise (as many groups as inputs and outputs).
WeightGradPlan planWeightGrad(const ConvProblem &problem, Isa isa);

/// Bytes of P, the same for every instruction set and batch.
int64_t weightGradScratchBytes(const ConvProblem &problem);

/// From operands 0 (input, in blocks or planar) and 1 (gradient, in blocks) to operand 2 (P). fixedUnits only.
KernelInfo buildWeightGradSumKernel(KernelBuilder &builder, llvm::StringRef symbol, const ConvProblem &problem,
                                    const WeightGradPlan &plan);
/// From operand 0 (P) to operand 1: [K, C, kh, kw] row-major, or where `packed` in the layout of one slice of P with
/// zeros in padded places. fixedUnits only. `slices` are those of P where they are not the plan's.
KernelInfo buildWeightGradFinishKernel(KernelBuilder &builder, llvm::StringRef symbol, const ConvProblem &problem,
                                       bool packed, std::optional<int64_t> slices = {});

} // namespace cnn::cpu
