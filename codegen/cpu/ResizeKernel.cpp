// See Kernels.h. A work unit is a row of one block of channels: of the resized image, whose pixels are made of up to
// four of the image, or, of the transpose, a row of the image, whose pixels gather from the outputs that they take part
// in.
#include "codegen/cpu/Kernels.h"
#include "codegen/cpu/Resizing.h"

using namespace mlir;
namespace cnn::cpu {

std::string whyNotResize(GroupOp group) {
  Operation *anchor = group.getAnchor();
  if (!anchor || !isa<ResizeOp, ResizeGradOp>(anchor))
    return "the anchor resizes nothing";
  if (!isa<BlockArgument>(anchor->getOperand(0)))
    return "what is resized is computed in the group";
  for (Type type : {anchor->getOperand(0).getType(), anchor->getResult(0).getType()}) {
    if (!cast<RankedTensorType>(type).getElementType().isF32())
      return "the image is not of f32";
    if (LayoutAttr layout = getLayout(type); !layout || !layout.isChannelBlocked())
      return "the image or the result is not in blocks of channels";
  }
  return EpilogueEmitter::whyNot(group);
}

namespace {

class ResizeBuilder {
public:
  ResizeBuilder(KernelBuilder &b, GroupOp group)
      : b(b), emitter(group), anchor(group.getAnchor()), from(shapeOf(anchor->getOperand(0))),
        to(shapeOf(anchor->getResult(0))), axes(axesOf(anchor)) {}

  KernelInfo build(StringRef symbol) {
    KernelInfo info;
    info.symbol = symbol.str();
    int64_t blocks = llvm::divideCeil(from[1], kBlock);
    info.unitsPerImage = blocks * to[2];
    b.kernel(symbol, emitter.operands(), [&] {
      b.forUnits([&](Value unit) {
        SmallVector<Value> at = b.delinearize(unit, {Value(), b.index(blocks), b.index(to[2])});
        buildRow(at[0], at[1], at[2]);
      });
    });
    return info;
  }

private:
  static ArrayRef<int64_t> shapeOf(Value value) { return cast<RankedTensorType>(value.getType()).getShape(); }
  static std::array<ResizeAxis, 2> axesOf(Operation *op) {
    ArrayRef<int64_t> in = shapeOf(op->getOperand(0)), out = shapeOf(op->getResult(0));
    if (auto resize = dyn_cast<ResizeOp>(op))
      return resizeAxes(resize, in, out);
    return resizeAxes(cast<ResizeGradOp>(op), out, in);
  }

  Value rowOf(Value plane, Value y) { return b.offset(plane, b.mul(y, from[3] * kBlock * 4)); }
  Value pixel(Value row, Value x) { return b.loadBlock(b.offset(row, b.mul(x, kBlock * 4))); }

  /// `low` and `high` mixed.
  Value mix(const ResizeTaps &taps, Value low, Value high) {
    return b.fma(b.splat(taps.highWeight), high, b.mulf(b.splat(taps.lowWeight), low));
  }

  void buildRow(Value image, Value block, Value y) {
    SmallVector<Value> images = emitter.images(b, image);
    int input = cast<BlockArgument>(anchor->getOperand(0)).getArgNumber();
    Value plane = b.offset(images[input], b.mul(block, from[2] * from[3] * kBlock * 4));
    Value outRow = b.mul(b.mul(b.add(b.mul(block, to[2]), y), to[3]), kBlock * 4);
    bool isGrad = isa<ResizeGradOp>(anchor);
    ResizeTaps rows;
    ResizeOutputs outputs;
    Value low, high;
    if (isGrad) {
      outputs = buildOutputs(b, axes[0], y);
    } else {
      rows = buildTaps(b, axes[0], y);
      low = rowOf(plane, rows.low);
      high = axes[0].linear ? rowOf(plane, rows.high) : Value();
    }
    b.forLoop(0, to[3], 1, [&](Value x) {
      Value value;
      if (isGrad) {
        value = gather(plane, outputs, y, x);
      } else {
        ResizeTaps columns = buildTaps(b, axes[1], x);
        auto inRow = [&](Value row) {
          return axes[1].linear ? mix(columns, pixel(row, columns.low), pixel(row, columns.high))
                                : pixel(row, columns.low);
        };
        value = inRow(low);
        if (axes[0].linear)
          value = mix(rows, value, inRow(high));
      }
      EpilogueEmitter::Position at;
      at.images = images;
      at.bytes = b.add(outRow, b.mul(x, kBlock * 4));
      at.channel = b.mul(block, kBlock);
      emitter.emitAndStore(b, at, value);
    });
  }

  /// What the outputs of the rows `rows` give to pixel (y, x): for each row the sum over its columns, then over rows.
  Value gather(Value plane, const ResizeOutputs &rows, Value y, Value x) {
    ResizeOutputs columns = buildOutputs(b, axes[1], x);
    auto weighted = [&](Value weight, Value value, Value sum) {
      return weight ? b.fma(b.splat(weight), value, sum) : b.addf(sum, value);
    };
    SmallVector<Value> none = {b.splat(0.0f)};
    return b.forLoop(rows.begin, rows.end, 1, none, [&](Value outY, ValueRange total) {
      Value row = rowOf(plane, outY);
      Value sum = b.forLoop(columns.begin, columns.end, 1, none, [&](Value outX, ValueRange carried) {
        return SmallVector<Value>{weighted(buildShare(b, axes[1], x, outX), pixel(row, outX), carried[0])};
      })[0];
      return SmallVector<Value>{weighted(buildShare(b, axes[0], y, outY), sum, total[0])};
    })[0];
  }

  KernelBuilder &b;
  EpilogueEmitter emitter;
  Operation *anchor;
  /// Shapes of what is read and of the result.
  ArrayRef<int64_t> from, to;
  std::array<ResizeAxis, 2> axes;
};

} // namespace

KernelInfo buildResizeKernel(KernelBuilder &b, StringRef symbol, GroupOp group) {
  return ResizeBuilder(b, group).build(symbol);
}

} // namespace cnn::cpu
