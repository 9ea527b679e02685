// Streaming evaluation of @prepare.
#include "ir/reference/Prepare.h"
#include "ir/reference/Materialize.h"

#include "llvm/ADT/SetVector.h"

using namespace mlir;

namespace cnn::reference {

/// The operations that `value` needs and that are not in `done`, in the order of the block.
static SmallVector<Operation *> operationsFor(Value value, const llvm::DenseSet<Operation *> &done) {
  llvm::SetVector<Operation *> needed;
  SmallVector<Value> open = {value};
  while (!open.empty())
    if (Operation *op = open.pop_back_val().getDefiningOp(); op && !done.contains(op) && needed.insert(op))
      llvm::append_range(open, op->getOperands());
  SmallVector<Operation *> sorted = needed.takeVector();
  llvm::sort(sorted, [](Operation *a, Operation *b) { return a->isBeforeInBlock(b); });
  return sorted;
}

namespace {
class Preparation {
public:
  Preparation(func::FuncOp function, StateSource source, const EvaluateOptions &options)
      : function(function), source(source), options(options) {
    // Uses by operations that no result needs don't keep a value alive.
    auto *terminator = function.getBody().front().getTerminator();
    llvm::SetVector<Operation *> live;
    live.insert(terminator);
    for (size_t i = 0; i < live.size(); ++i)
      for (Value operand : live[i]->getOperands()) {
        ++uses[operand];
        if (Operation *op = operand.getDefiningOp())
          live.insert(op);
      }
  }

  FailureOr<TensorRef> compute(Value result) {
    for (Operation *op : operationsFor(result, done)) {
      done.insert(op);
      SmallVector<TensorRef> operands;
      for (Value operand : op->getOperands()) {
        FailureOr<TensorRef> tensor = take(operand);
        if (failed(tensor))
          return failure();
        operands.push_back(*tensor);
      }
      FailureOr<SmallVector<TensorRef>> results = evaluate(op, operands, options);
      if (failed(results))
        return failure();
      for (auto [value, tensor] : llvm::zip(op->getResults(), *results))
        if (uses.lookup(value))
          values[value] = tensor;
    }
    return take(result);
  }

private:
  FailureOr<TensorRef> take(Value value) {
    if (auto argument = dyn_cast<BlockArgument>(value); argument && !values.contains(value))
      if (failed(read(argument)))
        return failure();
    TensorRef tensor = values.lookup(value);
    if (--uses[value] == 0)
      values.erase(value);
    return tensor;
  }

  LogicalResult read(BlockArgument argument) {
    unsigned index = argument.getArgNumber();
    auto name = function.getArgAttrOfType<FlatSymbolRefAttr>(index, kStateAttr);
    auto type = dyn_cast<RankedTensorType>(argument.getType());
    if (!name || !type)
      return function.emitError() << "argument " << index << " of '" << function.getName() << "' is no state variable";
    FailureOr<Tensor> tensor = source(name.getValue(), type);
    if (failed(tensor))
      return failure();
    if (ArrayRef<int64_t>(tensor->shape) != type.getShape() || tensor->elements() != type.getNumElements())
      return function.emitError() << "the value of " << name << " has not the shape of " << type;
    values[argument] = share(std::move(*tensor));
    return success();
  }

  func::FuncOp function;
  StateSource source;
  const EvaluateOptions &options;
  DenseMap<Value, TensorRef> values;
  DenseMap<Value, int64_t> uses;
  llvm::DenseSet<Operation *> done;
};
} // namespace

LogicalResult evaluatePrepare(func::FuncOp prepare, StateSource source, PackedSink sink,
                              const EvaluateOptions &options) {
  if (!prepare.getBody().hasOneBlock())
    return prepare.emitError() << "'" << prepare.getName() << "' needs a body of one block to be evaluated";
  Operation *terminator = prepare.getBody().front().getTerminator();
  std::vector<std::pair<int64_t, Value>> packed;
  for (auto [index, value] : llvm::enumerate(terminator->getOperands())) {
    auto number = prepare.getResultAttrOfType<IntegerAttr>(index, kPackedAttr);
    if (!number)
      return prepare.emitError() << "result " << index << " of '" << prepare.getName() << "' is no packed value";
    packed.emplace_back(number.getInt(), value);
  }
  llvm::sort(packed, llvm::less_first());

  Preparation preparation(prepare, source, options);
  for (auto [index, value] : packed) {
    FailureOr<TensorRef> tensor = preparation.compute(value);
    if (failed(tensor))
      return failure();
    std::vector<char> bytes = materialize(cast<RankedTensorType>(value.getType()), **tensor, options.threads);
    tensor = TensorRef();
    if (failed(sink(index, bytes)))
      return failure();
  }
  return success();
}

} // namespace cnn::reference
