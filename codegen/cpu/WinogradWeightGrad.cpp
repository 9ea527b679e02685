// See WinogradWeightGrad.h.
#include "codegen/cpu/WinogradWeightGrad.h"

#include "codegen/cpu/KernelCalls.h"
#include "codegen/cpu/WeightGradKernel.h"
#include "codegen/cpu/WinogradKernels.h"
#include "ir/Winograd.h"

#include "llvm/Support/MathExtras.h"

#include <algorithm>

using llvm::divideCeil;
using mlir::Value;
using mlir::ValueRange;
namespace cnn::cpu {
namespace {

constexpr int64_t kBlockBytes = kBlock * 4, kSquareBytes = kBlock * kBlockBytes;
constexpr int64_t kPoints = winograd::kTile * winograd::kTile;
/// Blocks of outputs of a work unit: the input is transformed once for all of them.
constexpr int64_t kRegion = 8;

struct Shape {
  int64_t inputBlocks, outputBlocks, regions, tiles; ///< Tiles of one image.
  int64_t images;                                    ///< Transformed at a time.
  int64_t slices;

  explicit Shape(const ConvProblem &p)
      : inputBlocks(divideCeil(p.channels, kBlock)), outputBlocks(divideCeil(p.outputs, kBlock)),
        regions(divideCeil(outputBlocks, kRegion)) {
    // Enough tiles for the sums to stay in registers for a while, in a part of the second-level cache.
    constexpr int64_t kTiles = 32, kBytes = 640 << 10;
    WinogradSizes sizes = winogradSizes(p);
    tiles = sizes.rows * sizes.columns;
    int64_t fill = divideCeil(kTiles, tiles), room = kBytes / (sizes.inputBytes + sizes.productBytes);
    images = std::clamp<int64_t>(std::min(fill, room), 1, 16);
    // Few work units need slices of the batch; more of them than that would be more sums to add.
    int64_t squares = inputBlocks * outputBlocks;
    slices = std::clamp<int64_t>(128 / squares, 1, 8);
  }
};

} // namespace

// In cycles of a core with two 512-bit FMAs a cycle; measured from 16 to 256 channels.
bool winogradWeightGradPays(const ConvProblem &p) {
  constexpr double kProductsPerCycle = 32, kBlockTransform = 350;
  const Shape shape(p);
  double contraction = static_cast<double>(p.channels) * p.outputs;
  double direct = 9 * contraction * p.outHeight * p.outWidth / (0.85 * kProductsPerCycle);
  double winograd = 36 * contraction * shape.tiles / (0.7 * kProductsPerCycle) +
                    kBlockTransform * shape.tiles * (shape.inputBlocks * shape.regions + shape.outputBlocks);
  return p.outHeight * p.outWidth >= 48 && winograd < direct;
}

WinogradWeightGradSizes winogradWeightGradSizes(const ConvProblem &p) {
  Shape shape(p);
  int64_t squares = shape.inputBlocks * shape.outputBlocks;
  return {shape.slices, shape.slices * kPoints * squares * kSquareBytes, 9 * squares * kSquareBytes};
}

KernelInfo buildWinogradWeightGradSumKernel(KernelBuilder &b, llvm::StringRef symbol, const ConvProblem &p) {
  const Shape shape(p);
  const WinogradSizes one = winogradSizes(p), sizes = winogradSizes(p, shape.images);
  const int64_t planeBytes = sizes.tiles * kBlockBytes;         // Of one point and block.
  const int64_t outputBytes = shape.inputBlocks * kSquareBytes; // Of P: one point and block of outputs.
  const int64_t sliceBytes = kPoints * shape.outputBlocks * outputBytes;
  WeightGradPlan tile = planWeightGrad(p, b.isa());
  KernelInfo input =
      buildWinogradInputKernel(b, (symbol + ".input").str(), p, {.input = 0, .output = 1, .count = 2}, shape.images);
  KernelInfo gradient = buildWinogradGradientKernel(b, (symbol + ".gradient").str(), p,
                                                    {.input = 0, .output = 1, .count = 2}, shape.images);
  b.kernel(symbol, 3, [&] {
    KernelCalls calls(b, 2);
    Value inputs = b.scratch(), gradients = b.offset(b.scratch(), sizes.inputBytes);
    b.forUnits([&](Value unit) {
      Value slice = b.div(unit, shape.regions), region = b.rem(unit, shape.regions);
      Value firstImage = b.div(b.mul(slice, b.batch()), shape.slices);
      Value lastImage = b.div(b.mul(b.add(slice, 1), b.batch()), shape.slices);
      Value firstBlock = b.mul(region, kRegion), lastBlock = b.min(b.add(firstBlock, kRegion), shape.outputBlocks);
      Value sums = b.offset(b.buffer(2), b.mul(slice, sliceBytes));
      b.forLoop(0, kPoints, 1, [&](Value point) {
        Value plane = b.offset(sums, b.mul(point, shape.outputBlocks * outputBytes));
        b.forLoop(b.mul(firstBlock, outputBytes), b.mul(lastBlock, outputBytes), kBlockBytes,
                  [&](Value at) { b.storeBlock(b.splat(0.0f), b.offset(plane, at)); });
      });

      b.forLoop(firstImage, lastImage, shape.images, [&](Value begin) {
        Value end = b.min(b.add(begin, shape.images), lastImage);
        b.forLoop(begin, end, 1, [&](Value image) {
          Value at = b.mul(b.sub(image, begin), shape.tiles * kBlockBytes);
          calls.call(input, {calls.image(0, image), calls.shared(b.offset(inputs, at))});
          calls.call(gradient, {calls.image(1, image), calls.shared(b.offset(gradients, at))},
                     b.mul(firstBlock, one.rows), b.mul(lastBlock, one.rows));
        });
        Value tiles = b.mul(b.sub(end, begin), shape.tiles);
        auto product = [&](Value point, Value block, int64_t blocks, Value inputBlock, Value channel) {
          Value place = b.add(b.mul(b.add(b.mul(point, shape.outputBlocks), block), shape.inputBlocks), inputBlock);
          Value at = b.offset(sums, b.add(b.mul(place, kSquareBytes), b.mul(channel, kBlockBytes)));
          Value x = b.offset(
              inputs, b.add(b.mul(b.add(b.mul(point, shape.inputBlocks), inputBlock), planeBytes), b.mul(channel, 4)));
          Value dy = b.offset(gradients, b.mul(b.add(b.mul(point, shape.outputBlocks), block), planeBytes));
          llvm::SmallVector<Value> accumulators;
          for (int64_t row = 0; row < tile.rows; ++row)
            for (int64_t k = 0; k < blocks; ++k)
              accumulators.push_back(b.loadBlock(at, row * kBlockBytes + k * outputBytes));
          accumulators = b.forLoop(b.index(0), tiles, 1, accumulators, [&](Value tile_, ValueRange carried) {
            llvm::SmallVector<Value> next(carried), vectors;
            Value bytes = b.mul(tile_, kBlockBytes);
            Value values = b.offset(dy, bytes), channels = b.offset(x, bytes);
            for (int64_t k = 0; k < blocks; ++k)
              vectors.push_back(b.loadBlock(values, k * planeBytes));
            for (int64_t row = 0; row < tile.rows; ++row) {
              Value splat = b.loadSplat(channels, row * 4);
              for (int64_t k = 0; k < blocks; ++k)
                next[row * blocks + k] = b.fma(splat, vectors[k], next[row * blocks + k]);
            }
            return next;
          });
          for (int64_t row = 0; row < tile.rows; ++row)
            for (int64_t k = 0; k < blocks; ++k)
              b.storeBlock(accumulators[row * blocks + k], at, row * kBlockBytes + k * outputBytes);
        };
        b.forLoop(0, kPoints, 1, [&](Value point) {
          auto rows = [&](Value block, int64_t blocks) {
            b.forLoop(0, shape.inputBlocks, 1, [&](Value inputBlock) {
              b.forLoop(0, kBlock, tile.rows,
                        [&](Value channel) { product(point, block, blocks, inputBlock, channel); });
            });
          };
          // Whole tiles of blocks, then what is left one by one.
          Value count = b.sub(lastBlock, firstBlock);
          Value tiled = b.add(firstBlock, b.mul(b.div(count, tile.blocks), tile.blocks));
          b.forLoop(firstBlock, tiled, tile.blocks, [&](Value block) { rows(block, tile.blocks); });
          if (tile.blocks > 1)
            b.forLoop(tiled, lastBlock, 1, [&](Value block) { rows(block, 1); });
        });
      });
    });
  });
  KernelInfo info;
  info.symbol = symbol.str();
  info.unitsPerImage = 0;
  info.fixedUnits = shape.slices * shape.regions;
  info.scratchBytes = sizes.inputBytes + sizes.productBytes;
  return info;
}

KernelInfo buildWinogradWeightGradTransformKernel(KernelBuilder &b, llvm::StringRef symbol, const ConvProblem &p) {
  const Shape shape(p);
  const int64_t squares = shape.inputBlocks * shape.outputBlocks;
  b.kernel(symbol, 2, [&] {
    b.forUnits([&](Value square) {
      b.forLoop(0, kBlock, 1, [&](Value channel) {
        Value at = b.add(b.mul(square, kSquareBytes), b.mul(channel, kBlockBytes));
        Value from = b.offset(b.buffer(0), at);
        llvm::SmallVector<Value> sums;
        for (int64_t point = 0; point < kPoints; ++point) {
          Value sum = b.loadBlock(from, point * squares * kSquareBytes);
          for (int64_t slice = 1; slice < shape.slices; ++slice)
            sum = b.addf(sum, b.loadBlock(from, (slice * kPoints + point) * squares * kSquareBytes));
          sums.push_back(sum);
        }
        Value to = b.offset(b.buffer(1), b.add(b.mul(square, 9 * kSquareBytes), b.mul(channel, kBlockBytes)));
        for (auto [tap, value] : llvm::enumerate(winogradTransformSums(b, sums)))
          b.storeBlock(value, to, int64_t(tap) * kSquareBytes);
      });
    });
  });
  KernelInfo info;
  info.symbol = symbol.str();
  info.unitsPerImage = 0;
  info.fixedUnits = squares;
  return info;
}

} // namespace cnn::cpu
