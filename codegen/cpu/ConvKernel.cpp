// See ConvKernel.h.
#include "codegen/cpu/ConvKernel.h"

#include "llvm/Support/MathExtras.h"

#include <algorithm>

using llvm::divideCeil;
using mlir::Value;
using mlir::ValueRange;
namespace cnn::cpu {
namespace {

constexpr int64_t kBlockBytes = kBlock * 4;

/// Consecutive kernel columns [begin, end) for which the same pixels [first, last) of a tile's rows are inside the
/// image.
struct ColumnSpan {
  int64_t begin, end, first, last;
};

llvm::SmallVector<ColumnSpan> columnSpans(const TileRun &columns) {
  llvm::SmallVector<ColumnSpan> spans;
  for (auto [tap, inside] : llvm::enumerate(columns.inside)) {
    int64_t kx = tap;
    if (inside.first == inside.second)
      continue;
    if (!spans.empty() && spans.back().end == kx && spans.back().first == inside.first &&
        spans.back().last == inside.second)
      spans.back().end = kx + 1;
    else
      spans.push_back({kx, kx + 1, inside.first, inside.second});
  }
  return spans;
}

class ConvBuilder {
public:
  ConvBuilder(KernelBuilder &b, const ConvProblem &problem, const ConvTile &tile, const ConvOperands &operands,
              const Epilogue &epilogue)
      : b(b), p(problem), tile(tile), operands(operands), epilogue(epilogue) {
    if (problem.isPointwise()) {
      p.width = p.outWidth = p.height * p.width;
      p.height = p.outHeight = 1;
    }
    stored = p.spacing.value_or(
        ConvProblem::Spacing{p.outHeight, p.outWidth, 0, 0, 1, 1, p.kernelHeight, p.kernelWidth, 0, 0, 1, 1});
    groupChannels = p.channels / p.groups;
    blockChannels = p.planarInput ? 1 : kBlock;
    pixelBytes = blockChannels * 4;
    tapBytes = blockChannels * kBlockBytes;
    inputBlocks = divideCeil(groupChannels, blockChannels);
    outputBlocks = divideCeil(p.outputs / p.groups, kBlock);
    int64_t weightChannels = p.paddedWeights ? inputBlocks * blockChannels : groupChannels;
    weightBlockBytes = weightChannels * stored.kernelHeight * stored.kernelWidth * kBlockBytes;
    // With one row a tile the rows of the kernel are a loop's range; with several each row of the tile has a range of
    // its own.
    rowRuns = tile.rows == 1
                  ? llvm::SmallVector<TileRun>{TileRun{0, 1, p.outHeight, {}}}
                  : cutAxis(p.outHeight, tile.rows, p.height, p.kernelHeight, p.strideY, p.dilationY, p.padTop);
    columnRuns = cutAxis(p.outWidth, tile.columns, p.width, p.kernelWidth, p.strideX, p.dilationX, p.padLeft);
    blockParts = cutEvenly(outputBlocks, tile.blocks);
    for (const TileRun &run : rowRuns)
      rowTiles += run.count;
    for (const TileRun &run : columnRuns)
      columnTiles += run.count;
    blockGroups = 0;
    for (auto [size, count] : blockParts)
      blockGroups += count;
  }

  KernelInfo build(llvm::StringRef symbol) {
    const bool alongRows = p.outHeight > 1;
    const int64_t areas = divideCeil(alongRows ? rowTiles : columnTiles, tile.unitTiles);
    const int64_t groups = p.groups * blockGroups;
    b.kernel(symbol, operands.count, [&] {
      b.forUnits([&](Value unit) {
        Value group, area;
        if (tile.weightsOuter) {
          auto at = b.delinearize(unit, {Value(), b.batch(), b.index(areas)});
          group = at[0], image = at[1], area = at[2];
        } else {
          auto at = b.delinearize(unit, {Value(), b.index(areas), b.index(groups)});
          image = at[0], area = at[1], group = at[2];
        }
        Value firstTile = b.mul(area, tile.unitTiles), lastTile = b.add(firstTile, tile.unitTiles);
        input = b.imageOf(operands.input, image);
        output = b.imageOf(operands.output, image);
        forBlocks(group, [&](int64_t blocks) {
          forTiles(rowRuns, alongRows, firstTile, lastTile, [&](const TileRun &rows, Value y, Value tileRow) {
            forTiles(columnRuns, !alongRows, firstTile, lastTile,
                     [&](const TileRun &columns, Value x, Value tileColumn) {
                       number = b.add(b.mul(tileRow, columnTiles), tileColumn);
                       buildTile(rows, columns, y, x, blocks);
                     });
          });
        });
      });
    });
    return {symbol.str(), areas * groups, 0};
  }

private:
  /// Sets up the first block of `group` and calls `body` with the number of blocks, once for each number there is.
  void forBlocks(Value group, llvm::function_ref<void(int64_t)> body) {
    Value convGroup = b.div(group, blockGroups), part = b.rem(group, blockGroups);
    input = b.offset(input, b.mul(convGroup, inputBlocks * p.height * p.width * pixelBytes));
    Value firstOfGroup = b.mul(convGroup, outputBlocks);
    auto [longer, count] = blockParts.front();
    if (blockParts.size() == 1) {
      block = b.add(firstOfGroup, b.mul(part, longer));
      return body(longer);
    }
    // The longer parts come first; part i of length n starts at i * n beyond them all.
    int64_t shorter = blockParts.back().first;
    b.ifThen(
        b.lessThan(part, b.index(count)),
        [&] {
          block = b.add(firstOfGroup, b.mul(part, longer));
          body(longer);
        },
        [&] {
          block = b.add(firstOfGroup, b.add(b.mul(part, shorter), count * (longer - shorter)));
          body(shorter);
        });
  }

  /// Calls `body` in a loop over the tiles of each run with the first element of the tile and its number; those outside
  /// [firstTile, lastTile) are left out where the axis is the one that work units divide.
  void forTiles(llvm::ArrayRef<TileRun> runs, bool divided, Value firstTile, Value lastTile,
                llvm::function_ref<void(const TileRun &, Value, Value)> body) {
    int64_t before = 0;
    for (const TileRun &run : runs) {
      auto visit = [&](Value tile) { body(run, b.add(b.mul(b.sub(tile, before), run.size), run.begin), tile); };
      if (divided)
        b.forLoop(b.max(firstTile, before), b.min(lastTile, before + run.count), 1, visit);
      else
        b.forLoop(before, before + run.count, 1, visit);
      before += run.count;
    }
  }

  struct Accumulators {
    int64_t columns, blocks;
    int64_t at(int64_t row, int64_t column, int64_t block) const { return (row * columns + column) * blocks + block; }
  };

  void buildTile(const TileRun &rows, const TileRun &columns, Value y, Value x, int64_t blocks) {
    Accumulators order{columns.size, blocks};
    llvm::SmallVector<Value> sums(rows.size * columns.size * blocks);
    for (int64_t k = 0; k < blocks; ++k) {
      Value start = operands.bias < 0
                        ? b.splat(0.0f)
                        : b.loadBlock(b.offset(b.buffer(operands.bias), b.mul(block, kBlockBytes)), k * kBlockBytes);
      for (int64_t pixel = 0; pixel < rows.size * columns.size; ++pixel)
        sums[pixel * blocks + k] = start;
    }

    Value outputRow = b.add(b.mul(block, stored.height), b.add(b.mul(y, stored.stepY), stored.firstY));
    Value outputColumn = b.add(b.mul(x, stored.stepX), stored.firstX);
    Value bytes = b.mul(b.add(b.mul(outputRow, stored.width), outputColumn), kBlockBytes);
    Value address = b.offset(output, bytes);
    auto forOutput = [&](llvm::function_ref<void(int64_t k, int64_t pixel, int64_t displacement)> visit) {
      for (int64_t k = 0; k < blocks; ++k)
        for (int64_t row = 0; row < rows.size; ++row)
          for (int64_t column = 0; column < columns.size; ++column)
            visit(k, row * columns.size + column,
                  ((k * stored.height + row * stored.stepY) * stored.width + column * stored.stepX) * kBlockBytes);
    };
    for (int operand : operands.residuals) {
      Value residual = b.offset(b.imageOf(operand, image), bytes);
      forOutput([&](int64_t, int64_t, int64_t displacement) { b.prefetch(residual, displacement); });
    }

    Value weights = b.offset(b.buffer(operands.weights), b.mul(block, weightBlockBytes));
    startNext(blocks, weights);
    // Tap (0, 0) of the tile's first pixel; outside the image by up to the padding, where it is not read.
    Value origin = b.add(b.mul(b.add(b.mul(y, p.strideY), -p.padTop), p.width), b.add(b.mul(x, p.strideX), -p.padLeft));
    Value pixels = b.offset(input, b.mul(origin, pixelBytes));
    if (p.planarInput)
      fetchNextRows(rows.size, columns.size, pixels);
    Value firstRow, lastRow;
    if (tile.rows == 1)
      std::tie(firstRow, lastRow) = kernelRows(y);

    sums = b.forLoop(0, inputBlocks, 1, sums, [&](Value inputBlock, ValueRange sums) {
      Value plane = b.offset(pixels, b.mul(inputBlock, p.height * p.width * pixelBytes));
      Value taps = b.offset(weights, b.mul(inputBlock, stored.kernelHeight * stored.kernelWidth * tapBytes));
      Value channels = groupChannels % blockChannels
                           ? b.min(b.sub(b.index(groupChannels), b.mul(inputBlock, kBlock)), kBlock)
                           : Value();
      if (tile.rows == 1)
        return kernelRowLoop(firstRow, lastRow, sums, [&](Value ky, ValueRange sums) {
          return buildKernelRow(columns, 0, 1, order, plane, taps, ky, channels, sums);
        });
      llvm::SmallVector<Value> next(sums);
      for (auto [ky, inside] : llvm::enumerate(rows.inside))
        if (inside.first != inside.second)
          next = buildKernelRow(columns, inside.first, inside.second, order, plane, taps, b.index(ky), channels, next);
      return next;
    });

    forOutput([&](int64_t k, int64_t pixel, int64_t displacement) {
      Value value = sums[pixel * blocks + k];
      if (epilogue)
        value = epilogue(b, value, {image, b.add(block, k), bytes, displacement});
      b.storeBlock(value, address, displacement);
    });
  }

  bool rowsAreInside() const {
    return p.padTop == 0 && (p.outHeight - 1) * p.strideY + (p.kernelHeight - 1) * p.dilationY < p.height;
  }

  /// The rows of the kernel that lie inside the image for output row `y`.
  std::pair<Value, Value> kernelRows(Value y) {
    if (rowsAreInside())
      return {b.index(0), b.index(p.kernelHeight)};
    // Rounded up: tap * dilation >= pad - y * stride, and tap * dilation < height + pad - y * stride.
    Value shift = b.sub(b.index(p.padTop), b.mul(y, p.strideY));
    auto roundUp = [&](Value value) { return b.div(b.add(b.max(value, 0), p.dilationY - 1), p.dilationY); };
    return {b.min(roundUp(shift), p.kernelHeight), b.min(roundUp(b.add(shift, p.height)), p.kernelHeight)};
  }

  llvm::SmallVector<Value> kernelRowLoop(Value first, Value last, ValueRange sums, KernelBuilder::CarryBody body) {
    if (p.kernelHeight == 1 && rowsAreInside())
      return body(b.index(0), sums);
    return b.forLoop(first, last, 1, sums, body);
  }

  /// Fetches what the tile below needs beyond the rows of this one, whose first tap is at `pixels`. A network's input
  /// comes from memory, and loads of single elements that jump from row to row are not foreseen by the processor.
  void fetchNextRows(int64_t rows, int64_t columns, Value pixels) {
    const int64_t rowBytes = p.width * pixelBytes, first = (p.kernelHeight - 1) * p.dilationY + 1;
    for (int64_t channel = 0; channel < p.channels; ++channel)
      for (int64_t row = first; row < first + rows * p.strideY; ++row)
        for (int64_t byte = 0; byte < columns * p.strideX * pixelBytes; byte += kBlockBytes)
          b.prefetch(pixels, (channel * p.height + (rows - 1) * p.strideY + row) * rowBytes + byte);
  }

  /// Each tile of a group of blocks fetches its share of the weights of the next group: of each tap of a block of input
  /// channels the same `nextLines` lines, `toNext` bytes beyond those of its own first block.
  void startNext(int64_t blocks, Value weights) {
    if (!tile.prefetchNext)
      return;
    nextLines = std::min<int64_t>(llvm::PowerOf2Ceil(divideCeil(blocks * blockChannels, rowTiles * columnTiles)),
                                  blockChannels);
    Value first = b.mul(number, nextLines);
    toNext = b.add(
        b.add(b.mul(b.div(first, blockChannels), weightBlockBytes), b.mul(b.rem(first, blockChannels), kBlockBytes)),
        blocks * weightBlockBytes);
  }

  /// Adds row `ky` of the kernel, for one block of input channels, to the tile's rows [firstRow, lastRow).
  llvm::SmallVector<Value> buildKernelRow(const TileRun &columns, int64_t firstRow, int64_t lastRow, Accumulators order,
                                          Value plane, Value taps, Value ky, Value channels, ValueRange start) {
    llvm::SmallVector<Value> sums(start);
    Value row = b.offset(plane, b.mul(ky, p.dilationY * p.width * pixelBytes));
    Value storedRow = b.add(b.mul(ky, stored.tapStepY), stored.firstTapY);
    Value rowTaps = b.offset(taps, b.mul(storedRow, stored.kernelWidth * tapBytes));
    for (const ColumnSpan &span : columnSpans(columns))
      sums = b.forLoop(span.begin, span.end, 1, sums, [&](Value kx, ValueRange sums) {
        Value pixels = b.offset(row, b.mul(kx, p.dilationX * pixelBytes));
        Value tap = b.offset(rowTaps, b.mul(b.add(b.mul(kx, stored.tapStepX), stored.firstTapX), tapBytes));
        for (int64_t line = 0; line < nextLines; ++line)
          b.prefetch(b.offset(tap, toNext), line * kBlockBytes);
        auto body = [&](Value channel, ValueRange sums) {
          return buildProducts(span, firstRow, lastRow, order, b.offset(pixels, b.mul(channel, 4)),
                               b.offset(tap, b.mul(channel, kBlockBytes)), sums);
        };
        // A last block that is not full is reduced over its channels only.
        if (channels)
          return b.forLoop(b.index(0), channels, unroll(), sums, body);
        return b.forLoop(0, blockChannels, unroll(), sums, body);
      });
    return sums;
  }

  /// Channels in the body of the innermost loop, which must divide those of the last block too.
  int64_t unroll() const {
    int64_t step = std::min(tile.unroll, blockChannels);
    while (groupChannels % blockChannels % step)
      step /= 2;
    return step;
  }

  llvm::SmallVector<Value> buildProducts(const ColumnSpan &span, int64_t firstRow, int64_t lastRow, Accumulators order,
                                         Value pixels, Value weights, ValueRange start) {
    llvm::SmallVector<Value> sums(start);
    for (int64_t channel = 0; channel < unroll(); ++channel) {
      b.keepOrder();
      llvm::SmallVector<Value> vectors;
      for (int64_t k = 0; k < order.blocks; ++k) {
        int64_t bytes = k * weightBlockBytes + channel * kBlockBytes;
        vectors.push_back(b.loadBlock(weights, bytes));
        if (tile.prefetchWeights)
          b.prefetch(weights, bytes + tile.prefetchWeights);
      }
      for (int64_t row = firstRow; row < lastRow; ++row)
        for (int64_t column = span.first; column < span.last; ++column) {
          int64_t pixel = (row * p.strideY * p.width + column * p.strideX) * pixelBytes;
          Value splat = b.loadSplat(pixels, pixel + channel * 4);
          for (int64_t k = 0; k < order.blocks; ++k) {
            Value &sum = sums[order.at(row, column, k)];
            sum = b.fma(splat, vectors[k], sum);
          }
        }
    }
    return sums;
  }

  KernelBuilder &b;
  ConvProblem p;               ///< Flattened to one row where it is pointwise.
  ConvProblem::Spacing stored; ///< Where the outputs and taps lie.
  const ConvTile &tile;
  const ConvOperands &operands;
  const Epilogue &epilogue;
  int64_t groupChannels, blockChannels; ///< Input channels of a group, and those that lie side by side.
  int64_t pixelBytes, tapBytes;         ///< From one pixel of a block to the next, and from one tap of the weights.
  int64_t inputBlocks, outputBlocks;    ///< Of one group.
  int64_t weightBlockBytes;             ///< Weights of one block of outputs.
  int64_t blockGroups;                  ///< Groups of blocks that tiles take together, of one group of the convolution.
  llvm::SmallVector<TileRun> rowRuns, columnRuns;
  llvm::SmallVector<std::pair<int64_t, int64_t>, 2> blockParts;
  int64_t rowTiles = 0, columnTiles = 0;
  Value image, input, output, block; ///< Of the work unit.
  Value number;                      ///< Of the tile in the image.
  int64_t nextLines = 0;             ///< See startNext.
  Value toNext;
};

} // namespace

KernelInfo buildConvKernel(KernelBuilder &builder, llvm::StringRef symbol, const ConvProblem &problem,
                           const ConvTile &tile, const ConvOperands &operands, const Epilogue &epilogue) {
  return ConvBuilder(builder, problem, tile, operands, epilogue).build(symbol);
}

} // namespace cnn::cpu
