// Squares of 16 x 16 f32 in registers.
#pragma once

#include "codegen/cpu/KernelBuilder.h"

namespace cnn::cpu {

/// rows[i][j] becomes rows[j][i]; 16 blocks.
void transposeSquare(KernelBuilder &b, llvm::SmallVectorImpl<mlir::Value> &rows);

} // namespace cnn::cpu
