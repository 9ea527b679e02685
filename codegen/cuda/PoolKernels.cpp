// Poolings of images in blocks of 16 channels and their gradients (Kernels.h). A thread computes four channels of one
// position, so that four threads share a pixel's 64 bytes. Taps of a row are loaded together; those beside the image
// are read at its border and not used.
//
// A gradient is gathered: each position goes over the windows that it lies in, in row-major order.
#include "codegen/cuda/Convolution.h"
#include "codegen/cuda/Kernels.h"

#include "codegen/cpu/ElementOps.h"
#include "codegen/cpu/Epilogue.h"
#include "codegen/cpu/Kernels.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "llvm/ADT/TypeSwitch.h"

#include <limits>

using namespace mlir;

namespace cnn::cuda {

using cpu::EpilogueEmitter;
using cpu::kBlock;

static constexpr int64_t kWidth = 4;
/// Taps of a row that are loaded together.
static constexpr int64_t kTapsAtOnce = 16;

static int64_t operandNumber(Value value) { return cast<BlockArgument>(value).getArgNumber(); }

std::string whyNotPool(GroupOp group) {
  bool isGrad = isa_and_nonnull<MaxPoolGradOp, AvgPoolGradOp>(group.getAnchor());
  return isGrad ? cpu::whyNotPoolGrad(group) : cpu::whyNotPool(group);
}

namespace {

/// Windows along one axis of the image.
struct WindowAxis {
  int64_t extent, outputs, kernel, stride, before, after;
};

/// Kernels of one pooling.
class PoolBuilder {
public:
  PoolBuilder(DeviceBuilder &b, GroupOp group)
      : b(b), emitter(group), type(VectorType::get({kWidth}, b.f32())),
        isBlocksWhole(emitter.channels() % kBlock == 0) {
    llvm::TypeSwitch<Operation *>(group.getAnchor())
        .Case<MaxPoolOp, AvgPoolOp>([&](auto op) { take(op, op.getInput(), op.getResult()); })
        .Case<MaxPoolGradOp>([&](auto op) {
          values = operandNumber(op.getValues());
          take(op, op.getInput(), op.getValues());
        })
        .Case<AvgPoolGradOp>([&](auto op) { take(op, op.getResult(), op.getInput()); });
    isMax = isa<MaxPoolOp, MaxPoolGradOp>(group.getAnchor());
    image = operandNumber(group.getAnchor()->getOperand(0));
    if (isa<AvgPoolGradOp>(group.getAnchor()))
      values = image;
  }

  DeviceKernel build(StringRef symbol, ArrayRef<DeviceOperand> known, int64_t threads) {
    return buildPositions(symbol, known, threads, y.outputs, x.outputs, [&](Value row, Value column) {
      Span rows = span(y, row), columns = span(x, column);
      Value folded = zeros(isMax ? -std::numeric_limits<float>::infinity() : 0.0f);
      folded = b.forLoop(rows.from, rows.to, 1, ValueRange{folded}, [&](Value i, ValueRange carried) {
        return forColumns(columns, carried, [&](Value j, Value valid, ValueRange before) {
          Value value = imageAt(i, j);
          Value next = isMax ? b.maxf(before[0], value) : b.addf(before[0], value);
          return SmallVector<Value>{valid ? b.select(valid, next, before[0]) : next};
        });
      })[0];
      return isMax ? folded : b.divf(folded, counted(rows, columns));
    });
  }

  DeviceKernel buildGrad(StringRef symbol, ArrayRef<DeviceOperand> known, int64_t threads) {
    return buildPositions(symbol, known, threads, y.extent, x.extent, [&](Value row, Value column) {
      auto [firstRow, endRow] = windowsAt(y, row);
      auto [firstColumn, endColumn] = windowsAt(x, column);
      SmallVector<Value> sum = {zeros(0.0f)};
      return b.forLoop(firstRow, endRow, 1, sum, [&, column = column](Value i, ValueRange outer) {
        return b.forLoop(firstColumn, endColumn, 1, outer, [&](Value j, ValueRange carried) {
          Span rows = span(y, i), columns = span(x, j);
          Value value = pooledAt(i, j);
          if (isMax)
            value = b.select(isLargest(rows, columns, placeOf(row, column)), value, zeros(0.0f));
          else
            value = b.divf(value, counted(rows, columns));
          return SmallVector<Value>{b.addf(carried[0], value)};
        });
      })[0];
    });
  }

private:
  template <typename Op> void take(Op op, Value whole, Value pooled) {
    auto large = cast<RankedTensorType>(whole.getType()), small = cast<RankedTensorType>(pooled.getType());
    auto axis = [&](int number) {
      return WindowAxis{large.getDimSize(2 + number), small.getDimSize(2 + number), op.getKernel()[number],
                        op.getStrides()[number],      op.getPadding()[2 * number],  op.getPadding()[2 * number + 1]};
    };
    y = axis(0), x = axis(1);
    if constexpr (!std::is_same_v<Op, MaxPoolGradOp>)
      countPad = op.getCountPad();
  }

  /// A kernel with a thread for four channels of each of `height` by `width` positions.
  DeviceKernel buildPositions(StringRef symbol, ArrayRef<DeviceOperand> known, int64_t threads, int64_t height,
                              int64_t width, llvm::function_ref<Value(Value row, Value column)> valueAt) {
    int64_t blocks = llvm::divideCeil(emitter.channels(), kBlock);
    DeviceKernel kernel;
    kernel.symbol = symbol.str();
    kernel.unitsPerImage = blocks * height * width * (kBlock / kWidth);
    kernel.launch = b.unitKernel(symbol, known, threads, [&](Value unit) {
      SmallVector<Value> at =
          b.delinearize(unit, {Value(), b.index(blocks), b.index(height), b.index(width), b.index(kBlock / kWidth)});
      images = emitter.images(b, at[0]);
      block = at[1];
      lane = b.mul(at[4], kWidth);
      channel = b.add(b.mul(block, kBlock), lane);
      EpilogueEmitter::Position place;
      place.images = images;
      place.bytes = bytesAt(at[2], at[3], height, width);
      place.channel = channel;
      place.width = kWidth;
      emitter.emitAndStore(b, place, valueAt(at[2], at[3]));
    });
    return kernel;
  }

  Value zeros(float value) {
    return arith::ConstantOp::create(b, DenseElementsAttr::get(type, ArrayRef<float>(value)));
  }
  Value bytesAt(Value row, Value column, int64_t height, int64_t width) {
    Value pixel = b.add(b.mul(b.add(b.mul(block, height), row), width), column);
    return b.mul(b.add(b.mul(pixel, kBlock), lane), 4);
  }
  Value load(int64_t operand, Value bytes) {
    unsigned alignment = b.operand(operand).alignment % (kWidth * 4) ? 4 : kWidth * 4;
    return b.load(type, b.offset(images[operand], bytes), 0, alignment);
  }
  Value imageAt(Value row, Value column) { return load(image, bytesAt(row, column, y.extent, x.extent)); }
  /// What a window has; zero in padded lanes.
  Value pooledAt(Value row, Value column) {
    Value value = load(values, bytesAt(row, column, y.outputs, x.outputs));
    if (isBlocksWhole)
      return value;
    Value mask = cpu::lanesBelow(b, b.sub(b.index(emitter.channels()), channel), kWidth);
    return arith::SelectOp::create(b, mask, value, zeros(0.0f));
  }

  /// A window along one axis, clipped to the image, and the number of its positions that an average counts.
  struct Span {
    Value start, from, to, counted;
  };
  Span span(const WindowAxis &axis, Value output) {
    Span s;
    s.start = b.sub(b.mul(output, axis.stride), axis.before);
    Value end = b.add(s.start, axis.kernel);
    int64_t last = (axis.outputs - 1) * axis.stride - axis.before + axis.kernel;
    s.from = axis.before > 0 ? b.max(s.start, 0) : s.start;
    s.to = last > axis.extent ? b.min(end, axis.extent) : end;
    s.counted = !countPad                         ? b.sub(s.to, s.from)
                : last > axis.extent + axis.after ? b.sub(b.min(end, axis.extent + axis.after), s.start)
                                                  : b.index(axis.kernel);
    return s;
  }
  Value counted(const Span &rows, const Span &columns) {
    Value count = arith::SIToFPOp::create(b, b.f32(), b.mul(rows.counted, columns.counted));
    return cpu::splatTo(b, count, kWidth);
  }

  /// next = body(column, whether it is one of the window's or null where it always is, carried) over the columns of a
  /// window.
  SmallVector<Value> forColumns(const Span &columns, ValueRange carried,
                                llvm::function_ref<SmallVector<Value>(Value, Value, ValueRange)> body) {
    if (x.kernel > kTapsAtOnce)
      return b.forLoop(columns.from, columns.to, 1, carried,
                       [&](Value column, ValueRange inner) { return body(column, Value(), inner); });
    SmallVector<Value> next(carried);
    for (int64_t tap = 0; tap < x.kernel; ++tap) {
      int64_t lowest = tap - x.before;
      auto [column, valid] =
          clipInside(b, b.add(columns.start, tap), lowest, (x.outputs - 1) * x.stride + lowest, x.extent);
      next = body(column, valid, next);
    }
    return next;
  }

  /// The windows [first, second) that have a position.
  std::pair<Value, Value> windowsAt(const WindowAxis &axis, Value position) {
    Value reach = b.add(position, axis.before);
    return {b.div(b.max(b.sub(b.add(reach, axis.stride), axis.kernel), 0), axis.stride),
            b.min(b.add(b.div(reach, axis.stride), 1), axis.outputs)};
  }

  Value placeOf(Value row, Value column) {
    Value place = arith::TruncIOp::create(b, b.getI32Type(), b.add(b.mul(row, x.extent), column));
    return cpu::splatTo(b, place, kWidth);
  }

  /// By lane, whether the first of the largest elements of a window is at `place`. A NaN is larger than all but an
  /// earlier one.
  Value isLargest(const Span &rows, const Span &columns, Value place) {
    Value nowhere = arith::ConstantOp::create(
        b, DenseElementsAttr::get(VectorType::get({kWidth}, b.getI32Type()), ArrayRef<int32_t>(-1)));
    SmallVector<Value> best = {zeros(-std::numeric_limits<float>::infinity()), nowhere};
    best = b.forLoop(rows.from, rows.to, 1, best, [&](Value i, ValueRange outer) {
      return forColumns(columns, outer, [&](Value j, Value valid, ValueRange carried) {
        using Predicate = arith::CmpFPredicate;
        Value value = imageAt(i, j);
        Value isFirst = arith::CmpIOp::create(b, arith::CmpIPredicate::eq, carried[1], nowhere);
        Value isLarger = both(b, arith::CmpFOp::create(b, Predicate::UGT, value, carried[0]),
                              arith::CmpFOp::create(b, Predicate::ORD, carried[0], carried[0]));
        Value take = arith::OrIOp::create(b, isFirst, isLarger);
        if (valid)
          take = both(b, take, cpu::splatTo(b, valid, kWidth));
        return SmallVector<Value>{arith::SelectOp::create(b, take, value, carried[0]),
                                  arith::SelectOp::create(b, take, placeOf(i, j), carried[1])};
      });
    });
    return arith::CmpIOp::create(b, arith::CmpIPredicate::eq, best[1], place);
  }

  DeviceBuilder &b;
  EpilogueEmitter emitter;
  VectorType type;
  bool isBlocksWhole, isMax = false, countPad = false;
  int64_t image = 0, values = 0;
  WindowAxis y = {}, x = {};
  // Of the thread.
  SmallVector<Value> images;
  Value block, lane, channel;
};

} // namespace

GroupKernels buildPoolKernel(DeviceBuilder &b, StringRef symbol, GroupOp group, int64_t threads,
                             ArrayRef<DeviceOperand> known) {
  GroupKernel made;
  made.operands = bodyOperands(group);
  PoolBuilder builder(b, group);
  SmallVector<DeviceOperand> operands = knownOf(known, made.operands);
  made.kernel = isa<MaxPoolOp, AvgPoolOp>(group.getAnchor()) ? builder.build(symbol, operands, threads)
                                                             : builder.buildGrad(symbol, operands, threads);
  return {made};
}

} // namespace cnn::cuda
