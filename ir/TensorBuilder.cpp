// The parts of TensorBuilder that look at shapes.
#include "ir/TensorBuilder.h"

using namespace mlir;

namespace cnn {

static Attribute numberOf(Type element, double value) {
  Builder b(element.getContext());
  return isa<FloatType>(element) ? Attribute(b.getFloatAttr(element, value))
                                 : Attribute(b.getIntegerAttr(element, int64_t(value)));
}

SmallVector<int64_t> TensorBuilder::extentsOf(Value value) {
  SmallVector<int64_t> extents(typeOf(value).getShape());
  for (int64_t &extent : extents)
    if (ShapedType::isDynamic(extent))
      extent = -1;
  return extents;
}

SmallVector<int64_t> TensorBuilder::allDims(Value value) {
  return llvm::to_vector(llvm::seq<int64_t>(0, typeOf(value).getRank()));
}

Value TensorBuilder::scalar(double value, Value like) {
  Type element = typeOf(like).getElementType();
  auto type = RankedTensorType::get({}, element);
  return ConstantOp::create(b, location, DenseElementsAttr::get(type, numberOf(element, value)));
}

Value TensorBuilder::filled(double value, Value like) { return broadcastScalar(scalar(value, like), like); }

Value TensorBuilder::iota(int64_t count, Value like) {
  Type element = typeOf(like).getElementType();
  SmallVector<Attribute> numbers;
  for (int64_t i = 0; i < count; ++i)
    numbers.push_back(numberOf(element, double(i)));
  return ConstantOp::create(b, location, DenseElementsAttr::get(RankedTensorType::get({count}, element), numbers));
}

Value TensorBuilder::convert(Value x, Type element) {
  if (typeOf(x).getElementType() == element)
    return x;
  return make<ConvertOp>(x, {b.getNamedAttr("to", TypeAttr::get(element))});
}

Value TensorBuilder::broadcast(Value x, Dims dims, Value like) {
  if (typeOf(x).getShape() == typeOf(like).getShape())
    return x;
  return make<BroadcastOp>(x, {ints("dims", dims), ints("shape", extentsOf(like))});
}

Value TensorBuilder::broadcastReduced(Value x, Dims dims, Value like) {
  SmallVector<int64_t> kept;
  for (int64_t dim : allDims(like))
    if (!llvm::is_contained(dims, dim))
      kept.push_back(dim);
  return broadcast(x, kept, like);
}

Value TensorBuilder::reduce(ReduceKind kind, Value x, Dims dims) {
  if (dims.empty())
    return x;
  return make<ReduceOp>(x, {b.getNamedAttr("kind", ReduceKindAttr::get(b.getContext(), kind)), ints("dims", dims)});
}

Value TensorBuilder::count(Value x, Dims dims) {
  double known = 1;
  bool overBatch = false;
  for (int64_t dim : dims) {
    if (typeOf(x).isDynamicDim(dim))
      overBatch = true;
    else
      known *= double(typeOf(x).getDimSize(dim));
  }
  return overBatch ? mul(make<BatchSizeOp>(x), known) : scalar(known, x);
}

} // namespace cnn
