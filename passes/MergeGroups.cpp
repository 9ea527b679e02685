// See MergeGroups.h.
#include "passes/MergeGroups.h"

#include "ir/Recompute.h"
#include "passes/TargetModel.h"

#include "mlir/IR/IRMapping.h"
#include "llvm/ADT/SetVector.h"

using namespace mlir;

namespace cnn {
namespace {

RankedTensorType typeOf(Value value) { return cast<RankedTensorType>(value.getType()); }

/// Whether the group computes again what the forward pass had: joined with that one, it would only keep it.
bool computesAgain(Operation *op) { return getPath(op).ends_with(kAgainSuffix) || isRecomputed(op); }

bool isElementwiseGroup(Operation *op) {
  auto group = dyn_cast<GroupOp>(op);
  return group && !group.getAnchor();
}

/// Whether both groups compute something for the same elements.
bool haveOneShape(GroupOp a, GroupOp b) {
  Value first = a.getResult(0), second = b.getResult(0);
  return typeOf(first).getShape() == typeOf(second).getShape() && isPerImage(first) == isPerImage(second);
}

/// Joins `early` and `late`, which stand in this order.
class Merger {
public:
  Merger(GroupOp early, GroupOp late) : early(early), late(late) {}

  /// The joined group, or null when one cannot reach the other.
  GroupOp merge() {
    if (!sinks() && !rises())
      return nullptr;
    Operation *place = sinks() ? late : early;
    SmallVector<Value> yielded, replaced;
    for (GroupOp group : {early, late})
      for (Value result : group.getResults())
        if (llvm::any_of(result.getUsers(), [&](Operation *user) { return user != late; }))
          replaced.push_back(result);
    OpBuilder builder(place);
    auto joined = GroupOp::create(builder, early.getLoc(), ValueRange(replaced).getTypes(), ValueRange{},
                                  early.getPath(), early.getKind());
    IRMapping inside;
    for (GroupOp group : {early, late}) {
      for (auto [argument, input] : llvm::zip(group.getBlock().getArguments(), group.getInputs()))
        inside.map(argument, read(joined, input, inside));
      OpBuilder body = OpBuilder::atBlockEnd(&joined.getBlock());
      for (Operation &op : group.getBlock().without_terminator())
        body.clone(op, inside);
      for (auto [result, value] : llvm::zip(group.getResults(), group.getYield().getValues()))
        inside.map(result, inside.lookup(value));
    }
    for (Value result : replaced)
      yielded.push_back(inside.lookup(result));
    OpBuilder end = OpBuilder::atBlockEnd(&joined.getBlock());
    YieldOp::create(end, early.getLoc(), yielded);
    takeNotes(joined);
    for (auto [old, result] : llvm::zip(replaced, joined.getResults()))
      old.replaceAllUsesWith(result);
    late.erase();
    early.erase();
    return joined;
  }

private:
  /// Whether `early` can stand where `late` does.
  bool sinks() {
    return llvm::all_of(early->getUsers(),
                        [&](Operation *user) { return user == late || late->isBeforeInBlock(user); });
  }
  /// Whether `late` can stand where `early` does.
  bool rises() {
    return llvm::all_of(late.getInputs(), [&](Value input) {
      Operation *producer = input.getDefiningOp();
      return !producer || producer == early || producer->isBeforeInBlock(early);
    });
  }

  static Value read(GroupOp joined, Value input, IRMapping &inside) {
    if (Value known = inside.lookupOrNull(input))
      return known;
    joined->insertOperands(joined->getNumOperands(), input);
    Value argument = joined.getBlock().addArgument(input.getType(), input.getLoc());
    inside.map(input, argument);
    return argument;
  }

  /// Refusals that name the other group are none any more.
  void takeNotes(GroupOp joined) {
    llvm::SetVector<Attribute> notes;
    for (GroupOp group : {early, late})
      if (ArrayAttr own = group.getNotesAttr())
        for (Attribute note : own)
          if (!cast<StringAttr>(note).getValue().starts_with("elementwise \""))
            notes.insert(note);
    if (!notes.empty())
      joined.setNotesAttr(ArrayAttr::get(joined.getContext(), notes.getArrayRef()));
  }

  GroupOp early, late;
};

/// The shape that a group's element-wise operations have.
ArrayRef<int64_t> fullShape(GroupOp group) {
  auto reduce = dyn_cast_or_null<ReduceOp>(group.getAnchor());
  return typeOf(reduce ? reduce.getInput() : group.getResult(0)).getShape();
}

bool reduceAlike(Operation *op, GroupOp late) {
  auto early = dyn_cast<GroupOp>(op);
  if (!early || !isReductionGroup(early))
    return false;
  // A pass over memory cannot begin with what another one ends with.
  if (llvm::is_contained(early->getUsers(), late))
    return false;
  auto a = cast<ReduceOp>(early.getAnchor()), b = cast<ReduceOp>(late.getAnchor());
  return a.getDims() == b.getDims() && fullShape(early) == fullShape(late);
}

/// The group before `late` that it is joined with, as one group; null where there is none.
GroupOp mergeInto(GroupOp late) {
  llvm::SetVector<Operation *> candidates;
  auto consider = [&](Operation *op) {
    if (!op || op == late || op->getBlock() != late->getBlock() || !op->isBeforeInBlock(late) ||
        (computesAgain(late) && !computesAgain(op)))
      return;
    if (late.getAnchor() ? reduceAlike(op, late) : isElementwiseGroup(op) && haveOneShape(cast<GroupOp>(op), late))
      candidates.insert(op);
  };
  if (!late.getAnchor())
    for (Value input : late.getInputs())
      consider(input.getDefiningOp());
  for (Value input : late.getInputs())
    if (typeOf(input).getShape() == fullShape(late) && typeOf(input).getRank() > 0)
      for (Operation *user : input.getUsers())
        consider(user);
  for (Operation *candidate : candidates)
    if (GroupOp joined = Merger(cast<GroupOp>(candidate), late).merge())
      return joined;
  return nullptr;
}

} // namespace

bool isReductionGroup(GroupOp group) {
  auto first = dyn_cast_or_null<ReduceOp>(group.getAnchor());
  if (!first)
    return false;
  for (Operation &op : group.getBlock().without_terminator()) {
    auto reduce = dyn_cast<ReduceOp>(op);
    bool isSame = reduce && reduce.getDims() == first.getDims() &&
                  typeOf(reduce.getInput()).getShape() == typeOf(first.getInput()).getShape() &&
                  llvm::all_of(reduce->getUsers(), llvm::IsaPred<YieldOp>);
    if (!isSame && (reduce || !(isElementwise(&op) || isa<ConstantOp, BroadcastOp>(op))))
      return false;
  }
  return llvm::all_of(group.getYield().getValues(), [](Value value) { return bool(value.getDefiningOp<ReduceOp>()); });
}

static void mergeGroups(Block &body, llvm::function_ref<bool(Operation *)> takesPart) {
  bool changed = true;
  while (changed) {
    changed = false;
    for (Operation *op = &body.front(); !op->hasTrait<OpTrait::IsTerminator>(); op = op->getNextNode())
      if (takesPart(op))
        if (GroupOp joined = mergeInto(cast<GroupOp>(op))) {
          op = joined;
          changed = true;
        }
  }
}

void mergeElementwiseGroups(Block &body) { mergeGroups(body, isElementwiseGroup); }

void mergeReductionGroups(Block &body) {
  mergeGroups(body, [](Operation *op) {
    auto group = dyn_cast<GroupOp>(op);
    return group && isReductionGroup(group);
  });
}

} // namespace cnn
