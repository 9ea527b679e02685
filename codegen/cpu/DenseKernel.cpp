// See Kernels.h. A work unit is a group of output blocks of one row; the units of a group of blocks follow one another
// through the batch, so that a thread that has several rows of it works on tiles of rows and reads the weights once a
// tile.
#include "codegen/cpu/Kernels.h"

using namespace mlir;
namespace cnn::cpu {

int64_t denseSegments(int64_t inputs, int64_t outputs) {
  if (inputs < 64)
    return 1;
  return outputs <= kBlock ? 8 : 4;
}

DenseTile chooseDenseTile(int64_t inputs, int64_t outputs, Isa isa) {
  const IsaInfo &info = isaInfo(isa);
  int64_t blocks = llvm::divideCeil(outputs, kBlock), segments = denseSegments(inputs, outputs);
  // Accumulators, in blocks, that leave registers for a weight and a broadcast input.
  int64_t room = std::max<int64_t>(1, (info.registers - 4) / info.registersPerBlock);
  DenseTile tile;
  tile.concurrent = segments;
  while (tile.concurrent > room && tile.concurrent > 1)
    tile.concurrent /= 2;
  tile.blocks = std::clamp<int64_t>(std::min<int64_t>(16, room) / tile.concurrent, 1, std::min<int64_t>(blocks, 4));
  tile.rows = std::clamp<int64_t>(room / tile.blocks, 1, 6);
  return tile;
}

std::string whyNotDense(GroupOp group) {
  auto dense = dyn_cast_or_null<DenseOp>(group.getAnchor());
  if (!dense)
    return "the anchor is no dense layer";
  if (!isa<BlockArgument>(dense.getInput()) || !isa<BlockArgument>(dense.getWeight()))
    return "the dense layer's operands are computed in the group";
  if (!dense.getInput().getType().getElementType().isF32() || !dense.getWeight().getType().getElementType().isF32())
    return "the dense layer is not of f32";
  if (getLayout(dense.getInput().getType()) || getLayout(dense.getResult().getType()))
    return "the dense layer's input or result is not row-major";
  if (getLayout(dense.getWeight().getType()) != LayoutAttr::tiled(group.getContext(), 2, {0}, {kBlock}))
    return "the dense layer's weights are not packed in blocks of outputs";
  return EpilogueEmitter::whyNot(group);
}

namespace {

class DenseBuilder {
public:
  DenseBuilder(KernelBuilder &b, GroupOp group, const DenseTile &tile)
      : b(b), dense(cast<DenseOp>(group.getAnchor())), tile(tile), emitter(group),
        input(cast<BlockArgument>(dense.getInput()).getArgNumber()),
        weight(cast<BlockArgument>(dense.getWeight()).getArgNumber()), inputs(dense.getInput().getType().getDimSize(1)),
        outputs(dense.getWeight().getType().getDimSize(0)), segments(denseSegments(inputs, outputs)),
        segment(inputs / segments) {}

  KernelInfo build(StringRef symbol) {
    int64_t blocks = llvm::divideCeil(outputs, kBlock), whole = blocks / tile.blocks, rest = blocks % tile.blocks;
    KernelInfo info;
    info.symbol = symbol.str();
    info.unitsPerImage = whole + (rest != 0);
    b.kernel(symbol, emitter.operands(), [&] {
      Value last = b.div(b.add(b.end(), b.sub(b.batch(), 1)), b.batch());
      b.forLoop(b.div(b.begin(), b.batch()), last, 1, [&](Value group) {
        Value start = b.mul(group, b.batch());
        Value from = b.sub(b.max(b.begin(), start), start);
        Value to = b.sub(b.min(b.end(), b.add(start, b.batch())), start);
        Value firstBlock = b.mul(group, tile.blocks);
        if (rest == 0)
          buildRows(from, to, firstBlock, tile.blocks);
        else if (whole == 0)
          buildRows(from, to, firstBlock, rest);
        else
          b.ifThen(
              b.lessThan(group, b.index(whole)), [&] { buildRows(from, to, firstBlock, tile.blocks); },
              [&] { buildRows(from, to, firstBlock, rest); });
      });
    });
    return info;
  }

private:
  /// Rows [from, to) of `blocks` blocks of outputs.
  void buildRows(Value from, Value to, Value firstBlock, int64_t blocks) {
    Value tiled = from;
    if (tile.rows > 1) {
      tiled = b.add(from, b.mul(b.div(b.sub(to, from), tile.rows), tile.rows));
      b.forLoop(from, tiled, tile.rows, [&](Value row) { buildTile(row, tile.rows, firstBlock, blocks, 1); });
    }
    b.forLoop(tiled, to, 1, [&](Value row) { buildTile(row, 1, firstBlock, blocks, tile.concurrent); });
  }

  /// A register tile: `rows` rows by `blocks` blocks, with `concurrent` segments at a time.
  void buildTile(Value row, int64_t rows, Value firstBlock, int64_t blocks, int64_t concurrent) {
    SmallVector<Value> inputRows;
    for (int64_t r = 0; r < rows; ++r)
      inputRows.push_back(b.imageOf(input, b.add(row, r)));
    Value weights = b.offset(b.buffer(weight), b.mul(firstBlock, inputs * kBlock * 4));
    SmallVector<Value> totals;
    for (int64_t first = 0; first < segments; first += concurrent) {
      // sums[(r * blocks + k) * concurrent + s]
      SmallVector<Value> sums(rows * blocks * concurrent, b.splat(0.0f));
      auto step = [&](ArrayRef<int64_t> active) {
        return [&, active](Value i, ValueRange carried) {
          SmallVector<Value> next(carried);
          for (auto [n, s] : llvm::enumerate(active)) {
            Value at = b.add(i, (first + s) * segment);
            SmallVector<Value> x;
            for (Value address : inputRows)
              x.push_back(b.loadSplat(b.offset(address, b.mul(at, 4))));
            for (int64_t k = 0; k < blocks; ++k) {
              Value w = b.loadBlock(b.offset(weights, b.mul(at, kBlock * 4)), k * inputs * kBlock * 4);
              for (int64_t r = 0; r < rows; ++r) {
                size_t sum = (r * blocks + k) * active.size() + n;
                next[sum] = b.fma(x[r], w, next[sum]);
              }
            }
          }
          return next;
        };
      };
      SmallVector<int64_t> all = llvm::to_vector(llvm::seq<int64_t>(0, concurrent));
      sums = b.forLoop(0, segment, 1, sums, step(all));
      // The last segment also has what is left over.
      int64_t left = inputs - segment * segments;
      if (first + concurrent == segments && left > 0) {
        SmallVector<Value> lastSums;
        for (int64_t pair = 0; pair < rows * blocks; ++pair)
          lastSums.push_back(sums[pair * concurrent + concurrent - 1]);
        lastSums = b.forLoop(segment, segment + left, 1, lastSums, step({concurrent - 1}));
        for (int64_t pair = 0; pair < rows * blocks; ++pair)
          sums[pair * concurrent + concurrent - 1] = lastSums[pair];
      }
      for (int64_t pair = 0; pair < rows * blocks; ++pair)
        for (int64_t s = 0; s < concurrent; ++s) {
          Value sum = sums[pair * concurrent + s];
          if (first == 0 && s == 0)
            totals.push_back(sum);
          else
            totals[pair] = b.addf(totals[pair], sum);
        }
    }
    for (int64_t r = 0; r < rows; ++r) {
      SmallVector<Value> images = emitter.images(b, b.add(row, r));
      for (int64_t k = 0; k < blocks; ++k) {
        EpilogueEmitter::Position at;
        at.images = images;
        at.channel = b.mul(b.add(firstBlock, k), kBlock);
        at.bytes = b.mul(at.channel, 4);
        emitter.emitAndStore(b, at, totals[r * blocks + k]);
      }
    }
  }

  KernelBuilder &b;
  DenseOp dense;
  const DenseTile &tile;
  EpilogueEmitter emitter;
  int input, weight;
  int64_t inputs, outputs, segments, segment;
};

} // namespace

KernelInfo buildDenseKernel(KernelBuilder &b, StringRef symbol, GroupOp group, const DenseTile &tile) {
  return DenseBuilder(b, group, tile).build(symbol);
}

} // namespace cnn::cpu
