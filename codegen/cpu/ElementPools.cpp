// Pooling, resizing and their transposes, and warps, element by element (Elements.h).
#include "codegen/cpu/Elements.h"
#include "codegen/cpu/Math.h"
#include "codegen/cpu/Resizing.h"
#include "codegen/cpu/Warping.h"

#include "mlir/Dialect/Arith/IR/Arith.h"

#include <limits>

using namespace mlir;

namespace cnn::cpu {

/// Positions of the window of an output along an axis, clipped to [-before, size + after).
static Value clippedLength(KernelBuilder &b, Value output, int64_t stride, int64_t before, int64_t kernel, Value size,
                           int64_t countedBefore, int64_t countedAfter) {
  Value from = b.sub(b.mul(output, stride), before);
  Value low = b.max(from, -countedBefore), high = b.min(b.add(from, kernel), b.add(size, countedAfter));
  return b.sub(high, low);
}

template <typename Op> Value Elements::counted(Op op, Value image, ArrayRef<Value> output) {
  Value length[2];
  for (int axis : {0, 1}) {
    int64_t before = op.getPadding()[2 * axis], after = op.getPadding()[2 * axis + 1];
    length[axis] = clippedLength(b, output[2 + axis], op.getStrides()[axis], before, op.getKernel()[axis],
                                 extent(image, 2 + axis), op.getCountPad() ? before : 0, op.getCountPad() ? after : 0);
  }
  return arith::SIToFPOp::create(b, b.f32(), b.mul(length[0], length[1]));
}

template <typename Op> Value Elements::largest(Op op, ArrayRef<Value> output) {
  Value image = op.getInput(), height = extent(image, 2), width = extent(image, 3);
  Value top = b.sub(b.mul(output[2], op.getStrides()[0]), op.getPadding()[0]);
  Value left = b.sub(b.mul(output[3], op.getStrides()[1]), op.getPadding()[2]);
  // The largest value and its place.
  SmallVector<Value> best = {number(0), b.index(-1)};
  auto isNan = [&](Value x) -> Value { return arith::CmpFOp::create(b, arith::CmpFPredicate::UNO, x, x); };
  return b.forLoop(b.index(0), b.index(op.getKernel()[0]), 1, best, [&](Value i, ValueRange rowBest) {
    return b.forLoop(b.index(0), b.index(op.getKernel()[1]), 1, rowBest, [&](Value j, ValueRange carried) {
      Value y = b.add(top, i), x = b.add(left, j);
      Value value = at(image, {output[0], output[1], clampInside(y, height), clampInside(x, width)});
      Value isFirst = b.lessThan(carried[1], b.index(0));
      Value isLarger = arith::CmpFOp::create(b, arith::CmpFPredicate::OGT, value, carried[0]);
      Value isFirstNan =
          both(isNan(value), arith::CmpFOp::create(b, arith::CmpFPredicate::ORD, carried[0], carried[0]));
      Value isBetter = arith::OrIOp::create(b, arith::OrIOp::create(b, isFirst, isLarger), isFirstNan);
      Value take = both(both(isInside(y, height), isInside(x, width)), isBetter);
      return SmallVector<Value>{b.select(take, value, carried[0]),
                                b.select(take, b.add(b.mul(y, width), x), carried[1])};
    });
  })[1];
}

Value Elements::maxPool(MaxPoolOp op, ArrayRef<Value> index) {
  Value height = extent(op.getInput(), 2), width = extent(op.getInput(), 3);
  Value top = b.sub(b.mul(index[2], op.getStrides()[0]), op.getPadding()[0]);
  Value left = b.sub(b.mul(index[3], op.getStrides()[1]), op.getPadding()[2]);
  return fold({b.index(op.getKernel()[0]), b.index(op.getKernel()[1])},
              number(-std::numeric_limits<double>::infinity()), [&](ArrayRef<Value> tap, Value folded) {
                Value y = b.add(top, tap[0]), x = b.add(left, tap[1]);
                Value input = at(op.getInput(), {index[0], index[1], clampInside(y, height), clampInside(x, width)});
                return b.select(both(isInside(y, height), isInside(x, width)), b.maxf(folded, input), folded);
              });
}

Value Elements::avgPool(AvgPoolOp op, ArrayRef<Value> index) {
  Value height = extent(op.getInput(), 2), width = extent(op.getInput(), 3);
  Value top = b.sub(b.mul(index[2], op.getStrides()[0]), op.getPadding()[0]);
  Value left = b.sub(b.mul(index[3], op.getStrides()[1]), op.getPadding()[2]);
  Value sum =
      fold({b.index(op.getKernel()[0]), b.index(op.getKernel()[1])}, number(0), [&](ArrayRef<Value> tap, Value folded) {
        Value y = b.add(top, tap[0]), x = b.add(left, tap[1]);
        Value input = at(op.getInput(), {index[0], index[1], clampInside(y, height), clampInside(x, width)});
        return b.select(both(isInside(y, height), isInside(x, width)), b.addf(folded, input), folded);
      });
  return b.divf(sum, counted(op, op.getInput(), index));
}

Value Elements::maxPoolGrad(MaxPoolGradOp op, ArrayRef<Value> index) {
  Value values = op.getValues();
  Value here = b.add(b.mul(index[2], extent(op.getInput(), 3)), index[3]);
  return fold({b.index(op.getKernel()[0]), b.index(op.getKernel()[1])}, number(0),
              [&](ArrayRef<Value> tap, Value folded) {
                Place y = windowOf(index[2], tap[0], op.getStrides()[0], op.getPadding()[0], extent(values, 2));
                Place x = windowOf(index[3], tap[1], op.getStrides()[1], op.getPadding()[2], extent(values, 3));
                Index output = {index[0], index[1], y.position, x.position};
                Value isHere = b.equal(largest(op, output), here);
                return b.select(both(both(y.valid, x.valid), isHere), b.addf(folded, at(values, output)), folded);
              });
}

Value Elements::maxPoolPick(MaxPoolPickOp op, ArrayRef<Value> index) {
  Value place = largest(op, index), width = extent(op.getInput(), 3);
  Value inside = b.max(place, 0);
  Value value = at(op.getValues(), {index[0], index[1], b.div(inside, width), b.rem(inside, width)});
  return b.select(b.lessThan(place, b.index(0)), number(0), value);
}

Value Elements::avgPoolGrad(AvgPoolGradOp op, ArrayRef<Value> index) {
  Value values = op.getInput();
  return fold({b.index(op.getKernel()[0]), b.index(op.getKernel()[1])}, number(0),
              [&](ArrayRef<Value> tap, Value folded) {
                Place y = windowOf(index[2], tap[0], op.getStrides()[0], op.getPadding()[0], extent(values, 2));
                Place x = windowOf(index[3], tap[1], op.getStrides()[1], op.getPadding()[2], extent(values, 3));
                Index output = {index[0], index[1], y.position, x.position};
                Value share = b.divf(at(values, output), counted(op, op.getResult(), output));
                return b.select(both(y.valid, x.valid), b.addf(folded, share), folded);
              });
}

Value Elements::resize(ResizeOp op, ArrayRef<Value> index) {
  auto [rows, columns] = resizeAxes(op, cast<RankedTensorType>(op.getInput().getType()).getShape(),
                                    cast<RankedTensorType>(op.getResult().getType()).getShape());
  ResizeTaps y = buildTaps(b, rows, index[2]), x = buildTaps(b, columns, index[3]);
  auto pixel = [&](Value row, Value column) { return at(op.getInput(), {index[0], index[1], row, column}); };
  if (!rows.linear)
    return pixel(y.low, x.low);
  auto mix = [&](const ResizeTaps &taps, Value low, Value high) {
    return b.addf(b.mulf(taps.lowWeight, low), b.mulf(taps.highWeight, high));
  };
  return mix(y, mix(x, pixel(y.low, x.low), pixel(y.low, x.high)), mix(x, pixel(y.high, x.low), pixel(y.high, x.high)));
}

Value Elements::resizeGrad(ResizeGradOp op, ArrayRef<Value> index) {
  auto [rows, columns] = resizeAxes(op, cast<RankedTensorType>(op.getResult().getType()).getShape(),
                                    cast<RankedTensorType>(op.getInput().getType()).getShape());
  ResizeOutputs y = buildOutputs(b, rows, index[2]), x = buildOutputs(b, columns, index[3]);
  const ResizeAxis &rowAxis = rows, &columnAxis = columns;
  return fold({b.sub(y.end, y.begin), b.sub(x.end, x.begin)}, number(0), [&](ArrayRef<Value> tap, Value folded) {
    Value row = b.add(y.begin, tap[0]), column = b.add(x.begin, tap[1]);
    Value value = at(op.getInput(), {index[0], index[1], row, column});
    if (rowAxis.linear)
      value = b.mulf(value, b.mulf(buildShare(b, rowAxis, index[2], row), buildShare(b, columnAxis, index[3], column)));
    return b.addf(folded, value);
  });
}

Value Elements::warp(WarpOp op, ArrayRef<Value> index) {
  auto image = cast<RankedTensorType>(op.getImage().getType());
  Value row = arith::SIToFPOp::create(b, b.f32(), index[2]), column = arith::SIToFPOp::create(b, b.f32(), index[3]);
  std::array<WarpTaps, 2> axes;
  for (int axis : {0, 1}) {
    auto map = [&](int k) { return at(op.getMatrix(), {index[0], b.index(axis), b.index(k)}); };
    Value place = multiplyAdd(b, map(1), column, multiplyAdd(b, map(0), row, map(2)));
    if (op.getDisplacement())
      place = b.addf(place, at(op.getDisplacement(), {index[0], b.index(axis), index[2], index[3]}));
    axes[axis] = buildWarpTaps(b, op, place, image.getDimSize(2 + axis));
  }
  auto pixel = [&](int i, int j) {
    auto wide = [&](Value x) -> Value { return arith::ExtUIOp::create(b, b.i64(), x); };
    Value value = at(op.getImage(), {index[0], index[1], wide(axes[0].pixels[i]), wide(axes[1].pixels[j])});
    return axes[0].inside[i] ? b.select(both(axes[0].inside[i], axes[1].inside[j]), value, number(0)) : value;
  };
  if (op.getFilter() == WarpFilter::Nearest)
    return pixel(0, 0);
  auto between = [&](Value from, Value to, Value weight) { return multiplyAdd(b, weight, b.subf(to, from), from); };
  Value above = between(pixel(0, 0), pixel(0, 1), axes[1].weight);
  return between(above, between(pixel(1, 0), pixel(1, 1), axes[1].weight), axes[0].weight);
}

} // namespace cnn::cpu
