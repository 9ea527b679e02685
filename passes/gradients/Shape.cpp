// Gradients of operations that move elements: the transpose of each.
#include "passes/gradients/Rule.h"

#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;

namespace cnn::gradients {

/// The part of `x` from `starts`, of the shape of `like`.
static Value slice(TensorBuilder &b, Value x, ArrayRef<int64_t> starts, ArrayRef<int64_t> steps, Value like) {
  return b.make<SliceOp>(
      x, {b.ints("starts", starts), b.ints("sizes", TensorBuilder::extentsOf(like)), b.ints("steps", steps)});
}

/// The sum over what the elements were repeated along.
static Value broadcastTransposed(Rule &r, BroadcastOp op) {
  Value x = op.getInput();
  SmallVector<int64_t> repeated;
  for (int64_t dim : TensorBuilder::allDims(op)) {
    auto place = llvm::find(op.getDims(), dim);
    bool isKept = place != op.getDims().end() && TensorBuilder::typeOf(x).getDimSize(place - op.getDims().begin()) ==
                                                     TensorBuilder::typeOf(op).getDimSize(dim);
    if (!isKept)
      repeated.push_back(dim);
  }
  Value sum = r.b.sum(r.gradient, repeated);
  // Unit dimensions that were repeated.
  bool same = TensorBuilder::typeOf(sum).getShape() == TensorBuilder::typeOf(x).getShape();
  return same ? sum : r.b.reshape(sum, TensorBuilder::extentsOf(x));
}

bool shape(Rule &r) {
  TensorBuilder &b = r.b;
  Value g = r.gradient, x = r.op->getNumOperands() ? r.operand(0) : Value();
  auto give = [&](llvm::function_ref<Value()> build) {
    r.give(0, build);
    return true;
  };
  return llvm::TypeSwitch<Operation *, bool>(r.op)
      .Case([&](BroadcastOp op) { return give([&] { return broadcastTransposed(r, op); }); })
      .Case([&](ReshapeOp) { return give([&] { return b.reshape(g, TensorBuilder::extentsOf(x)); }); })
      .Case([&](TransposeOp op) {
        return give([&] {
          SmallVector<int64_t> inverse(op.getPermutation().size());
          for (auto [place, dim] : llvm::enumerate(op.getPermutation()))
            inverse[dim] = place;
          return b.make<TransposeOp>(g, {b.ints("permutation", inverse)});
        });
      })
      .Case([&](ConcatOp op) {
        SmallVector<int64_t> starts(TensorBuilder::typeOf(g).getRank(), 0), steps(starts.size(), 1);
        for (auto [index, part] : llvm::enumerate(op.getInputs())) {
          r.give(index, [&] { return slice(b, g, starts, steps, part); });
          starts[op.getAxis()] += TensorBuilder::typeOf(part).getDimSize(op.getAxis());
        }
        return true;
      })
      .Case([&](SliceOp op) {
        return give([&] {
          return b.make<UnsliceOp>(g, {b.ints("starts", op.getStarts()), b.ints("steps", op.getSteps()),
                                       b.ints("shape", TensorBuilder::extentsOf(x))});
        });
      })
      .Case([&](FlipKernelsOp op) {
        return give([&] { return b.make<FlipKernelsOp>(g, {b.integer("groups", op.getGroups())}); });
      })
      .Case([&](UnsliceOp op) { return give([&] { return slice(b, g, op.getStarts(), op.getSteps(), x); }); })
      .Case([&](PadOp op) {
        return give([&] {
          if (op.getMode() == PadMode::Reflect)
            return b.make<PadGradOp>(g, {b.ints("low", op.getLow()), b.ints("high", op.getHigh())});
          return slice(b, g, op.getLow(), SmallVector<int64_t>(op.getLow().size(), 1), x);
        });
      })
      .Case([&](PadGradOp op) {
        return give([&] {
          auto reflect = PadModeAttr::get(op.getContext(), PadMode::Reflect);
          return b.make<PadOp>(
              g, {b.ints("low", op.getLow()), b.ints("high", op.getHigh()), b.builder().getNamedAttr("mode", reflect)});
        });
      })
      .Case([](BatchSizeOp) { return true; })
      .Default(false);
}

} // namespace cnn::gradients
