// Gradients of convolutions by their weights as products of matrices (MatrixKernels.h). Both factors are read across k:
// 16 bytes are four channels of one pixel. Columns go over blocks of 16 input channels, taps and the channels of a
// block; over channels and taps where the input is row-major.
#include "codegen/cuda/Convolution.h"
#include "codegen/cuda/MatrixKernels.h"

#include "codegen/cpu/CpuDialect.h"
#include "passes/TargetModel.h"

using namespace mlir;

namespace cnn::cuda {

using cpu::kBlock;

namespace {

struct Sizes : Convolution {
  explicit Sizes(Operation *op) : Convolution(op) {}

  int64_t rows() const { return llvm::alignTo(outputs, kBlock); }
  int64_t columns() const { return (isPlanar() ? inputs : llvm::alignTo(inputs, kBlock)) * taps(); }
  /// Elements of a row of sums in the scratch.
  int64_t pitch() const { return llvm::alignTo(columns(), 4); }

  // So many that their blocks fill a GPU, as long as each has a few steps to go in a usual batch; of the shapes alone.
  int64_t slices() const {
    constexpr int64_t kBlocksWanted = 256, kTile = 64, kUsualBatch = 32, kPixelsASlice = 256, kMost = 64;
    int64_t blocks = llvm::divideCeil(rows(), kTile) * llvm::divideCeil(columns(), kTile);
    return std::clamp<int64_t>(std::min(kBlocksWanted / blocks, kUsualBatch * pixels() / kPixelsASlice), 1, kMost);
  }
};

Sizes sizesOf(GroupOp group) { return Sizes(group.getAnchor()); }

} // namespace

std::string whyNotWeightGrad(GroupOp group) {
  auto op = dyn_cast_or_null<Conv2dWeightGradOp>(group.getAnchor());
  if (!op)
    return "the anchor is no gradient of a convolution by its weight";
  if (std::string why = whyNotRead(group); !why.empty())
    return why;
  if (!isPerImage(group.getInputs()[operandOf(op.getGradient())]))
    return "the gradient is not summed over images";
  if (!llvm::hasSingleElement(group.getBlock().without_terminator()) || group->getNumResults() != 1)
    return "the group computes more than the gradient";
  if (op.getGroups() != 1)
    return "the convolution has groups";
  if (!cpu::isChannelBlocked(op.getGradient().getType()) ||
      (getLayout(op.getInput().getType()) && !cpu::isChannelBlocked(op.getInput().getType())))
    return "the images are not in blocks of channels";
  if (getLayout(op.getResult().getType()))
    return "the result is not row-major";
  return {};
}

MatmulSizes weightGradSizes(GroupOp group) {
  Sizes sizes = sizesOf(group);
  // As many rows as a gradient has, of which there is one whatever the batch is.
  return {sizes.rows(), sizes.columns(), sizes.pixels()};
}

int64_t weightGradScratchBytes(GroupOp group) {
  Sizes sizes = sizesOf(group);
  return llvm::alignTo(sizes.slices() * sizes.rows() * sizes.pitch() * 4, 64);
}

namespace {

class WeightGradBuilder {
public:
  WeightGradBuilder(DeviceBuilder &b, GroupOp group, const MatmulTile &tile)
      : b(b), op(cast<Conv2dWeightGradOp>(group.getAnchor())), sizes(op), tile(tile) {}

  /// From operands 0 (input) and 1 (gradient) to 2 (scratch).
  DeviceKernel buildSums(StringRef symbol, ArrayRef<DeviceOperand> known) {
    DeviceKernel kernel;
    kernel.symbol = symbol.str();
    kernel.fixedUnits = sizes.rows();
    kernel.launch = matmulLaunch(tile, sizes.columns(), op.getPrecision());
    kernel.launch.gridZ = sizes.slices();
    b.deviceKernel(symbol, known, tile.threads(), [&] {
      Value pixels = b.mul(b.batch(), sizes.pixels());
      // Whole steps of a tile to each slice.
      Value length =
          b.mul(b.div(b.add(pixels, sizes.slices() * tile.depth - 1), sizes.slices() * tile.depth), tile.depth);
      MatmulPart part;
      part.firstRow = b.mul(b.blockIndex(0), tile.rows);
      part.firstColumn = b.mul(b.blockIndex(1), tile.columns);
      part.depthBegin = b.min(b.mul(b.blockIndex(2), length), pixels);
      part.depthEnd = b.min(b.add(part.depthBegin, length), pixels);
      Value scratch = b.offset(b.buffer(2), b.mul(b.blockIndex(2), sizes.rows() * sizes.pitch() * 4));
      buildMatmulTile(b, tile, op.getPrecision(), gradient(part.depthEnd), input(part.depthEnd), part,
                      [&](Value row, ArrayRef<MatmulSums> sums) {
                        ifBelow(b, row, b.index(sizes.rows()), sizes.rows() % tile.rows == 0, [&] {
                          Value line = b.offset(scratch, b.mul(row, sizes.pitch() * 4));
                          for (const MatmulSums &four : sums)
                            ifBelow(b, four.column, b.index(sizes.pitch()), sizes.pitch() % tile.columns == 0, [&] {
                              b.store(four.values, b.offset(line, b.mul(four.column, 4)), 0,
                                      b.operand(2).alignment % 16 ? 4 : 16);
                            });
                        });
                      });
    });
    return kernel;
  }

  /// From operand 0 (scratch) to 1 (result), a thread an element.
  DeviceKernel buildJoin(StringRef symbol, ArrayRef<DeviceOperand> known, int64_t threads) {
    DeviceKernel kernel;
    kernel.symbol = symbol.str();
    kernel.fixedUnits = sizes.outputs * sizes.inputs * sizes.taps();
    kernel.launch = b.unitKernel(symbol, known, threads, [&](Value unit) {
      Value tap = b.rem(unit, sizes.taps()), number = b.div(unit, sizes.taps());
      Value channel = b.rem(number, sizes.inputs), row = b.div(number, sizes.inputs);
      Value column = b.add(b.mul(channel, sizes.taps()), tap);
      if (!sizes.isPlanar())
        column = b.add(b.mul(b.add(b.mul(b.div(channel, kBlock), sizes.taps()), tap), kBlock), b.rem(channel, kBlock));
      Value address = b.offset(b.buffer(0), b.mul(b.add(b.mul(row, sizes.pitch()), column), 4));
      Value sum = b.forLoop(0, sizes.slices(), 1, ValueRange{b.scalar(0.0f)}, [&](Value slice, ValueRange sums) {
        Value term = b.loadScalar(b.offset(address, b.mul(slice, sizes.rows() * sizes.pitch() * 4)));
        return SmallVector<Value>{b.addf(sums[0], term)};
      })[0];
      b.store(sum, b.offset(b.buffer(1), b.mul(unit, 4)));
    });
    return kernel;
  }

private:
  /// The image of pixel `k` of the batch, and its number there.
  std::pair<Value, Value> pixelOf(Value k) { return {b.div(k, sizes.pixels()), b.rem(k, sizes.pixels())}; }

  MatmulFactor gradient(Value end) {
    MatmulFactor factor;
    factor.alongDepth = false;
    factor.width = b.operand(1).alignment % 16 ? 1 : 4;
    factor.line = [this](Value line) {
      Value place = b.add(b.mul(b.div(line, kBlock), sizes.pixels() * kBlock), b.rem(line, kBlock));
      return SmallVector<Value>{b.mul(place, 4), b.lessThan(line, b.index(sizes.rows()))};
    };
    factor.place = [this, end](ArrayRef<Value> line, Value k) {
      auto [image, pixel] = pixelOf(k);
      return MatmulFactor::Place{b.offset(b.imageOf(1, image), b.add(line[0], b.mul(pixel, kBlock * 4))),
                                 both(b, line[1], b.lessThan(k, end))};
    };
    return factor;
  }

  MatmulFactor input(Value end) {
    MatmulFactor factor;
    factor.alongDepth = false;
    factor.width = sizes.isPlanar() || b.operand(0).alignment % 16 ? 1 : 4;
    int64_t plane = sizes.y.input * sizes.x.input, each = sizes.isPlanar() ? 1 : kBlock;
    factor.line = [=, this](Value line) {
      Value number = sizes.isPlanar() ? line : b.div(line, kBlock), tap = b.rem(number, sizes.taps());
      Value place = b.mul(b.div(number, sizes.taps()), plane * each);
      if (!sizes.isPlanar())
        place = b.add(place, b.rem(line, kBlock));
      Value y = b.sub(b.mul(b.div(tap, sizes.x.taps), sizes.y.dilation), sizes.y.pad);
      Value x = b.sub(b.mul(b.rem(tap, sizes.x.taps), sizes.x.dilation), sizes.x.pad);
      return SmallVector<Value>{b.mul(place, 4), y, x, b.lessThan(line, b.index(sizes.columns()))};
    };
    factor.place = [=, this](ArrayRef<Value> line, Value k) {
      auto [image, pixel] = pixelOf(k);
      Value y = b.add(line[1], b.mul(b.div(pixel, sizes.x.output), sizes.y.stride));
      Value x = b.add(line[2], b.mul(b.rem(pixel, sizes.x.output), sizes.x.stride));
      Value inside = both(b, isInside(b, y, sizes.y.input), isInside(b, x, sizes.x.input));
      Value place = b.mul(b.add(b.mul(y, sizes.x.input), x), each * 4);
      return MatmulFactor::Place{b.offset(b.imageOf(0, image), b.add(line[0], place)),
                                 both(b, both(b, line[3], b.lessThan(k, end)), inside)};
    };
    return factor;
  }

  DeviceBuilder &b;
  Conv2dWeightGradOp op;
  Sizes sizes;
  const MatmulTile &tile;
};

} // namespace

GroupKernels buildWeightGradKernels(DeviceBuilder &b, StringRef symbol, GroupOp group, const MatmulTile &tile,
                                    int64_t threads, ArrayRef<DeviceOperand> known) {
  auto op = cast<Conv2dWeightGradOp>(group.getAnchor());
  int64_t result = group->getNumOperands(), scratch = result + 1;
  GroupKernels kernels(2);
  kernels[0].operands = {operandOf(op.getInput()), operandOf(op.getGradient()), scratch};
  kernels[1].operands = {scratch, result};
  WeightGradBuilder builder(b, group, tile);
  kernels[0].kernel = builder.buildSums((symbol + "$sums").str(), knownOf(known, kernels[0].operands));
  kernels[1].kernel = builder.buildJoin(symbol, knownOf(known, kernels[1].operands), threads);
  return kernels;
}

} // namespace cnn::cuda
