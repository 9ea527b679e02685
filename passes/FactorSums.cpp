// Takes the sums of a backward pass apart where that saves a pass over memory (Passes.td has the rule). Stands after
// differentiation and simplification, which leave each sum as the derivative rules wrote it.
#include "ir/Recompute.h"
#include "ir/TensorBuilder.h"
#include "passes/Passes.h"

#include "llvm/ADT/SetVector.h"

using namespace mlir;

namespace cnn {
#define GEN_PASS_DEF_FACTORSUMS
#include "passes/Passes.h.inc"

namespace {

/// Terms of a sum that are looked at.
constexpr size_t kMaxTerms = 16;

RankedTensorType typeOf(Value value) { return cast<RankedTensorType>(value.getType()); }

/// What `value` repeats over `dims` and over nothing else, or a number that it repeats; null where it is neither.
Value repeatedOver(Value value, ArrayRef<int64_t> dims) {
  auto broadcast = value.getDefiningOp<BroadcastOp>();
  if (!broadcast)
    return {};
  Value input = broadcast.getInput();
  if (typeOf(input).getRank() == 0)
    return input;
  SmallVector<int64_t> kept;
  for (int64_t dim = 0; dim < typeOf(value).getRank(); ++dim)
    if (!llvm::is_contained(dims, dim))
      kept.push_back(dim);
  if (broadcast.getDims() != ArrayRef(kept))
    return {};
  for (auto [number, dim] : llvm::enumerate(kept))
    if (typeOf(input).getDimSize(number) != typeOf(value).getDimSize(dim))
      return {};
  return input;
}

/// What an operation computes from its operands. Of a path only draws depend.
NamedAttrList meaningOf(Operation *op) {
  NamedAttrList attributes(op->getAttrDictionary());
  attributes.erase(kRecomputedAttr);
  if (!isDraw(op))
    attributes.erase("path");
  return attributes;
}

/// Whether both are one value, or one is what `@recompute` made of the other: its mean is saved, not computed again.
bool areSame(Value a, Value b) {
  llvm::SetVector<std::pair<Value, Value>> pairs;
  pairs.insert({a, b});
  for (size_t next = 0; next < pairs.size(); ++next) {
    auto [x, y] = pairs[next];
    if (x == y)
      continue;
    Operation *one = x.getDefiningOp(), *other = y.getDefiningOp();
    if (!one || !other || one->getName() != other->getName() || one->getNumOperands() != other->getNumOperands() ||
        x.getType() != y.getType() || meaningOf(one) != meaningOf(other))
      return false;
    for (auto operands : llvm::zip(one->getOperands(), other->getOperands()))
      pairs.insert({std::get<0>(operands), std::get<1>(operands)});
  }
  return true;
}

/// Whether `value` is x less its mean over `dims`, so that it sums to 0.
bool isCentred(Value value, ArrayRef<int64_t> dims) {
  auto sub = value.getDefiningOp<SubOp>();
  Value repeated = sub ? repeatedOver(sub.getRhs(), dims) : Value();
  auto mean = repeated ? repeated.getDefiningOp<ReduceOp>() : ReduceOp();
  return mean && mean.getKind() == ReduceKind::Mean && mean.getDims() == dims && areSame(mean.getInput(), sub.getLhs());
}

/// A tensor times what is constant along the dimensions summed over.
struct Term {
  Value tensor;
  SmallVector<Value> factors;
  bool isNegative = false;
};

struct Terms {
  SmallVector<Term> all;
  bool anyVanished = false;
};

void collect(Value value, ArrayRef<int64_t> dims, Term outer, Terms &terms) {
  if (isCentred(value, dims)) {
    terms.anyVanished = true;
    return;
  }
  Operation *op = value.getDefiningOp();
  if (isa_and_nonnull<AddOp, SubOp>(op) && terms.all.size() < kMaxTerms) {
    collect(op->getOperand(0), dims, outer, terms);
    outer.isNegative ^= isa<SubOp>(op);
    return collect(op->getOperand(1), dims, outer, terms);
  }
  if (isa_and_nonnull<NegOp>(op)) {
    outer.isNegative ^= true;
    return collect(op->getOperand(0), dims, outer, terms);
  }
  if (isa_and_nonnull<MulOp>(op))
    for (int side : {0, 1})
      if (Value factor = repeatedOver(op->getOperand(side), dims)) {
        outer.factors.push_back(factor);
        return collect(op->getOperand(1 - side), dims, outer, terms);
      }
  outer.tensor = value;
  terms.all.push_back(std::move(outer));
}

/// Whether another sum like `sum` is of the term's tensor alone.
bool isSummed(const Term &term, ReduceOp sum) {
  return llvm::any_of(term.tensor.getUsers(), [&](Operation *user) {
    auto other = dyn_cast<ReduceOp>(user);
    return other && other != sum && other.getKind() == ReduceKind::Sum && other.getDims() == sum.getDims();
  });
}

struct FactorSums : impl::FactorSumsBase<FactorSums> {
  using Base::Base;

  void runOnOperation() override {
    for (auto function : getOperation().getOps<func::FuncOp>())
      for (Operation &op : llvm::make_early_inc_range(function.getBody().front()))
        if (auto sum = dyn_cast<ReduceOp>(op))
          factor(sum);
  }

private:
  static void factor(ReduceOp sum) {
    RankedTensorType full = typeOf(sum.getInput());
    // What is one for all images is small.
    if (sum.getKind() != ReduceKind::Sum || !llvm::is_contained(sum.getDims(), 0) || full.getRank() < 2 ||
        !isa<FloatType>(full.getElementType()))
      return;
    Terms terms;
    collect(sum.getInput(), sum.getDims(), {}, terms);
    if (terms.all.size() > 1 || (!terms.all.empty() && terms.all[0].tensor == sum.getInput()))
      return;
    // Else the product is as cheap within the sum.
    if (!terms.anyVanished && !isSummed(terms.all[0], sum))
      return;
    OpBuilder builder(sum);
    TensorBuilder b(builder, sum.getLoc(), getPath(sum));
    Value result;
    if (terms.all.empty()) {
      result = b.filled(0, sum.getResult());
    } else {
      const Term &term = terms.all[0];
      result = b.sum(term.tensor, sum.getDims());
      for (Value factor : term.factors)
        result = b.mul(result, typeOf(factor) == typeOf(result) ? factor : b.broadcastScalar(factor, result));
      if (term.isNegative)
        result = b.neg(result);
    }
    sum.replaceAllUsesWith(result);
    sum.erase();
  }
};

} // namespace
} // namespace cnn
