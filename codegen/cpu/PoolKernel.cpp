// See Kernels.h. A work unit is a row of outputs of one block of channels. Columns whose windows lie inside the image
// are computed four at a time; the few others clip their windows.
#include "codegen/cpu/Kernels.h"

#include "mlir/Dialect/Arith/IR/Arith.h"

#include <limits>

using namespace mlir;
namespace cnn::cpu {

template <typename Fn> static auto withPool(Operation *op, Fn fn) {
  if (auto pool = dyn_cast<MaxPoolOp>(op))
    return fn(pool);
  return fn(cast<AvgPoolOp>(op));
}

std::string whyNotPool(GroupOp group) {
  Operation *anchor = group.getAnchor();
  if (!anchor || !isa<MaxPoolOp, AvgPoolOp>(anchor))
    return "the anchor is no pooling";
  if (!isa<BlockArgument>(anchor->getOperand(0)))
    return "the pooling's input is computed in the group";
  for (Type type : {anchor->getOperand(0).getType(), anchor->getResult(0).getType()}) {
    if (!cast<RankedTensorType>(type).getElementType().isF32())
      return "the pooling is not of f32";
    if (LayoutAttr layout = getLayout(type); !layout || !layout.isChannelBlocked())
      return "the pooling's input or result is not in blocks of channels";
  }
  return EpilogueEmitter::whyNot(group);
}

namespace {

class PoolBuilder {
public:
  PoolBuilder(KernelBuilder &b, GroupOp group) : b(b), emitter(group) {
    Operation *pool = group.getAnchor();
    isMax = isa<MaxPoolOp>(pool);
    input = cast<BlockArgument>(pool->getOperand(0)).getArgNumber();
    auto in = cast<RankedTensorType>(pool->getOperand(0).getType());
    auto out = cast<RankedTensorType>(pool->getResult(0).getType());
    blocks = llvm::divideCeil(in.getDimSize(1), kBlock);
    height = in.getDimSize(2), width = in.getDimSize(3);
    outHeight = out.getDimSize(2), outWidth = out.getDimSize(3);
    withPool(pool, [&](auto op) {
      kernelHeight = op.getKernel()[0], kernelWidth = op.getKernel()[1];
      strideY = op.getStrides()[0], strideX = op.getStrides()[1];
      top = op.getPadding()[0], bottom = op.getPadding()[1];
      left = op.getPadding()[2], right = op.getPadding()[3];
      countPad = op.getCountPad();
    });
  }

  KernelInfo build(StringRef symbol) {
    KernelInfo info;
    info.symbol = symbol.str();
    info.unitsPerImage = blocks * outHeight;
    b.kernel(symbol, emitter.operands(), [&] {
      b.forUnits([&](Value unit) {
        SmallVector<Value> at = b.delinearize(unit, {Value(), b.index(blocks), b.index(outHeight)});
        buildRow(at[0], at[1], at[2]);
      });
    });
    return info;
  }

private:
  /// An output's window along one axis, clipped to the image, and the number of its positions that count.
  struct Window {
    Value from, to, counted;
  };
  Window window(Value index, int64_t stride, int64_t before, int64_t after, int64_t kernel, int64_t extent,
                int64_t outputs) {
    Value start = b.sub(b.mul(index, stride), before);
    Value end = b.add(start, kernel);
    Window w;
    w.from = before > 0 ? b.max(start, 0) : start;
    w.to = (outputs - 1) * stride - before + kernel > extent ? b.min(end, extent) : end;
    w.counted = !countPad                                                   ? b.sub(w.to, w.from)
                : (outputs - 1) * stride - before + kernel > extent + after ? b.sub(b.min(end, extent + after), start)
                                                                            : b.index(kernel);
    return w;
  }

  Value combine(Value sum, Value x) { return isMax ? b.maxf(sum, x) : b.addf(sum, x); }
  Value start() { return b.splat(isMax ? -std::numeric_limits<float>::infinity() : 0.0f); }
  Value finish(Value sum, Value count) {
    if (isMax)
      return sum;
    Value divisor = arith::SIToFPOp::create(b, b.f32(), count);
    return b.divf(sum, b.splat(divisor));
  }

  void buildRow(Value image, Value block, Value y) {
    SmallVector<Value> images = emitter.images(b, image);
    Value plane = b.offset(images[input], b.mul(block, height * width * kBlock * 4));
    Window rows = window(y, strideY, top, bottom, kernelHeight, height, outHeight);
    Value outRow = b.mul(b.mul(b.add(b.mul(block, outHeight), y), outWidth), kBlock * 4);
    auto store = [&](Value x, int64_t t, Value value) {
      EpilogueEmitter::Position at;
      at.images = images;
      at.bytes = b.add(outRow, b.mul(x, kBlock * 4));
      at.displacement = t * kBlock * 4;
      at.channel = b.mul(block, kBlock);
      emitter.emitAndStore(b, at, value);
    };
    auto rowAddress = [&](Value inputY) { return b.offset(plane, b.mul(inputY, width * kBlock * 4)); };

    // Columns [first, end) have their windows inside the image.
    int64_t first = std::min(llvm::divideCeil(left, strideX), static_cast<uint64_t>(outWidth));
    int64_t span = width + left - kernelWidth;
    int64_t end = span < 0 ? first : std::clamp<int64_t>(span / strideX + 1, first, outWidth);

    auto inside = [&](Value x, int64_t count) {
      SmallVector<Value> sums(count, start());
      auto columns = [&](Value address, Value tap, int64_t displacement, SmallVector<Value> carried) {
        for (int64_t t = 0; t < count; ++t)
          carried[t] = combine(carried[t], b.loadBlock(b.offset(address, b.mul(tap, kBlock * 4)),
                                                       (t * strideX + displacement) * kBlock * 4));
        return carried;
      };
      sums = b.forLoop(rows.from, rows.to, 1, sums, [&](Value inputY, ValueRange carried) {
        Value address = b.offset(rowAddress(inputY), b.mul(b.sub(b.mul(x, strideX), left), kBlock * 4));
        SmallVector<Value> next(carried);
        if (kernelWidth > 8)
          return b.forLoop(0, kernelWidth, 1, next, [&](Value tap, ValueRange inner) {
            return columns(address, tap, 0, SmallVector<Value>(inner));
          });
        for (int64_t tap = 0; tap < kernelWidth; ++tap)
          next = columns(address, b.index(0), tap, next);
        return next;
      });
      Value counted = b.mul(rows.counted, b.index(kernelWidth));
      for (int64_t t = 0; t < count; ++t)
        store(x, t, finish(sums[t], counted));
    };
    auto clipped = [&](Value x) {
      Window columns = window(x, strideX, left, right, kernelWidth, width, outWidth);
      SmallVector<Value> sums = {start()};
      sums = b.forLoop(rows.from, rows.to, 1, sums, [&](Value inputY, ValueRange carried) {
        Value address = rowAddress(inputY);
        return b.forLoop(columns.from, columns.to, 1, carried, [&](Value inputX, ValueRange inner) {
          return SmallVector<Value>{combine(inner[0], b.loadBlock(b.offset(address, b.mul(inputX, kBlock * 4))))};
        });
      });
      store(x, 0, finish(sums[0], b.mul(rows.counted, columns.counted)));
    };

    constexpr int64_t kColumns = 4;
    int64_t tiled = first + (end - first) / kColumns * kColumns;
    b.forLoop(0, first, 1, clipped);
    b.forLoop(first, tiled, kColumns, [&](Value x) { inside(x, kColumns); });
    b.forLoop(tiled, end, 1, [&](Value x) { inside(x, 1); });
    b.forLoop(end, outWidth, 1, clipped);
  }

  KernelBuilder &b;
  EpilogueEmitter emitter;
  bool isMax = false, countPad = false;
  int input = 0;
  int64_t blocks, height, width, outHeight, outWidth;
  int64_t kernelHeight, kernelWidth, strideY, strideX, top, bottom, left, right;
};

} // namespace

KernelInfo buildPoolKernel(KernelBuilder &b, StringRef symbol, GroupOp group) {
  return PoolBuilder(b, group).build(symbol);
}

} // namespace cnn::cpu
