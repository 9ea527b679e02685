// See GemmKernel.h.
#include "codegen/cpu/GemmKernel.h"

#include "codegen/cpu/ConvTile.h"
#include "codegen/cpu/ElementOps.h"
#include "codegen/cpu/Transpose.h"

#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "llvm/ADT/bit.h"
#include "llvm/Support/FormatVariadic.h"

#include <algorithm>

using llvm::divideCeil;
using mlir::Value;
using mlir::ValueRange;
namespace cnn::cpu {
namespace {

constexpr int64_t kBlockBytes = kBlock * 4;
/// Images whose part of a sum over the batch is packed at a time.
constexpr int64_t kChunk = 256;
/// Rows that share a packed part of rhs where there is no batch of rows.
constexpr int64_t kGroupRows = 128;
/// Units that are enough for a few threads.
constexpr int64_t kUnits = 16;

class GemmBuilder {
public:
  GemmBuilder(KernelBuilder &b, const GemmProblem &problem, const GemmTile &tile, const GemmOperands &operands,
              const GemmStore &store)
      : b(b), p(problem), tile(tile), operands(operands), store(store),
        parts(cutEvenly(divideCeil(p.columns, kBlock), tile.blocks)) {
    for (auto [size, count] : parts)
      partCount += count;
    if (p.batch == GemmBatch::Rows)
      return;
    groupRows = std::min(kGroupRows, p.rows);
    while (partCount * divideCeil(p.rows, groupRows) < kUnits && groupRows > 2 * tile.rows)
      groupRows = divideCeil(groupRows, 2);
  }

  KernelInfo build(llvm::StringRef symbol) {
    KernelInfo info;
    info.symbol = symbol.str();
    info.scratchBytes = (p.batch == GemmBatch::Depth ? kChunk : p.depth) * parts.front().first * kBlockBytes;
    bool ofImages = p.batch == GemmBatch::Rows;
    int64_t groups = ofImages ? 0 : divideCeil(p.rows, groupRows);
    info.unitsPerImage = ofImages ? partCount : 0;
    info.fixedUnits = ofImages ? 0 : partCount * groups;
    b.kernel(symbol, operands.count, [&] {
      lhsStride =
          p.batch == GemmBatch::None ? b.index((p.transposeLhs ? p.rows : p.depth) * 4) : b.imageStride(operands.lhs);
      rhsStride = p.batch == GemmBatch::Depth ? b.imageStride(operands.rhs)
                                              : b.index((p.transposeRhs ? p.depth : p.columns) * 4);
      resultStride = ofImages ? b.imageStride(operands.result) : b.index(p.columns * 4);
      if (!ofImages) {
        b.forUnits([&](Value unit) {
          Value from = b.mul(b.rem(unit, groups), groupRows);
          buildPart(b.div(unit, groups), from, b.min(b.add(from, groupRows), p.rows));
        });
        return;
      }
      rhsStride = b.index((p.transposeRhs ? p.depth : p.columns) * 4);
      // A part's units follow one another through the batch, so that a thread packs once for many rows.
      Value last = b.div(b.add(b.end(), b.sub(b.batch(), 1)), b.batch());
      b.forLoop(b.div(b.begin(), b.batch()), last, 1, [&](Value part) {
        Value start = b.mul(part, b.batch());
        Value from = b.sub(b.max(b.begin(), start), start);
        buildPart(part, from, b.sub(b.min(b.end(), b.add(start, b.batch())), start));
      });
    });
    return info;
  }

private:
  Value address(int operand, int64_t image) {
    return mlir::LLVM::PtrToIntOp::create(b, b.i64(), b.imageOf(operand, b.index(image)));
  }

  /// Rows [from, to) of one part of the columns.
  void buildPart(Value part, Value from, Value to) {
    auto [longer, count] = parts.front();
    if (parts.size() == 1)
      return buildColumns(b.mul(part, longer), longer, from, to);
    int64_t shorter = parts.back().first;
    b.ifThen(
        b.lessThan(part, b.index(count)), [&] { buildColumns(b.mul(part, longer), longer, from, to); },
        [&] { buildColumns(b.add(b.mul(part, shorter), count * (longer - shorter)), shorter, from, to); });
  }

  void buildColumns(Value block, int64_t blocks, Value from, Value to) {
    if (p.batch != GemmBatch::Depth) {
      pack(block, blocks, b.index(0), b.index(p.depth));
      return forRows(from, to, [&](Value row, int64_t rows) {
        llvm::SmallVector<Value> sums(rows * blocks, b.splat(0.0f));
        sums = product(sums, row, rows, blocks, b.index(0), b.index(p.depth));
        for (int64_t r = 0; r < rows; ++r)
          for (int64_t k = 0; k < blocks; ++k)
            storeSums(sums[r * blocks + k], b.add(row, r), block, k);
      });
    }
    b.forLoop(from, to, 1, [&](Value row) {
      for (int64_t k = 0; k < blocks; ++k)
        storeSums(b.splat(0.0f), row, block, k);
    });
    b.forLoop(b.index(0), b.batch(), kChunk, [&](Value first) {
      Value last = b.min(b.add(first, kChunk), b.batch());
      pack(block, blocks, first, last);
      forRows(from, to, [&](Value row, int64_t rows) {
        llvm::SmallVector<Value> sums;
        for (int64_t r = 0; r < rows; ++r)
          for (int64_t k = 0; k < blocks; ++k)
            sums.push_back(loadElements(b, b.f32(), resultAt(b.add(row, r), block), k * kBlockBytes, kBlock,
                                        columnMask(block, k)));
        sums = product(sums, row, rows, blocks, first, last);
        for (int64_t r = 0; r < rows; ++r)
          for (int64_t k = 0; k < blocks; ++k)
            storeSums(sums[r * blocks + k], b.add(row, r), block, k);
      });
    });
  }

  /// Calls `body` for tiles of rows: whole ones, then what is left in ever smaller ones.
  void forRows(Value from, Value to, llvm::function_ref<void(Value row, int64_t rows)> body) {
    Value count = b.sub(to, from), tiled = b.add(from, b.mul(b.div(count, tile.rows), tile.rows));
    b.forLoop(from, tiled, tile.rows, [&](Value row) { body(row, tile.rows); });
    for (int64_t rows = llvm::bit_ceil(static_cast<uint64_t>(tile.rows)) / 2; rows >= 1; rows /= 2) {
      Value next = b.add(tiled, b.mul(b.div(b.sub(to, tiled), rows), rows));
      b.forLoop(tiled, next, rows, [&](Value row) { body(row, rows); });
      tiled = next;
    }
  }

  Value columnMask(Value block, int64_t k) {
    if (p.columns % kBlock == 0)
      return {};
    return lanesBelow(b, b.sub(b.index(p.columns), b.mul(b.add(block, k), kBlock)), kBlock);
  }

  Value resultAt(Value row, Value block) {
    return b.offset(b.buffer(operands.result), b.add(b.mul(row, resultStride), b.mul(block, kBlockBytes)));
  }

  void storeSums(Value sums, Value row, Value block, int64_t k) {
    if (store)
      return store(b, sums, row, block, k);
    storeElements(b, b.f32(), sums, resultAt(row, block), k * kBlockBytes, columnMask(block, k));
  }

  /// Copies rhs(k, n) for k in [first, last) to the scratch.
  void pack(Value block, int64_t blocks, Value first, Value last) {
    Value to = b.scratch();
    if (!p.transposeRhs) {
      Value from = b.offset(b.buffer(operands.rhs), b.mul(block, kBlockBytes));
      b.forLoop(first, last, 1, [&](Value k) {
        Value row = b.offset(from, b.mul(k, rhsStride));
        Value packed = b.offset(to, b.mul(b.sub(k, first), blocks * kBlockBytes));
        for (int64_t column = 0; column < blocks; ++column)
          b.storeBlock(loadElements(b, b.f32(), row, column * kBlockBytes, kBlock, columnMask(block, column)), packed,
                       column * kBlockBytes);
      });
      return;
    }
    // Squares of 16 rows of rhs by 16 values of k. Rows beyond the last one are read there, and no one uses them.
    auto square = [&](Value k, int64_t depth, int64_t column) {
      Value mask = depth < kBlock ? lanesBelow(b, b.index(depth), kBlock) : Value();
      llvm::SmallVector<Value> rows;
      for (int64_t row = 0; row < kBlock; ++row) {
        Value number = b.min(b.add(b.mul(b.add(block, column), kBlock), row), p.columns - 1);
        Value address = b.offset(b.buffer(operands.rhs), b.add(b.mul(number, rhsStride), b.mul(k, 4)));
        rows.push_back(loadElements(b, b.f32(), address, 0, kBlock, mask));
      }
      transposeSquare(b, rows);
      Value packed = b.offset(to, b.mul(k, blocks * kBlockBytes));
      for (int64_t row = 0; row < depth; ++row)
        b.storeBlock(rows[row], packed, (row * blocks + column) * kBlockBytes);
    };
    int64_t whole = p.depth / kBlock * kBlock;
    for (int64_t column = 0; column < blocks; ++column) {
      b.forLoop(b.index(0), b.index(whole), kBlock, [&](Value k) { square(k, kBlock, column); });
      if (whole < p.depth)
        square(b.index(whole), p.depth - whole, column);
    }
  }

  /// sums += lhs(row.., k) rhs(k, ..) for k in [first, last), which are packed.
  llvm::SmallVector<Value> product(ValueRange sums, Value row, int64_t rows, int64_t blocks, Value first, Value last) {
    Value lhs = b.buffer(operands.lhs);
    llvm::SmallVector<Value> lines;
    for (int64_t r = 0; r < (p.transposeLhs ? 1 : rows); ++r)
      lines.push_back(b.offset(lhs, p.transposeLhs ? b.mul(row, 4) : b.mul(b.add(row, r), lhsStride)));
    return b.forLoop(first, last, 1, sums, [&](Value k, ValueRange carried) {
      llvm::SmallVector<Value> next(carried), vectors;
      Value packed = b.offset(b.scratch(), b.mul(b.sub(k, first), blocks * kBlockBytes));
      for (int64_t block = 0; block < blocks; ++block)
        vectors.push_back(b.loadBlock(packed, block * kBlockBytes));
      Value line = p.transposeLhs ? b.offset(lines.front(), b.mul(k, lhsStride)) : Value();
      for (int64_t r = 0; r < rows; ++r) {
        Value splat = p.transposeLhs ? b.loadSplat(line, r * 4) : b.loadSplat(b.offset(lines[r], b.mul(k, 4)));
        for (int64_t block = 0; block < blocks; ++block) {
          Value &sum = next[r * blocks + block];
          sum = b.fma(splat, vectors[block], sum);
        }
      }
      return next;
    });
  }

  KernelBuilder &b;
  const GemmProblem &p;
  const GemmTile &tile;
  const GemmOperands &operands;
  const GemmStore &store;
  llvm::SmallVector<std::pair<int64_t, int64_t>, 2> parts;
  int64_t partCount = 0, groupRows = 1;
  Value lhsStride, rhsStride, resultStride; ///< Bytes from one row, as it lies, to the next.
};

} // namespace

std::string GemmProblem::str() const {
  static const char *const kBatch[] = {"", ", a batch of rows", ", over the batch"};
  return llvm::formatv("{0} x {1} x {2}{3}{4}{5}", rows, columns, depth, transposeLhs ? ", lhs transposed" : "",
                       transposeRhs ? ", rhs transposed" : "", kBatch[static_cast<int>(batch)]);
}

GemmTile chooseGemmTile(const GemmProblem &problem, Isa isa) {
  const IsaInfo &info = isaInfo(isa);
  int64_t blocks = divideCeil(problem.columns, kBlock);
  switch (info.registersPerBlock) {
  case 1:
    return {8, std::min<int64_t>(blocks, 3)};
  case 2:
    return {6, 1};
  default:
    return {2, 1};
  }
}

KernelInfo buildGemmKernel(KernelBuilder &b, llvm::StringRef symbol, const GemmProblem &problem, const GemmTile &tile,
                           const GemmOperands &operands, const GemmStore &store) {
  return GemmBuilder(b, problem, tile, operands, store).build(symbol);
}

} // namespace cnn::cpu
