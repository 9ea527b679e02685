// Contractions, normalizations and reductions, element by element (Elements.h).
#include "codegen/cpu/Elements.h"

#include "codegen/cpu/ElementOps.h"
#include "codegen/cpu/Math.h"

#include "mlir/Dialect/Arith/IR/Arith.h"

#include <limits>

using namespace mlir;

namespace cnn::cpu {

static RankedTensorType typeOf(Value value) { return cast<RankedTensorType>(value.getType()); }

Value Elements::conv(Conv2dOp op, ArrayRef<Value> index) {
  RankedTensorType weight = typeOf(op.getWeight());
  int64_t channels = weight.getDimSize(1), perGroup = weight.getDimSize(0) / int64_t(op.getGroups());
  Value first = b.mul(b.div(index[1], perGroup), channels);
  Value height = extent(op.getInput(), 2), width = extent(op.getInput(), 3);
  SmallVector<Value> extents = {b.index(channels), b.index(weight.getDimSize(2)), b.index(weight.getDimSize(3))};
  Value sum = fold(extents, number(0), [&](ArrayRef<Value> tap, Value sum) {
    Value y =
        b.add(b.mul(index[2], op.getStrides()[0]), b.sub(b.mul(tap[1], op.getDilations()[0]), op.getPadding()[0]));
    Value x =
        b.add(b.mul(index[3], op.getStrides()[1]), b.sub(b.mul(tap[2], op.getDilations()[1]), op.getPadding()[2]));
    Value inside = both(isInside(y, height), isInside(x, width));
    Value input = at(op.getInput(), {index[0], b.add(first, tap[0]), clampInside(y, height), clampInside(x, width)});
    Value product = multiplyAdd(b, at(op.getWeight(), {index[1], tap[0], tap[1], tap[2]}), input, sum);
    return b.select(inside, product, sum);
  });
  return op.getBias() ? b.addf(sum, at(op.getBias(), {index[1]})) : sum;
}

Value Elements::convTranspose(Conv2dTransposeOp op, ArrayRef<Value> index) {
  RankedTensorType weight = typeOf(op.getWeight());
  int64_t channels = weight.getDimSize(1), perGroup = weight.getDimSize(0) / int64_t(op.getGroups());
  Value first = b.mul(b.div(index[1], channels), perGroup), channel = b.rem(index[1], channels);
  Value rows = extent(op.getInput(), 2), columns = extent(op.getInput(), 3);
  SmallVector<Value> extents = {b.index(perGroup), b.index(weight.getDimSize(2)), b.index(weight.getDimSize(3))};
  Value total = sum(extents, [&](ArrayRef<Value> tap, Value sum) {
    Place y = windowOf(index[2], b.mul(tap[1], op.getDilations()[0]), op.getStrides()[0], op.getPadding()[0], rows);
    Place x = windowOf(index[3], b.mul(tap[2], op.getDilations()[1]), op.getStrides()[1], op.getPadding()[2], columns);
    Value output = b.add(first, tap[0]);
    Value input = at(op.getInput(), {index[0], output, y.position, x.position});
    Value product = multiplyAdd(b, at(op.getWeight(), {output, channel, tap[1], tap[2]}), input, sum);
    return b.select(both(y.valid, x.valid), product, sum);
  });
  return op.getBias() ? b.addf(total, at(op.getBias(), {index[1]})) : total;
}

Value Elements::convWeightGrad(Conv2dWeightGradOp op, ArrayRef<Value> index) {
  RankedTensorType result = typeOf(op.getResult());
  int64_t perGroup = result.getDimSize(0) / int64_t(op.getGroups());
  Value channel = b.add(b.mul(b.div(index[0], perGroup), result.getDimSize(1)), index[1]);
  Value height = extent(op.getInput(), 2), width = extent(op.getInput(), 3), gradient = op.getGradient();
  Value fromY = b.sub(b.mul(index[2], op.getDilations()[0]), op.getPadding()[0]);
  Value fromX = b.sub(b.mul(index[3], op.getDilations()[1]), op.getPadding()[2]);
  return sum({extent(gradient, 0), extent(gradient, 2), extent(gradient, 3)}, [&](ArrayRef<Value> place, Value sum) {
    Value y = b.add(b.mul(place[1], op.getStrides()[0]), fromY);
    Value x = b.add(b.mul(place[2], op.getStrides()[1]), fromX);
    Value input = at(op.getInput(), {place[0], channel, clampInside(y, height), clampInside(x, width)});
    Value product = multiplyAdd(b, at(gradient, {place[0], index[0], place[1], place[2]}), input, sum);
    return b.select(both(isInside(y, height), isInside(x, width)), product, sum);
  });
}

Value Elements::dense(DenseOp op, ArrayRef<Value> index) {
  Value sum = fold(extent(op.getInput(), 1), number(0), [&](ArrayRef<Value> k, Value sum) {
    return multiplyAdd(b, at(op.getWeight(), {index[1], k[0]}), at(op.getInput(), {index[0], k[0]}), sum);
  });
  return op.getBias() ? b.addf(sum, at(op.getBias(), {index[1]})) : sum;
}

Value Elements::matmul(MatmulOp op, ArrayRef<Value> index) {
  bool left = op.getTransposeLhs(), right = op.getTransposeRhs();
  auto pair = [](bool swap, Value row, Value column) { return swap ? Index{column, row} : Index{row, column}; };
  return fold(extent(op.getLhs(), left ? 0 : 1), number(0), [&](ArrayRef<Value> k, Value sum) {
    return multiplyAdd(b, at(op.getLhs(), pair(left, index[0], k[0])), at(op.getRhs(), pair(right, k[0], index[1])),
                       sum);
  });
}

Value Elements::batchNorm(BatchNormOp op, ArrayRef<Value> index) {
  Value channel = index[1];
  Value deviation = buildSqrt(b, b.addf(at(op.getVariance(), channel), number(op.getEpsilon().convertToDouble())));
  Value centred = b.subf(at(op.getInput(), index), at(op.getMean(), channel));
  return b.addf(b.mulf(b.divf(centred, deviation), at(op.getScale(), channel)), at(op.getOffset(), channel));
}

Value Elements::reduce(ReduceOp op, ArrayRef<Value> index) {
  SmallVector<Value> extents;
  for (int64_t dim : op.getDims())
    extents.push_back(extent(op.getInput(), dim));
  auto input = [&](ArrayRef<Value> reduced) {
    Index from;
    size_t next = 0, kept = 0;
    for (int64_t dim = 0; dim < typeOf(op.getInput()).getRank(); ++dim)
      from.push_back(llvm::is_contained(op.getDims(), dim) ? reduced[next++] : index[kept++]);
    return at(op.getInput(), from);
  };
  constexpr double infinity = std::numeric_limits<double>::infinity();
  if (op.getKind() == ReduceKind::Max)
    return fold(extents, number(-infinity),
                [&](ArrayRef<Value> reduced, Value folded) { return b.maxf(folded, input(reduced)); });
  if (op.getKind() == ReduceKind::Min)
    return fold(extents, number(infinity),
                [&](ArrayRef<Value> reduced, Value folded) { return b.minf(folded, input(reduced)); });
  Value total = sum(extents, [&](ArrayRef<Value> reduced, Value sum) { return b.addf(sum, input(reduced)); });
  if (op.getKind() == ReduceKind::Sum)
    return total;
  Value count = b.index(1);
  for (Value extent : extents)
    count = b.mul(count, extent);
  return b.divf(total, arith::SIToFPOp::create(b, b.f32(), count));
}

Value Elements::softmax(SoftmaxOp op, ArrayRef<Value> index) {
  int64_t axis = op.getAxis();
  auto along = [&](Value position) {
    Index from(index);
    from[axis] = position;
    return at(op.getInput(), from);
  };
  Value size = extent(op.getInput(), axis);
  Value largest = fold(size, number(-std::numeric_limits<double>::infinity()),
                       [&](ArrayRef<Value> k, Value folded) { return b.maxf(folded, along(k[0])); });
  Value sum = fold(size, number(0), [&](ArrayRef<Value> k, Value folded) {
    return b.addf(folded, buildExp(b, b.subf(along(k[0]), largest)));
  });
  return b.divf(buildExp(b, b.subf(along(index[axis]), largest)), sum);
}

} // namespace cnn::cpu
