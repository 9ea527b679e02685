// See WarpgroupTile.h.
#include "codegen/cuda/WarpgroupTile.h"

#include "codegen/cuda/TileParts.h"
#include "codegen/cuda/WarpgroupProduct.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/LLVMIR/NVVMDialect.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"

using namespace mlir;

namespace cnn::cuda {

namespace {

constexpr int64_t kDepth = MatmulTile::kWarpgroupDepth, kRawRow = kDepth * 4;

/// One factor's part of a stage, and what a thread does for it: its copies, and their conversion.
class Lines {
public:
  /// `raw` and `ready` are where the f32 and what the product reads lie in a stage.
  Lines(DeviceBuilder &b, const MatmulFactor &factor, Precision precision, int64_t lines, int64_t threads,
        Value firstLine, int64_t raw, int64_t ready)
      : b(b), factor(factor), precision(precision), raw(raw), ready(ready) {
    bool isWide = factor.width == 4;
    int64_t pieces = lines * kDepth / factor.width;
    for (int64_t first = 0; first < pieces; first += threads) {
      Value number = b.add(b.threadIndex(), first);
      Piece &piece = list.emplace_back();
      // Lanes of a warp meet different banks in both layouts, and read whole sectors of 32 bytes.
      if (factor.alongDepth) {
        int64_t perRow = kDepth / factor.width;
        piece.line = b.div(number, perRow);
        piece.depth = b.mul(b.rem(number, perRow), factor.width);
      } else {
        // A warp takes 8 lines by 16 k, four lines a thread, or 8 by 4.
        Value lane = b.rem(number, kThreadsPerWarp), part = b.div(number, kThreadsPerWarp);
        int64_t across = isWide ? 2 : 8, down = kThreadsPerWarp / across;
        piece.line = b.add(b.mul(b.rem(part, lines / 8), 8), b.mul(b.rem(lane, across), factor.width));
        piece.depth = b.add(b.mul(b.div(part, lines / 8), down), b.div(lane, across));
      }
      piece.known = factor.line(b.add(firstLine, piece.line));
      if (first + threads > pieces)
        piece.exists = b.lessThan(number, b.index(pieces));
    }
  }

  /// Begins the copies of what begins at `k` to a stage.
  void copy(Value stage, Value k) {
    forPieces([&](const Piece &piece) {
      MatmulFactor::Place place = factor.place(piece.known, b.add(k, piece.depth));
      forParts(piece, [&](Value line, int64_t bytes, int64_t part) {
        MatmulFactor::Place at = {b.offset(place.address, part * 4), place.valid};
        moveToShared(b, b.offset(stage, rawOffset(line, piece.depth)), at, bytes);
      });
    });
  }

  /// Converts what this thread's copies brought.
  void convert(Value stage) {
    forPieces([&](const Piece &piece) {
      forParts(piece, [&](Value line, int64_t bytes, int64_t) {
        Value from = b.offset(stage, rawOffset(line, piece.depth));
        Value to = b.offset(stage, readyOffset(line, piece.depth));
        Type type = bytes == 4 ? b.f32() : VectorType::get({4}, b.f32());
        Value values = b.load(type, from, 0, bytes);
        auto unit = static_cast<unsigned>(precision == Precision::TF32 ? bytes : bytes / 2);
        b.store(roundForTensorCores(b, values, precision), to, 0, unit);
      });
    });
  }

private:
  struct Piece {
    Value line, depth, exists;
    SmallVector<Value> known;
  };

  void forPieces(llvm::function_ref<void(const Piece &)> act) {
    for (const Piece &piece : list) {
      if (piece.exists)
        b.ifThen(piece.exists, [&] { act(piece); });
      else
        act(piece);
    }
  }
  /// What of a piece follows each other in a row of shared memory.
  void forParts(const Piece &piece, llvm::function_ref<void(Value line, int64_t bytes, int64_t part)> act) {
    if (factor.alongDepth)
      return act(piece.line, factor.width * 4, 0);
    for (int64_t i = 0; i < factor.width; ++i)
      act(b.add(piece.line, i), 4, i);
  }

  /// PTX ISA, "Swizzling modes": with rows of 128 bytes, the number of a row's 16 bytes is changed by the row's, modulo
  /// 8; with rows of 64 bytes by that of the pair of rows, modulo 4.
  Value rawOffset(Value line, Value k) {
    Value piece = arith::XOrIOp::create(b, b.div(k, 4), b.rem(line, 8));
    Value bytes = b.add(b.mul(line, kRawRow), b.add(b.mul(piece, 16), b.mul(b.rem(k, 4), 4)));
    return b.add(bytes, raw);
  }
  Value readyOffset(Value line, Value k) {
    if (precision == Precision::TF32)
      return rawOffset(line, k);
    Value piece = arith::XOrIOp::create(b, b.div(k, 8), b.rem(b.div(line, 2), 4));
    Value bytes = b.add(b.mul(line, kRawRow / 2), b.add(b.mul(piece, 16), b.mul(b.rem(k, 8), 2)));
    return b.add(bytes, ready);
  }

  DeviceBuilder &b;
  const MatmulFactor &factor;
  Precision precision;
  int64_t raw, ready;
  SmallVector<Piece> list;
};

class TileBuilder {
public:
  TileBuilder(DeviceBuilder &b, const MatmulTile &tile, Precision precision, const MatmulFactor &lhs,
              const MatmulFactor &rhs, const MatmulPart &part)
      : b(b), tile(tile), part(part), isInPlace(precision == Precision::TF32),
        lhs(b, lhs, precision, tile.rows, tile.threads(), part.firstRow, 0, readyOf(0)),
        rhs(b, rhs, precision, tile.columns, tile.threads(), part.firstColumn, tile.rows * kRawRow, readyOf(tile.rows)),
        product(b, precision, tile.columns) {}

  void build(MatmulStore store) {
    int64_t ahead = tile.stages - 2;
    Value steps = b.div(b.add(b.sub(part.depthEnd, part.depthBegin), kDepth - 1), kDepth);
    for (int64_t stage = 0; stage < ahead; ++stage) {
      b.ifThen(b.lessThan(b.index(stage), steps), [&] { copyStage(b.index(stage), b.index(stage)); });
      NVVM::CpAsyncCommitGroupOp::create(b);
    }
    Value warpgroup = b.div(b.threadIndex(), WarpgroupProduct::kThreads);
    SmallVector<Value> sums = b.forLoop(b.index(0), steps, 1, product.zeros(), [&](Value step, ValueRange carried) {
      NVVM::CpAsyncWaitGroupOp::create(b, static_cast<uint32_t>(ahead - 1));
      Value stage = b.rem(step, tile.stages), begin = b.offset(b.shared(0), b.mul(stage, stageBytes()));
      lhs.convert(begin);
      rhs.convert(begin);
      product.publish();
      b.barrier();
      // All have waited for the product of two steps ago.
      Value next = b.add(step, ahead);
      b.ifThen(b.lessThan(next, steps), [&] { copyStage(next, b.rem(next, tile.stages)); });
      NVVM::CpAsyncCommitGroupOp::create(b);
      Value lhsBegin = b.add(b.mul(warpgroup, WarpgroupProduct::kRows * rowBytes()), readyOf(0));
      return product.multiply(b.add(b.mul(stage, stageBytes()), lhsBegin),
                              b.add(b.mul(stage, stageBytes()), readyOf(tile.rows)), carried);
    });
    sums = product.finish(sums);
    Value row = b.mul(b.div(b.threadIndex(), kThreadsPerWarp), 16);
    storeSums(b, sums, {b.add(part.firstRow, row), part.firstColumn, 1, tile.columns / 8}, store);
  }

private:
  int64_t rawBytes() const { return (tile.rows + tile.columns) * kRawRow; }
  int64_t rowBytes() const { return isInPlace ? kRawRow : kRawRow / 2; }
  int64_t stageBytes() const { return rawBytes() + (isInPlace ? 0 : rawBytes() / 2); }
  /// Where the product's lines from number `line` of both factors on lie in a stage.
  int64_t readyOf(int64_t line) const { return (isInPlace ? 0 : rawBytes()) + line * rowBytes(); }

  void copyStage(Value step, Value stage) {
    Value k = b.add(part.depthBegin, b.mul(step, kDepth));
    Value begin = b.offset(b.shared(0), b.mul(stage, stageBytes()));
    lhs.copy(begin, k);
    rhs.copy(begin, k);
  }

  DeviceBuilder &b;
  MatmulTile tile;
  MatmulPart part;
  bool isInPlace;
  Lines lhs, rhs;
  WarpgroupProduct product;
};

} // namespace

void buildWarpgroupTile(DeviceBuilder &b, const MatmulTile &tile, Precision precision, const MatmulFactor &lhs,
                        const MatmulFactor &rhs, const MatmulPart &part, MatmulStore store) {
  TileBuilder(b, tile, precision, lhs, rhs, part).build(store);
}

} // namespace cnn::cuda
