// See DepthwiseKernel.h.
#include "codegen/cpu/DepthwiseKernel.h"

#include "llvm/Support/MathExtras.h"

#include <algorithm>

using llvm::divideCeil;
using mlir::Value;
using mlir::ValueRange;
namespace cnn::cpu {
namespace {

constexpr int64_t kBlockBytes = kBlock * 4;

class DepthwiseBuilder {
public:
  DepthwiseBuilder(KernelBuilder &b, const ConvProblem &problem, const ConvOperands &operands, const Epilogue &epilogue)
      : b(b), p(problem), operands(operands), epilogue(epilogue) {
    // Sums, the weights of a kernel row where they are few, and one input column.
    int64_t registers = isaInfo(b.isa()).registers / isaInfo(b.isa()).registersPerBlock;
    int64_t pixels = std::max<int64_t>(2, std::min<int64_t>(14, registers - p.kernelWidth - 1));
    runs = cutAxis(p.outWidth, pixels, p.width, p.kernelWidth, p.strideX, p.dilationX, p.padLeft);
  }

  KernelInfo build(llvm::StringRef symbol) {
    int64_t blocks = divideCeil(p.channels, kBlock);
    // Work units of some half a million multiply-adds.
    int64_t perRow = p.outWidth * kBlock * p.kernelHeight * p.kernelWidth;
    int64_t rows = std::clamp<int64_t>(500000 / perRow, 1, p.outHeight), areas = divideCeil(p.outHeight, rows);
    b.kernel(symbol, operands.count, [&] {
      b.forUnits([&](Value unit) {
        auto at = b.delinearize(unit, {Value(), b.index(blocks), b.index(areas)});
        image = at[0], block = at[1];
        input = b.offset(b.imageOf(operands.input, image), b.mul(block, p.height * p.width * kBlockBytes));
        weights = b.offset(b.buffer(operands.weights), b.mul(block, p.kernelHeight * p.kernelWidth * kBlockBytes));
        output = b.imageOf(operands.output, image);
        bias = operands.bias < 0 ? b.splat(0.0f)
                                 : b.loadBlock(b.offset(b.buffer(operands.bias), b.mul(block, kBlockBytes)));
        Value first = b.mul(at[2], rows);
        b.forLoop(first, b.min(b.add(first, rows), p.outHeight), 1, [&](Value y) {
          for (const TileRun &run : runs)
            b.forLoop(0, run.count, 1, [&](Value tile) { buildTile(run, y, b.add(b.mul(tile, run.size), run.begin)); });
        });
      });
    });
    return {symbol.str(), blocks * areas, 0};
  }

private:
  void buildTile(const TileRun &run, Value y, Value x) {
    Value top = b.add(b.mul(y, p.strideY), -p.padTop), left = b.add(b.mul(x, p.strideX), -p.padLeft);
    llvm::SmallVector<Value> sums(run.size, bias);
    // tap * dilation >= -top and < height - top, rounded up.
    auto firstTap = [&](Value reach) {
      return b.min(b.div(b.add(b.max(reach, 0), p.dilationY - 1), p.dilationY), p.kernelHeight);
    };
    sums = b.forLoop(firstTap(b.sub(b.index(0), top)), firstTap(b.sub(b.index(p.height), top)), 1, sums,
                     [&](Value ky, ValueRange sums) {
                       Value row = b.add(b.mul(b.add(top, b.mul(ky, p.dilationY)), p.width), left);
                       return buildRow(run, b.offset(input, b.mul(row, kBlockBytes)),
                                       b.offset(weights, b.mul(ky, p.kernelWidth * kBlockBytes)), sums);
                     });
    Value bytes = b.mul(b.add(b.mul(b.add(b.mul(block, p.outHeight), y), p.outWidth), x), kBlockBytes);
    Value address = b.offset(output, bytes);
    for (int64_t pixel = 0; pixel < run.size; ++pixel) {
      Value value = sums[pixel];
      if (epilogue)
        value = epilogue(b, value, {image, block, bytes, pixel * kBlockBytes});
      b.storeBlock(value, address, pixel * kBlockBytes);
    }
  }

  /// Adds one row of the kernel, column of the input by column, so that few of them are in registers at a time.
  llvm::SmallVector<Value> buildRow(const TileRun &run, Value row, Value taps, ValueRange start) {
    llvm::SmallVector<Value> sums(start), vectors(p.kernelWidth);
    const int64_t columns = (run.size - 1) * p.strideX + (p.kernelWidth - 1) * p.dilationX + 1;
    for (int64_t column = 0; column < columns; ++column) {
      Value pixel;
      for (int64_t kx = 0; kx < p.kernelWidth; ++kx) {
        int64_t from = column - kx * p.dilationX;
        if (from % p.strideX || from < run.inside[kx].first * p.strideX || from >= run.inside[kx].second * p.strideX)
          continue;
        if (!pixel)
          pixel = b.loadBlock(row, column * kBlockBytes);
        if (!vectors[kx])
          vectors[kx] = b.loadBlock(taps, kx * kBlockBytes);
        Value &sum = sums[from / p.strideX];
        sum = b.fma(pixel, vectors[kx], sum);
      }
    }
    return sums;
  }

  KernelBuilder &b;
  const ConvProblem &p;
  const ConvOperands &operands;
  const Epilogue &epilogue;
  llvm::SmallVector<TileRun> runs;
  Value image, block, input, weights, output, bias; ///< Of the work unit.
};

} // namespace

KernelInfo buildDepthwiseKernel(KernelBuilder &builder, llvm::StringRef symbol, const ConvProblem &problem,
                                const ConvOperands &operands, const Epilogue &epilogue) {
  return DepthwiseBuilder(builder, problem, operands, epilogue).build(symbol);
}

} // namespace cnn::cpu
