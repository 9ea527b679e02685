// Gradients of batch normalization in inference, softmax and reductions. Normalization by the statistics of the batch
// is a composition (ir/Compositions.h) and needs no rule.
#include "passes/gradients/Rule.h"

#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;

namespace cnn::gradients {

static void batchNorm(Rule &r, BatchNormOp op) {
  TensorBuilder &b = r.b;
  Value x = op.getInput(), g = r.gradient;
  SmallVector<int64_t> dims = TensorBuilder::allDims(x);
  dims.erase(dims.begin() + 1);
  // y = (x - mean) * scale / deviation + offset
  Value variance = b.add(op.getVariance(), op.getEpsilon().convertToDouble());
  Value factor = b.div(op.getScale(), b.sqrt(variance));
  auto perChannel = [&](Value vector) { return b.broadcastChannels(vector, x); };
  auto product = [&] { return b.sum(b.mul(g, b.sub(x, perChannel(op.getMean()))), dims); };
  r.give(0, [&] { return b.mul(g, perChannel(factor)); });
  r.give(1, [&] { return b.div(product(), b.sqrt(variance)); });
  r.give(2, [&] { return b.sum(g, dims); });
  r.give(3, [&] { return b.neg(b.mul(b.sum(g, dims), factor)); });
  r.give(4, [&] { return b.mul(b.div(b.mul(product(), factor), variance), -0.5); });
}

static Value reduced(Rule &r, ReduceOp op) {
  TensorBuilder &b = r.b;
  Value x = op.getInput(), y = op.getResult(), g = r.gradient;
  ArrayRef<int64_t> dims = op.getDims();
  auto spread = [&](Value value) { return b.broadcastReduced(value, dims, x); };
  switch (op.getKind()) {
  case ReduceKind::Sum:
    return spread(g);
  case ReduceKind::Mean:
    return spread(b.div(g, b.broadcastScalar(b.count(x, dims), g)));
  case ReduceKind::Max:
  case ReduceKind::Min: {
    // Equal elements share the gradient.
    Value distance = op.getKind() == ReduceKind::Max ? b.sub(spread(y), x) : b.sub(x, spread(y));
    Value isResult = b.subFrom(1, b.step(distance));
    return b.mul(isResult, spread(b.div(g, b.sum(isResult, dims))));
  }
  }
  llvm_unreachable("an unknown reduction");
}

bool normalization(Rule &r) {
  TensorBuilder &b = r.b;
  return llvm::TypeSwitch<Operation *, bool>(r.op)
      .Case([&](BatchNormOp op) {
        batchNorm(r, op);
        return true;
      })
      .Case([&](SoftmaxOp op) {
        r.give(0, [&] {
          Value y = op.getResult(), g = r.gradient;
          int64_t axis = op.getAxis();
          Value common = b.broadcastReduced(b.sum(b.mul(g, y), {axis}), {axis}, y);
          return b.mul(y, b.sub(g, common));
        });
        return true;
      })
      .Case([&](ReduceOp op) {
        r.give(0, [&] { return reduced(r, op); });
        return true;
      })
      .Default(false);
}

} // namespace cnn::gradients
