// See RowConvKernel.h. A work unit is some output rows.
#include "codegen/cpu/RowConvKernel.h"

#include "codegen/cpu/Epilogue.h"
#include "codegen/cpu/Transpose.h"

using namespace mlir;
using llvm::divideCeil;
namespace cnn::cpu {
namespace {
/// Half a block: with more outputs vectors of channels are full enough.
constexpr int64_t kRowOutputs = kBlock / 2;
/// Multiply-adds worth a work unit of their own.
constexpr double kUnitWork = 1e6;
/// Taps of a row of the kernel that are unrolled.
constexpr int64_t kUnrolledTaps = 8;
} // namespace

std::string whyNotRowConv(GroupOp group) {
  ConvProblem problem = problemOf(group);
  if (!problem.planarInput || problem.groups != 1)
    return "the input is not planar";
  if (problem.outputs > kRowOutputs)
    return "there are too many outputs";
  if (problem.strideX != 1)
    return "pixels of the input that follow each other are not of outputs that do";
  ArrayRef<int64_t> shape = cast<RankedTensorType>(group.getAnchor()->getResult(0).getType()).getShape();
  for (BlockArgument argument : group.getBlock().getArguments())
    if (argument != group.getAnchor()->getOperand(0) && cast<RankedTensorType>(argument.getType()).getShape() == shape)
      return "the group reads another image";
  for (Type type : group.getResultTypes())
    if (!cast<RankedTensorType>(type).getElementType().isF32())
      return "a result is not of f32";
  return "";
}

bool rowConvPays(const ConvProblem &problem) {
  // A vector of channels a pixel, bound by the load that each product needs, against one of pixels an output, and the
  // transposition.
  int64_t vectors = divideCeil(problem.outWidth, kBlock);
  int64_t taps = problem.channels * problem.kernelHeight * problem.kernelWidth;
  constexpr int64_t kTransposeCost = 40;
  return vectors * (problem.outputs * taps + kTransposeCost) < problem.outWidth * taps;
}

ConvTile chooseRowConvTile(const ConvProblem &problem, Isa isa) {
  const IsaInfo &info = isaInfo(isa);
  // Beside the sums a vector of the input for each column of vectors and a splat weight.
  int64_t room = std::max<int64_t>(1, (info.registers - 2) / info.registersPerBlock * 3 / 4);
  int64_t outputs = std::min(problem.outputs, room);
  int64_t vectors = std::clamp<int64_t>(std::min<int64_t>(room, 12) / outputs, 1, divideCeil(problem.outWidth, kBlock));
  ConvTile tile;
  tile.columns = vectors * kBlock;
  tile.unroll = 1;
  double row = double(problem.multiplyAdds()) / problem.outHeight;
  tile.unitTiles =
      cutEvenly(problem.outHeight, std::clamp<int64_t>(int64_t(kUnitWork / row), 1, problem.outHeight)).front().first;
  return tile;
}

namespace {

class RowConvBuilder {
public:
  RowConvBuilder(KernelBuilder &b, GroupOp group, const ConvTile &tile)
      : b(b), p(problemOf(group)), emitter(group, EpilogueEmitter::Lanes::Elements), results(group->getNumResults()),
        input(cast<BlockArgument>(group.getAnchor()->getOperand(0)).getArgNumber()),
        weight(cast<BlockArgument>(group.getAnchor()->getOperand(1)).getArgNumber()) {
    const IsaInfo &info = isaInfo(b.isa());
    vectors = tile.columns / kBlock;
    int64_t room = std::max<int64_t>(1, (info.registers - 2) / info.registersPerBlock * 3 / 4);
    outputsAtOnce = std::clamp<int64_t>(room / vectors, 1, p.outputs);
    int64_t read = llvm::alignTo(p.outWidth, kBlock) + (p.kernelWidth - 1) * p.dilationX;
    pitch = llvm::alignTo(std::max(read, p.padLeft + p.width), kBlock) * 4;
    unitRows = std::min(tile.unitTiles, p.outHeight);
    copiedRows = (unitRows - 1) * p.strideY + (p.kernelHeight - 1) * p.dilationY + 1;
  }

  KernelInfo build(StringRef symbol) {
    KernelInfo info;
    info.symbol = symbol.str();
    info.unitsPerImage = divideCeil(p.outHeight, unitRows);
    info.scratchBytes = p.channels * copiedRows * pitch;
    b.kernel(symbol, emitter.operands(), [&] {
      b.forUnits([&](Value unit) {
        auto at = b.delinearize(unit, {Value(), b.index(info.unitsPerImage)});
        images = emitter.images(b, at[0]);
        Value from = b.mul(at[1], unitRows), to = b.min(b.add(from, unitRows), p.outHeight);
        // The input's row that lies first in the scratch; negative where it is above the image.
        firstCopied = b.add(b.mul(from, p.strideY), -p.padTop);
        copyRows(b.max(firstCopied, 0), b.min(b.add(firstCopied, copiedRows), p.height));
        b.forLoop(from, to, 1, [&](Value y) { buildRow(y); });
      });
    });
    return info;
  }

private:
  /// Rows [from, to) of the image, between zeros.
  void copyRows(Value from, Value to) {
    b.forLoop(0, p.channels, 1, [&](Value channel) {
      Value plane = b.mul(channel, copiedRows);
      b.forLoop(from, to, 1, [&](Value row) {
        Value source = b.offset(images[input], b.mul(b.add(b.mul(channel, p.height), row), p.width * 4));
        Value target = b.offset(b.scratch(), b.mul(b.add(plane, b.sub(row, firstCopied)), pitch));
        Value zero = b.splat(0.0f);
        for (int64_t byte = 0; byte < pitch; byte += kBlock * 4)
          if (byte < p.padLeft * 4 || byte + kBlock * 4 > (p.padLeft + p.width) * 4)
            b.storeBlock(zero, target, byte);
        Value inside = b.offset(target, p.padLeft * 4);
        b.forLoop(0, p.width / kBlock, 1, [&](Value vector) {
          Value bytes = b.mul(vector, kBlock * 4);
          b.store(b.load(b.block(), b.offset(source, bytes)), b.offset(inside, bytes));
        });
        int64_t left = p.width % kBlock;
        if (left && p.width > kBlock) {
          // The last whole vector of the row overlaps the one before.
          int64_t last = (p.width - kBlock) * 4;
          b.store(b.load(b.block(), source, last), inside, last);
        } else {
          for (int64_t x = p.width - left; x < p.width; ++x)
            b.store(b.loadScalar(source, x * 4), inside, x * 4);
        }
      });
    });
  }

  void buildRow(Value y) {
    // The rows of the kernel inside the image.
    Value shift = b.sub(b.index(p.padTop), b.mul(y, p.strideY));
    auto roundUp = [&](Value value) { return b.div(b.add(b.max(value, 0), p.dilationY - 1), p.dilationY); };
    Value firstRow = b.min(roundUp(shift), p.kernelHeight),
          lastRow = b.min(roundUp(b.add(shift, p.height)), p.kernelHeight);
    Value row = b.sub(b.add(b.mul(y, p.strideY), -p.padTop), firstCopied);
    Value line = b.offset(b.scratch(), b.mul(row, pitch));
    Value bytes = b.mul(y, p.outWidth * kBlock * 4);
    int64_t columns = vectors * kBlock, whole = p.outWidth / columns;
    b.forLoop(0, whole, 1, [&](Value part) {
      Value x = b.mul(part, columns);
      buildTile(b.offset(line, b.mul(x, 4)), firstRow, lastRow, b.add(bytes, b.mul(x, kBlock * 4)), columns);
    });
    if (int64_t rest = p.outWidth % columns; rest)
      buildTile(b.offset(line, whole * columns * 4), firstRow, lastRow, b.add(bytes, whole * columns * kBlock * 4),
                rest);
  }

  /// `pixels` pixels of an output row from `pixel` on, whose first tap is there; they are stored `bytes` beyond the
  /// images.
  void buildTile(Value pixel, Value firstRow, Value lastRow, Value bytes, int64_t pixels) {
    int64_t count = divideCeil(pixels, kBlock);
    // values[(result * outputs + k) * count + v]
    SmallVector<Value> values(results * p.outputs * count);
    for (int64_t first = 0; first < p.outputs; first += outputsAtOnce) {
      int64_t outputs = std::min(outputsAtOnce, p.outputs - first);
      SmallVector<Value> sums = buildSums(pixel, firstRow, lastRow, first, outputs, count);
      for (int64_t k = 0; k < outputs; ++k)
        for (int64_t v = 0; v < count; ++v) {
          EpilogueEmitter::Position at;
          at.images = images;
          at.bytes = b.index(0);
          at.channel = b.index(first + k);
          for (auto [result, value] : llvm::enumerate(emitter.emit(b, at, sums[k * count + v])))
            values[(result * p.outputs + first + k) * count + v] = value;
        }
    }
    for (int64_t result = 0; result < results; ++result) {
      Value target = b.offset(images[emitter.inputs() + result], bytes);
      for (int64_t v = 0; v < count; ++v) {
        SmallVector<Value> square(kBlock, b.splat(0.0f));
        for (int64_t k = 0; k < p.outputs; ++k)
          square[k] = values[(result * p.outputs + k) * count + v];
        transposeSquare(b, square);
        for (int64_t lane = 0; lane < std::min(kBlock, pixels - v * kBlock); ++lane)
          b.storeBlock(square[lane], target, (v * kBlock + lane) * kBlock * 4);
      }
    }
  }

  /// The sums of `count` vectors for outputs [first, first + outputs).
  SmallVector<Value> buildSums(Value pixel, Value firstRow, Value lastRow, int64_t first, int64_t outputs,
                               int64_t count) {
    SmallVector<Value> sums(outputs * count, b.splat(0.0f));
    auto addTap = [&](Value pixels, Value tap, int64_t kx, ValueRange start) {
      SmallVector<Value> next(start);
      b.keepOrder();
      SmallVector<Value> x;
      for (int64_t v = 0; v < count; ++v)
        x.push_back(b.load(b.block(), pixels, (v * kBlock + kx * p.dilationX) * 4));
      for (int64_t k = 0; k < outputs; ++k) {
        Value w = b.loadSplat(tap, (kx * kBlock + first + k) * 4);
        for (int64_t v = 0; v < count; ++v)
          next[k * count + v] = b.fma(x[v], w, next[k * count + v]);
      }
      return next;
    };
    return b.forLoop(0, p.channels, 1, sums, [&](Value channel, ValueRange sums) {
      Value plane = b.offset(pixel, b.mul(channel, copiedRows * pitch));
      Value taps = b.offset(images[weight], b.mul(channel, p.kernelHeight * p.kernelWidth * kBlock * 4));
      return b.forLoop(firstRow, lastRow, 1, sums, [&](Value ky, ValueRange sums) {
        Value line = b.offset(plane, b.mul(ky, p.dilationY * pitch));
        Value row = b.offset(taps, b.mul(ky, p.kernelWidth * kBlock * 4));
        SmallVector<Value> next(sums);
        if (p.kernelWidth <= kUnrolledTaps) {
          for (int64_t kx = 0; kx < p.kernelWidth; ++kx)
            next = addTap(line, row, kx, next);
          return next;
        }
        return b.forLoop(0, p.kernelWidth, 1, next, [&](Value kx, ValueRange sums) {
          return addTap(b.offset(line, b.mul(kx, p.dilationX * 4)), b.offset(row, b.mul(kx, kBlock * 4)), 0, sums);
        });
      });
    });
  }

  KernelBuilder &b;
  ConvProblem p;
  EpilogueEmitter emitter;
  int64_t results;
  int input, weight;
  int64_t vectors, outputsAtOnce; ///< Of a register tile.
  int64_t pitch;                  ///< Bytes from one row in the scratch to the next.
  int64_t unitRows, copiedRows;   ///< Output rows of a work unit, and input rows that they need.
  SmallVector<Value> images;      ///< Of the work unit.
  Value firstCopied;
};

} // namespace

KernelInfo buildRowConvKernel(KernelBuilder &b, StringRef symbol, GroupOp group, const ConvTile &tile) {
  return RowConvBuilder(b, group, tile).build(symbol);
}

} // namespace cnn::cpu
