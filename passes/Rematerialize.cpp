// See Rematerialize.h.
#include "passes/Rematerialize.h"

#include "ir/Recompute.h"
#include "passes/MergeGroups.h"
#include "passes/TargetModel.h"

#include "mlir/IR/IRMapping.h"
#include "llvm/ADT/SetVector.h"

using namespace mlir;

namespace cnn {
namespace {

/// Operations of a chain that is computed again, and tensors that it may read.
constexpr size_t kMaxOperations = 6;
constexpr int64_t kMaxReadsOfReductions = 3;

RankedTensorType typeOf(Value value) { return cast<RankedTensorType>(value.getType()); }

/// A group that computes something from its operands by element, or sums that.
bool takesChains(Operation *op) {
  auto group = dyn_cast<GroupOp>(op);
  return group && (!group.getAnchor() || isReductionGroup(group));
}

bool isBackward(Operation *op) { return isa<GroupOp>(op) && isBackwardPath(getPath(op)); }

bool isCheap(Operation *op) {
  return isa<AddOp, SubOp, MulOp, NegOp, AbsOp, MaxOp, MinOp, ReluOp, StepOp, ClampOp, ConvertOp>(op);
}

/// What a result of a group is computed from by element-wise operations.
struct Chain {
  llvm::SetVector<Operation *> operations; ///< In the order of the group, copied ones included.
  llvm::SetVector<Value> reads;            ///< The group's operands, and other results of it.
  size_t cost = 0;
  int64_t tensors = 0; ///< Operands of the full shape.
  bool isCheap = true;
};

/// The anchor's value and what depends on it.
llvm::DenseSet<Value> valuesFromAnchor(GroupOp group) {
  llvm::DenseSet<Value> values;
  Operation *anchor = group.getAnchor();
  if (!anchor)
    return values;
  for (Operation &op : group.getBlock().without_terminator())
    if (&op == anchor || llvm::any_of(op.getOperands(), [&](Value operand) { return values.contains(operand); }))
      values.insert(op.result_begin(), op.result_end());
  return values;
}

Chain chainOf(GroupOp group, unsigned result) {
  Chain chain;
  // An anchor is not computed twice: a chain begins at other results that come from it.
  ValueRange yielded = group.getYield().getValues();
  Value computed = yielded[result];
  llvm::DenseSet<Value> anchored = valuesFromAnchor(group);
  auto isOtherResult = [&](Value value) {
    return value != computed && anchored.contains(value) && llvm::is_contained(yielded, value);
  };
  llvm::SetVector<Value> needed;
  needed.insert(computed);
  for (size_t next = 0; next < needed.size(); ++next)
    if (Operation *op = needed[next].getDefiningOp(); op && !isOtherResult(needed[next])) {
      chain.isCheap &= op != group.getAnchor();
      needed.insert(op->operand_begin(), op->operand_end());
    }
  ArrayRef<int64_t> full = typeOf(group.getResult(result)).getShape();
  for (Operation &op : group.getBlock().without_terminator()) {
    if (!needed.contains(op.getResult(0)) || isOtherResult(op.getResult(0)))
      continue;
    chain.operations.insert(&op);
    if (!isElementwise(&op))
      continue;
    ++chain.cost;
    chain.isCheap &= isCheap(&op);
  }
  for (Value value : needed) {
    Value read;
    if (auto argument = dyn_cast<BlockArgument>(value))
      read = group.getInputs()[argument.getArgNumber()];
    else if (isOtherResult(value))
      read = group.getResult(std::distance(yielded.begin(), llvm::find(yielded, value)));
    if (read && chain.reads.insert(read) && typeOf(read).getShape() == full)
      ++chain.tensors;
  }
  return chain;
}

/// Whether the backward pass's group reads the value in its epilogue alone, which can compute the chain there.
bool takesInEpilogue(Operation *op, Value value, const Chain &chain, const TargetModel &model) {
  auto group = dyn_cast<GroupOp>(op);
  if (!group || !isBackward(group) || !group.getAnchor() || isReductionGroup(group))
    return false;
  for (auto [input, argument] : llvm::zip(group.getInputs(), group.getBlock().getArguments()))
    if (input == value && !llvm::all_of(argument.getUsers(), [](Operation *user) { return isElementwise(user); }))
      return false;
  std::string why;
  return llvm::all_of(chain.operations,
                      [&](Operation *part) { return isa<ConstantOp>(part) || model.fusesInto(group, part, why); });
}

/// Whether all who read the result should compute it themselves.
bool pays(Value value, const Chain &chain, const TargetModel &model) {
  if (!chain.isCheap || chain.cost > kMaxOperations || value.use_empty())
    return false;
  bool onlyReductions = true;
  for (Operation *user : value.getUsers()) {
    if (!takesChains(user) && !takesInEpilogue(user, value, chain, model))
      return false;
    onlyReductions &= isReductionGroup(cast<GroupOp>(user));
  }
  return chain.tensors <= (onlyReductions ? kMaxReadsOfReductions : 1);
}

/// Makes `user` compute `value` itself.
void inlineChain(GroupOp producer, unsigned result, const Chain &chain, GroupOp user) {
  IRMapping inside;
  auto read = [&](Value within, Value outside) {
    if (!chain.reads.contains(outside))
      return;
    auto known = llvm::find(user.getInputs(), outside);
    if (known != user.getInputs().end()) {
      inside.map(within, user.getBlock().getArgument(std::distance(user.getInputs().begin(), known)));
      return;
    }
    user->insertOperands(user->getNumOperands(), outside);
    inside.map(within, user.getBlock().addArgument(outside.getType(), outside.getLoc()));
  };
  for (auto [argument, input] : llvm::zip(producer.getBlock().getArguments(), producer.getInputs()))
    read(argument, input);
  for (auto [value, other] : llvm::zip(producer.getYield().getValues(), producer.getResults()))
    read(value, other);
  OpBuilder builder = OpBuilder::atBlockBegin(&user.getBlock());
  if (user.getAnchor() && !isReductionGroup(user))
    builder.setInsertionPointAfter(user.getAnchor());
  for (Operation *op : chain.operations)
    builder.clone(*op, inside);
  Value computed = inside.lookup(producer.getYield().getValues()[result]);
  for (unsigned operand = user->getNumOperands(); operand-- > 0;)
    if (user.getInputs()[operand] == producer.getResult(result)) {
      user.getBlock().getArgument(operand).replaceAllUsesWith(computed);
      user.getBlock().eraseArgument(operand);
      user->eraseOperand(operand);
    }
}

/// A group before `place` that computes `value` again.
GroupOp repeatChain(GroupOp producer, unsigned result, const Chain &chain, Operation *place) {
  Value yielded = producer.getYield().getValues()[result];
  StringRef path = getPath(yielded.getDefiningOp());
  OpBuilder builder(place);
  auto again =
      GroupOp::create(builder, producer.getLoc(), TypeRange{producer.getResult(result).getType()}, ValueRange{},
                      ((path.empty() ? producer.getPath() : path) + kAgainSuffix).str(), producer.getKind());
  IRMapping inside;
  for (auto [argument, input] : llvm::zip(producer.getBlock().getArguments(), producer.getInputs()))
    if (chain.reads.contains(input) && !inside.contains(argument)) {
      again->insertOperands(again->getNumOperands(), input);
      inside.map(argument, again.getBlock().addArgument(input.getType(), input.getLoc()));
    }
  builder.setInsertionPointToEnd(&again.getBlock());
  for (Operation *op : chain.operations)
    builder.clone(*op, inside);
  YieldOp::create(builder, producer.getLoc(), inside.lookup(yielded));
  return again;
}

/// The last group of the backward pass that reads the value, or null.
Operation *lastBackwardReader(Value value) {
  Operation *last = nullptr;
  for (Operation *user : value.getUsers())
    if (isBackward(user) && (!last || last->isBeforeInBlock(user)))
      last = user;
  return last;
}

/// Whether a concatenation, which may hold the value in place, is kept for the backward pass.
bool isKeptInConcat(Value value) {
  return llvm::any_of(value.getUsers(), [](Operation *user) {
    auto group = dyn_cast<GroupOp>(user);
    return group && isa_and_nonnull<ConcatOp>(group.getAnchor()) && lastBackwardReader(group.getResult(0));
  });
}

/// Lets the backward pass compute a result of the forward pass again where that is from one tensor that it keeps
/// anyway.
void dropSaved(GroupOp group, unsigned result, const TargetModel &model) {
  Value value = group.getResult(result);
  Operation *last = lastBackwardReader(value);
  if (!last || isKeptInConcat(value) ||
      llvm::none_of(value.getUsers(), [](Operation *user) { return !isBackward(user); }))
    return;
  Chain chain = chainOf(group, result);
  if (!chain.isCheap || chain.cost > kMaxOperations || chain.tensors != 1)
    return;
  for (Value read : chain.reads) {
    Operation *kept = lastBackwardReader(read);
    bool isArgument = isa<BlockArgument>(read);
    if (typeOf(read).getShape() == typeOf(value).getShape() && !isArgument && (!kept || kept->isBeforeInBlock(last)))
      return;
  }
  llvm::SetVector<Operation *> users(value.user_begin(), value.user_end());
  SmallVector<GroupOp> others;
  for (Operation *user : users) {
    if (!isBackward(user))
      continue;
    if (takesChains(user) || takesInEpilogue(user, value, chain, model))
      inlineChain(group, result, chain, cast<GroupOp>(user));
    else
      others.push_back(cast<GroupOp>(user));
  }
  if (others.empty())
    return;
  llvm::sort(others, [](GroupOp a, GroupOp b) { return a->isBeforeInBlock(b); });
  GroupOp again = repeatChain(group, result, chain, others.front());
  for (GroupOp user : others)
    user->replaceUsesOfWith(value, again.getResult(0));
}

/// Drops results that nothing reads, and operations and operands that only they needed.
void prune(GroupOp group) {
  SmallVector<Value> kept, yielded;
  for (auto [result, value] : llvm::zip(group.getResults(), group.getYield().getValues()))
    if (!result.use_empty()) {
      kept.push_back(result);
      yielded.push_back(value);
    }
  if (kept.size() == group->getNumResults())
    return;
  if (kept.empty())
    return group.erase();
  OpBuilder builder(group);
  auto pruned = GroupOp::create(builder, group.getLoc(), ValueRange(kept).getTypes(), ValueRange{}, group.getPath(),
                                group.getKind());
  pruned->setOperands(group->getOperands());
  pruned.getBody().takeBody(group.getBody());
  pruned.getYield()->setOperands(yielded);
  if (ArrayAttr notes = group.getNotesAttr())
    pruned.setNotesAttr(notes);
  for (auto [old, result] : llvm::zip(kept, pruned.getResults()))
    old.replaceAllUsesWith(result);
  group.erase();
  for (Operation &op : llvm::make_early_inc_range(llvm::reverse(pruned.getBlock())))
    if (op.use_empty() && !op.hasTrait<OpTrait::IsTerminator>())
      op.erase();
  for (unsigned operand = pruned->getNumOperands(); operand-- > 0;)
    if (pruned.getBlock().getArgument(operand).use_empty()) {
      pruned.getBlock().eraseArgument(operand);
      pruned->eraseOperand(operand);
    }
}

/// Lets all who read a result compute it, where that pays; whether that changed anything.
bool spread(GroupOp group, const TargetModel &model) {
  bool changed = false;
  for (unsigned result = 0; result < group->getNumResults(); ++result) {
    Chain chain = chainOf(group, result);
    if (!pays(group.getResult(result), chain, model))
      continue;
    for (Operation *user :
         llvm::SetVector<Operation *>(group.getResult(result).user_begin(), group.getResult(result).user_end()))
      inlineChain(group, result, chain, cast<GroupOp>(user));
    changed = true;
  }
  prune(group);
  return changed;
}

} // namespace

void rematerialize(Block &body, const TargetModel &model) {
  // What a group computes by itself now, another may have kept in memory for it alone.
  for (bool changed = true; changed;) {
    changed = false;
    for (Operation &op : llvm::make_early_inc_range(body))
      if (auto group = dyn_cast<GroupOp>(op);
          group && isPerImage(group.getResult(0)) && typeOf(group.getResult(0)).getRank() > 1)
        changed |= spread(group, model);
  }
  for (Operation &op : llvm::make_early_inc_range(llvm::reverse(body))) {
    auto group = dyn_cast<GroupOp>(op);
    if (!group || group.getAnchor() || isBackward(group) || !isPerImage(group.getResult(0)))
      continue;
    for (unsigned result = 0; result < group->getNumResults(); ++result)
      dropSaved(group, result, model);
  }
  mergeReductionGroups(body);
}

} // namespace cnn
