// The walk back from the loss (passes/Gradients.h).
#include "passes/Gradients.h"

#include "ir/Recompute.h"
#include "passes/gradients/Rule.h"

using namespace mlir;

namespace cnn {

static bool isFloat(Value value) {
  auto type = dyn_cast<RankedTensorType>(value.getType());
  return type && isa<FloatType>(type.getElementType());
}

/// The operations from the first that reads one of `values` to the one that defines `loss`, in order, of those that the
/// values reach through floats; adds to `reached` what they define.
static SmallVector<Operation *> operationsBetween(ArrayRef<Value> values, Value loss, llvm::DenseSet<Value> &reached) {
  reached.insert(values.begin(), values.end());
  SmallVector<Operation *> operations;
  Operation *last = loss.getDefiningOp();
  if (!last)
    return operations;
  for (Operation &op : *last->getBlock()) {
    bool reads = llvm::any_of(op.getOperands(), [&](Value operand) { return reached.contains(operand); });
    if (reads && !isa<StopGradientOp, MinimizeOp>(op)) {
      operations.push_back(&op);
      for (Value result : op.getResults())
        if (isFloat(result))
          reached.insert(result);
    }
    if (&op == last)
      break;
  }
  return operations;
}

/// The operation that stands before the builder's place, or null.
static Operation *previous(OpBuilder &builder) {
  Block *block = builder.getInsertionBlock();
  if (builder.getInsertionPoint() != block->end())
    return builder.getInsertionPoint()->getPrevNode();
  return block->empty() ? nullptr : &block->back();
}

FailureOr<SmallVector<Value>> buildGradients(OpBuilder &builder, Value loss, ArrayRef<Value> withRespectTo) {
  auto lossType = dyn_cast<RankedTensorType>(loss.getType());
  if (!lossType || lossType.getRank() != 0 || !isFloat(loss))
    return emitError(loss.getLoc()) << "only a scalar of floats has gradients, not " << loss.getType();
  for (Value value : withRespectTo)
    if (!isFloat(value))
      return emitError(value.getLoc()) << "there are no gradients by " << value.getType();

  llvm::DenseSet<Value> reached;
  SmallVector<Operation *> operations = operationsBetween(withRespectTo, loss, reached);
  DenseMap<Value, Value> gradients;
  TensorBuilder atLoss(builder, loss.getLoc(), "loss.grad");
  gradients[loss] = atLoss.scalar(1, loss);

  for (Operation *op : llvm::reverse(operations)) {
    Value gradient = op->getNumResults() == 1 ? gradients.lookup(op->getResult(0)) : Value();
    if (!gradient && llvm::none_of(op->getResults(), [&](Value result) { return gradients.contains(result); }))
      continue;
    TensorBuilder b(builder, op->getLoc(), (getPath(op) + kGradientSuffix).str());
    auto isNeeded = [&](Value value) { return reached.contains(value); };
    auto accumulate = [&](Value value, Value part) {
      Value &sum = gradients[value];
      sum = sum ? b.add(sum, part) : part;
    };
    gradients::Rule rule(b, op, gradient, isNeeded, accumulate);
    Operation *before = previous(builder);
    bool found = false;
    for (auto family : {gradients::elementwise, gradients::shape, gradients::contraction, gradients::pooling,
                        gradients::normalization, gradients::random})
      found = found || (gradient && family(rule));
    if (!found)
      return op->emitError() << "'" << op->getName() << "' at path '" << getPath(op) << "' has no gradient";
    // A gradient belongs to the region of its operation.
    if (Attribute region = op->getAttr(kRecomputeAttr))
      for (Operation *made = previous(builder); made != before; made = made->getPrevNode())
        made->setAttr(kRecomputeAttr, region);
  }

  SmallVector<Value> results;
  for (Value value : withRespectTo) {
    Value gradient = gradients.lookup(value);
    results.push_back(gradient ? gradient : atLoss.filled(0, value));
  }
  return results;
}

} // namespace cnn
