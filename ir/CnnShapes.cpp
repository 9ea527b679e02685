// The shape rules: result types from operands and attributes. Where an operation is built they run before its verifier,
// so each one refuses, without a message, what it cannot compute, and the verifier says why. Result types carry no
// layout.
#include "ir/CnnOps.h"

using namespace mlir;
using namespace cnn;

using Types = SmallVectorImpl<Type>;

static RankedTensorType tensorType(Value value) {
  return value ? dyn_cast<RankedTensorType>(value.getType()) : RankedTensorType();
}

static LogicalResult infer(Types &types, ArrayRef<int64_t> shape, Type element) {
  for (auto [dim, extent] : llvm::enumerate(shape))
    if (ShapedType::isDynamic(extent) ? dim != 0 : extent < 0)
      return failure();
  types.push_back(RankedTensorType::get(shape, element));
  return success();
}

/// The value of an attribute given in an adaptor's `shape`, where -1 in place 0 stands for the batch.
static SmallVector<int64_t> withBatch(ArrayRef<int64_t> shape) {
  SmallVector<int64_t> result(shape);
  if (!result.empty() && result[0] == -1)
    result[0] = ShapedType::kDynamic;
  return result;
}

std::optional<int64_t> cnn::windowedExtent(int64_t extent, int64_t before, int64_t after, int64_t kernel,
                                           int64_t stride, int64_t dilation, bool ceil) {
  // The bounds keep every sum and product below in 64 bits.
  constexpr int64_t limit = int64_t(1) << 31;
  for (int64_t value : {extent, before, after, kernel, stride, dilation})
    if (value < 0 || value >= limit)
      return std::nullopt;
  if (kernel < 1 || stride < 1 || dilation < 1)
    return std::nullopt;
  int64_t span = extent + before + after - dilation * (kernel - 1) - 1;
  if (span < 0)
    return std::nullopt;
  int64_t result = (ceil ? llvm::divideCeil(span, stride) : span / stride) + 1;
  if (ceil && (result - 1) * stride >= extent + before)
    --result;
  return result;
}

#define CNN_INFER(Op)                                                                                                  \
  LogicalResult Op::inferReturnTypes(MLIRContext *context, std::optional<Location> location, Adaptor adaptor,          \
                                     Types &types)

/// The operand's own shape and element type.
static LogicalResult inferSame(ValueRange operands, Types &types) {
  RankedTensorType type = operands.empty() ? RankedTensorType() : tensorType(operands[0]);
  return type ? infer(types, type.getShape(), type.getElementType()) : failure();
}

#define CNN_INFER_SAME(Op)                                                                                             \
  CNN_INFER(Op) { return inferSame(adaptor.getOperands(), types); }
CNN_INFER_SAME(ReluOp)
CNN_INFER_SAME(TanhOp)
CNN_INFER_SAME(SigmoidOp)
CNN_INFER_SAME(ExpOp)
CNN_INFER_SAME(LogOp)
CNN_INFER_SAME(SqrtOp)
CNN_INFER_SAME(AbsOp)
CNN_INFER_SAME(NegOp)
CNN_INFER_SAME(ClampOp)
CNN_INFER_SAME(StepOp)
CNN_INFER_SAME(SoftplusOp)
CNN_INFER_SAME(EluOp)
CNN_INFER_SAME(StopGradientOp)
CNN_INFER_SAME(AddOp)
CNN_INFER_SAME(SubOp)
CNN_INFER_SAME(MulOp)
CNN_INFER_SAME(DivOp)
CNN_INFER_SAME(MaxOp)
CNN_INFER_SAME(MinOp)
CNN_INFER_SAME(BatchNormOp)
CNN_INFER_SAME(SoftmaxOp)

CNN_INFER(ConvertOp) {
  RankedTensorType type = tensorType(adaptor.getInput());
  if (!type || !adaptor.getToAttr() || !adaptor.getTo().isIntOrFloat())
    return failure();
  return infer(types, type.getShape(), adaptor.getTo());
}

CNN_INFER(BroadcastOp) {
  RankedTensorType type = tensorType(adaptor.getInput());
  return type ? infer(types, withBatch(adaptor.getShape()), type.getElementType()) : failure();
}

CNN_INFER(ReshapeOp) {
  RankedTensorType type = tensorType(adaptor.getInput());
  return type ? infer(types, withBatch(adaptor.getShape()), type.getElementType()) : failure();
}

CNN_INFER(TransposeOp) {
  RankedTensorType type = tensorType(adaptor.getInput());
  if (!type || int64_t(adaptor.getPermutation().size()) != type.getRank())
    return failure();
  SmallVector<int64_t> shape;
  for (int64_t dim : adaptor.getPermutation()) {
    if (dim < 0 || dim >= type.getRank())
      return failure();
    shape.push_back(type.getDimSize(dim));
  }
  return infer(types, shape, type.getElementType());
}

CNN_INFER(ConcatOp) {
  int64_t axis = adaptor.getAxis(), extent = 0;
  RankedTensorType first = adaptor.getInputs().empty() ? RankedTensorType() : tensorType(adaptor.getInputs()[0]);
  if (!first || axis < 0 || axis >= first.getRank())
    return failure();
  for (Value input : adaptor.getInputs()) {
    RankedTensorType type = tensorType(input);
    if (!type || type.getRank() != first.getRank() || type.isDynamicDim(axis))
      return failure();
    extent += type.getDimSize(axis);
  }
  SmallVector<int64_t> shape(first.getShape());
  shape[axis] = extent;
  return infer(types, shape, first.getElementType());
}

CNN_INFER(SliceOp) {
  RankedTensorType type = tensorType(adaptor.getInput());
  return type ? infer(types, withBatch(adaptor.getSizes()), type.getElementType()) : failure();
}

CNN_INFER(PadOp) {
  RankedTensorType type = tensorType(adaptor.getInput());
  if (!type || int64_t(adaptor.getLow().size()) != type.getRank() ||
      int64_t(adaptor.getHigh().size()) != type.getRank())
    return failure();
  SmallVector<int64_t> shape(type.getShape());
  for (int64_t dim = 0; dim < type.getRank(); ++dim)
    if (!type.isDynamicDim(dim))
      shape[dim] += adaptor.getLow()[dim] + adaptor.getHigh()[dim];
  return infer(types, shape, type.getElementType());
}

CNN_INFER(Conv2dOp) {
  RankedTensorType input = tensorType(adaptor.getInput()), weight = tensorType(adaptor.getWeight());
  ArrayRef<int64_t> strides = adaptor.getStrides(), padding = adaptor.getPadding(), dilations = adaptor.getDilations();
  if (!input || !weight || input.getRank() != 4 || weight.getRank() != 4 || strides.size() != 2 ||
      padding.size() != 4 || dilations.size() != 2)
    return failure();
  SmallVector<int64_t> shape = {input.getDimSize(0), weight.getDimSize(0)};
  for (int axis = 0; axis < 2; ++axis) {
    auto extent = windowedExtent(input.getDimSize(2 + axis), padding[2 * axis], padding[2 * axis + 1],
                                 weight.getDimSize(2 + axis), strides[axis], dilations[axis]);
    if (!extent)
      return failure();
    shape.push_back(*extent);
  }
  return infer(types, shape, input.getElementType());
}

CNN_INFER(DenseOp) {
  RankedTensorType input = tensorType(adaptor.getInput()), weight = tensorType(adaptor.getWeight());
  if (!input || !weight || input.getRank() != 2 || weight.getRank() != 2)
    return failure();
  return infer(types, {input.getDimSize(0), weight.getDimSize(0)}, input.getElementType());
}

CNN_INFER(MatmulOp) {
  RankedTensorType lhs = tensorType(adaptor.getLhs()), rhs = tensorType(adaptor.getRhs());
  if (!lhs || !rhs || lhs.getRank() != 2 || rhs.getRank() != 2)
    return failure();
  return infer(types,
               {lhs.getDimSize(adaptor.getTransposeLhs() ? 1 : 0), rhs.getDimSize(adaptor.getTransposeRhs() ? 0 : 1)},
               lhs.getElementType());
}

template <typename Adaptor> static LogicalResult inferPool(Adaptor adaptor, Types &types) {
  RankedTensorType input = tensorType(adaptor.getInput());
  ArrayRef<int64_t> kernel = adaptor.getKernel(), strides = adaptor.getStrides(), padding = adaptor.getPadding();
  if (!input || input.getRank() != 4 || kernel.size() != 2 || strides.size() != 2 || padding.size() != 4)
    return failure();
  SmallVector<int64_t> shape = {input.getDimSize(0), input.getDimSize(1)};
  for (int axis = 0; axis < 2; ++axis) {
    auto extent = windowedExtent(input.getDimSize(2 + axis), padding[2 * axis], padding[2 * axis + 1], kernel[axis],
                                 strides[axis], 1, adaptor.getCeil());
    if (!extent)
      return failure();
    shape.push_back(*extent);
  }
  return infer(types, shape, input.getElementType());
}
CNN_INFER(MaxPoolOp) { return inferPool(adaptor, types); }
CNN_INFER(AvgPoolOp) { return inferPool(adaptor, types); }

CNN_INFER(ReduceOp) {
  RankedTensorType type = tensorType(adaptor.getInput());
  if (!type)
    return failure();
  SmallVector<int64_t> shape;
  for (int64_t dim = 0; dim < type.getRank(); ++dim)
    if (!llvm::is_contained(adaptor.getDims(), dim))
      shape.push_back(type.getDimSize(dim));
  return infer(types, shape, type.getElementType());
}

CNN_INFER(RandomUniformOp) { return infer(types, withBatch(adaptor.getShape()), Float32Type::get(context)); }

CNN_INFER(WinogradWeightsOp) {
  RankedTensorType type = tensorType(adaptor.getWeight());
  int64_t points = adaptor.getM() + 2;
  if (!type || type.getRank() != 4 || points < 3)
    return failure();
  return infer(types, {points, points, type.getDimSize(0), type.getDimSize(1)}, type.getElementType());
}

CNN_INFER(WinogradConv2dOp) {
  RankedTensorType input = tensorType(adaptor.getInput()), weight = tensorType(adaptor.getWeight());
  ArrayRef<int64_t> padding = adaptor.getPadding();
  if (!input || !weight || input.getRank() != 4 || weight.getRank() != 4 || padding.size() != 4)
    return failure();
  SmallVector<int64_t> shape = {input.getDimSize(0), weight.getDimSize(2)};
  for (int axis = 0; axis < 2; ++axis) {
    auto extent = windowedExtent(input.getDimSize(2 + axis), padding[2 * axis], padding[2 * axis + 1], 3, 1, 1);
    if (!extent)
      return failure();
    shape.push_back(*extent);
  }
  return infer(types, shape, input.getElementType());
}

CNN_INFER(ExpandGroupsOp) {
  RankedTensorType type = tensorType(adaptor.getWeight());
  if (!type || type.getRank() != 4 || adaptor.getGroups() < 1)
    return failure();
  SmallVector<int64_t> shape(type.getShape());
  shape[1] *= adaptor.getGroups();
  return infer(types, shape, type.getElementType());
}
