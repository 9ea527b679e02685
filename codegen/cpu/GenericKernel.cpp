// The kernel of last resort (Kernels.h): a scalar loop nest made from the formulas of a group's body. It computes each
// element of the results by asking for the elements that it depends on, whatever the operations and the layouts are,
// and so is right for every operation of the dialect and fast for none: a kind of group that takes a noticeable time
// deserves a kernel of its own.
//
// An element of a value is asked for by its logical index, one i64 a dimension; what lies outside a window or a border
// is asked for at a place inside and then not used, so that every address is valid. A unit is one index of dimension 1
// of the results, padding included, of one image. Sums run in row-major order.
#include "codegen/cpu/Kernels.h"

#include "codegen/cpu/ElementOps.h"
#include "codegen/cpu/Math.h"
#include "ir/reference/Philox.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "llvm/ADT/TypeSwitch.h"
#include "llvm/Support/FormatVariadic.h"

#include <limits>

using namespace mlir;

namespace cnn::cpu {

static RankedTensorType typeOf(Value value) { return cast<RankedTensorType>(value.getType()); }

/// Whether operand `index` of the kernel is the same for all images: a packed value, or a scalar.
static bool isShared(GroupOp group, unsigned index) {
  if (index >= group->getNumOperands())
    return false;
  auto argument = dyn_cast<BlockArgument>(group.getInputs()[index]);
  if (typeOf(group.getInputs()[index]).getRank() == 0)
    return true;
  auto function = argument ? dyn_cast<func::FuncOp>(argument.getOwner()->getParentOp()) : func::FuncOp();
  return function && function.getArgAttr(argument.getArgNumber(), kPackedAttr);
}

namespace {

class Elements {
public:
  Elements(KernelBuilder &b, GroupOp group) : b(b), group(group) {}

  /// The element of `value` at `index`, of type valueType(element type, 1).
  Value at(Value value, ArrayRef<Value> index);
  /// The address of the element at `index` of operand `operand` of the kernel.
  Value address(unsigned operand, RankedTensorType type, ArrayRef<Value> index);

private:
  using Index = SmallVector<Value>;
  using Term = llvm::function_ref<Value(ArrayRef<Value> at, Value accumulator)>;

  Value extent(Value value, int64_t dim);
  Value isInside(Value position, Value extent);
  Value clampInside(Value position, Value extent);
  Value rowMajor(RankedTensorType type, ArrayRef<Value> index);
  /// accumulator = term(indices, accumulator) over all indices below `extents`, in row-major order.
  Value fold(ArrayRef<Value> extents, Value init, Term term);
  Value number(double value) { return floatConstant(b, b.f32(), value); }

  Value constant(ConstantOp op, ArrayRef<Value> index);
  Value reshape(ReshapeOp op, ArrayRef<Value> index);
  Value pad(PadOp op, ArrayRef<Value> index);
  Value concat(ConcatOp op, ArrayRef<Value> index);
  Value conv(Conv2dOp op, ArrayRef<Value> index);
  Value dense(DenseOp op, ArrayRef<Value> index);
  Value matmul(MatmulOp op, ArrayRef<Value> index);
  Value batchNorm(BatchNormOp op, ArrayRef<Value> index);
  Value reduce(ReduceOp op, ArrayRef<Value> index);
  Value softmax(SoftmaxOp op, ArrayRef<Value> index);
  Value uniform(RandomUniformOp op, ArrayRef<Value> index);
  template <typename Op> Value pool(Op op, ArrayRef<Value> index);

  KernelBuilder &b;
  GroupOp group;
};

} // namespace

Value Elements::extent(Value value, int64_t dim) {
  RankedTensorType type = typeOf(value);
  return type.isDynamicDim(dim) ? b.batch() : b.index(type.getDimSize(dim));
}

Value Elements::isInside(Value position, Value extent) {
  return arith::CmpIOp::create(b, arith::CmpIPredicate::ult, position, extent);
}

Value Elements::clampInside(Value position, Value extent) { return b.max(b.min(position, b.sub(extent, 1)), 0); }

Value Elements::rowMajor(RankedTensorType type, ArrayRef<Value> index) {
  Value linear = b.index(0);
  for (auto [dim, coordinate] : llvm::enumerate(index))
    linear = dim == 0 ? coordinate : b.add(b.mul(linear, type.getDimSize(dim)), coordinate);
  return linear;
}

Value Elements::address(unsigned operand, RankedTensorType type, ArrayRef<Value> index) {
  bool shared = isShared(group, operand);
  LayoutAttr layout = getLayout(type);
  if (!layout)
    layout = LayoutAttr::tiled(type.getContext(), type.getRank(), {}, {});
  SmallVector<int64_t> storage = layout.storageShape(type.getShape());
  // Horner's scheme over the storage dimensions; the image's own stride stands for dimension 0 where there are images.
  Value linear;
  auto append = [&](Value coordinate, int64_t extent) {
    linear = linear ? b.add(b.mul(linear, extent), coordinate) : coordinate;
  };
  size_t place = 0;
  for (int64_t dim : layout.getOuter()) {
    int64_t extent = storage[place++];
    if (dim == 0 && !shared)
      continue;
    append(b.div(index[dim], layout.tileSize(dim)), extent);
  }
  for (auto [dim, size] : llvm::zip(layout.getInnerDims(), layout.getInnerSizes()))
    append(b.rem(index[dim], size), size);
  Value image = shared ? b.buffer(operand) : b.imageOf(operand, index[0]);
  return linear ? b.offset(image, b.mul(linear, elementBytes(type.getElementType()))) : image;
}

Value Elements::fold(ArrayRef<Value> extents, Value init, Term term) {
  Index at;
  std::function<Value(Value)> nest = [&](Value accumulator) -> Value {
    if (at.size() == extents.size())
      return term(at, accumulator);
    return b.forLoop(b.index(0), extents[at.size()], 1, accumulator, [&](Value iv, ValueRange carried) {
      at.push_back(iv);
      Value next = nest(carried[0]);
      at.pop_back();
      return SmallVector<Value>{next};
    })[0];
  };
  return nest(init);
}

Value Elements::constant(ConstantOp op, ArrayRef<Value> index) {
  RankedTensorType type = typeOf(op);
  Value table = constantTable(b, op, type.getNumElements());
  Value offset = b.mul(rowMajor(type, index), elementBytes(type.getElementType()));
  return loadElements(b, type.getElementType(), b.offset(table, offset), 0, 1);
}

Value Elements::reshape(ReshapeOp op, ArrayRef<Value> index) {
  Value linear = rowMajor(typeOf(op), index);
  RankedTensorType from = typeOf(op.getInput());
  SmallVector<Value> extents;
  for (int64_t dim = 0; dim < from.getRank(); ++dim)
    extents.push_back(dim == 0 ? Value() : b.index(from.getDimSize(dim)));
  return at(op.getInput(), extents.empty() ? Index() : b.delinearize(linear, extents));
}

Value Elements::pad(PadOp op, ArrayRef<Value> index) {
  RankedTensorType from = typeOf(op.getInput());
  Index inside;
  Value valid;
  for (int64_t dim = 0; dim < from.getRank(); ++dim) {
    Value position = b.sub(index[dim], op.getLow()[dim]), size = extent(op.getInput(), dim);
    if (!op.getLow()[dim] && !op.getHigh()[dim]) {
      inside.push_back(position);
      continue;
    }
    if (op.getMode() == PadMode::Reflect) {
      position = b.max(position, b.sub(b.index(0), position));
      inside.push_back(b.min(position, b.sub(b.mul(b.sub(size, 1), 2), position)));
      continue;
    }
    Value here = isInside(position, size);
    valid = valid ? arith::AndIOp::create(b, valid, here).getResult() : here;
    inside.push_back(clampInside(position, size));
  }
  Value value = at(op.getInput(), inside);
  return valid ? b.select(valid, value, elementConstant(b, from.getElementType(), 1, op.getValue().convertToDouble()))
               : value;
}

Value Elements::concat(ConcatOp op, ArrayRef<Value> index) {
  Value result;
  int64_t begin = 0, axis = op.getAxis();
  for (Value part : op.getInputs()) {
    Value position = b.sub(index[axis], begin), size = extent(part, axis);
    Index inside(index);
    inside[axis] = clampInside(position, size);
    Value value = at(part, inside);
    result = result ? b.select(isInside(position, size), value, result) : value;
    begin += typeOf(part).getDimSize(axis);
  }
  return result;
}

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
    Value inside = arith::AndIOp::create(b, isInside(y, height), isInside(x, width));
    Value input = at(op.getInput(), {index[0], b.add(first, tap[0]), clampInside(y, height), clampInside(x, width)});
    Value product = multiplyAdd(b, at(op.getWeight(), {index[1], tap[0], tap[1], tap[2]}), input, sum);
    return b.select(inside, product, sum);
  });
  return op.getBias() ? b.addf(sum, at(op.getBias(), {index[1]})) : sum;
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

template <typename Op> Value Elements::pool(Op op, ArrayRef<Value> index) {
  constexpr bool isMax = std::is_same_v<Op, MaxPoolOp>;
  Value height = extent(op.getInput(), 2), width = extent(op.getInput(), 3);
  SmallVector<Value> extents = {b.index(op.getKernel()[0]), b.index(op.getKernel()[1])};
  Value top = b.sub(b.mul(index[2], op.getStrides()[0]), op.getPadding()[0]);
  Value left = b.sub(b.mul(index[3], op.getStrides()[1]), op.getPadding()[2]);
  Value init = number(isMax ? -std::numeric_limits<double>::infinity() : 0.0);
  Value result = fold(extents, init, [&](ArrayRef<Value> tap, Value folded) {
    Value y = b.add(top, tap[0]), x = b.add(left, tap[1]);
    Value inside = arith::AndIOp::create(b, isInside(y, height), isInside(x, width));
    Value input = at(op.getInput(), {index[0], index[1], clampInside(y, height), clampInside(x, width)});
    return b.select(inside, isMax ? b.maxf(folded, input) : b.addf(folded, input), folded);
  });
  if (isMax)
    return result;
  // Positions that count: inside the input, or inside the padded input with count_pad.
  auto counted = [&](Value from, Value size, int axis) {
    int64_t before = op.getCountPad() ? op.getPadding()[2 * axis] : 0,
            after = op.getCountPad() ? op.getPadding()[2 * axis + 1] : 0;
    Value low = b.max(from, -before), high = b.min(b.add(from, op.getKernel()[axis]), b.add(size, after));
    return b.sub(high, low);
  };
  Value count = b.mul(counted(top, height, 0), counted(left, width, 1));
  return b.divf(result, arith::SIToFPOp::create(b, b.f32(), count));
}

Value Elements::reduce(ReduceOp op, ArrayRef<Value> index) {
  SmallVector<Value> extents;
  for (int64_t dim : op.getDims())
    extents.push_back(extent(op.getInput(), dim));
  ReduceKind kind = op.getKind();
  double infinity = std::numeric_limits<double>::infinity();
  Value init = number(kind == ReduceKind::Max ? -infinity : kind == ReduceKind::Min ? infinity : 0.0);
  Value result = fold(extents, init, [&](ArrayRef<Value> reduced, Value folded) {
    Index from;
    size_t next = 0, kept = 0;
    for (int64_t dim = 0; dim < typeOf(op.getInput()).getRank(); ++dim)
      from.push_back(llvm::is_contained(op.getDims(), dim) ? reduced[next++] : index[kept++]);
    Value input = at(op.getInput(), from);
    if (kind == ReduceKind::Max)
      return b.maxf(folded, input);
    return kind == ReduceKind::Min ? b.minf(folded, input) : b.addf(folded, input);
  });
  if (kind != ReduceKind::Mean)
    return result;
  Value count = b.index(1);
  for (Value extent : extents)
    count = b.mul(count, extent);
  return b.divf(result, arith::SIToFPOp::create(b, b.f32(), count));
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

// ir/reference/Philox.h says what the words are; here each lies in the lower half of an i64.
Value Elements::uniform(RandomUniformOp op, ArrayRef<Value> index) {
  auto low = [&](Value x) -> Value { return arith::AndIOp::create(b, x, b.index(0xFFFFFFFF)); };
  auto high = [&](Value x) -> Value { return arith::ShRUIOp::create(b, x, b.index(32)); };
  auto exclusiveOr = [&](Value x, Value y) -> Value { return arith::XOrIOp::create(b, x, y); };
  Value linear = rowMajor(typeOf(op.getResult()), index);
  Value block = b.div(linear, 4), seed = at(op.getSeed(), {}), step = at(op.getStep(), {});
  uint64_t hash = reference::pathHash(*op.getPath());
  Value upperBlock = arith::AndIOp::create(b, high(block), b.index(0xFFFF));
  Value counter[4] = {low(block), arith::OrIOp::create(b, upperBlock, b.index((hash >> 32 & 0xFFFF) << 16)), low(step),
                      b.index(hash & 0xFFFFFFFF)};
  Value key[2] = {low(seed), high(seed)};
  for (int round = 0; round < 10; ++round) {
    Value first = b.mul(counter[0], b.index(0xD2511F53)), second = b.mul(counter[2], b.index(0xCD9E8D57));
    Value next0 = exclusiveOr(exclusiveOr(high(second), counter[1]), key[0]);
    Value next2 = exclusiveOr(exclusiveOr(high(first), counter[3]), key[1]);
    counter[0] = next0, counter[1] = low(second), counter[2] = next2, counter[3] = low(first);
    key[0] = low(b.add(key[0], 0x9E3779B9));
    key[1] = low(b.add(key[1], 0xBB67AE85));
  }
  Value place = b.rem(linear, 4), word = counter[3];
  for (int k = 2; k >= 0; --k)
    word = b.select(b.equal(place, b.index(k)), counter[k], word);
  Value fraction = arith::SIToFPOp::create(b, b.f32(), arith::ShRUIOp::create(b, word, b.index(8)));
  double least = op.getLow().convertToDouble(), beyond = op.getHigh().convertToDouble();
  return multiplyAdd(b, b.mulf(fraction, number(0x1p-24)), number(beyond - least), number(least));
}

Value Elements::at(Value value, ArrayRef<Value> index) {
  if (auto argument = dyn_cast<BlockArgument>(value)) {
    RankedTensorType type = typeOf(value);
    return loadElements(b, type.getElementType(), address(argument.getArgNumber(), type, index), 0, 1);
  }
  return llvm::TypeSwitch<Operation *, Value>(value.getDefiningOp())
      .Case([&](ConstantOp op) { return constant(op, index); })
      .Case([&](RelayoutOp op) { return at(op.getInput(), index); })
      .Case([&](ReshapeOp op) { return reshape(op, index); })
      .Case([&](PadOp op) { return pad(op, index); })
      .Case([&](ConcatOp op) { return concat(op, index); })
      .Case([&](Conv2dOp op) { return conv(op, index); })
      .Case([&](DenseOp op) { return dense(op, index); })
      .Case([&](MatmulOp op) { return matmul(op, index); })
      .Case([&](BatchNormOp op) { return batchNorm(op, index); })
      .Case([&](ReduceOp op) { return reduce(op, index); })
      .Case([&](SoftmaxOp op) { return softmax(op, index); })
      .Case([&](RandomUniformOp op) { return uniform(op, index); })
      .Case<MaxPoolOp, AvgPoolOp>([&](auto op) { return pool(op, index); })
      .Case([&](BroadcastOp op) {
        Index from;
        for (auto [k, dim] : llvm::enumerate(op.getDims()))
          from.push_back(typeOf(op.getInput()).getDimSize(k) == 1 ? b.index(0) : index[dim]);
        return at(op.getInput(), from);
      })
      .Case([&](TransposeOp op) {
        Index from(index.size());
        for (auto [place, dim] : llvm::enumerate(op.getPermutation()))
          from[dim] = index[place];
        return at(op.getInput(), from);
      })
      .Case([&](SliceOp op) {
        Index from;
        for (auto [dim, coordinate] : llvm::enumerate(index))
          from.push_back(b.add(b.mul(coordinate, op.getSteps()[dim]), op.getStarts()[dim]));
        return at(op.getInput(), from);
      })
      .Default([&](Operation *op) {
        SmallVector<Value> operands;
        for (Value operand : op->getOperands())
          operands.push_back(at(operand, index));
        return buildElementOp(b, op, operands);
      });
}

std::string whyNotGeneric(GroupOp group) {
  for (Type type : group.getResultTypes()) {
    if (cast<RankedTensorType>(type).getShape() != typeOf(group.getResult(0)).getShape())
      return "the results have different shapes";
    if (cast<RankedTensorType>(type).getRank() < 1)
      return "a result has no batch";
  }
  for (Operation &op : group.getBlock().without_terminator()) {
    // The units of a kernel are parts of images.
    auto reduce = dyn_cast<ReduceOp>(op);
    auto matmul = dyn_cast<MatmulOp>(op);
    if ((reduce && llvm::is_contained(reduce.getDims(), 0)) || (matmul && matmul.getTransposeLhs()))
      return llvm::formatv("{0} sums over the batch", op.getName());
    Type element = typeOf(op.getResult(0)).getElementType();
    if (isa<ConstantOp, RelayoutOp, ReshapeOp, PadOp, ConcatOp, BroadcastOp, TransposeOp, SliceOp>(op)) {
      if (!valueType(element, 1))
        return llvm::formatv("the CPU target does not compute with {0}", element);
      continue;
    }
    if (isa<Conv2dOp, DenseOp, MatmulOp, BatchNormOp, ReduceOp, SoftmaxOp, MaxPoolOp, AvgPoolOp, RandomUniformOp>(op)) {
      if (!element.isF32())
        return llvm::formatv("{0} computes in f32, not in {1}", op.getName(), element);
      continue;
    }
    if (!isElementwise(&op))
      return llvm::formatv("there is no generic kernel for {0}", op.getName());
    if (std::string why = whyNoElementOp(&op); !why.empty())
      return why;
  }
  return {};
}

KernelInfo buildGenericKernel(KernelBuilder &b, StringRef symbol, GroupOp group) {
  RankedTensorType shape = typeOf(group.getResult(0));
  // Dimension 1 with the padding that any of the results stores.
  bool hasRows = shape.getRank() > 1;
  int64_t rows = hasRows ? shape.getDimSize(1) : 1;
  for (Type type : group.getResultTypes())
    if (LayoutAttr layout = getLayout(type); layout && hasRows)
      rows = std::max<int64_t>(rows, llvm::alignTo(shape.getDimSize(1), layout.tileSize(1)));

  int operands = group->getNumOperands() + group->getNumResults();
  b.kernel(symbol, operands, [&]() {
    Elements elements(b, group);
    b.forUnits([&](Value unit) {
      SmallVector<Value> index = b.delinearize(unit, {Value(), b.index(rows)});
      Value isPadding = hasRows ? b.lessThan(b.index(shape.getDimSize(1) - 1), index[1]) : Value();
      if (!hasRows)
        index.pop_back();
      std::function<void(int64_t)> nest = [&](int64_t dim) {
        if (dim < shape.getRank()) {
          b.forLoop(b.index(0), b.index(shape.getDimSize(dim)), 1, [&](Value iv) {
            index.push_back(iv);
            nest(dim + 1);
            index.pop_back();
          });
          return;
        }
        for (auto [number, result] : llvm::enumerate(group.getYield().getValues())) {
          RankedTensorType type = typeOf(result);
          Type element = type.getElementType();
          bool padded = hasRows && getLayout(type) && shape.getDimSize(1) % getLayout(type).tileSize(1);
          auto store = [&](Value value) {
            Value to = elements.address(group->getNumOperands() + number, type, index);
            storeElements(b, element, value, to, 0);
          };
          if (!padded && (!hasRows || rows == shape.getDimSize(1)))
            store(elements.at(result, index));
          else if (!padded)
            b.ifThen(isPadding, []() {}, [&]() { store(elements.at(result, index)); });
          else
            b.ifThen(
                isPadding, [&]() { store(elementConstant(b, element, 1, 0)); },
                [&]() { store(elements.at(result, index)); });
        }
      };
      nest(hasRows ? 2 : 1);
    });
  });
  KernelInfo info;
  info.symbol = symbol.str();
  info.unitsPerImage = rows;
  return info;
}

} // namespace cnn::cpu
