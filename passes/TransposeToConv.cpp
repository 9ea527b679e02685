// Writes transposed convolutions of stride 1 as convolutions of flipped kernels (Passes.td).
#include "passes/Passes.h"

#include "mlir/IR/PatternMatch.h"
#include "mlir/Transforms/WalkPatternRewriteDriver.h"

using namespace mlir;

namespace cnn {
#define GEN_PASS_DEF_TRANSPOSETOCONV
#include "passes/Passes.h.inc"

namespace {
struct FlipKernels : OpRewritePattern<Conv2dTransposeOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(Conv2dTransposeOp op, PatternRewriter &rewriter) const override {
    auto weight = cast<RankedTensorType>(op.getWeight().getType());
    if (op.getStrides() != ArrayRef<int64_t>{1, 1} || !weight.hasStaticShape())
      return rewriter.notifyMatchFailure(op, "it has strides");
    // What is left of the kernel's reach on each side.
    SmallVector<int64_t> padding(op.getPadding());
    for (auto [side, pad] : llvm::enumerate(padding))
      pad = op.getDilations()[side / 2] * (weight.getDimSize(2 + side / 2) - 1) - pad;
    if (llvm::any_of(padding, [](int64_t pad) { return pad < 0; }))
      return rewriter.notifyMatchFailure(op, "its padding is wider than the kernel's reach");
    Value flipped = FlipKernelsOp::create(rewriter, op.getLoc(), op.getWeight(), op.getGroupsAttr(), op.getPathAttr());
    auto conv = Conv2dOp::create(rewriter, op.getLoc(), op.getResult().getType(), op.getInput(), flipped, op.getBias(),
                                 op.getStridesAttr(), rewriter.getDenseI64ArrayAttr(padding), op.getDilationsAttr(),
                                 op.getGroupsAttr(), op.getPrecisionAttr(), op.getPathAttr());
    conv->setDiscardableAttrs(op->getDiscardableAttrDictionary());
    rewriter.replaceOp(op, conv);
    return success();
  }
};

struct TransposeToConv : impl::TransposeToConvBase<TransposeToConv> {
  using TransposeToConvBase::TransposeToConvBase;

  void runOnOperation() override {
    RewritePatternSet patterns(&getContext());
    patterns.add<FlipKernels>(&getContext());
    walkAndApplyPatterns(getOperation(), std::move(patterns));
  }
};
} // namespace

} // namespace cnn
