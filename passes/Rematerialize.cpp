// See Rematerialize.h.
#include "passes/Rematerialize.h"

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

/// What depends on the group's anchor.
llvm::DenseSet<Value> afterAnchor(GroupOp group) {
  llvm::DenseSet<Value> values;
  Operation *anchor = group.getAnchor();
  for (Operation &op : group.getBlock().without_terminator())
    if (&op == anchor || llvm::any_of(op.getOperands(), [&](Value operand) { return values.contains(operand); }))
      values.insert(op.result_begin(), op.result_end());
  return values;
}

Chain chainOf(GroupOp group, unsigned result) {
  Chain chain;
  llvm::SetVector<Value> needed;
  ValueRange yielded = group.getYield().getValues();
  // What a convolution gives is not computed twice: a chain begins at another result.
  llvm::DenseSet<Value> anchored = afterAnchor(group);
  auto isResult = [&](Value value) { return anchored.contains(value) && llvm::is_contained(yielded, value); };
  needed.insert(yielded[result]);
  for (size_t next = 0; next < needed.size(); ++next)
    if (Operation *op = needed[next].getDefiningOp()) {
      chain.isCheap &= op != group.getAnchor();
      if (next == 0 || !isResult(needed[next]))
        needed.insert(op->operand_begin(), op->operand_end());
    }
  ArrayRef<int64_t> full = typeOf(group.getResult(result)).getShape();
  for (Operation &op : group.getBlock().without_terminator()) {
    Value value = op.getResult(0);
    if (!needed.contains(value) || (value != needed[0] && isResult(value)))
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
    else if (value != needed[0] && isResult(value))
      read = group.getResult(std::distance(yielded.begin(), llvm::find(yielded, value)));
    if (read && chain.reads.insert(read) && typeOf(read).getShape() == full)
      ++chain.tensors;
  }
  return chain;
}

/// Whether all who read the result should compute it themselves.
bool pays(Value value, const Chain &chain) {
  if (!chain.isCheap || chain.cost > kMaxOperations || value.use_empty())
    return false;
  bool onlyReductions = true;
  for (Operation *user : value.getUsers()) {
    if (!takesChains(user))
      return false;
    onlyReductions &= bool(cast<GroupOp>(user).getAnchor());
  }
  return chain.tensors <= (onlyReductions ? kMaxReadsOfReductions : 1);
}

/// Makes `user` compute `value` itself.
void inlineChain(GroupOp producer, unsigned result, const Chain &chain, GroupOp user) {
  IRMapping inside;
  auto read = [&](Value known, Value outside) {
    if (!chain.reads.contains(outside))
      return;
    auto operand = llvm::find(user.getInputs(), outside);
    if (operand != user.getInputs().end()) {
      inside.map(known, user.getBlock().getArgument(std::distance(user.getInputs().begin(), operand)));
      return;
    }
    user->insertOperands(user->getNumOperands(), outside);
    inside.map(known, user.getBlock().addArgument(outside.getType(), outside.getLoc()));
  };
  for (auto [argument, input] : llvm::zip(producer.getBlock().getArguments(), producer.getInputs()))
    read(argument, input);
  for (auto [known, outside] : llvm::zip(producer.getYield().getValues(), producer.getResults()))
    read(known, outside);
  OpBuilder builder = OpBuilder::atBlockBegin(&user.getBlock());
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

} // namespace

/// Whether any result is computed by others now.
static bool rematerialize(GroupOp group) {
  bool changed = false;
  for (unsigned result = 0; result < group->getNumResults(); ++result) {
    Chain chain = chainOf(group, result);
    if (!pays(group.getResult(result), chain))
      continue;
    for (Operation *user :
         llvm::SetVector<Operation *>(group.getResult(result).user_begin(), group.getResult(result).user_end()))
      inlineChain(group, result, chain, cast<GroupOp>(user));
    changed = true;
  }
  prune(group);
  return changed;
}

void rematerialize(Block &body) {
  // What a group computes by itself now another may have kept in memory for it alone.
  bool changed = true;
  while (changed) {
    changed = false;
    for (Operation &op : llvm::make_early_inc_range(body))
      if (auto group = dyn_cast<GroupOp>(op);
          group && isPerImage(group.getResult(0)) && typeOf(group.getResult(0)).getRank() > 1)
        changed |= rematerialize(group);
  }
  mergeReductionGroups(body);
}

} // namespace cnn
