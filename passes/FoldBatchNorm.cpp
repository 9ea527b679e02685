// y = (x - mean) / sqrt(variance + epsilon) * scale + offset = x * s + t. Where x comes from a convolution or a dense
// layer that nothing else reads, s goes into its weight and t into its bias; hoist then moves that arithmetic to
// @prepare.
//
// Stands before hoist, which wants weights to be operations on state, and after simplify, which merges what is equal.
#include "passes/Passes.h"

#include "mlir/IR/PatternMatch.h"

using namespace mlir;

namespace cnn {
#define GEN_PASS_DEF_FOLDBATCHNORM
#include "passes/Passes.h.inc"

namespace {

/// The values of a function that depend on state and constants alone, kept while operations are added.
class FromState : public OpBuilder::Listener {
public:
  explicit FromState(func::FuncOp function) {
    for (BlockArgument argument : function.getArguments())
      if (function.getArgAttr(argument.getArgNumber(), kStateAttr))
        values.insert(argument);
    for (Operation &op : function.getBody().getOps())
      add(&op);
  }
  void notifyOperationInserted(Operation *op, OpBuilder::InsertPoint) override { add(op); }
  bool contains(ValueRange range) const {
    return llvm::all_of(range, [&](Value value) { return values.contains(value); });
  }

private:
  void add(Operation *op) {
    if (contains(op->getOperands()) && isPure(op))
      values.insert(op->result_begin(), op->result_end());
  }

  llvm::DenseSet<Value> values;
};

class Folder {
public:
  Folder(BatchNormOp op, FromState &fromState)
      : op(op), fromState(fromState), b(op, &fromState), loc(op.getLoc()), path(op.getPathAttr()) {}

  void fold() {
    Value epsilon = number(op.getEpsilon().convertToDouble());
    Value deviation = SqrtOp::create(b, loc, add(op.getVariance(), epsilon), path);
    Value s = DivOp::create(b, loc, op.getScale(), deviation, path);
    Value t = SubOp::create(b, loc, op.getOffset(), mul(op.getMean(), s), path);
    if (Operation *layer = foldableLayer())
      scale(layer, s, t);
    else
      op.replaceAllUsesWith(add(mul(op.getInput(), alongChannels(s)), alongChannels(t)));
    op.erase();
  }

private:
  /// The layer whose weight takes the scale.
  Operation *foldableLayer() {
    Operation *layer = op.getInput().getDefiningOp();
    if (!layer || !isa<Conv2dOp, DenseOp>(layer) || !layer->hasOneUse())
      return nullptr;
    bool isKnown =
        fromState.contains(layer->getOperands().drop_front()) && fromState.contains(op->getOperands().drop_front());
    return isKnown ? layer : nullptr;
  }

  void scale(Operation *layer, Value s, Value t) {
    // From here on it is the layer's weight and bias.
    path = layer->getAttrOfType<StringAttr>("path");
    auto type = cast<RankedTensorType>(layer->getOperand(1).getType());
    Value perOutput =
        BroadcastOp::create(b, loc, s, b.getDenseI64ArrayAttr({0}), b.getDenseI64ArrayAttr(type.getShape()), path);
    Value weight = mul(layer->getOperand(1), perOutput);
    Value bias = layer->getNumOperands() > 2 ? add(mul(layer->getOperand(2), s), t) : t;
    // The layer moves down to what it now reads.
    layer->moveBefore(op);
    layer->setOperands({layer->getOperand(0), weight, bias});
    op.replaceAllUsesWith(layer->getResult(0));
  }

  Value number(double value) {
    auto type = cast<RankedTensorType>(op.getVariance().getType());
    APFloat element(value);
    bool inexact;
    element.convert(cast<FloatType>(type.getElementType()).getFloatSemantics(), APFloat::rmNearestTiesToEven, &inexact);
    return ConstantOp::create(b, loc, type, DenseElementsAttr::get(type, element));
  }
  Value alongChannels(Value vector) {
    SmallVector<int64_t> shape(cast<RankedTensorType>(op.getType()).getShape());
    if (ShapedType::isDynamic(shape[0]))
      shape[0] = -1;
    return BroadcastOp::create(b, loc, vector, b.getDenseI64ArrayAttr({1}), b.getDenseI64ArrayAttr(shape), path);
  }
  Value add(Value x, Value y) { return AddOp::create(b, loc, x, y, path); }
  Value mul(Value x, Value y) { return MulOp::create(b, loc, x, y, path); }

  BatchNormOp op;
  FromState &fromState;
  OpBuilder b;
  Location loc;
  StringAttr path;
};

struct FoldBatchNorm : impl::FoldBatchNormBase<FoldBatchNorm> {
  using Base::Base;

  void runOnOperation() override {
    for (func::FuncOp function : getOperation().getOps<func::FuncOp>()) {
      if (function.isDeclaration())
        continue;
      FromState fromState(function);
      for (BatchNormOp op : llvm::to_vector(function.getBody().getOps<BatchNormOp>()))
        Folder(op, fromState).fold();
    }
  }
};

} // namespace
} // namespace cnn
