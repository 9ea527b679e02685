// Convolutions and transposed convolutions as products of matrices (MatrixKernels.h). k goes over blocks of 16 input
// channels, taps and the channels of a block, in this order, so that 16 k are one pixel's 64 bytes of an image in
// blocks and one row of blocks of the weights; over channels and taps where the input is row-major.
#include "codegen/cuda/MatrixKernels.h"

#include "codegen/cpu/CpuDialect.h"
#include "codegen/cpu/Epilogue.h"
#include "passes/TargetModel.h"

#include "mlir/Dialect/Arith/IR/Arith.h"

using namespace mlir;

namespace cnn::cuda {

using cpu::EpilogueEmitter;
using cpu::kBlock;

static RankedTensorType typeOf(Value value) { return cast<RankedTensorType>(value.getType()); }

namespace {

struct Axis {
  int64_t input, output, taps, stride, dilation, pad;
};

/// Either operation.
struct Convolution {
  bool isTransposed;
  Value input, weight;
  int64_t inputs, outputs; ///< Channels.
  int64_t groups;
  Axis y, x;

  explicit Convolution(Operation *anchor) {
    auto read = [&](auto op) {
      input = op.getInput();
      weight = op.getWeight();
      RankedTensorType in = typeOf(input), out = typeOf(op.getResult()), kernels = typeOf(weight);
      groups = op.getGroups();
      inputs = in.getDimSize(1);
      outputs = out.getDimSize(1);
      auto axis = [&](int number) {
        return Axis{in.getDimSize(2 + number), out.getDimSize(2 + number), kernels.getDimSize(2 + number),
                    op.getStrides()[number],   op.getDilations()[number],  op.getPadding()[2 * number]};
      };
      y = axis(0);
      x = axis(1);
    };
    isTransposed = isa<Conv2dTransposeOp>(anchor);
    if (isTransposed)
      read(cast<Conv2dTransposeOp>(anchor));
    else
      read(cast<Conv2dOp>(anchor));
  }

  int64_t taps() const { return y.taps * x.taps; }
  int64_t pixels() const { return y.output * x.output; }
  bool isPlanar() const { return !getLayout(input.getType()); }
  int64_t depth() const { return (isPlanar() ? inputs : llvm::alignTo(inputs, kBlock)) * taps(); }
};

} // namespace

std::string whyNotConv(GroupOp group) {
  Operation *anchor = group.getAnchor();
  if (!isa_and_nonnull<Conv2dOp, Conv2dTransposeOp>(anchor))
    return "the anchor is no convolution";
  Convolution conv(anchor);
  if (operandOf(conv.input) < 0 || operandOf(conv.weight) < 0)
    return "the convolution's operands are computed in the group";
  auto ofImages = [&](Value value) { return isPerImage(group.getInputs()[operandOf(value)]); };
  if (!ofImages(conv.input) || ofImages(conv.weight))
    return "the convolution is not one of images by weights that all share";
  for (Type type : {conv.input.getType(), conv.weight.getType(), anchor->getResult(0).getType()})
    if (!getElementTypeOrSelf(type).isF32())
      return "the convolution is not of f32";
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
  return {conv.pixels(), conv.outputs, conv.depth()};
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
  ConvBuilder(DeviceBuilder &b, GroupOp group, const MatmulTile &tile)
      : b(b), group(group), anchor(group.getAnchor()), conv(anchor), tile(tile) {}

  DeviceKernel build(StringRef symbol, ArrayRef<DeviceOperand> known) {
    DeviceKernel kernel;
    kernel.symbol = symbol.str();
    kernel.unitsPerImage = conv.pixels();
    kernel.launch = matmulLaunch(tile, llvm::alignTo(conv.outputs, kBlock), precisionOf(anchor));
    b.deviceKernel(symbol, known, tile.threads(), [&] {
      MatmulPart part;
      part.firstRow = b.mul(b.blockIndex(0), tile.rows);
      part.firstColumn = b.mul(b.blockIndex(1), tile.columns);
      part.depthBegin = b.index(0);
      part.depthEnd = b.index(conv.depth());
      buildMatmulTile(b, tile, precisionOf(anchor), pixels(), weights(), part,
                      [&](Value row, ArrayRef<MatmulSums> sums) { store(row, sums); });
    });
    return kernel;
  }

private:
  /// Whether k is one of the depth's, null where it always is.
  Value exists(Value k) { return conv.depth() % tile.depth ? b.lessThan(k, b.index(conv.depth())) : Value(); }
  static Value isBelow(DeviceBuilder &b, Value position, int64_t extent) {
    return arith::CmpIOp::create(b, arith::CmpIPredicate::ult, position, b.index(extent));
  }

  /// What a position of the result contributes to the position of the input that a tap reads.
  Value startOf(const Axis &axis, Value output) {
    return conv.isTransposed ? b.add(output, axis.pad) : b.sub(b.mul(output, axis.stride), axis.pad);
  }
  /// The position of the input, and whether there is one.
  std::pair<Value, Value> positionOf(const Axis &axis, Value start, Value tap) {
    if (!conv.isTransposed) {
      Value position = b.add(start, b.mul(tap, axis.dilation));
      return {position, isBelow(b, position, axis.input)};
    }
    // Negative ones are large as unsigned numbers.
    Value distance = b.sub(start, b.mul(tap, axis.dilation)), position = b.div(distance, axis.stride);
    Value valid = isBelow(b, position, axis.input);
    if (axis.stride != 1)
      valid = both(b, valid, b.equal(b.rem(distance, axis.stride), b.index(0)));
    return {position, valid};
  }

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
                                startOf(conv.y, b.div(pixel, conv.x.output)),
                                startOf(conv.x, b.rem(pixel, conv.x.output)), b.lessThan(line, b.units())};
    };
    factor.place = [=, this](ArrayRef<Value> line, Value k) {
      Value number = isPlanar ? k : b.div(k, kBlock), tap = b.rem(number, conv.taps());
      auto [y, validY] = positionOf(conv.y, line[1], b.div(tap, conv.x.taps));
      auto [x, validX] = positionOf(conv.x, line[2], b.rem(tap, conv.x.taps));
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
        return SmallVector<Value>{b.offset(weights, b.mul(line, conv.depth() * 4)),
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
        Value place = b.add(b.mul(b.div(line, kBlock), conv.depth() * kBlock), b.rem(line, kBlock));
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
    b.ifThen(b.lessThan(row, b.units()), [&] {
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
};

} // namespace

GroupKernels buildConvKernel(DeviceBuilder &b, StringRef symbol, GroupOp group, const MatmulTile &tile,
                             ArrayRef<DeviceOperand> known) {
  int64_t operands = group->getNumOperands() + group->getNumResults();
  GroupKernel made;
  made.kernel = ConvBuilder(b, group, tile).build(symbol, known.take_front(operands));
  made.operands = llvm::to_vector(llvm::seq<int64_t>(0, operands));
  return {made};
}

} // namespace cnn::cuda
