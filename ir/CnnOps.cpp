// Verifiers of the operations. Each message begins with the constraint's label in ODS. They run before the result types
// are compared with the inferred ones, so they trust no rank and no length of a list.
#include "ir/CnnOps.h"

#include "mlir/IR/Builders.h"
#include "mlir/IR/OpImplementation.h"

using namespace mlir;
using namespace cnn;

#define GET_OP_CLASSES
#include "ir/CnnOps.cpp.inc"

static RankedTensorType typeOf(Value value) { return cast<RankedTensorType>(value.getType()); }

static bool isPositive(ArrayRef<int64_t> values) {
  return llvm::all_of(values, [](int64_t value) { return value >= 1; });
}
static bool isNotNegative(ArrayRef<int64_t> values) {
  return llvm::all_of(values, [](int64_t value) { return value >= 0; });
}

static bool haveRank(int64_t rank, ValueRange values) {
  return llvm::all_of(values, [&](Value value) { return typeOf(value).getRank() == rank; });
}

/// Elements of one image where dimension 0 is dynamic, of all else.
static int64_t staticElements(ArrayRef<int64_t> shape) {
  int64_t count = 1;
  for (int64_t extent : shape)
    count *= ShapedType::isDynamic(extent) ? 1 : extent;
  return count;
}

//===-- State
//-----------------------------------------------------------------------------------------------------------===//

template <typename Op> static LogicalResult verifyState(Op op) {
  auto type = cast<RankedTensorType>(op.getType());
  if (!type.hasStaticShape())
    return op.emitOpError("state_c1: the type of a state variable must be static, not ") << type;
  return success();
}
LogicalResult ParamOp::verify() { return verifyState(*this); }
LogicalResult StatisticOp::verify() { return verifyState(*this); }
LogicalResult SlotOp::verify() { return verifyState(*this); }
LogicalResult CounterOp::verify() {
  if (!isa<IntegerType>(cast<RankedTensorType>(getType()).getElementType()))
    return emitOpError("counter_c1: a counter is an integer, not ") << getType();
  return verifyState(*this);
}

//===-- Element-wise
//------------------------------------------------------------------------------------------------------===//

LogicalResult ClampOp::verify() {
  if (!(getMin().convertToDouble() <= getMax().convertToDouble()))
    return emitOpError("clamp_c1: min must not be above max");
  return success();
}

template <typename Op> static LogicalResult verifyBinary(Op op) {
  if (!agreeButForLayout(TypeRange{op.getLhs().getType()}, TypeRange{op.getRhs().getType()}))
    return op.emitOpError("binary_c1: the operands must have the same shape and element type, not ")
           << op.getLhs().getType() << " and " << op.getRhs().getType();
  return success();
}
LogicalResult AddOp::verify() { return verifyBinary(*this); }
LogicalResult SubOp::verify() { return verifyBinary(*this); }
LogicalResult MulOp::verify() { return verifyBinary(*this); }
LogicalResult DivOp::verify() { return verifyBinary(*this); }
LogicalResult MaxOp::verify() { return verifyBinary(*this); }
LogicalResult MinOp::verify() { return verifyBinary(*this); }

//===-- Shape
//-------------------------------------------------------------------------------------------------------------===//

LogicalResult BroadcastOp::verify() {
  RankedTensorType from = typeOf(getInput()), to = typeOf(getResult());
  ArrayRef<int64_t> dims = getDims();
  bool increasing = llvm::is_sorted(dims, [](int64_t a, int64_t b) { return a <= b; }) || dims.size() < 2;
  if (int64_t(dims.size()) != from.getRank() || !increasing ||
      llvm::any_of(dims, [&](int64_t dim) { return dim < 0 || dim >= to.getRank(); }))
    return emitOpError("broadcast_c1: 'dims' must name one dimension of the result for each of the input's ")
           << from.getRank() << ", in increasing order";
  for (auto [k, dim] : llvm::enumerate(dims))
    if (from.getDimSize(k) != 1 && from.getDimSize(k) != to.getDimSize(dim))
      return emitOpError("broadcast_c2: extent ")
             << from.getDimSize(k) << " of dimension " << k << " does not broadcast to " << to;
  return success();
}

LogicalResult ReshapeOp::verify() {
  RankedTensorType from = typeOf(getInput()), to = typeOf(getResult());
  bool batched = from.getRank() > 0 && from.isDynamicDim(0), toBatched = to.getRank() > 0 && to.isDynamicDim(0);
  if (batched != toBatched || staticElements(from.getShape()) != staticElements(to.getShape()))
    return emitOpError("reshape_c1: the number of elements changes from ") << from << " to " << to;
  return success();
}

LogicalResult TransposeOp::verify() {
  SmallVector<int64_t> sorted(getPermutation());
  llvm::sort(sorted);
  if (!llvm::equal(sorted, llvm::seq<int64_t>(0, typeOf(getInput()).getRank())))
    return emitOpError("transpose_c1: 'permutation' must be one of the dimensions");
  if (!sorted.empty() && typeOf(getInput()).isDynamicDim(0) && getPermutation()[0] != 0)
    return emitOpError("transpose_c2: the batch must stay in place 0");
  return success();
}

LogicalResult ConcatOp::verify() {
  RankedTensorType result = typeOf(getResult());
  int64_t axis = getAxis();
  if (getInputs().empty())
    return emitOpError("concat_c1: there must be an operand");
  if (axis < 0 || axis >= result.getRank() || result.isDynamicDim(axis))
    return emitOpError("concat_c3: axis ") << axis << " must be one of " << result << " and not the batch";
  for (Value input : getInputs()) {
    RankedTensorType type = typeOf(input);
    if (type.getRank() != result.getRank() || type.getElementType() != result.getElementType())
      return emitOpError("concat_c1: the operands must be of one rank and element type, not ")
             << type << " beside " << result;
    for (int64_t dim = 0; dim < type.getRank(); ++dim)
      if (dim != axis && type.getDimSize(dim) != result.getDimSize(dim))
        return emitOpError("concat_c2: the operands must agree but along axis ")
               << axis << ": " << type << " beside " << result;
  }
  return success();
}

LogicalResult SliceOp::verify() {
  RankedTensorType from = typeOf(getInput());
  size_t rank = from.getRank();
  if (getStarts().size() != rank || getSizes().size() != rank || getSteps().size() != rank)
    return emitOpError("slice_c1: 'starts', 'sizes' and 'steps' must have one entry for each of ") << rank << " axes";
  for (size_t dim = 0; dim < rank; ++dim) {
    int64_t start = getStarts()[dim], size = getSizes()[dim], step = getSteps()[dim], extent = from.getDimSize(dim);
    if (from.isDynamicDim(dim)) {
      if (start != 0 || size != -1 || step != 1)
        return emitOpError("slice_c3: the batch must be taken whole");
      continue;
    }
    if (step < 1 || start < 0 || size < 1 || start >= extent || (size - 1) > (extent - 1 - start) / step)
      return emitOpError("slice_c2: axis ") << dim << ": " << size << " elements from " << start << " in steps of "
                                            << step << " do not lie in 0.." << extent;
  }
  return success();
}

LogicalResult PadOp::verify() {
  RankedTensorType from = typeOf(getInput());
  size_t rank = from.getRank();
  if (getLow().size() != rank || getHigh().size() != rank || !isNotNegative(getLow()) || !isNotNegative(getHigh()))
    return emitOpError("pad_c1: 'low' and 'high' must have one entry for each of ") << rank << " axes, none negative";
  for (int64_t dim = 0; dim < from.getRank(); ++dim) {
    int64_t low = getLow()[dim], high = getHigh()[dim];
    if (from.isDynamicDim(dim) && (low || high))
      return emitOpError("pad_c3: the batch can't be padded");
    if (getMode() == PadMode::Reflect && std::max(low, high) >= std::max<int64_t>(from.getDimSize(dim), 1) &&
        (low || high))
      return emitOpError("pad_c2: a mirrored border of axis ")
             << dim << " must be narrower than its extent, " << from.getDimSize(dim);
  }
  return success();
}

//===-- Contractions
//------------------------------------------------------------------------------------------------------===//

LogicalResult Conv2dOp::verify() {
  RankedTensorType input = typeOf(getInput()), weight = typeOf(getWeight());
  if (!haveRank(4, {getInput(), getWeight()}))
    return emitOpError("conv2d_c1: input and weight must be of rank 4, not ") << input << " and " << weight;
  int64_t channels = input.getDimSize(1), outputs = weight.getDimSize(0), groups = getGroups();
  if (getBias() && typeOf(getBias()).getRank() != 1)
    return emitOpError("conv2d_c1: the bias must be of rank 1, not ") << typeOf(getBias());
  if (groups < 1 || channels % groups || outputs % groups)
    return emitOpError("conv2d_c2: groups = ")
           << groups << " must divide the channels, " << channels << " in and " << outputs << " out";
  if (weight.getDimSize(1) != channels / groups)
    return emitOpError("conv2d_c3: the weight takes ")
           << weight.getDimSize(1) << " channels a group, the input has " << channels / groups;
  if (getStrides().size() != 2 || getDilations().size() != 2 || getPadding().size() != 4 || !isPositive(getStrides()) ||
      !isPositive(getDilations()) || !isNotNegative(getPadding()))
    return emitOpError(
        "conv2d_c4: strides and dilations must be two positive numbers, padding four that are not negative");
  for (int axis = 0; axis < 2; ++axis)
    if (!windowedExtent(input.getDimSize(2 + axis), getPadding()[2 * axis], getPadding()[2 * axis + 1],
                        weight.getDimSize(2 + axis), getStrides()[axis], getDilations()[axis]))
      return emitOpError("conv2d_c5: the kernel of ") << weight << " does not fit the padded input, " << input;
  if (getBias() && typeOf(getBias()).getDimSize(0) != outputs)
    return emitOpError("conv2d_c6: the bias has ")
           << typeOf(getBias()).getDimSize(0) << " elements for " << outputs << " output channels";
  return success();
}

LogicalResult DenseOp::verify() {
  RankedTensorType input = typeOf(getInput()), weight = typeOf(getWeight());
  if (!haveRank(2, {getInput(), getWeight()}))
    return emitOpError("dense_c1: input and weight must be of rank 2, not ") << input << " and " << weight;
  if (input.getDimSize(1) != weight.getDimSize(1))
    return emitOpError("dense_c2: the input has ")
           << input.getDimSize(1) << " features, the weight takes " << weight.getDimSize(1);
  if (getBias() && (typeOf(getBias()).getRank() != 1 || typeOf(getBias()).getDimSize(0) != weight.getDimSize(0)))
    return emitOpError("dense_c3: the bias must have ")
           << weight.getDimSize(0) << " elements, not " << typeOf(getBias());
  return success();
}

LogicalResult MatmulOp::verify() {
  if (!haveRank(2, {getLhs(), getRhs()}))
    return emitOpError("matmul_c1: the operands must be of rank 2, not ")
           << typeOf(getLhs()) << " and " << typeOf(getRhs());
  int64_t lhs = typeOf(getLhs()).getDimSize(getTransposeLhs() ? 0 : 1);
  int64_t rhs = typeOf(getRhs()).getDimSize(getTransposeRhs() ? 1 : 0);
  if (lhs != rhs)
    return emitOpError("matmul_c2: the inner extents differ: ") << typeOf(getLhs()) << " and " << typeOf(getRhs());
  return success();
}

//===-- Normalization, pooling, reductions
//----------------------------------------------------------------------------------===//

LogicalResult BatchNormOp::verify() {
  RankedTensorType input = typeOf(getInput());
  if (input.getRank() < 2)
    return emitOpError("batch_norm_c1: the input must have a channel dimension, unlike ") << input;
  for (Value vector : {getScale(), getOffset(), getMean(), getVariance()})
    if (typeOf(vector).getRank() != 1 || typeOf(vector).getDimSize(0) != input.getDimSize(1))
      return emitOpError("batch_norm_c2: ")
             << input.getDimSize(1) << " channels need vectors of as many elements, not " << typeOf(vector);
  return success();
}

template <typename Op> static LogicalResult verifyPool(Op op) {
  RankedTensorType input = typeOf(op.getInput());
  ArrayRef<int64_t> kernel = op.getKernel(), strides = op.getStrides(), padding = op.getPadding();
  if (input.getRank() != 4)
    return op.emitOpError("pool_c1: the input must be of rank 4, not ") << input;
  bool fits = kernel.size() == 2 && strides.size() == 2 && padding.size() == 4 && isPositive(kernel) &&
              isPositive(strides) && isNotNegative(padding);
  for (int side = 0; fits && side < 4; ++side)
    fits = padding[side] < kernel[side / 2];
  if (!fits)
    return op.emitOpError(
        "pool_c2: kernel and strides must be two positive numbers, padding four that are not negative "
        "and smaller than the kernel");
  for (int axis = 0; axis < 2; ++axis)
    if (!windowedExtent(input.getDimSize(2 + axis), padding[2 * axis], padding[2 * axis + 1], kernel[axis],
                        strides[axis], 1, op.getCeil()))
      return op.emitOpError("pool_c3: the kernel does not fit the padded input, ") << input;
  return success();
}
LogicalResult MaxPoolOp::verify() { return verifyPool(*this); }
LogicalResult AvgPoolOp::verify() { return verifyPool(*this); }

LogicalResult ReduceOp::verify() {
  ArrayRef<int64_t> dims = getDims();
  for (auto [k, dim] : llvm::enumerate(dims))
    if (dim < 0 || dim >= typeOf(getInput()).getRank() || (k && dims[k - 1] >= dim))
      return emitOpError("reduce_c1: 'dims' must be axes of the input in increasing order");
  return success();
}

LogicalResult SoftmaxOp::verify() {
  int64_t axis = getAxis();
  if (axis <= 0 || axis >= typeOf(getInput()).getRank())
    return emitOpError("softmax_c1: axis ") << axis << " is not one of the input's, " << typeOf(getInput());
  return success();
}

LogicalResult RandomUniformOp::verify() {
  for (Value scalar : {getSeed(), getStep()})
    if (typeOf(scalar).getRank() != 0 || !typeOf(scalar).getElementType().isInteger(64))
      return emitOpError("random_uniform_c1: seed and step must be tensor<i64>, not ") << typeOf(scalar);
  if (!(getLow().convertToDouble() < getHigh().convertToDouble()))
    return emitOpError("random_uniform_c2: low must be below high");
  if (!getPath() || getPath()->empty())
    return emitOpError("random_uniform_c3: a draw needs a path, which its numbers depend on");
  return success();
}

//===-- What passes introduce
//-----------------------------------------------------------------------------------------------===//

LogicalResult RelayoutOp::verify() {
  if (!agreeButForLayout(TypeRange{getInput().getType()}, TypeRange{getResult().getType()}))
    return emitOpError("relayout_c1: only the layout may change, not ")
           << getInput().getType() << " to " << getResult().getType();
  return success();
}

LogicalResult WinogradWeightsOp::verify() {
  if (!haveRank(4, getWeight()) || typeOf(getWeight()).getDimSize(2) != 3 || typeOf(getWeight()).getDimSize(3) != 3 ||
      getM() != 4)
    return emitOpError("winograd_weights_c1: a 3x3 kernel and m = 4 are needed, not ")
           << typeOf(getWeight()) << " and m = " << getM();
  return success();
}

LogicalResult WinogradConv2dOp::verify() {
  RankedTensorType input = typeOf(getInput()), weight = typeOf(getWeight());
  if (!haveRank(4, {getInput(), getWeight()}) || weight.getDimSize(0) != 6 || weight.getDimSize(1) != 6)
    return emitOpError("winograd_conv2d_c1: an image of rank 4 and kernels transformed for m = 4 are needed, not ")
           << input << " and " << weight;
  if (getPadding().size() != 4 || !isNotNegative(getPadding()))
    return emitOpError("winograd_conv2d_c1: padding must be four numbers that are not negative");
  if (weight.getDimSize(3) != input.getDimSize(1))
    return emitOpError("winograd_conv2d_c2: the weight takes ")
           << weight.getDimSize(3) << " channels, the input has " << input.getDimSize(1);
  if (getBias() && (typeOf(getBias()).getRank() != 1 || typeOf(getBias()).getDimSize(0) != weight.getDimSize(2)))
    return emitOpError("winograd_conv2d_c3: the bias must have ")
           << weight.getDimSize(2) << " elements, not " << typeOf(getBias());
  return success();
}

LogicalResult ExpandGroupsOp::verify() {
  int64_t groups = getGroups();
  if (!haveRank(4, getWeight()) || groups < 1 || typeOf(getWeight()).getDimSize(0) % groups)
    return emitOpError("expand_groups_c1: groups = ")
           << groups << " must divide dimension 0 of a weight of rank 4, not " << typeOf(getWeight());
  return success();
}

int64_t cnn::multiplyAdds(Operation *op) {
  if (auto conv = dyn_cast<Conv2dOp>(op)) {
    RankedTensorType weight = typeOf(conv.getWeight());
    return storedElements(withLayout(conv.getResult().getType(), {}), /*whole=*/false) * weight.getDimSize(1) *
           weight.getDimSize(2) * weight.getDimSize(3);
  }
  if (auto conv = dyn_cast<Conv2dTransposeOp>(op)) {
    RankedTensorType weight = typeOf(conv.getWeight());
    return storedElements(withLayout(conv.getInput().getType(), {}), /*whole=*/false) * weight.getDimSize(1) *
           weight.getDimSize(2) * weight.getDimSize(3);
  }
  if (auto conv = dyn_cast<Conv2dWeightGradOp>(op)) {
    RankedTensorType weight = typeOf(conv.getResult());
    return storedElements(withLayout(conv.getGradient().getType(), {}), /*whole=*/false) * weight.getDimSize(1) *
           weight.getDimSize(2) * weight.getDimSize(3);
  }
  if (auto conv = dyn_cast<WinogradConv2dOp>(op))
    return storedElements(withLayout(conv.getResult().getType(), {}), /*whole=*/false) *
           typeOf(conv.getWeight()).getDimSize(3) * 9;
  if (auto dense = dyn_cast<DenseOp>(op))
    return typeOf(dense.getWeight()).getNumElements();
  if (auto product = dyn_cast<MatmulOp>(op)) {
    RankedTensorType lhs = typeOf(product.getLhs());
    // Of a sum over the batch each image has a share of every element.
    int64_t depth = lhs.getDimSize(product.getTransposeLhs() ? 0 : 1);
    return storedElements(withLayout(product.getResult().getType(), {}), /*whole=*/ShapedType::isDynamic(depth)) *
           std::max<int64_t>(depth, 1);
  }
  return 0;
}
