// The gradients of poolings of channel-blocked images (Kernels.h), 16 channels at a time.
//
// Where windows do not overlap, a unit is one row of windows of one block of channels: each window owns the positions
// up to the next one and writes them all once. Elsewhere a unit is the plane of one block of channels: it is cleared,
// and each window adds to its positions, windows in row-major order; the epilogue then goes over the plane.
#include "codegen/cpu/PoolGradKernel.h"

#include "codegen/cpu/Kernels.h"

#include "codegen/cpu/CpuDialect.h"
#include "codegen/cpu/Math.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "llvm/Support/FormatVariadic.h"

using namespace mlir;

namespace cnn::cpu {

/// Taps of a window up to which the place of the largest is kept in masks.
static constexpr int64_t kMaskedTaps = 16;

std::string whyNotPoolGrad(GroupOp group) {
  Operation *anchor = group.getAnchor();
  if (!anchor || !isa<MaxPoolGradOp, AvgPoolGradOp>(anchor))
    return "the anchor is no gradient of a pooling";
  for (Value operand : anchor->getOperands()) {
    if (!isa<BlockArgument>(operand))
      return llvm::formatv("an operand of {0} is computed in the group", anchor->getName());
    if (!isChannelBlocked(operand.getType()))
      return llvm::formatv("an operand of {0} is not in blocks of channels", anchor->getName());
  }
  for (Type type : anchor->getOperandTypes())
    if (!getElementTypeOrSelf(type).isF32())
      return llvm::formatv("{0} computes in f32, not in {1}", anchor->getName(), getElementTypeOrSelf(type));
  for (Type type : group.getResultTypes())
    if (!isChannelBlocked(type) || !getElementTypeOrSelf(type).isF32())
      return "a result is not in blocks of channels of f32";
  return EpilogueEmitter::whyNot(group);
}

namespace {

struct Axis {
  int64_t extent, outputs, kernel, stride, before, after;

  /// Whether no position is in two windows and all windows lie in the image.
  bool isApart() const {
    return before == 0 && (outputs == 1 || stride >= kernel) && (outputs - 1) * stride + kernel <= extent;
  }
};

Axis axisOf(Operation *anchor, int number) {
  auto of = [&](auto op, Value pooled) {
    auto whole = cast<RankedTensorType>(op.getResult().getType()), small = cast<RankedTensorType>(pooled.getType());
    return Axis{whole.getDimSize(2 + number), small.getDimSize(2 + number), op.getKernel()[number],
                op.getStrides()[number],      op.getPadding()[2 * number],  op.getPadding()[2 * number + 1]};
  };
  if (auto op = dyn_cast<MaxPoolGradOp>(anchor))
    return of(op, op.getValues());
  auto average = cast<AvgPoolGradOp>(anchor);
  return of(average, average.getInput());
}

/// Whether each window is computed by itself.
bool isByWindow(Operation *anchor) {
  Axis y = axisOf(anchor, 0), x = axisOf(anchor, 1);
  return y.isApart() && x.isApart() && (!isa<MaxPoolGradOp>(anchor) || y.kernel * x.kernel <= kMaskedTaps);
}

class PoolGradBuilder {
public:
  PoolGradBuilder(KernelBuilder &b, GroupOp group) : b(b), group(group), emitter(group) {
    Operation *anchor = group.getAnchor();
    isMax = isa<MaxPoolGradOp>(anchor);
    auto number = [](Value value) { return cast<BlockArgument>(value).getArgNumber(); };
    if (auto op = dyn_cast<MaxPoolGradOp>(anchor)) {
      image = number(op.getInput()), values = number(op.getValues());
    } else {
      auto average = cast<AvgPoolGradOp>(anchor);
      values = number(average.getInput());
      countPad = average.getCountPad();
    }
    blocks = llvm::divideCeil(cast<RankedTensorType>(anchor->getResult(0).getType()).getDimSize(1), kBlock);
    y = axisOf(anchor, 0), x = axisOf(anchor, 1);
  }

  KernelInfo build(StringRef symbol) {
    bool apart = isByWindow(group.getAnchor());
    b.kernel(symbol, emitter.operands(), [&] {
      b.forUnits([&](Value unit) {
        SmallVector<Value> at = b.delinearize(unit, {Value(), b.index(blocks), b.index(apart ? y.outputs : 1)});
        images = emitter.images(b, at[0]);
        block = at[1];
        apart ? buildRow(at[2]) : buildPlane();
      });
    });
    KernelInfo info;
    info.symbol = symbol.str();
    info.unitsPerImage = blocks * (apart ? y.outputs : 1);
    return info;
  }

private:
  struct Span {
    Value from, to, counted;
  };

  /// The value of a window; zero in padded lanes.
  Value pooledValue(Value row, Value column) {
    Value place = b.add(b.mul(b.add(b.mul(block, y.outputs), row), x.outputs), column);
    return b.keepChannels(b.loadBlock(b.offset(images[values], b.mul(place, kBlock * 4))), block, emitter.channels());
  }
  /// The offset in bytes of a position of the image.
  Value bytesAt(Value row, Value column) {
    return b.mul(b.add(b.mul(b.add(b.mul(block, y.extent), row), x.extent), column), kBlock * 4);
  }

  EpilogueEmitter::Position position(Value row, Value column) {
    EpilogueEmitter::Position at;
    at.images = images;
    at.bytes = bytesAt(row, column);
    at.channel = b.mul(block, kBlock);
    return at;
  }
  void store(Value row, Value column, Value value) { emitter.emitAndStore(b, position(row, column), value); }

  /// For x after the largest so far: whether it is the largest now. A NaN is larger than all but an earlier one.
  Value isLarger(Value value, Value largest) {
    Value larger = arith::CmpFOp::create(b, arith::CmpFPredicate::UGT, value, largest);
    return arith::AndIOp::create(b, larger, arith::CmpFOp::create(b, arith::CmpFPredicate::ORD, largest, largest));
  }

  //===-- Windows apart -------------------------------------------------------------------------------------------===//

  void buildRow(Value row) {
    Value top = b.mul(row, y.stride);
    b.forLoop(0, x.outputs, 1, [&](Value column) { buildWindow(row, column, top, b.mul(column, x.stride)); });
    // What no window has: columns between windows, then whole rows.
    auto beyond = [&](const Axis &axis, Value output, llvm::function_ref<void(Value)> body) {
      Value isLast = b.equal(output, b.index(axis.outputs - 1)), begin = b.mul(output, axis.stride);
      bool hasGap = axis.stride > axis.kernel && axis.outputs > 1;
      bool hasEnd = (axis.outputs - 1) * axis.stride + axis.kernel < axis.extent;
      if (hasGap || hasEnd)
        b.forLoop(b.add(begin, axis.kernel), b.select(isLast, b.index(axis.extent), b.add(begin, axis.stride)), 1,
                  body);
    };
    b.forLoop(0, x.outputs, 1, [&](Value column) {
      beyond(x, column, [&](Value place) {
        b.forLoop(0, y.kernel, 1, [&](Value i) { store(b.add(top, i), place, b.splat(0.0f)); });
      });
    });
    beyond(y, row,
           [&](Value place) { b.forLoop(0, x.extent, 1, [&](Value column) { store(place, column, b.splat(0.0f)); }); });
  }

  void buildWindow(Value row, Value column, Value top, Value left) {
    Value value = pooledValue(row, column);
    if (!isMax) {
      value = b.divf(value, b.splat(static_cast<float>(y.kernel * x.kernel)));
      b.forLoop(0, y.kernel, 1, [&](Value i) {
        b.forLoop(0, x.kernel, 1, [&](Value j) { store(b.add(top, i), b.add(left, j), value); });
      });
      return;
    }
    auto place = [&](int64_t tap) { return std::pair(b.add(top, tap / x.kernel), b.add(left, tap % x.kernel)); };
    SmallVector<Value> larger(1);
    Value largest;
    for (int64_t tap = 0; tap < y.kernel * x.kernel; ++tap) {
      auto [i, j] = place(tap);
      Value element = b.loadBlock(b.offset(images[image], bytesAt(i, j)));
      if (largest)
        larger.push_back(isLarger(element, largest));
      largest = largest ? arith::SelectOp::create(b, larger.back(), element, largest).getResult() : element;
    }
    // Of the taps that were the largest so far the last one is the largest of all.
    Value open;
    for (int64_t tap = y.kernel * x.kernel; tap-- > 0;) {
      Value here = larger[tap];
      if (open && here)
        here = arith::AndIOp::create(b, open, here);
      else if (open)
        here = open;
      auto [i, j] = place(tap);
      store(i, j, here ? arith::SelectOp::create(b, here, value, b.splat(0.0f)).getResult() : value);
      if (!larger[tap])
        break;
      Value one = integerConstant(b, larger[tap].getType(), 1);
      Value rest = arith::XOrIOp::create(b, larger[tap], one);
      open = open ? arith::AndIOp::create(b, open, rest).getResult() : rest;
    }
  }

  //===-- Windows that overlap or reach beyond the image ----------------------------------------------------------===//

  Span span(const Axis &axis, Value output) {
    Value start = b.sub(b.mul(output, axis.stride), axis.before), end = b.add(start, axis.kernel);
    Span s;
    s.from = b.max(start, 0);
    s.to = b.min(end, axis.extent);
    s.counted = countPad ? b.sub(b.min(end, axis.extent + axis.after), start) : b.sub(s.to, s.from);
    return s;
  }

  void buildPlane() {
    // The plane of the first result is where windows are added up.
    Value plane = images[emitter.inputs()];
    auto everywhere = [&](llvm::function_ref<void(Value row, Value column)> body) {
      b.forLoop(0, y.extent, 1,
                [&](Value row) { b.forLoop(0, x.extent, 1, [&](Value column) { body(row, column); }); });
    };
    everywhere([&](Value row, Value column) { b.storeBlock(b.splat(0.0f), b.offset(plane, bytesAt(row, column))); });
    b.forLoop(0, y.outputs, 1, [&](Value row) {
      Span rows = span(y, row);
      b.forLoop(0, x.outputs, 1, [&](Value column) {
        Span columns = span(x, column);
        Value value = pooledValue(row, column);
        auto add = [&](Value i, Value j, Value what) {
          Value to = b.offset(plane, bytesAt(i, j));
          b.storeBlock(b.addf(b.loadBlock(to), what), to);
        };
        if (isMax)
          addToLargest(rows, columns, value, add);
        else
          addShares(rows, columns, value, add);
      });
    });
    if (!llvm::hasSingleElement(group.getBlock().without_terminator()) || group->getNumResults() > 1)
      everywhere(
          [&](Value row, Value column) { store(row, column, b.loadBlock(b.offset(plane, bytesAt(row, column)))); });
  }

  void addShares(const Span &rows, const Span &columns, Value value,
                 llvm::function_ref<void(Value, Value, Value)> add) {
    Value count = arith::SIToFPOp::create(b, b.f32(), b.mul(rows.counted, columns.counted));
    value = b.divf(value, b.splat(count));
    b.forLoop(rows.from, rows.to, 1,
              [&](Value i) { b.forLoop(columns.from, columns.to, 1, [&](Value j) { add(i, j, value); }); });
  }

  void addToLargest(const Span &rows, const Span &columns, Value value,
                    llvm::function_ref<void(Value, Value, Value)> add) {
    auto placeOf = [&](Value i, Value j) {
      Value place = arith::TruncIOp::create(b, b.getI32Type(), b.add(b.mul(i, x.extent), j));
      return splatTo(b, place, kBlock);
    };
    // The first element is the largest until another one is. Where a window is empty the loops are, too.
    Value first = b.loadBlock(
        b.offset(images[image], bytesAt(b.min(rows.from, y.extent - 1), b.min(columns.from, x.extent - 1))));
    SmallVector<Value> best = {first, placeOf(rows.from, columns.from)};
    best = b.forLoop(rows.from, rows.to, 1, best, [&](Value i, ValueRange outer) {
      return b.forLoop(columns.from, columns.to, 1, outer, [&](Value j, ValueRange carried) {
        Value element = b.loadBlock(b.offset(images[image], bytesAt(i, j)));
        Value larger = isLarger(element, carried[0]);
        return SmallVector<Value>{arith::SelectOp::create(b, larger, element, carried[0]),
                                  arith::SelectOp::create(b, larger, placeOf(i, j), carried[1])};
      });
    });
    b.forLoop(rows.from, rows.to, 1, [&](Value i) {
      b.forLoop(columns.from, columns.to, 1, [&](Value j) {
        Value here = arith::CmpIOp::create(b, arith::CmpIPredicate::eq, best[1], placeOf(i, j));
        add(i, j, arith::SelectOp::create(b, here, value, b.splat(0.0f)));
      });
    });
  }

  KernelBuilder &b;
  GroupOp group;
  EpilogueEmitter emitter;
  bool isMax = false, countPad = false;
  unsigned image = 0, values = 0;
  int64_t blocks = 0;
  Axis y = {}, x = {};
  // Of the unit.
  SmallVector<Value> images;
  Value block;
};

} // namespace

bool poolGradMayOverwrite(GroupOp group) { return isByWindow(group.getAnchor()); }

KernelInfo buildPoolGradKernel(KernelBuilder &b, StringRef symbol, GroupOp group) {
  return PoolGradBuilder(b, group).build(symbol);
}

} // namespace cnn::cpu
