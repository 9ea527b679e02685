// How a factor of a product of matrices (MatmulTile.h) lies in shared memory: rows of pieces of four elements, 16
// bytes, whose order in each row is a permutation that depends on the row. With it the eight lanes that copy or load 16
// bytes at a time, and the 32 that load one element each, find all that they want in different banks.
#pragma once

#include "codegen/cuda/DeviceBuilder.h"

namespace cnn::cuda {

struct SharedTile {
  using Value = mlir::Value;

  int64_t lines, depth;
  /// A row is a line, its pieces lie along k; else it is one k.
  bool alongDepth;

  /// Bytes from the tile's begin to the element of `line` at `k`, both counted from the tile's.
  Value offsetOf(DeviceBuilder &b, Value line, Value k) const;
};

} // namespace cnn::cuda
