// Canonical forms: each pattern takes something that can be written in several ways to the one that later passes look
// for. Before and after, the network is @infer on tensors without layout; values stay the same but for the sign of
// zero.
#include "passes/Simplify.h"

#include "passes/Passes.h"

#include "mlir/IR/Dominance.h"
#include "mlir/IR/PatternMatch.h"
#include "mlir/Transforms/CSE.h"
#include "mlir/Transforms/GreedyPatternRewriteDriver.h"
#include "llvm/ADT/MapVector.h"

using namespace mlir;

namespace cnn {
#define GEN_PASS_DEF_SIMPLIFY
#include "passes/Passes.h.inc"

static RankedTensorType typeOf(Value value) { return cast<RankedTensorType>(value.getType()); }
static StringAttr pathOf(Operation *op) { return op->getAttrOfType<StringAttr>("path"); }

std::optional<double> splatOf(Value value) {
  while (Operation *op = value.getDefiningOp()) {
    if (auto constant = dyn_cast<ConstantOp>(op)) {
      auto dense = dyn_cast<DenseFPElementsAttr>(constant.getValue());
      if (!dense || !dense.isSplat())
        return std::nullopt;
      return dense.getSplatValue<APFloat>().convertToDouble();
    }
    if (!isa<BroadcastOp, ReshapeOp>(op))
      return std::nullopt;
    value = op->getOperand(0);
  }
  return std::nullopt;
}

void mergeEqual(func::FuncOp function) {
  llvm::MapVector<Operation *, StringAttr> paths;
  for (Operation &op : function.getBody().getOps())
    if (auto path = pathOf(&op); path && !isDraw(&op)) {
      paths[&op] = path;
      op.removeAttr("path");
    }
  struct Forget : RewriterBase::Listener {
    explicit Forget(llvm::MapVector<Operation *, StringAttr> &paths) : paths(paths) {}
    void notifyOperationErased(Operation *op) override {
      if (auto at = paths.find(op); at != paths.end())
        at->second = {};
    }
    llvm::MapVector<Operation *, StringAttr> &paths;
  } forget(paths);
  IRRewriter rewriter(function.getContext(), &forget);
  DominanceInfo dominance(function);
  eliminateCommonSubExpressions(rewriter, dominance, function);
  for (auto [op, path] : paths)
    if (path)
      op->setAttr("path", path);
}

namespace {

//===-- Shape ----------------------------------------------------------------------------------------------------===//

struct ReshapeOfReshape : OpRewritePattern<ReshapeOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(ReshapeOp op, PatternRewriter &rewriter) const override {
    auto inner = op.getInput().getDefiningOp<ReshapeOp>();
    if (!inner)
      return failure();
    rewriter.modifyOpInPlace(op, [&] { op.getInputMutable().assign(inner.getInput()); });
    return success();
  }
};

struct TransposeOfTranspose : OpRewritePattern<TransposeOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(TransposeOp op, PatternRewriter &rewriter) const override {
    auto inner = op.getInput().getDefiningOp<TransposeOp>();
    if (!inner)
      return failure();
    SmallVector<int64_t> permutation;
    for (int64_t dim : op.getPermutation())
      permutation.push_back(inner.getPermutation()[dim]);
    rewriter.replaceOpWithNewOp<TransposeOp>(op, inner.getInput(), rewriter.getDenseI64ArrayAttr(permutation),
                                             pathOf(op));
    return success();
  }
};

struct SliceOfSlice : OpRewritePattern<SliceOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(SliceOp op, PatternRewriter &rewriter) const override {
    auto inner = op.getInput().getDefiningOp<SliceOp>();
    if (!inner)
      return failure();
    SmallVector<int64_t> starts, steps;
    for (auto [start, step, innerStart, innerStep] :
         llvm::zip(op.getStarts(), op.getSteps(), inner.getStarts(), inner.getSteps())) {
      starts.push_back(innerStart + start * innerStep);
      steps.push_back(step * innerStep);
    }
    rewriter.replaceOpWithNewOp<SliceOp>(op, inner.getInput(), rewriter.getDenseI64ArrayAttr(starts), op.getSizesAttr(),
                                         rewriter.getDenseI64ArrayAttr(steps), pathOf(op));
    return success();
  }
};

struct BroadcastOfBroadcast : OpRewritePattern<BroadcastOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(BroadcastOp op, PatternRewriter &rewriter) const override {
    auto inner = op.getInput().getDefiningOp<BroadcastOp>();
    if (!inner)
      return failure();
    SmallVector<int64_t> dims;
    for (int64_t dim : inner.getDims())
      dims.push_back(op.getDims()[dim]);
    rewriter.replaceOpWithNewOp<BroadcastOp>(op, inner.getInput(), rewriter.getDenseI64ArrayAttr(dims),
                                             op.getShapeAttr(), pathOf(op));
    return success();
  }
};

/// A concatenation of one tensor is that tensor; one that only another along the same axis reads is part of it.
struct FlattenConcat : OpRewritePattern<ConcatOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(ConcatOp op, PatternRewriter &rewriter) const override {
    if (op.getInputs().size() == 1) {
      rewriter.replaceOp(op, op.getInputs()[0]);
      return success();
    }
    SmallVector<Value> parts;
    for (Value input : op.getInputs()) {
      auto inner = input.getDefiningOp<ConcatOp>();
      if (inner && inner.getAxis() == op.getAxis() && inner->hasOneUse())
        llvm::append_range(parts, inner.getInputs());
      else
        parts.push_back(input);
    }
    if (parts.size() == op.getInputs().size())
      return failure();
    rewriter.modifyOpInPlace(op, [&] { op.getInputsMutable().assign(parts); });
    return success();
  }
};

//===-- Padding and pooling --------------------------------------------------------------------------------------===//

/// The padding [top, bottom, left, right] when `value` is an image surrounded by zeros and nothing else.
static FailureOr<SmallVector<int64_t>> zeroBorder(Value value) {
  auto pad = value.getDefiningOp<PadOp>();
  if (!pad || pad.getMode() != PadMode::Constant || !pad.getValue().isZero() || typeOf(value).getRank() != 4)
    return failure();
  ArrayRef<int64_t> low = pad.getLow(), high = pad.getHigh();
  if (low[0] || low[1] || high[0] || high[1])
    return failure();
  return SmallVector<int64_t>{low[2], high[2], low[3], high[3]};
}

static DenseI64ArrayAttr sum(PatternRewriter &rewriter, ArrayRef<int64_t> a, ArrayRef<int64_t> b) {
  SmallVector<int64_t> result;
  for (auto [x, y] : llvm::zip(a, b))
    result.push_back(x + y);
  return rewriter.getDenseI64ArrayAttr(result);
}

struct PadIntoConv : OpRewritePattern<Conv2dOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(Conv2dOp op, PatternRewriter &rewriter) const override {
    auto border = zeroBorder(op.getInput());
    if (failed(border))
      return failure();
    auto pad = op.getInput().getDefiningOp<PadOp>();
    rewriter.modifyOpInPlace(op, [&] {
      op.getInputMutable().assign(pad.getInput());
      op.setPaddingAttr(sum(rewriter, op.getPadding(), *border));
    });
    return success();
  }
};

/// Zeros before a mean count as its own padding does with `count_pad`. Rounding up may drop a last window by where the
/// input ends, so it stays.
struct PadIntoAvgPool : OpRewritePattern<AvgPoolOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(AvgPoolOp op, PatternRewriter &rewriter) const override {
    auto border = zeroBorder(op.getInput());
    bool unpadded = llvm::all_of(op.getPadding(), [](int64_t p) { return p == 0; });
    if (failed(border) || op.getCeil() || (!unpadded && !op.getCountPad()))
      return failure();
    DenseI64ArrayAttr padding = sum(rewriter, op.getPadding(), *border);
    for (int side = 0; side < 4; ++side)
      if (padding[side] >= op.getKernel()[side / 2])
        return failure();
    auto pad = op.getInput().getDefiningOp<PadOp>();
    rewriter.modifyOpInPlace(op, [&] {
      op.getInputMutable().assign(pad.getInput());
      op.setPaddingAttr(padding);
      op.setCountPad(true);
    });
    return success();
  }
};

template <typename Op> struct DropUnitPool : OpRewritePattern<Op> {
  using OpRewritePattern<Op>::OpRewritePattern;
  LogicalResult matchAndRewrite(Op op, PatternRewriter &rewriter) const override {
    auto ones = [](ArrayRef<int64_t> values) { return llvm::all_of(values, [](int64_t v) { return v == 1; }); };
    if (!ones(op.getKernel()) || !ones(op.getStrides()))
      return failure();
    rewriter.replaceOp(op, op.getInput());
    return success();
  }
};

/// The mean over rows and columns is a pooling, for which targets have kernels.
struct MeanToAvgPool : OpRewritePattern<ReduceOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(ReduceOp op, PatternRewriter &rewriter) const override {
    RankedTensorType type = typeOf(op.getInput());
    if (op.getKind() != ReduceKind::Mean || type.getRank() != 4 || op.getDims() != ArrayRef<int64_t>{2, 3})
      return failure();
    auto window = rewriter.getDenseI64ArrayAttr(type.getShape().drop_front(2));
    Value pooled = AvgPoolOp::create(rewriter, op.getLoc(), op.getInput(), window, window,
                                     rewriter.getDenseI64ArrayAttr({0, 0, 0, 0}), rewriter.getBoolAttr(false),
                                     rewriter.getBoolAttr(false), pathOf(op));
    int64_t batch = type.isDynamicDim(0) ? -1 : type.getDimSize(0);
    rewriter.replaceOpWithNewOp<ReshapeOp>(op, pooled, rewriter.getDenseI64ArrayAttr({batch, type.getDimSize(1)}),
                                           pathOf(op));
    return success();
  }
};

//===-- Element-wise ---------------------------------------------------------------------------------------------===//

constexpr double kInfinity = std::numeric_limits<double>::infinity();

/// The bounds that `op` forces its operand into, when that is all it does.
static std::optional<std::pair<double, double>> boundsOf(Operation *op) {
  if (isa<ReluOp>(op))
    return {{0, kInfinity}};
  if (auto clamp = dyn_cast<ClampOp>(op))
    return {{clamp.getMin().convertToDouble(), clamp.getMax().convertToDouble()}};
  return std::nullopt;
}

static void replaceByClamp(PatternRewriter &rewriter, Operation *op, Value input, double min, double max) {
  if (min == -kInfinity && max == kInfinity)
    rewriter.replaceOp(op, input);
  else if (min == 0 && max == kInfinity)
    rewriter.replaceOpWithNewOp<ReluOp>(op, input, pathOf(op));
  else
    rewriter.replaceOpWithNewOp<ClampOp>(op, input, rewriter.getF64FloatAttr(min), rewriter.getF64FloatAttr(max),
                                         pathOf(op));
}

/// max(x, c) and min(x, c) with a number c.
template <typename Op> struct BoundToClamp : OpRewritePattern<Op> {
  using OpRewritePattern<Op>::OpRewritePattern;
  LogicalResult matchAndRewrite(Op op, PatternRewriter &rewriter) const override {
    for (auto [value, bound] : {std::pair(op.getLhs(), op.getRhs()), std::pair(op.getRhs(), op.getLhs())}) {
      std::optional<double> number = splatOf(bound);
      if (!number || std::isnan(*number))
        continue;
      bool isMax = std::is_same_v<Op, MaxOp>;
      replaceByClamp(rewriter, op, value, isMax ? *number : -kInfinity, isMax ? kInfinity : *number);
      return success();
    }
    return failure();
  }
};

/// Two in a row are one where their intervals meet; where they don't, the result is a number, which is left alone.
template <typename Op> struct MergeClamps : OpRewritePattern<Op> {
  using OpRewritePattern<Op>::OpRewritePattern;
  LogicalResult matchAndRewrite(Op op, PatternRewriter &rewriter) const override {
    auto [min, max] = *boundsOf(op);
    if (min == -kInfinity && max == kInfinity) {
      rewriter.replaceOp(op, op.getInput());
      return success();
    }
    if (isa<ClampOp>(op) && min == 0 && max == kInfinity) {
      replaceByClamp(rewriter, op, op.getInput(), min, max);
      return success();
    }
    Operation *inner = op.getInput().getDefiningOp();
    auto innerBounds = inner ? boundsOf(inner) : std::nullopt;
    if (!innerBounds)
      return failure();
    double low = std::max(min, innerBounds->first), high = std::min(max, innerBounds->second);
    if (low > high)
      return failure();
    replaceByClamp(rewriter, op, inner->getOperand(0), low, high);
    return success();
  }
};

struct NegOfNeg : OpRewritePattern<NegOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(NegOp op, PatternRewriter &rewriter) const override {
    auto inner = op.getInput().getDefiningOp<NegOp>();
    if (!inner)
      return failure();
    rewriter.replaceOp(op, inner.getInput());
    return success();
  }
};

/// x * 1, x / 1, x - 0 and x + -0, where the number is broadcast to a batch, which folders don't see.
template <typename Op> struct DropNeutral : OpRewritePattern<Op> {
  using OpRewritePattern<Op>::OpRewritePattern;
  LogicalResult matchAndRewrite(Op op, PatternRewriter &rewriter) const override {
    auto isNeutral = [](Value value) {
      std::optional<double> number = splatOf(value);
      if (!number)
        return false;
      if (std::is_same_v<Op, MulOp> || std::is_same_v<Op, DivOp>)
        return *number == 1;
      return *number == 0 && std::signbit(*number) == std::is_same_v<Op, AddOp>;
    };
    bool commutes = std::is_same_v<Op, MulOp> || std::is_same_v<Op, AddOp>;
    Value kept = isNeutral(op.getRhs()) ? op.getLhs() : commutes && isNeutral(op.getLhs()) ? op.getRhs() : Value();
    if (!kept || kept.getType() != op.getType())
      return failure();
    rewriter.replaceOp(op, kept);
    return success();
  }
};

//===-- Batch ---------------------------------------------------------------------------------------------------===//

/// The size of the batch is asked of an input, which exists in any case and is the same for all who ask.
struct BatchSizeOfInput : OpRewritePattern<BatchSizeOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(BatchSizeOp op, PatternRewriter &rewriter) const override {
    auto function = op->getParentOfType<func::FuncOp>();
    if (!function || !typeOf(op.getInput()).isDynamicDim(0))
      return failure();
    for (BlockArgument argument : function.getArguments()) {
      auto type = dyn_cast<RankedTensorType>(argument.getType());
      if (argument == op.getInput())
        return failure();
      if (type && type.getRank() > 0 && type.isDynamicDim(0) &&
          type.getElementType() == op.getType().getElementType()) {
        rewriter.modifyOpInPlace(op, [&] { op.getInputMutable().assign(argument); });
        return success();
      }
    }
    return failure();
  }
};

//===-- Bias -----------------------------------------------------------------------------------------------------===//

/// The vector that `value` repeats along every dimension but 1, and that is known where `op` stands.
static Value channelVector(Value value, Operation *op) {
  auto broadcast = value.getDefiningOp<BroadcastOp>();
  if (!broadcast || typeOf(broadcast.getInput()).getRank() != 1 || broadcast.getDims() != ArrayRef<int64_t>{1} ||
      typeOf(broadcast.getInput()).getDimSize(0) != typeOf(value).getDimSize(1))
    return {};
  Value vector = broadcast.getInput();
  return DominanceInfo().properlyDominates(vector, op) ? vector : Value();
}

struct AddToBias : OpRewritePattern<AddOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(AddOp op, PatternRewriter &rewriter) const override {
    for (auto [sum, added] : {std::pair(op.getLhs(), op.getRhs()), std::pair(op.getRhs(), op.getLhs())}) {
      Operation *layer = sum.getDefiningOp();
      if (!layer || !isa<Conv2dOp, DenseOp>(layer) || layer->getNumOperands() != 2 || !layer->hasOneUse())
        continue;
      Value bias = channelVector(added, layer);
      if (!bias)
        continue;
      rewriter.modifyOpInPlace(layer, [&] { layer->insertOperands(2, bias); });
      rewriter.replaceOp(op, layer->getResults());
      return success();
    }
    return failure();
  }
};

struct Simplify : impl::SimplifyBase<Simplify> {
  using Base::Base;

  void runOnOperation() override {
    RewritePatternSet patterns(&getContext());
    patterns.add<ReshapeOfReshape, TransposeOfTranspose, SliceOfSlice, BroadcastOfBroadcast, FlattenConcat, PadIntoConv,
                 PadIntoAvgPool, DropUnitPool<MaxPoolOp>, DropUnitPool<AvgPoolOp>, MeanToAvgPool, BoundToClamp<MaxOp>,
                 BoundToClamp<MinOp>, MergeClamps<ReluOp>, MergeClamps<ClampOp>, NegOfNeg, DropNeutral<MulOp>,
                 DropNeutral<DivOp>, DropNeutral<SubOp>, DropNeutral<AddOp>, BatchSizeOfInput, AddToBias>(
        &getContext());
    if (failed(applyPatternsGreedily(getOperation(), std::move(patterns))))
      return signalPassFailure();
    for (func::FuncOp function : getOperation().getOps<func::FuncOp>())
      mergeEqual(function);
  }
};

} // namespace
} // namespace cnn
