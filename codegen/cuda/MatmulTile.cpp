// The pipeline of MatmulTile.h: copies to shared memory, and what follows the products. WarpProduct.h has the products.
#include "codegen/cuda/MatmulTile.h"

#include "codegen/cuda/SharedTile.h"
#include "codegen/cuda/TileParts.h"
#include "codegen/cuda/WarpProduct.h"
#include "codegen/cuda/WarpgroupTile.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/LLVMIR/NVVMDialect.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "llvm/Support/FormatVariadic.h"

using namespace mlir;

namespace cnn::cuda {

std::string MatmulTile::whyNot() const {
  auto isTile = [](int64_t extent, int64_t warp) { return extent >= warp && llvm::isPowerOf2_64(extent); };
  if (!isTile(rows, kWarpRows) || !isTile(columns, kWarpColumns))
    return llvm::formatv("rows and columns of a tile must be powers of two from {0} on", kWarpRows);
  // More sums than this do not fit into the registers of a multiprocessor beside all else.
  constexpr int64_t kMostSums = 128 * 256;
  if (ofWarpgroups && (rows < kWarpgroupRows || rows > 256 || columns > 256 || rows * columns > kMostSums ||
                       depth != kWarpgroupDepth || stages < 3))
    return llvm::formatv("a tile of warpgroups must have {0} to 256 rows, up to 256 columns, not more than {1} sums, a "
                         "depth of {2} and 3 stages or more",
                         kWarpgroupRows, kMostSums, kWarpgroupDepth);
  if (depth != 16 && depth != 32)
    return "the depth of a tile must be 16 or 32";
  if (stages < 2 || stages > 8)
    return "a tile must have 2 to 8 stages";
  if (threads() > kThreadsPerBlock)
    return llvm::formatv("the tile has more than {0} threads", kThreadsPerBlock);
  return {};
}

// Larger tiles read each element less often from global memory; smaller ones leave fewer threads idle at the edges and
// more blocks to fill the multiprocessors. Tiles of 128 rows are for images that make several of them. Steps are long
// where two blocks still fit into a multiprocessor's shared memory.
//
// Warpgroups pay where k is long enough for their stages, which hold more, and columns fill a product; rows are of one
// image, of which there are many or one that is large. Of stages there are at least three, and as many as let two
// blocks share a multiprocessor.
MatmulTile chooseMatmulTile(const MatmulSizes &sizes, const Architecture &architecture, Precision precision) {
  MatmulTile tile;
  constexpr int64_t kManyColumns = 64, kLongDepth = 256;
  if (architecture.hasWarpgroupProducts() && precision != Precision::F32 && sizes.columns >= kManyColumns &&
      sizes.depth >= kLongDepth) {
    tile.ofWarpgroups = true;
    tile.rows = sizes.rows >= 1024 ? 128 : 64;
    tile.columns = sizes.columns % 128 == 0 && sizes.rows >= 1024 ? 128 : 64;
    tile.depth = MatmulTile::kWarpgroupDepth;
    tile.stages = precision == Precision::TF32 && tile.rows + tile.columns <= 192 ? 4 : 3;
    return tile;
  }
  tile.columns = sizes.columns <= 32 ? 32 : sizes.columns % 128 == 0 && sizes.rows >= 1024 ? 128 : 64;
  tile.rows = sizes.rows >= 1024 ? 128 : sizes.rows <= 32 && sizes.rows > 1 ? 32 : 64;
  tile.depth = sizes.depth >= 256 && tile.rows + tile.columns <= 128 ? 32 : 16;
  tile.stages = architecture.hasAsyncCopies() ? 3 : 2;
  return tile;
}

std::string whyNotTile(const MatmulTile &tile, Precision precision, const Architecture &architecture) {
  if (!tile.ofWarpgroups)
    return {};
  if (!architecture.hasWarpgroupProducts())
    return ("there is no wgmma on " + architecture.name).str();
  return precision == Precision::F32 ? "wgmma multiplies in tf32, f16 or bf16, not in f32" : "";
}

Precision effectivePrecision(Precision precision, const Architecture &architecture) {
  return architecture.hasAsyncCopies() ? precision : Precision::F32;
}

namespace {

/// One factor's part of a stage, and the copies to it that a thread does.
class Copies {
public:
  Copies(DeviceBuilder &b, const MatmulFactor &factor, const SharedTile &tile, int64_t threads, Value firstLine)
      : b(b), factor(factor) {
    int64_t along = tile.alongDepth ? tile.depth : tile.lines;
    int64_t pieces = tile.lines * tile.depth / factor.width, perRow = along / factor.width;
    Value thread = b.threadIndex();
    for (int64_t first = 0; first < pieces; first += threads) {
      Value number = b.add(thread, first);
      Value row = b.div(number, perRow), start = b.mul(b.rem(number, perRow), factor.width);
      Piece &piece = list.emplace_back();
      piece.line = tile.alongDepth ? row : start;
      piece.depth = tile.alongDepth ? start : row;
      piece.known = factor.line(b.add(firstLine, piece.line));
      piece.offset = tile.offsetOf(b, piece.line, piece.depth);
      if (first + threads > pieces)
        piece.exists = b.lessThan(number, b.index(pieces));
    }
  }

  /// Copies what begins at `k` to the part of a stage at `target`.
  void copy(Value target, Value k) {
    for (const Piece &piece : list) {
      auto one = [&] {
        MatmulFactor::Place place = factor.place(piece.known, b.add(k, piece.depth));
        moveToShared(b, b.offset(target, piece.offset), place, factor.width * 4);
      };
      if (piece.exists)
        b.ifThen(piece.exists, one);
      else
        one();
    }
  }

private:
  struct Piece {
    Value line, depth, offset, exists;
    SmallVector<Value> known;
  };

  DeviceBuilder &b;
  const MatmulFactor &factor;
  SmallVector<Piece> list;
};

class MatmulBuilder {
public:
  MatmulBuilder(DeviceBuilder &b, const MatmulTile &tile, Precision precision, const MatmulFactor &lhs,
                const MatmulFactor &rhs, const MatmulPart &part)
      : b(b), tile(tile), lhsTile{tile.rows, tile.depth, lhs.alongDepth},
        rhsTile{tile.columns, tile.depth, rhs.alongDepth},
        product(b, effectivePrecision(precision, b.architecture()), lhsTile, rhsTile, tile.columns), part(part),
        lhs(b, lhs, lhsTile, tile.threads(), part.firstRow), rhs(b, rhs, rhsTile, tile.threads(), part.firstColumn),
        stageBytes((tile.rows + tile.columns) * tile.depth * 4) {}

  void build(MatmulStore store) {
    Value steps = b.div(b.add(b.sub(part.depthEnd, part.depthBegin), tile.depth - 1), tile.depth);
    for (int64_t stage = 0; stage + 1 < tile.stages; ++stage) {
      b.ifThen(b.lessThan(b.index(stage), steps), [&] { copyStage(b.index(stage), b.index(stage)); });
      commit();
    }
    SmallVector<Value> sums = b.forLoop(b.index(0), steps, 1, product.zeros(), [&](Value step, ValueRange carried) {
      // The stage of this step is there, and all warps are done with that of the step before, which is filled next.
      wait();
      b.barrier();
      Value ahead = b.add(step, tile.stages - 1);
      b.ifThen(b.lessThan(ahead, steps), [&] { copyStage(ahead, b.rem(ahead, tile.stages)); });
      commit();
      Value begin = stageAt(b.rem(step, tile.stages));
      return product.multiply(begin, b.offset(begin, tile.rows * tile.depth * 4), carried);
    });
    storeSums(b, sums,
              {b.add(part.firstRow, product.firstRow()), b.add(part.firstColumn, product.firstColumn()),
               MatmulTile::kWarpRows / 16, MatmulTile::kWarpColumns / 8},
              store);
  }

private:
  Value stageAt(Value stage) { return b.offset(b.shared(0), b.mul(stage, stageBytes)); }

  void copyStage(Value step, Value stage) {
    Value k = b.add(part.depthBegin, b.mul(step, tile.depth)), begin = stageAt(stage);
    lhs.copy(begin, k);
    rhs.copy(b.offset(begin, tile.rows * tile.depth * 4), k);
  }

  void commit() {
    if (b.architecture().hasAsyncCopies())
      NVVM::CpAsyncCommitGroupOp::create(b);
  }
  /// For all copies but those of the last stages - 2 steps.
  void wait() {
    if (b.architecture().hasAsyncCopies())
      NVVM::CpAsyncWaitGroupOp::create(b, static_cast<uint32_t>(tile.stages - 2));
  }

  DeviceBuilder &b;
  MatmulTile tile;
  SharedTile lhsTile, rhsTile;
  WarpProduct product;
  MatmulPart part;
  Copies lhs, rhs;
  int64_t stageBytes;
};

} // namespace

void buildMatmulTile(DeviceBuilder &b, const MatmulTile &tile, Precision precision, const MatmulFactor &lhs,
                     const MatmulFactor &rhs, const MatmulPart &part, MatmulStore store) {
  if (tile.ofWarpgroups)
    return buildWarpgroupTile(b, tile, precision, lhs, rhs, part, store);
  MatmulBuilder(b, tile, precision, lhs, rhs, part).build(store);
}

} // namespace cnn::cuda
