// See Elements.h.
#include "codegen/cpu/Elements.h"

#include "codegen/cpu/ElementOps.h"
#include "codegen/cpu/Math.h"
#include "codegen/cpu/Random.h"
#include "passes/TargetModel.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "llvm/ADT/TypeSwitch.h"
#include "llvm/Support/FormatVariadic.h"

using namespace mlir;

namespace cnn::cpu {

static RankedTensorType typeOf(Value value) { return cast<RankedTensorType>(value.getType()); }

std::string Elements::whyNot(Operation *op) {
  Type element = typeOf(op->getResult(0)).getElementType();
  if (isa<ConstantOp, RelayoutOp, ReshapeOp, PadOp, ConcatOp, BroadcastOp, TransposeOp, SliceOp, UnsliceOp,
          FlipKernelsOp>(op))
    return valueType(element, 1) ? "" : llvm::formatv("the CPU target does not compute with {0}", element).str();
  if (isa<Conv2dOp, Conv2dTransposeOp, Conv2dWeightGradOp, DenseOp, MatmulOp, BatchNormOp, ReduceOp, SoftmaxOp,
          MaxPoolOp, AvgPoolOp, MaxPoolGradOp, MaxPoolPickOp, AvgPoolGradOp, PadGradOp, ResizeOp, ResizeGradOp, WarpOp,
          RandomUniformOp, RandomNormalOp, BatchSizeOp>(op))
    return element.isF32() ? "" : llvm::formatv("{0} computes in f32, not in {1}", op->getName(), element).str();
  if (!isElementwise(op))
    return llvm::formatv("there is no generic kernel for {0}", op->getName());
  return whyNoElementOp(op);
}

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

Value Elements::both(Value x, Value y) { return arith::AndIOp::create(b, x, y); }

Value Elements::number(double value) { return floatConstant(b, b.f32(), value); }

Value Elements::address(unsigned operand, RankedTensorType type, ArrayRef<Value> index) {
  unsigned inputs = group->getNumOperands();
  bool shared = !isPerImage(operand < inputs ? group->getOperand(operand) : group->getResult(operand - inputs));
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

Value Elements::sum(ArrayRef<Value> extents, Term term) {
  if (extents.size() < 2)
    return fold(extents, number(0), term);
  return fold(extents.front(), number(0), [&](ArrayRef<Value> outer, Value total) {
    return b.addf(total, fold(extents.drop_front(), number(0), [&](ArrayRef<Value> inner, Value partial) {
                    Index indices = {outer[0]};
                    llvm::append_range(indices, inner);
                    return term(indices, partial);
                  }));
  });
}

Elements::Place Elements::windowOf(Value position, Value tap, int64_t stride, int64_t before, Value outputs) {
  Value begin = b.sub(b.add(position, before), tap), inside = b.max(begin, 0), output = b.div(inside, stride);
  Value valid = both(b.equal(begin, b.mul(output, stride)), isInside(output, outputs));
  return {clampInside(output, outputs), valid};
}

Value Elements::constant(ConstantOp op, ArrayRef<Value> index) {
  RankedTensorType type = typeOf(op);
  auto dense = dyn_cast<DenseElementsAttr>(op.getValue());
  if (dense && dense.isSplat() && isa<FloatType>(type.getElementType()))
    return elementConstant(b, type.getElementType(), 1, dense.getSplatValue<APFloat>().convertToDouble());
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
    valid = valid ? both(valid, here) : here;
    inside.push_back(clampInside(position, size));
  }
  Value value = at(op.getInput(), inside);
  return valid ? b.select(valid, value, elementConstant(b, from.getElementType(), 1, op.getValue().convertToDouble()))
               : value;
}

Value Elements::padGrad(PadGradOp op, ArrayRef<Value> index) {
  // Along a mirrored axis an element i shows at low + i, before the edge at low - i, and beyond the other one at
  // low + 2 (size - 1) - i.
  SmallVector<int64_t> mirrored;
  SmallVector<Value> extents;
  for (auto [dim, low, high] : llvm::enumerate(op.getLow(), op.getHigh()))
    if (low || high) {
      mirrored.push_back(dim);
      extents.push_back(b.index(3));
    }
  return fold(extents, number(0), [&](ArrayRef<Value> image, Value folded) {
    Index from(index);
    Value valid;
    for (auto [dim, which] : llvm::zip(mirrored, image)) {
      int64_t low = op.getLow()[dim];
      Value i = index[dim], size = extent(op.getResult(), dim), padded = extent(op.getInput(), dim);
      Value here = b.add(i, low), before = b.sub(b.index(low), i);
      Value beyond = b.sub(b.add(b.mul(b.sub(size, 1), 2), low), i);
      Value place = b.select(b.equal(which, b.index(0)), here, b.select(b.equal(which, b.index(1)), before, beyond));
      // The edge itself is not repeated.
      Value isImage = arith::OrIOp::create(
          b, b.equal(which, b.index(0)),
          arith::OrIOp::create(b, both(b.equal(which, b.index(1)), b.lessThan(before, b.index(low))),
                               both(b.equal(which, b.index(2)), b.lessThan(b.add(size, low - 1), beyond))));
      Value isHere = both(isImage, isInside(place, padded));
      valid = valid ? both(valid, isHere) : isHere;
      from[dim] = clampInside(place, padded);
    }
    Value value = b.addf(folded, at(op.getInput(), from));
    return valid ? b.select(valid, value, folded) : value;
  });
}

Value Elements::flipKernels(FlipKernelsOp op, ArrayRef<Value> index) {
  RankedTensorType weight = typeOf(op.getWeight());
  // Group g of the result's rows has the columns of the weights' group g of rows.
  int64_t outputs = weight.getDimSize(0) / int64_t(op.getGroups()), inputs = weight.getDimSize(1);
  Value row = b.add(b.mul(b.div(index[0], inputs), outputs), index[1]), column = b.rem(index[0], inputs);
  auto mirrored = [&](int dim) { return b.sub(b.index(weight.getDimSize(dim) - 1), index[dim]); };
  return at(op.getWeight(), {row, column, mirrored(2), mirrored(3)});
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

Value Elements::unslice(UnsliceOp op, ArrayRef<Value> index) {
  Index from;
  Value valid;
  for (auto [dim, coordinate] : llvm::enumerate(index)) {
    Value extent = this->extent(op.getInput(), dim);
    Place place = windowOf(coordinate, b.index(0), op.getSteps()[dim], -op.getStarts()[dim], extent);
    from.push_back(place.position);
    valid = valid ? both(valid, place.valid) : place.valid;
  }
  Value value = at(op.getInput(), from);
  return valid ? b.select(valid, value, elementConstant(b, typeOf(op.getInput()).getElementType(), 1, 0)) : value;
}

/// The word of an element: the one at index % 4 of block index / 4.
template <typename Op> Value Elements::draw(Op op, ArrayRef<Value> index) {
  Value linear = rowMajor(typeOf(op.getResult()), index), place = b.rem(linear, 4);
  std::array<Value, 4> words =
      buildPhilox(b, b.div(linear, 4), at(op.getSeed(), {}), at(op.getStep(), {}), *op.getPath());
  Value word = words[3];
  for (int k = 2; k >= 0; --k)
    word = b.select(b.equal(place, b.index(k)), words[k], word);
  if constexpr (std::is_same_v<Op, RandomUniformOp>)
    return buildUniform(b, word, op.getLow().convertToDouble(), op.getHigh().convertToDouble());
  else
    return buildNormal(b, word, op.getMean().convertToDouble(), op.getDeviation().convertToDouble());
}

Value Elements::at(Value value, ArrayRef<Value> index) {
  if (auto argument = dyn_cast<BlockArgument>(value)) {
    RankedTensorType type = typeOf(value);
    return loadElements(b, type.getElementType(), address(argument.getArgNumber(), type, index), 0, 1);
  }
  Operation *op = value.getDefiningOp();
  if (!isElementwise(op))
    return compute(op, index);
  std::vector<void *> key;
  for (Value coordinate : index)
    key.push_back(coordinate.getAsOpaquePointer());
  Value &element = known[{op, b.getInsertionBlock(), key}];
  if (!element)
    element = compute(op, index);
  return element;
}

Value Elements::compute(Operation *op, ArrayRef<Value> index) {
  return llvm::TypeSwitch<Operation *, Value>(op)
      .Case([&](ConstantOp op) { return constant(op, index); })
      .Case([&](RelayoutOp op) { return at(op.getInput(), index); })
      .Case([&](ReshapeOp op) { return reshape(op, index); })
      .Case([&](PadOp op) { return pad(op, index); })
      .Case([&](PadGradOp op) { return padGrad(op, index); })
      .Case([&](UnsliceOp op) { return unslice(op, index); })
      .Case([&](ConcatOp op) { return concat(op, index); })
      .Case([&](FlipKernelsOp op) { return flipKernels(op, index); })
      .Case([&](Conv2dOp op) { return conv(op, index); })
      .Case([&](Conv2dTransposeOp op) { return convTranspose(op, index); })
      .Case([&](Conv2dWeightGradOp op) { return convWeightGrad(op, index); })
      .Case([&](DenseOp op) { return dense(op, index); })
      .Case([&](MatmulOp op) { return matmul(op, index); })
      .Case([&](BatchNormOp op) { return batchNorm(op, index); })
      .Case([&](ReduceOp op) { return reduce(op, index); })
      .Case([&](SoftmaxOp op) { return softmax(op, index); })
      .Case<RandomUniformOp, RandomNormalOp>([&](auto op) { return draw(op, index); })
      .Case([&](MaxPoolOp op) { return maxPool(op, index); })
      .Case([&](AvgPoolOp op) { return avgPool(op, index); })
      .Case([&](MaxPoolGradOp op) { return maxPoolGrad(op, index); })
      .Case([&](MaxPoolPickOp op) { return maxPoolPick(op, index); })
      .Case([&](AvgPoolGradOp op) { return avgPoolGrad(op, index); })
      .Case([&](ResizeOp op) { return resize(op, index); })
      .Case([&](ResizeGradOp op) { return resizeGrad(op, index); })
      .Case([&](WarpOp op) { return warp(op, index); })
      .Case([&](BatchSizeOp op) -> Value { return arith::SIToFPOp::create(b, b.f32(), extent(op.getInput(), 0)); })
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

} // namespace cnn::cpu
