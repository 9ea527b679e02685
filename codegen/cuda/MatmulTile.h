// Products of matrices by blocks of threads: result(m, n) = sum over k of a(m, k) * b(k, n), f32 in memory and in the
// sums. A block of threads computes `rows` by `columns` of the result. It goes over k in steps of `depth`, whose parts
// of both factors it copies to shared memory some stages ahead, and each warp multiplies a part of the tile: on tensor
// cores, or in f32 with fused multiply-adds. What is kept where in shared memory is chosen so that neither copies nor
// loads of fragments meet in a bank.
//
// Where elements of the factors lie is said by the caller, so that convolutions are products without a matrix of their
// windows, and so is what becomes of the sums. A sum's terms are added in an order that depends on the tile and the
// range of k alone.
#pragma once

#include "codegen/cuda/DeviceBuilder.h"
#include "ir/CnnOps.h"

namespace cnn::cuda {

using mlir::Value;

constexpr unsigned kGlobalSpace = 1;

/// How a product is cut. Sizes are in elements; a warp computes kWarpRows by kWarpColumns, a warpgroup kWarpgroupRows
/// by all columns.
struct MatmulTile {
  int64_t rows = 64, columns = 64, depth = 16, stages = 3;
  /// wgmma (WarpgroupTile.h) instead of mma.sync.
  bool ofWarpgroups = false;

  static constexpr int64_t kWarpRows = 32, kWarpColumns = 32;
  static constexpr int64_t kWarpgroupRows = 64, kWarpgroupDepth = 32, kThreadsPerWarpgroup = 128;

  int64_t threads() const {
    return ofWarpgroups ? rows / kWarpgroupRows * kThreadsPerWarpgroup
                        : rows / kWarpRows * (columns / kWarpColumns) * kThreadsPerWarp;
  }
  int64_t sharedBytes(Precision precision) const {
    bool hasHalves = ofWarpgroups && precision != Precision::TF32;
    return stages * (rows + columns) * depth * (hasHalves ? 6 : 4);
  }
  /// Why kernels cannot have this tile; empty when they can.
  std::string whyNot() const;
};

/// A product for which a tile is chosen: its rows are of one image where there are images.
struct MatmulSizes {
  int64_t rows, columns, depth;
};
MatmulTile chooseMatmulTile(const MatmulSizes &sizes, const Architecture &architecture, Precision precision);
/// Why a product in `precision` on an architecture cannot have this tile; empty when it can.
std::string whyNotTile(const MatmulTile &tile, Precision precision, const Architecture &architecture);

/// One of the factors, as lines (rows of a, columns of b) along k.
struct MatmulFactor {
  struct Place {
    Value address;
    Value valid; ///< Where false, the elements are zero and the address means nothing. Null: always true.
  };

  /// Elements that follow each other in memory are of one line, along k; else of one k, along the lines. So they do in
  /// shared memory.
  bool alongDepth = true;
  /// How many follow each other wherever this is a factor of their place, in 16 or in 4 aligned bytes: 4 or 1.
  int64_t width = 1;
  /// What `place` needs to know about a line; built in front of the loop over k.
  std::function<llvm::SmallVector<Value>(Value line)> line;
  std::function<Place(llvm::ArrayRef<Value> line, Value k)> place;
};

/// Sums of four consecutive columns, as vector<4xf32>.
struct MatmulSums {
  Value column, values;
};
/// Stores sums of one row. Rows and columns beyond the result's are the callee's to leave out.
using MatmulStore = llvm::function_ref<void(Value row, llvm::ArrayRef<MatmulSums> sums)>;

/// Where a block of threads works.
struct MatmulPart {
  Value firstRow, firstColumn, depthBegin, depthEnd;
};

/// What a product in `precision` is computed in on an architecture: f32 where it has no such tensor cores.
Precision effectivePrecision(Precision precision, const Architecture &architecture);

/// In a kernel with tile.threads() threads and tile.sharedBytes(precision) of shared memory a block.
void buildMatmulTile(DeviceBuilder &b, const MatmulTile &tile, Precision precision, const MatmulFactor &lhs,
                     const MatmulFactor &rhs, const MatmulPart &part, MatmulStore store);

} // namespace cnn::cuda
