// Gradients of pooling and resizing. The largest element of a window takes the whole gradient, the first of equal ones;
// where it lies does not change with the input but at ties.
#include "passes/gradients/Rule.h"

#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;

namespace cnn::gradients {

template <typename Op> static SmallVector<NamedAttribute> window(TensorBuilder &b, Op op) {
  return {b.ints("kernel", op.getKernel()), b.ints("strides", op.getStrides()), b.ints("padding", op.getPadding()),
          b.flag("ceil", op.getCeil())};
}

/// `x` as the extents of `like` have it.
template <typename To, typename Op> static Value resized(TensorBuilder &b, Op op, Value x, Value like) {
  auto mode = ResizeModeAttr::get(op.getContext(), op.getMode());
  return b.make<To>(x, {b.ints("size", TensorBuilder::typeOf(like).getShape().drop_front(2)),
                        b.builder().getNamedAttr("mode", mode), b.flag("align_corners", op.getAlignCorners())});
}

bool pooling(Rule &r) {
  TensorBuilder &b = r.b;
  Value g = r.gradient;
  return llvm::TypeSwitch<Operation *, bool>(r.op)
      .Case([&](MaxPoolOp op) {
        r.give(0, [&] { return b.make<MaxPoolGradOp>({op.getInput(), g}, window(b, op)); });
        return true;
      })
      .Case([&](MaxPoolGradOp op) {
        r.give(1, [&] { return b.make<MaxPoolPickOp>({op.getInput(), g}, window(b, op)); });
        return true;
      })
      .Case([&](MaxPoolPickOp op) {
        r.give(1, [&] { return b.make<MaxPoolGradOp>({op.getInput(), g}, window(b, op)); });
        return true;
      })
      .Case([&](AvgPoolOp op) {
        r.give(0, [&] {
          SmallVector<NamedAttribute> attributes = window(b, op);
          attributes.push_back(b.flag("count_pad", op.getCountPad()));
          attributes.push_back(b.ints("size", TensorBuilder::typeOf(op.getInput()).getShape().drop_front(2)));
          return b.make<AvgPoolGradOp>(g, attributes);
        });
        return true;
      })
      .Case([&](AvgPoolGradOp op) {
        r.give(0, [&] {
          SmallVector<NamedAttribute> attributes = window(b, op);
          attributes.push_back(b.flag("count_pad", op.getCountPad()));
          return b.make<AvgPoolOp>(g, attributes);
        });
        return true;
      })
      .Case([&](ResizeOp op) {
        r.give(0, [&] { return resized<ResizeGradOp>(b, op, g, op.getInput()); });
        return true;
      })
      .Case([&](ResizeGradOp op) {
        r.give(0, [&] { return resized<ResizeOp>(b, op, g, op.getInput()); });
        return true;
      })
      .Default(false);
}

} // namespace cnn::gradients
