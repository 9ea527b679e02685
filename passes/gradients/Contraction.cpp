// Gradients of convolutions and products of matrices. The three operations of a convolution are one trilinear form, so
// that the gradients of each are the two others.
#include "passes/gradients/Rule.h"

#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;

namespace cnn::gradients {

/// A convolution and its two transposes, with the window of `op`.
template <typename Op> struct Convolutions {
  TensorBuilder &b;
  Op op;

  SmallVector<NamedAttribute> window() {
    SmallVector<NamedAttribute> attributes = {b.ints("strides", op.getStrides()), b.ints("padding", op.getPadding()),
                                              b.ints("dilations", op.getDilations()),
                                              b.integer("groups", op.getGroups())};
    auto precision = PrecisionAttr::get(op.getContext(), op.getPrecision());
    attributes.push_back(b.builder().getNamedAttr("precision", precision));
    return attributes;
  }
  Value forward(Value image, Value weight) { return b.make<Conv2dOp>({image, weight}, window()); }
  /// Of the extents of `like`.
  Value byInput(Value gradient, Value weight, Value like) {
    SmallVector<NamedAttribute> attributes = window();
    attributes.push_back(b.ints("size", TensorBuilder::typeOf(like).getShape().drop_front(2)));
    return b.make<Conv2dTransposeOp>({gradient, weight}, attributes);
  }
  Value byWeight(Value image, Value gradient, Value like) {
    SmallVector<NamedAttribute> attributes = window();
    attributes.push_back(b.ints("kernel", TensorBuilder::typeOf(like).getShape().drop_front(2)));
    return b.make<Conv2dWeightGradOp>({image, gradient}, attributes);
  }
};

bool contraction(Rule &r) {
  TensorBuilder &b = r.b;
  Value g = r.gradient;
  if (r.op->getNumOperands() < 2)
    return false;
  Value x = r.operand(0), w = r.operand(1);
  auto giveBias = [&](SmallVector<int64_t> dims) { r.give(2, [&] { return b.sum(g, dims); }); };
  return llvm::TypeSwitch<Operation *, bool>(r.op)
      .Case([&](Conv2dOp op) {
        Convolutions<Conv2dOp> conv{b, op};
        r.give(0, [&] { return conv.byInput(g, w, x); });
        r.give(1, [&] { return conv.byWeight(x, g, w); });
        giveBias({0, 2, 3});
        return true;
      })
      .Case([&](Conv2dTransposeOp op) {
        Convolutions<Conv2dTransposeOp> conv{b, op};
        r.give(0, [&] { return conv.forward(g, w); });
        r.give(1, [&] { return conv.byWeight(g, x, w); });
        giveBias({0, 2, 3});
        return true;
      })
      .Case([&](Conv2dWeightGradOp op) {
        Convolutions<Conv2dWeightGradOp> conv{b, op};
        r.give(0, [&] { return conv.byInput(w, g, x); });
        r.give(1, [&] { return conv.forward(x, g); });
        return true;
      })
      .Case([&](DenseOp) {
        r.give(0, [&] { return b.matmul(g, w); });
        r.give(1, [&] { return b.matmul(g, x, /*transposeX=*/true); });
        giveBias({0});
        return true;
      })
      .Case([&](MatmulOp op) {
        bool left = op.getTransposeLhs(), right = op.getTransposeRhs();
        // With A and B the operands as multiplied: dA = g Bᵀ, dB = Aᵀ g; the operand's gradient is transposed as it is.
        r.give(0, [&] { return left ? b.matmul(w, g, right, true) : b.matmul(g, w, false, !right); });
        r.give(1, [&] { return right ? b.matmul(g, x, true, left) : b.matmul(x, g, !left, false); });
        return true;
      })
      .Default(false);
}

} // namespace cnn::gradients
