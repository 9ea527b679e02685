// See WeightGradKernel.h.
#include "codegen/cpu/WeightGradKernel.h"

#include "codegen/cpu/ElementOps.h"
#include "codegen/cpu/Transpose.h"

#include "llvm/Support/MathExtras.h"

#include <algorithm>

using llvm::divideCeil;
using mlir::Value;
using mlir::ValueRange;
namespace cnn::cpu {
namespace {

constexpr int64_t kBlockBytes = kBlock * 4;
/// Slices where one unit computes all: enough that a few threads that take them one by one end together.
constexpr int64_t kSlices = 8;
/// What the images of a chunk may take, so that they stay in the second-level cache from tile to tile.
constexpr int64_t kChunkBytes = 256 << 10;
/// Blocks of inputs and of outputs of a region.
constexpr int64_t kRegion = 4;

/// Sizes that follow from the shapes alone.
struct Shape {
  bool isDepthwise;
  int64_t channels; ///< Input channels of a kernel.
  int64_t taps, inputBlocks, outputBlocks;
  int64_t innerChannels;    ///< Input channels that lie side by side.
  int64_t outputBlockBytes; ///< Of P: one block of outputs.
  int64_t sliceBytes;
  int64_t slices;

  explicit Shape(const ConvProblem &p)
      : isDepthwise(p.groups > 1), channels(isDepthwise ? 1 : p.channels), taps(p.kernelHeight * p.kernelWidth),
        inputBlocks(p.planarInput || isDepthwise ? 1 : divideCeil(p.channels, kBlock)),
        outputBlocks(divideCeil(p.outputs, kBlock)), innerChannels(p.planarInput || isDepthwise ? channels : kBlock),
        outputBlockBytes(inputBlocks * innerChannels * taps * kBlockBytes),
        sliceBytes(outputBlocks * outputBlockBytes) {
    int64_t regions = divideCeil(inputBlocks, kRegion) * divideCeil(outputBlocks, isDepthwise ? 1 : kRegion);
    slices = std::clamp<int64_t>(2 * kSlices / regions, 1, kSlices);
  }
  /// Whether a register tile is of taps instead of channels of one tap.
  bool hasTapTiles(const ConvProblem &p) const { return p.planarInput || isDepthwise; }
};

/// A range of output positions for which the same taps of an axis lie inside the image.
struct Segment {
  int64_t begin, end;
  llvm::SmallVector<bool> inside;
};

llvm::SmallVector<Segment> segmentsOf(int64_t outputs, int64_t extent, int64_t taps, int64_t stride, int64_t dilation,
                                      int64_t pad) {
  llvm::SmallVector<Segment> segments;
  for (int64_t at = 0; at < outputs; ++at) {
    llvm::SmallVector<bool> inside;
    for (int64_t tap = 0; tap < taps; ++tap) {
      int64_t position = at * stride - pad + tap * dilation;
      inside.push_back(position >= 0 && position < extent);
    }
    if (!segments.empty() && segments.back().inside == inside)
      ++segments.back().end;
    else
      segments.push_back({at, at + 1, inside});
  }
  return segments;
}

class SumBuilder {
public:
  SumBuilder(KernelBuilder &b, const ConvProblem &problem, const WeightGradPlan &plan)
      : b(b), p(problem), plan(plan), shape(problem), parts(cutEvenly(shape.outputBlocks, plan.blocks)) {
    // The pixels of a convolution of one tap on every pixel are one row.
    if (!shape.hasTapTiles(p) && p.isPointwise()) {
      p.width = p.outWidth = p.height * p.width;
      p.height = p.outHeight = 1;
    }
    pixelBytes = p.planarInput ? 4 : kBlockBytes;
    for (auto [size, count] : parts)
      partCount += count;
  }

  KernelInfo build(llvm::StringRef symbol) {
    const int64_t inputRegions = divideCeil(shape.inputBlocks, plan.regionInputs);
    const int64_t outputRegions = divideCeil(partCount, plan.regionParts);
    const int64_t regions = inputRegions * outputRegions;
    b.kernel(symbol, 3, [&] {
      b.forUnits([&](Value unit) {
        Value slice = b.div(unit, regions), region = b.rem(unit, regions);
        Value firstImage = b.div(b.mul(slice, b.batch()), plan.slices);
        Value lastImage = b.div(b.mul(b.add(slice, 1), b.batch()), plan.slices);
        Value inputBlock = b.mul(b.div(region, outputRegions), plan.regionInputs);
        Value inputEnd = b.min(b.add(inputBlock, plan.regionInputs), shape.inputBlocks);
        Value part = b.mul(b.rem(region, outputRegions), plan.regionParts);
        Value partEnd = b.min(b.add(part, plan.regionParts), partCount);
        partial = b.offset(b.buffer(2), b.mul(slice, shape.sliceBytes));
        clear(inputBlock, inputEnd, part, partEnd);
        b.forLoop(firstImage, lastImage, plan.chunk, [&](Value image) {
          chunkBegin = image;
          chunkEnd = b.min(b.add(image, plan.chunk), lastImage);
          b.forLoop(part, partEnd, 1, [&](Value part) {
            forBlocks(part, [&](Value block, int64_t blocks) {
              if (shape.hasTapTiles(p))
                tapTiles(block, blocks);
              else
                b.forLoop(inputBlock, inputEnd, 1, [&](Value inputBlock) { blockedTiles(inputBlock, block, blocks); });
            });
          });
        });
      });
    });
    KernelInfo info;
    info.symbol = symbol.str();
    info.unitsPerImage = 0;
    info.fixedUnits = regions * plan.slices;
    return info;
  }

private:
  /// Calls `body` with the first block of a part and with its number of blocks, once for each number there is.
  void forBlocks(Value part, llvm::function_ref<void(Value, int64_t)> body) {
    auto [longer, count] = parts.front();
    if (parts.size() == 1)
      return body(b.mul(part, longer), longer);
    int64_t shorter = parts.back().first;
    b.ifThen(
        b.lessThan(part, b.index(count)), [&] { body(b.mul(part, longer), longer); },
        [&] { body(b.add(b.mul(part, shorter), count * (longer - shorter)), shorter); });
  }

  /// Zero in the sums of a region.
  void clear(Value inputBlock, Value inputEnd, Value part, Value partEnd) {
    int64_t inputBytes = shape.taps * shape.innerChannels * kBlockBytes;
    b.forLoop(part, partEnd, 1, [&](Value part) {
      forBlocks(part, [&](Value block, int64_t blocks) {
        Value first = b.offset(partial, b.mul(block, shape.outputBlockBytes));
        b.forLoop(b.mul(inputBlock, inputBytes), b.mul(inputEnd, inputBytes), kBlockBytes, [&](Value at) {
          for (int64_t k = 0; k < blocks; ++k)
            b.storeBlock(b.splat(0.0f), b.offset(first, at), k * shape.outputBlockBytes);
        });
      });
    });
  }

  /// Adds to `sums` ([row][block]) what the chunk contributes. `sumsAt` is the address of the first one, rows are
  /// `rowBytes(row)` apart.
  void buildTile(Value sumsAt, int64_t blocks, llvm::ArrayRef<int64_t> rowBytes,
                 llvm::function_ref<llvm::SmallVector<Value>(Value image, ValueRange)> addImage) {
    llvm::SmallVector<Value> sums;
    for (int64_t bytes : rowBytes)
      for (int64_t k = 0; k < blocks; ++k)
        sums.push_back(b.loadBlock(sumsAt, bytes + k * shape.outputBlockBytes));
    sums = b.forLoop(chunkBegin, chunkEnd, 1, sums, addImage);
    for (auto [row, bytes] : llvm::enumerate(rowBytes))
      for (int64_t k = 0; k < blocks; ++k)
        b.storeBlock(sums[row * blocks + k], sumsAt, bytes + k * shape.outputBlockBytes);
  }

  /// Output positions [first, second) whose tap lies inside: position * stride + tap * dilation - pad in [0, extent).
  std::pair<Value, Value> positionsInside(Value tap, int64_t taps, int64_t dilation, int64_t pad, int64_t stride,
                                          int64_t extent, int64_t outputs) {
    if (pad == 0 && (outputs - 1) * stride + (taps - 1) * dilation < extent)
      return {b.index(0), b.index(outputs)};
    Value shift = b.sub(b.index(pad), b.mul(tap, dilation));
    auto roundUp = [&](Value value) { return b.min(b.div(b.add(b.max(value, 0), stride - 1), stride), outputs); };
    return {roundUp(shift), roundUp(b.add(shift, extent))};
  }

  /// One pixel after the other: sums += the input at the rows' displacements times the gradient's blocks.
  llvm::SmallVector<Value> addPixels(Value from, Value to, Value input, Value gradient, int64_t blocks,
                                     llvm::ArrayRef<std::pair<size_t, int64_t>> rows, ValueRange sums) {
    return b.forLoop(from, to, 1, sums, [&](Value x, ValueRange carried) {
      llvm::SmallVector<Value> next(carried);
      Value pixel = b.offset(input, b.mul(x, p.strideX * pixelBytes));
      Value values = b.offset(gradient, b.mul(x, kBlockBytes));
      llvm::SmallVector<Value> vectors;
      for (int64_t k = 0; k < blocks; ++k)
        vectors.push_back(b.loadBlock(values, k * p.outHeight * p.outWidth * kBlockBytes));
      for (auto [row, displacement] : rows) {
        Value value = shape.isDepthwise ? b.loadBlock(pixel, displacement) : b.loadSplat(pixel, displacement);
        for (int64_t k = 0; k < blocks; ++k)
          next[row * blocks + k] = b.fma(value, vectors[k], next[row * blocks + k]);
      }
      return next;
    });
  }

  Value gradientOf(Value image, Value block) {
    return b.offset(b.imageOf(1, image), b.mul(block, p.outHeight * p.outWidth * kBlockBytes));
  }

  void blockedTiles(Value inputBlock, Value block, int64_t blocks) {
    Value plane = b.mul(inputBlock, p.height * p.width * kBlockBytes);
    Value sumsAt = b.offset(
        partial, b.add(b.mul(block, shape.outputBlockBytes), b.mul(inputBlock, shape.taps * kBlock * kBlockBytes)));
    // Rows of channels that do not exist are not computed.
    Value channels = b.min(b.sub(b.index(p.channels), b.mul(inputBlock, kBlock)), kBlock);
    b.forLoop(0, p.kernelHeight, 1, [&](Value ky) {
      auto [firstY, lastY] =
          positionsInside(ky, p.kernelHeight, p.dilationY, p.padTop, p.strideY, p.height, p.outHeight);
      b.forLoop(0, p.kernelWidth, 1, [&](Value kx) {
        auto [firstX, lastX] =
            positionsInside(kx, p.kernelWidth, p.dilationX, p.padLeft, p.strideX, p.width, p.outWidth);
        Value tap = b.add(b.mul(ky, p.kernelWidth), kx);
        // Of the pixel that the tap meets at output (0, 0).
        Value origin = b.mul(
            b.add(b.mul(b.sub(b.mul(ky, p.dilationY), p.padTop), p.width), b.sub(b.mul(kx, p.dilationX), p.padLeft)),
            kBlockBytes);
        b.forLoop(b.index(0), channels, plan.rows, [&](Value channel) {
          llvm::SmallVector<int64_t> rowBytes;
          llvm::SmallVector<std::pair<size_t, int64_t>> rows;
          for (int64_t row = 0; row < plan.rows; ++row) {
            rowBytes.push_back(row * kBlockBytes);
            rows.emplace_back(row, row * 4);
          }
          Value first = b.offset(sumsAt, b.mul(b.add(b.mul(tap, kBlock), channel), kBlockBytes));
          Value start = b.add(b.add(plane, origin), b.mul(channel, 4));
          buildTile(first, blocks, rowBytes, [&](Value image, ValueRange sums) {
            Value input = b.offset(b.imageOf(0, image), start), gradient = gradientOf(image, block);
            return b.forLoop(firstY, lastY, 1, sums, [&](Value y, ValueRange sums) {
              return addPixels(firstX, lastX, b.offset(input, b.mul(y, p.strideY * p.width * kBlockBytes)),
                               b.offset(gradient, b.mul(y, p.outWidth * kBlockBytes)), blocks, rows, sums);
            });
          });
        });
      });
    });
  }

  void tapTiles(Value block, int64_t blocks) {
    struct Row {
      int64_t channel, ky, kx;
    };
    llvm::SmallVector<Row> all;
    for (int64_t ky = 0; ky < p.kernelHeight; ++ky)
      for (int64_t channel = 0; channel < shape.channels; ++channel)
        for (int64_t kx = 0; kx < p.kernelWidth; ++kx)
          all.push_back({channel, ky, kx});
    auto ySegments = segmentsOf(p.outHeight, p.height, p.kernelHeight, p.strideY, p.dilationY, p.padTop);
    auto xSegments = segmentsOf(p.outWidth, p.width, p.kernelWidth, p.strideX, p.dilationX, p.padLeft);
    Value sumsAt = b.offset(partial, b.mul(block, shape.outputBlockBytes));
    int64_t begin = 0;
    for (auto [size, count] : cutEvenly(all.size(), plan.rows))
      for (int64_t tile = 0; tile < count; ++tile, begin += size) {
        llvm::ArrayRef<Row> rows = llvm::ArrayRef(all).slice(begin, size);
        llvm::SmallVector<int64_t> rowBytes;
        for (const Row &row : rows)
          rowBytes.push_back(((row.channel * p.kernelHeight + row.ky) * p.kernelWidth + row.kx) * kBlockBytes);
        buildTile(sumsAt, blocks, rowBytes, [&](Value image, ValueRange start) {
          Value input = b.imageOf(0, image), gradient = gradientOf(image, block);
          if (shape.isDepthwise)
            input = b.offset(input, b.mul(block, p.height * p.width * kBlockBytes));
          llvm::SmallVector<Value> sums(start);
          for (const Segment &vertical : ySegments) {
            if (llvm::none_of(rows, [&](const Row &row) { return vertical.inside[row.ky]; }))
              continue;
            sums = b.forLoop(vertical.begin, vertical.end, 1, sums, [&](Value y, ValueRange carried) {
              llvm::SmallVector<Value> sums(carried);
              Value line = b.offset(input, b.mul(y, p.strideY * p.width * pixelBytes));
              Value values = b.offset(gradient, b.mul(y, p.outWidth * kBlockBytes));
              for (const Segment &horizontal : xSegments) {
                llvm::SmallVector<std::pair<size_t, int64_t>> active;
                for (auto [number, row] : llvm::enumerate(rows))
                  if (vertical.inside[row.ky] && horizontal.inside[row.kx])
                    active.emplace_back(number, ((row.channel * p.height + row.ky * p.dilationY - p.padTop) * p.width +
                                                 row.kx * p.dilationX - p.padLeft) *
                                                    pixelBytes);
                if (!active.empty())
                  sums =
                      addPixels(b.index(horizontal.begin), b.index(horizontal.end), line, values, blocks, active, sums);
              }
              return sums;
            });
          }
          return sums;
        });
      }
  }

  KernelBuilder &b;
  ConvProblem p; ///< Flattened to one row where it is pointwise.
  const WeightGradPlan &plan;
  const Shape shape;
  llvm::SmallVector<std::pair<int64_t, int64_t>, 2> parts;
  int64_t partCount = 0, pixelBytes;
  Value partial, chunkBegin, chunkEnd; ///< Of the work unit.
};

} // namespace

WeightGradPlan planWeightGrad(const ConvProblem &p, Isa isa) {
  const IsaInfo &info = isaInfo(isa);
  const Shape shape(p);
  WeightGradPlan plan;
  // Sums, in blocks, that leave registers for the gradient and a broadcast input.
  int64_t room =
      info.registersPerBlock == 1 ? 24 : (info.registers - info.registersPerBlock - 2) / info.registersPerBlock;
  plan.blocks = shape.isDepthwise ? 1 : std::min<int64_t>(shape.outputBlocks, room >= 16 ? 2 : 1);
  if (shape.hasTapTiles(p)) {
    plan.rows = room / plan.blocks;
  } else {
    plan.rows = std::min<int64_t>(kBlock, llvm::bit_floor(static_cast<uint64_t>(room / plan.blocks)));
  }
  plan.regionInputs = std::min(kRegion, shape.inputBlocks);
  plan.regionParts = shape.isDepthwise ? 1 : divideCeil(std::min(kRegion, shape.outputBlocks), plan.blocks);
  int64_t imageBytes = plan.regionInputs * p.height * p.width * (p.planarInput ? p.channels * 4 : kBlockBytes) +
                       plan.regionParts * plan.blocks * p.outHeight * p.outWidth * kBlockBytes;
  plan.chunk = std::clamp<int64_t>(kChunkBytes / imageBytes, 1, 16);
  plan.slices = shape.slices;
  return plan;
}

int64_t weightGradScratchBytes(const ConvProblem &problem) {
  Shape shape(problem);
  return shape.slices * shape.sliceBytes;
}

KernelInfo buildWeightGradSumKernel(KernelBuilder &builder, llvm::StringRef symbol, const ConvProblem &problem,
                                    const WeightGradPlan &plan) {
  return SumBuilder(builder, problem, plan).build(symbol);
}

KernelInfo buildWeightGradFinishKernel(KernelBuilder &b, llvm::StringRef symbol, const ConvProblem &p, bool packed,
                                       std::optional<int64_t> slices) {
  const Shape shape(p);
  const int64_t sliceCount = slices.value_or(shape.slices);
  // Vectors of 16 outputs of one channel and tap; a unit is 16 of them of one block of outputs.
  const int64_t stored = shape.inputBlocks * shape.innerChannels * shape.taps, columns = shape.channels * shape.taps;
  const int64_t units = divideCeil(packed ? stored : columns, kBlock);
  auto sumOf = [&](llvm::SmallVector<Value> addresses) {
    llvm::SmallVector<Value> sums;
    for (Value address : addresses)
      sums.push_back(b.loadBlock(address));
    return b.forLoop(1, sliceCount, 1, sums, [&](Value slice, ValueRange carried) {
      llvm::SmallVector<Value> next(carried);
      for (auto [sum, address] : llvm::zip(next, addresses))
        sum = b.addf(sum, b.loadBlock(b.offset(address, b.mul(slice, shape.sliceBytes))));
      return next;
    });
  };
  b.kernel(symbol, 2, [&] {
    b.forUnits([&](Value unit) {
      Value block = b.div(unit, units), first = b.mul(b.rem(unit, units), kBlock);
      Value from = b.offset(b.buffer(0), b.mul(block, shape.outputBlockBytes));
      if (packed) {
        Value to = b.offset(b.buffer(1), b.mul(block, shape.outputBlockBytes));
        b.forLoop(first, b.min(b.add(first, kBlock), stored), 1, [&](Value column) {
          Value sum = sumOf({b.offset(from, b.mul(column, kBlockBytes))}).front();
          sum = b.keepChannels(sum, block, p.outputs);
          if (!shape.hasTapTiles(p) && p.channels % kBlock) {
            Value channel = b.add(b.mul(b.div(column, shape.taps * kBlock), kBlock), b.rem(column, kBlock));
            sum = b.select(b.lessThan(channel, b.index(p.channels)), sum, b.splat(0.0f));
          }
          b.storeBlock(sum, b.offset(to, b.mul(column, kBlockBytes)));
        });
        return;
      }
      llvm::SmallVector<Value> addresses;
      for (int64_t lane = 0; lane < kBlock; ++lane) {
        // Beyond the last column the last one is read and not stored.
        Value column = b.min(b.add(first, lane), columns - 1), at = column;
        if (!shape.hasTapTiles(p)) {
          Value channel = b.div(column, shape.taps), tap = b.rem(column, shape.taps);
          at = b.add(b.mul(b.add(b.mul(b.div(channel, kBlock), shape.taps), tap), kBlock), b.rem(channel, kBlock));
        }
        addresses.push_back(b.offset(from, b.mul(at, kBlockBytes)));
      }
      llvm::SmallVector<Value> rows = sumOf(addresses);
      transposeSquare(b, rows);
      Value mask = columns % kBlock ? lanesBelow(b, b.sub(b.index(columns), first), kBlock) : Value();
      Value to = b.offset(b.buffer(1), b.mul(b.add(b.mul(block, kBlock * columns), first), 4));
      auto storeRows = [&](int64_t begin, int64_t end) {
        for (int64_t row = begin; row < end; ++row)
          storeElements(b, b.f32(), rows[row], to, row * columns * 4, mask);
      };
      int64_t rest = p.outputs % kBlock;
      storeRows(0, rest ? rest : kBlock);
      if (rest && p.outputs > kBlock)
        b.ifThen(b.lessThan(block, b.index(p.outputs / kBlock)), [&] { storeRows(rest, kBlock); });
    });
  });
  KernelInfo info;
  info.symbol = symbol.str();
  info.unitsPerImage = 0;
  info.fixedUnits = shape.outputBlocks * units;
  return info;
}

} // namespace cnn::cpu
