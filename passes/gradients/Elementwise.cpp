// Gradients of element-wise operations. Where a function has a corner, the derivative there is that of the smaller side
// (relu, clamp, abs: 0); of two equal operands of max or min each gets half.
#include "passes/gradients/Rule.h"

#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;

namespace cnn::gradients {

bool elementwise(Rule &r) {
  if (!isElementwise(r.op))
    return false;
  TensorBuilder &b = r.b;
  Value g = r.gradient, x = r.operand(0), y = r.result();
  Value second = r.op->getNumOperands() > 1 ? r.operand(1) : Value();
  // For a function of one operand: g times its derivative.
  auto times = [&](llvm::function_ref<Value()> derivative) {
    r.give(0, [&] { return b.mul(g, derivative()); });
    return true;
  };
  // For max and min, where `above` is positive when the first operand is the result.
  auto choose = [&](llvm::function_ref<Value()> above) {
    auto half = [&](bool first) {
      Value difference = above();
      Value sign = b.sub(b.step(difference), b.step(b.neg(difference)));
      return b.mul(g, b.mul(first ? b.add(sign, 1) : b.subFrom(1, sign), 0.5));
    };
    r.give(0, [&] { return half(true); });
    r.give(1, [&] { return half(false); });
    return true;
  };
  return llvm::TypeSwitch<Operation *, bool>(r.op)
      // Of the result, so that the operand need not be kept.
      .Case([&](ReluOp) { return times([&] { return b.step(y); }); })
      .Case([&](TanhOp) { return times([&] { return b.subFrom(1, b.square(y)); }); })
      .Case([&](SigmoidOp) { return times([&] { return b.mul(y, b.subFrom(1, y)); }); })
      .Case([&](SoftplusOp) { return times([&] { return b.sigmoid(x); }); })
      .Case([&](EluOp op) {
        return times([&] {
          // Above 0 the exponential is that of 0, so that it is finite.
          Value positive = b.step(x), below = b.exp(b.neg(b.relu(b.neg(x))));
          return b.add(positive, b.mul(b.mul(below, op.getAlpha().convertToDouble()), b.subFrom(1, positive)));
        });
      })
      .Case([&](ExpOp) { return times([&] { return y; }); })
      .Case([&](LogOp) {
        r.give(0, [&] { return b.div(g, x); });
        return true;
      })
      .Case([&](SqrtOp) {
        r.give(0, [&] { return b.div(b.mul(g, 0.5), y); });
        return true;
      })
      .Case([&](AbsOp) { return times([&] { return b.sub(b.step(x), b.step(b.neg(x))); }); })
      .Case([&](NegOp) {
        r.give(0, [&] { return b.neg(g); });
        return true;
      })
      .Case([&](ClampOp op) {
        return times([&] {
          Value aboveLow = b.step(b.add(x, -op.getMin().convertToDouble()));
          return b.mul(aboveLow, b.step(b.subFrom(op.getMax().convertToDouble(), x)));
        });
      })
      .Case([&](ConvertOp) {
        r.give(0, [&] { return b.convert(g, TensorBuilder::typeOf(x).getElementType()); });
        return true;
      })
      .Case([&](AddOp) {
        r.give(0, [&] { return g; });
        r.give(1, [&] { return g; });
        return true;
      })
      .Case([&](SubOp) {
        r.give(0, [&] { return g; });
        r.give(1, [&] { return b.neg(g); });
        return true;
      })
      .Case([&](MulOp) {
        r.give(0, [&] { return b.mul(g, second); });
        r.give(1, [&] { return b.mul(g, x); });
        return true;
      })
      .Case([&](DivOp) {
        r.give(0, [&] { return b.div(g, second); });
        r.give(1, [&] { return b.neg(b.div(b.mul(g, y), second)); });
        return true;
      })
      .Case([&](MaxOp) { return choose([&] { return b.sub(x, second); }); })
      .Case([&](MinOp) { return choose([&] { return b.sub(second, x); }); })
      // The derivative of a step is 0; a constant has none.
      .Case<StepOp, StopGradientOp>([](auto) { return true; })
      .Default(false);
}

} // namespace cnn::gradients
