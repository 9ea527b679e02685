// Convolutions and transposed convolutions as products of matrices (MatrixKernels.h). k goes over blocks of 16 input
// channels, taps and the channels of a block, in this order, so that 16 k are one pixel's 64 bytes of an image in
// blocks and one row of blocks of the weights; over channels and taps where the input is row-major.
#include "codegen/cuda/Convolution.h"
#include "codegen/cuda/MatrixKernels.h"
#include "codegen/cuda/SlicedProduct.h"

#include "codegen/cpu/CpuDialect.h"
#include "codegen/cpu/Epilogue.h"
#include "passes/TargetModel.h"

using namespace mlir;

namespace cnn::cuda {

using cpu::EpilogueEmitter;
using cpu::kBlock;

/// Of a group for which whyNotConv is empty.
static int64_t depthOf(const Convolution &conv) {
  return (conv.isPlanar() ? conv.inputs : llvm::alignTo(conv.inputs, kBlock)) * conv.taps();
}

std::string whyNotConv(GroupOp group) {
  Operation *anchor = group.getAnchor();
  if (!isa_and_nonnull<Conv2dOp, Conv2dTransposeOp>(anchor))
    return "the anchor is no convolution";
  Convolution conv(anchor);
  if (std::string why = whyNotRead(group); !why.empty())
    return why;
  if (isPerImage(group.getInputs()[operandOf(conv.weight)]))
    return "the weights are not what all images share";
  if (conv.groups != 1)
    return "the convolution has groups";
  if (!cpu::isChannelBlocked(anchor->getResult(0).getType()))
    return "the convolution's result is not in blocks of channels";
  if (!conv.isPlanar() && !cpu::isChannelBlocked(conv.input.getType()))
    return "the convolution's input is neither row-major nor in blocks of channels";
  LayoutAttr layout = getLayout(conv.weight.getType());
  if (layout && layout != convWeightLayout(group))
    return "the convolution's weights are in another layout";
  return EpilogueEmitter::whyNot(group);
}

MatmulSizes convSizes(GroupOp group) {
  Convolution conv(group.getAnchor());
  return {conv.pixels(), int64_t(llvm::alignTo(conv.outputs, kBlock)), depthOf(conv)};
}

LayoutAttr convWeightLayout(GroupOp group) {
  Convolution conv(group.getAnchor());
  MLIRContext *context = group.getContext();
  // Of [O, I, kh, kw], and of the kernels [I, O, kh, kw] of a transposed convolution, whose inputs are the former's
  // outputs.
  if (conv.isTransposed)
    return conv.isPlanar() ? LayoutAttr() : LayoutAttr::get(context, {1, 0, 2, 3}, {0}, {kBlock});
  return conv.isPlanar() ? LayoutAttr::tiled(context, 4, {0}, {kBlock}) : LayoutAttr::tiled(context, 4, {1}, {kBlock});
}

namespace {

class ConvBuilder {
public:
  ConvBuilder(DeviceBuilder &b, GroupOp group, const MatmulTile &tile, int64_t slices)
      : b(b), group(group), anchor(group.getAnchor()), conv(anchor), tile(tile),
        sliced(b, tile, convSizes(group), slices, bodyOperands(group).size()) {}

  DeviceKernel build(StringRef symbol, ArrayRef<DeviceOperand> known) {
    DeviceKernel kernel;
    kernel.symbol = symbol.str();
    kernel.unitsPerImage = conv.pixels();
    kernel.launch = matmulLaunch(tile, llvm::alignTo(conv.outputs, kBlock), precisionOf(anchor));
    b.deviceKernel(symbol, known, tile.threads(), [&] {
      auto storeRow = [&](Value row, ArrayRef<MatmulSums> sums) { store(row, sums); };
      buildMatmulTile(b, tile, precisionOf(anchor), pixels(), weights(), sliced.part(),
                      [&](Value row, ArrayRef<MatmulSums> sums) { sliced.storePart(row, sums, storeRow); });
    });
    return kernel;
  }
  DeviceKernel buildJoin(StringRef symbol, ArrayRef<DeviceOperand> known) {
    return sliced.buildJoin(symbol, known, kJoinThreads,
                            [&](Value row, ArrayRef<MatmulSums> sums) { store(row, sums); });
  }

private:
  /// Whether k is one of the depth's, null where it always is.
  Value exists(Value k) { return depthOf(conv) % tile.depth ? b.lessThan(k, b.index(depthOf(conv))) : Value(); }
  /// The input's pixels: lines are pixels of the result.
  MatmulFactor pixels() {
    bool isPlanar = conv.isPlanar();
    int64_t input = operandOf(conv.input);
    MatmulFactor factor;
    factor.alongDepth = !isPlanar;
    factor.width = isPlanar || b.operand(input).alignment % 16 ? 1 : 4;
    factor.line = [=, this](Value line) {
      Value pixel = b.rem(line, conv.pixels());
      return SmallVector<Value>{b.imageOf(input, b.div(line, conv.pixels())),
                                conv.startOf(b, conv.y, b.div(pixel, conv.x.output)),
                                conv.startOf(b, conv.x, b.rem(pixel, conv.x.output)), b.lessThan(line, b.units())};
    };
    factor.place = [=, this](ArrayRef<Value> line, Value k) {
      Value number = isPlanar ? k : b.div(k, kBlock), tap = b.rem(number, conv.taps());
      auto [y, validY] = conv.positionOf(b, conv.y, line[1], b.div(tap, conv.x.taps));
      auto [x, validX] = conv.positionOf(b, conv.x, line[2], b.rem(tap, conv.x.taps));
      Value plane = b.mul(b.div(number, conv.taps()), conv.y.input);
      Value place = b.mul(b.add(b.mul(b.add(plane, y), conv.x.input), x), isPlanar ? 1 : kBlock);
      if (!isPlanar)
        place = b.add(place, b.rem(k, kBlock));
      return MatmulFactor::Place{b.offset(line[0], b.mul(place, 4)),
                                 both(b, both(b, line[3], exists(k)), both(b, validY, validX))};
    };
    return factor;
  }

  /// Lines are channels of the result.
  MatmulFactor weights() {
    int64_t operand = operandOf(conv.weight);
    Value weights = b.buffer(operand);
    MatmulFactor factor;
    if (getLayout(conv.weight.getType()) && !conv.isPlanar()) {
      factor.width = b.operand(operand).alignment % 16 ? 1 : 4;
      factor.line = [=, this](Value line) {
        return SmallVector<Value>{b.offset(weights, b.mul(line, depthOf(conv) * 4)),
                                  conv.outputs % tile.columns ? b.lessThan(line, b.index(conv.outputs)) : Value()};
      };
      factor.place = [=, this](ArrayRef<Value> line, Value k) {
        return MatmulFactor::Place{b.offset(line[0], b.mul(k, 4)), both(b, line[1], exists(k))};
      };
      return factor;
    }
    if (getLayout(conv.weight.getType())) {
      int64_t columns = llvm::alignTo(conv.outputs, kBlock);
      factor.alongDepth = false;
      factor.width = b.operand(operand).alignment % 16 ? 1 : 4;
      factor.line = [=, this](Value line) {
        Value place = b.add(b.mul(b.div(line, kBlock), depthOf(conv) * kBlock), b.rem(line, kBlock));
        return SmallVector<Value>{b.offset(weights, b.mul(place, 4)),
                                  columns % tile.columns ? b.lessThan(line, b.index(columns)) : Value()};
      };
      factor.place = [=, this](ArrayRef<Value> line, Value k) {
        return MatmulFactor::Place{b.offset(line[0], b.mul(k, kBlock * 4)), both(b, line[1], exists(k))};
      };
      return factor;
    }
    // [O, I, kh, kw], or [I, O, kh, kw] of a transposed convolution.
    factor.line = [=, this](Value line) {
      Value place = b.mul(line, (conv.isTransposed ? 1 : conv.inputs) * conv.taps());
      return SmallVector<Value>{b.offset(weights, b.mul(place, 4)), b.lessThan(line, b.index(conv.outputs))};
    };
    factor.place = [=, this](ArrayRef<Value> line, Value k) {
      Value channel = b.div(k, conv.taps()), tap = b.rem(k, conv.taps());
      if (!conv.isPlanar()) {
        Value number = b.div(k, kBlock);
        channel = b.add(b.mul(b.div(number, conv.taps()), kBlock), b.rem(k, kBlock));
        tap = b.rem(number, conv.taps());
      }
      Value place = b.add(b.mul(channel, (conv.isTransposed ? conv.outputs : 1) * conv.taps()), tap);
      return MatmulFactor::Place{b.offset(line[0], b.mul(place, 4)),
                                 both(b, line[1], b.lessThan(channel, b.index(conv.inputs)))};
    };
    return factor;
  }

  void store(Value row, ArrayRef<MatmulSums> sums) {
    int64_t columns = llvm::alignTo(conv.outputs, kBlock);
    EpilogueEmitter emitter(group);
    b.ifThen(b.lessThan(row, sliced.rows()), [&] {
      Value pixel = b.rem(row, conv.pixels());
      SmallVector<Value> images = emitter.images(b, b.div(row, conv.pixels()));
      for (const MatmulSums &four : sums)
        ifBelow(b, four.column, b.index(columns), columns % tile.columns == 0, [&] {
          Value block = b.add(b.mul(b.div(four.column, kBlock), conv.pixels()), pixel);
          EpilogueEmitter::Position at;
          at.images = images;
          at.bytes = b.mul(b.add(b.mul(block, kBlock), b.rem(four.column, kBlock)), 4);
          at.channel = four.column;
          at.width = 4;
          emitter.emitAndStore(b, at, four.values);
        });
    });
  }

  DeviceBuilder &b;
  GroupOp group;
  Operation *anchor;
  Convolution conv;
  const MatmulTile &tile;
  SlicedProduct sliced;
};

} // namespace

GroupKernels buildConvKernel(DeviceBuilder &b, StringRef symbol, GroupOp group, const MatmulTile &tile, int64_t slices,
                             ArrayRef<DeviceOperand> known) {
  ConvBuilder builder(b, group, tile, slices);
  return slicedKernels(
      group, symbol, slices, known,
      [&](StringRef name, ArrayRef<DeviceOperand> operands) { return builder.build(name, operands); },
      [&](StringRef name, ArrayRef<DeviceOperand> operands) { return builder.buildJoin(name, operands); });
}

} // namespace cnn::cuda
