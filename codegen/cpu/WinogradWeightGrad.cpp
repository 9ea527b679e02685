// See WinogradWeightGrad.h.
#include "codegen/cpu/WinogradWeightGrad.h"

#include "codegen/cpu/KernelCalls.h"
#include "codegen/cpu/WeightGradKernel.h"
#include "codegen/cpu/WinogradKernels.h"
#include "ir/Winograd.h"

#include "mlir/Dialect/SCF/IR/SCF.h"
#include "llvm/Support/MathExtras.h"

#include <algorithm>

using llvm::divideCeil;
using mlir::Value;
using mlir::ValueRange;
namespace cnn::cpu {
namespace {

constexpr int64_t kBlockBytes = kBlock * 4, kSquareBytes = kBlock * kBlockBytes;
constexpr int64_t kPoints = winograd::kTile * winograd::kTile;
/// Blocks of inputs and of outputs of a work unit: each is transformed once for all of the others. Smaller regions
/// would transform more often, larger ones take fewer images at a time.
constexpr int64_t kRegion = 8;

struct Shape {
  int64_t inputBlocks, outputBlocks, inputRegions, outputRegions;
  int64_t tiles;  ///< Of one image.
  int64_t images; ///< Transformed at a time.
  int64_t slices;

  explicit Shape(const ConvProblem &p)
      : inputBlocks(divideCeil(p.channels, kBlock)), outputBlocks(divideCeil(p.outputs, kBlock)),
        inputRegions(divideCeil(inputBlocks, kRegion)), outputRegions(divideCeil(outputBlocks, kRegion)) {
    // Enough tiles for the sums to stay in registers for a while, in a part of the second-level cache.
    constexpr int64_t kTiles = 32, kBytes = 640 << 10;
    WinogradSizes sizes = winogradSizes(p);
    tiles = sizes.rows * sizes.columns;
    int64_t regionBytes = sizes.inputBytes / inputRegions + sizes.productBytes / outputRegions;
    int64_t fill = divideCeil(kTiles, tiles), room = kBytes / regionBytes;
    images = std::clamp<int64_t>(std::min(fill, room), 1, 16);
    // Few work units need slices of the batch; more of them than that would be more sums to add.
    int64_t squares = inputBlocks * outputBlocks;
    slices = std::clamp<int64_t>(128 / squares, 1, 8);
  }
};

/// Zeros for the first images of a slice, or what the images before them left.
llvm::SmallVector<Value> startOf(KernelBuilder &b, Value isFirst, int64_t count,
                                 llvm::function_ref<Value(int64_t)> load) {
  llvm::SmallVector<mlir::Type> types(count, b.block());
  auto choice = mlir::scf::IfOp::create(b, types, isFirst, /*withElseRegion=*/true);
  mlir::OpBuilder::InsertionGuard guard(b);
  for (mlir::Region *region : {&choice.getThenRegion(), &choice.getElseRegion()}) {
    b.setInsertionPointToStart(&region->front());
    llvm::SmallVector<Value> values;
    for (int64_t i = 0; i < count; ++i)
      values.push_back(region == &choice.getThenRegion() ? b.splat(0.0f) : load(i));
    mlir::scf::YieldOp::create(b, values);
  }
  return choice.getResults();
}

} // namespace

// In cycles of a core with two 512-bit FMAs a cycle; measured from 16 to 256 channels.
bool winogradWeightGradPays(const ConvProblem &p) {
  constexpr double kProductsPerCycle = 32, kBlockTransform = 350;
  const Shape shape(p);
  double contraction = static_cast<double>(p.channels) * p.outputs;
  double direct = 9 * contraction * p.outHeight * p.outWidth / (0.85 * kProductsPerCycle);
  double winograd = 36 * contraction * shape.tiles / (0.7 * kProductsPerCycle) +
                    kBlockTransform * shape.tiles *
                        (shape.inputBlocks * shape.outputRegions + shape.outputBlocks * shape.inputRegions);
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
      auto at = b.delinearize(unit, {Value(), b.index(shape.outputRegions), b.index(shape.inputRegions)});
      Value slice = at[0];
      Value firstImage = b.div(b.mul(slice, b.batch()), shape.slices);
      Value lastImage = b.div(b.mul(b.add(slice, 1), b.batch()), shape.slices);
      auto region = [&](Value number, int64_t blocks) {
        Value first = b.mul(number, kRegion);
        return std::pair(first, b.min(b.add(first, kRegion), blocks));
      };
      auto [firstBlock, lastBlock] = region(at[1], shape.outputBlocks);
      auto [firstInput, lastInput] = region(at[2], shape.inputBlocks);
      Value sums = b.offset(b.buffer(2), b.mul(slice, sliceBytes));
      auto placeOf = [&](Value point, Value block, Value inputBlock) {
        return b.mul(b.add(b.mul(b.add(b.mul(point, shape.outputBlocks), block), shape.inputBlocks), inputBlock),
                     kSquareBytes);
      };
      // The sums of no images.
      b.ifThen(b.equal(firstImage, lastImage), [&] {
        b.forLoop(0, kPoints, 1, [&](Value point) {
          b.forLoop(firstBlock, lastBlock, 1, [&](Value block) {
            b.forLoop(placeOf(point, block, firstInput), placeOf(point, block, lastInput), kBlockBytes,
                      [&](Value place) { b.storeBlock(b.splat(0.0f), b.offset(sums, place)); });
          });
        });
      });

      b.forLoop(firstImage, lastImage, shape.images, [&](Value begin) {
        Value end = b.min(b.add(begin, shape.images), lastImage);
        b.forLoop(begin, end, 1, [&](Value image) {
          Value tile = b.mul(b.sub(image, begin), shape.tiles * kBlockBytes);
          calls.call(input, {calls.image(0, image), calls.shared(b.offset(inputs, tile))}, b.mul(firstInput, one.rows),
                     b.mul(lastInput, one.rows));
          calls.call(gradient, {calls.image(1, image), calls.shared(b.offset(gradients, tile))},
                     b.mul(firstBlock, one.rows), b.mul(lastBlock, one.rows));
        });
        Value tiles = b.mul(b.sub(end, begin), shape.tiles), isFirst = b.equal(begin, firstImage);
        auto product = [&](Value point, Value block, int64_t blocks, Value inputBlock, Value channel) {
          Value at = b.offset(sums, b.add(placeOf(point, block, inputBlock), b.mul(channel, kBlockBytes)));
          Value x = b.offset(
              inputs, b.add(b.mul(b.add(b.mul(point, shape.inputBlocks), inputBlock), planeBytes), b.mul(channel, 4)));
          Value dy = b.offset(gradients, b.mul(b.add(b.mul(point, shape.outputBlocks), block), planeBytes));
          llvm::SmallVector<Value> accumulators = startOf(b, isFirst, tile.rows * blocks, [&](int64_t i) {
            return b.loadBlock(at, i / blocks * kBlockBytes + i % blocks * outputBytes);
          });
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
            b.forLoop(firstInput, lastInput, 1, [&](Value inputBlock) {
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
  info.fixedUnits = shape.slices * shape.outputRegions * shape.inputRegions;
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
