// Products of matrices, row-major and transposed or not: result(m, n) = sum over k of lhs(m, k) * rhs(k, n), for
// batches.
//
// A work unit packs the columns of `rhs` that it needs, [K][16 * blocks], into its scratch and goes over its rows in
// register tiles of rows by blocks of 16 columns: per k one vector a block and one broadcast a row. Each sum is one
// chain in the order of k, whatever the tile, the batch and the threads.
#pragma once

#include "codegen/cpu/KernelBuilder.h"

namespace cnn::cpu {

/// Which dimension is the batch, whose extent is known when the kernel runs.
enum class GemmBatch {
  None,
  Rows, ///< Each row is of one image: units are parts of images.
  Depth ///< The sum is over the batch: lhs is transposed, rhs is not, and the result is one for all images.
};

struct GemmProblem {
  int64_t rows = 1, columns = 1, depth = 1; ///< That of the batch has no meaning.
  bool transposeLhs = false;                ///< lhs lies as [K, M], else as [M, K].
  bool transposeRhs = false;                ///< rhs lies as [N, K], else as [K, N].
  GemmBatch batch = GemmBatch::None;

  std::string str() const;
};

struct GemmTile {
  int64_t rows = 8;
  int64_t blocks = 3;
};
GemmTile chooseGemmTile(const GemmProblem &problem, Isa isa);

/// Which operand of the kernel is which; a store may use further ones.
struct GemmOperands {
  int lhs = 0, rhs = 1, result = 2, count = 3;
};

/// Takes 16 sums of a row, from column 16 * `block` on; those beyond the last column mean nothing.
using GemmStore =
    std::function<void(KernelBuilder &, mlir::Value sums, mlir::Value row, mlir::Value block, int64_t column)>;

/// With GemmBatch::Depth the sums pass through the result, so that `store` must be null.
KernelInfo buildGemmKernel(KernelBuilder &b, llvm::StringRef symbol, const GemmProblem &problem, const GemmTile &tile,
                           const GemmOperands &operands, const GemmStore &store = nullptr);

} // namespace cnn::cpu
