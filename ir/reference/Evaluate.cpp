// Walks functions and groups, and hands each operation to its family.
#include "ir/reference/Evaluate.h"
#include "ir/reference/Operations.h"

#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;

namespace cnn::reference {

using Values = SmallVector<TensorRef>;

static constexpr int64_t kExactIntegers = int64_t(1) << 53;

static std::string describe(ArrayRef<int64_t> shape) {
  std::string text;
  llvm::raw_string_ostream stream(text);
  llvm::interleave(shape, stream, "x");
  return shape.empty() ? "a scalar" : text;
}

FailureOr<int64_t> batchOf(Operation *op, TypeRange types, ArrayRef<TensorRef> tensors, int64_t batch) {
  if (types.size() != tensors.size())
    return op->emitError() << types.size() << " tensors are needed, " << tensors.size() << " are given";
  std::optional<int64_t> found;
  for (auto [index, type, tensor] : llvm::enumerate(types, tensors)) {
    auto ranked = dyn_cast<RankedTensorType>(type);
    if (!ranked || !tensor)
      return op->emitError() << "value " << index << " of type " << type << " has no tensor";
    bool fits = ranked.getRank() == tensor->rank() && tensor->elements() == elementCount(tensor->shape);
    for (int64_t dim = 0; fits && dim < ranked.getRank(); ++dim) {
      if (!ranked.isDynamicDim(dim))
        fits = ranked.getDimSize(dim) == tensor->shape[dim];
      else if (!found)
        found = tensor->shape[dim];
      else if (*found != tensor->shape[dim])
        return op->emitError() << "value " << index << " has a batch of " << tensor->shape[dim] << " beside one of "
                               << *found;
    }
    if (!fits)
      return op->emitError() << "value " << index << " is " << describe(tensor->shape) << ", its type " << ranked;
  }
  return found.value_or(batch);
}

static Shape shapeOf(Type type, int64_t batch) {
  Shape shape(cast<RankedTensorType>(type).getShape());
  for (int64_t &extent : shape)
    if (ShapedType::isDynamic(extent))
      extent = batch;
  return shape;
}

static FailureOr<Tensor> evaluateConstant(ConstantOp op) {
  auto type = cast<RankedTensorType>(op.getResult().getType());
  auto dense = dyn_cast<DenseElementsAttr>(op.getValue());
  if (!dense)
    return op.emitOpError("is no list of numbers");
  std::vector<double> values;
  if (isa<FloatType>(type.getElementType())) {
    for (APFloat value : dense.getValues<APFloat>()) {
      bool inexact;
      value.convert(APFloat::IEEEdouble(), APFloat::rmNearestTiesToEven, &inexact);
      values.push_back(value.convertToDouble());
    }
  } else {
    bool isUnsigned = type.getElementType().isUnsignedInteger() || type.getElementType().isInteger(1);
    for (APInt value : dense.getValues<APInt>()) {
      if (value.getBitWidth() > 53 && value.abs().ugt(kExactIntegers))
        return op.emitOpError("holds an integer beyond 2^53, which the reference does not represent");
      values.push_back(isUnsigned ? double(value.getZExtValue()) : double(value.getSExtValue()));
    }
  }
  return Tensor(type.getShape(), std::move(values));
}

static FailureOr<Values> evaluateBlock(Block &block, ArrayRef<TensorRef> arguments, int64_t batch,
                                       const EvaluateOptions &);

static FailureOr<Values> evaluateOperation(Operation *op, ArrayRef<TensorRef> operands, int64_t batch,
                                           const EvaluateOptions &options) {
  if (auto group = dyn_cast<GroupOp>(op))
    return evaluateBlock(group.getBlock(), operands, batch, options);
  if (isa<RelayoutOp>(op))
    return Values{operands[0]};
  if (auto constant = dyn_cast<ConstantOp>(op)) {
    FailureOr<Tensor> value = evaluateConstant(constant);
    if (failed(value))
      return failure();
    return Values{share(std::move(*value))};
  }
  if (op->getNumResults() == 1 && isa<RankedTensorType>(op->getResult(0).getType())) {
    Application application{op, operands, shapeOf(op->getResult(0).getType(), batch), options.threads};
    for (auto family : {evaluateElementwise, evaluateShape, evaluateContraction, evaluatePooling, evaluateResizing,
                        evaluateNormalization, evaluateRandom, evaluateResampling})
      if (std::optional<Tensor> result = family(application))
        return Values{share(std::move(*result))};
  }
  return op->emitError() << "the reference implementation has no meaning for '" << op->getName() << "'";
}

/// The operands of the terminator.
static FailureOr<Values> evaluateBlock(Block &block, ArrayRef<TensorRef> arguments, int64_t batch,
                                       const EvaluateOptions &options) {
  DenseMap<Value, TensorRef> values;
  DenseMap<Value, int64_t> uses;
  auto define = [&](ValueRange defined, ArrayRef<TensorRef> tensors) {
    for (auto [value, tensor] : llvm::zip(defined, tensors))
      if (int64_t count = std::distance(value.use_begin(), value.use_end())) {
        values[value] = tensor;
        uses[value] = count;
      }
  };
  auto take = [&](Operation &op) {
    Values taken;
    for (Value operand : op.getOperands()) {
      taken.push_back(values.lookup(operand));
      if (--uses[operand] == 0)
        values.erase(operand);
    }
    return taken;
  };
  define(block.getArguments(), arguments);
  for (Operation &op : block.without_terminator()) {
    FailureOr<Values> results = evaluateOperation(&op, take(op), batch, options);
    if (failed(results) || (options.after && failed(options.after(&op, *results))))
      return failure();
    define(op.getResults(), *results);
  }
  return take(*block.getTerminator());
}

FailureOr<Values> evaluate(func::FuncOp function, ArrayRef<TensorRef> arguments, const EvaluateOptions &options) {
  if (!function.getBody().hasOneBlock())
    return function.emitError() << "'" << function.getName() << "' needs a body of one block to be evaluated";
  FailureOr<int64_t> batch = batchOf(function, function.getArgumentTypes(), arguments, options.batch);
  if (failed(batch))
    return failure();
  return evaluateBlock(function.getBody().front(), arguments, *batch, options);
}

FailureOr<Values> evaluate(Operation *op, ArrayRef<TensorRef> operands, const EvaluateOptions &options) {
  FailureOr<int64_t> batch = batchOf(op, op->getOperandTypes(), operands, options.batch);
  if (failed(batch))
    return failure();
  return evaluateOperation(op, operands, *batch, options);
}

} // namespace cnn::reference
