// See SharedTile.h.
#include "codegen/cuda/SharedTile.h"

#include "mlir/Dialect/Arith/IR/Arith.h"

using namespace mlir;

namespace cnn::cuda {

// Fragments are read by lanes (g, t), g < 8 and t < 4: element t of eight consecutive rows of a tile along k, so that
// the rows of 128 bytes must differ in the order of pieces, and of shorter ones those that share 128 bytes need not;
// element g of four consecutive rows of the other kind, so that these must differ by two pieces.
Value SharedTile::offsetOf(DeviceBuilder &b, Value line, Value k) const {
  Value row = alongDepth ? line : k, at = alongDepth ? k : line;
  Value order = !alongDepth ? b.mul(b.rem(row, 4), 2) : depth >= 32 ? b.rem(row, 8) : b.rem(b.div(row, 2), 4);
  Value piece = arith::XOrIOp::create(b, b.div(at, 4), order);
  Value bytes = b.add(b.mul(row, (alongDepth ? depth : lines) * 4), b.mul(piece, 16));
  return b.add(bytes, b.mul(b.rem(at, 4), 4));
}

} // namespace cnn::cuda
