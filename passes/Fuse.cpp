// Makes groups, the units of scheduling: an anchor and the element-wise operations after it (Passes.td has the rule).
//
// Before: @run of plain operations. After: @run of groups and a return. Stands after hoist, so that a group holds what
// runs for each image, and before layouts, which belong to what groups exchange.
#include "ir/Recompute.h"
#include "passes/MergeGroups.h"
#include "passes/Passes.h"
#include "passes/Rematerialize.h"

#include "mlir/IR/IRMapping.h"
#include "llvm/ADT/SetVector.h"
#include "llvm/Support/FormatVariadic.h"

using namespace mlir;

namespace cnn {
#define GEN_PASS_DEF_FUSE
#include "passes/Passes.h.inc"

namespace {

RankedTensorType typeOf(Value value) { return cast<RankedTensorType>(value.getType()); }

/// Input channels up to which a convolution is a first layer, which reads its input as the user gives it.
constexpr int64_t kFirstConvChannels = 4;

StringRef kindOf(Operation *op) {
  if (isElementwise(op))
    return "elementwise";
  if (auto conv = dyn_cast<Conv2dOp>(op)) {
    int64_t channels = typeOf(conv.getInput()).getDimSize(1), outputs = typeOf(conv.getResult()).getDimSize(1);
    if (conv.getGroups() > 1)
      return static_cast<int64_t>(conv.getGroups()) == channels && channels == outputs ? "depthwise" : "conv2d";
    return channels <= kFirstConvChannels ? "first_conv" : "conv2d";
  }
  if (isa<DenseOp, MaxPoolOp, AvgPoolOp, SoftmaxOp, ConcatOp>(op))
    return op->getName().stripDialect();
  return isa<ReshapeOp, RelayoutOp>(op) ? "copy" : "generic";
}

/// What is copied into the groups that read it. A step is of a value that is stored anyway, as another operand of the
/// backward pass.
bool isCopied(Operation *op) { return isa_and_nonnull<ConstantOp, BroadcastOp, StepOp>(op); }

std::string nameOf(Operation *op) {
  StringRef kind = op->getName().stripDialect(), path = getPath(op);
  if (auto group = dyn_cast<GroupOp>(op))
    kind = group.getKind();
  return path.empty() ? kind.str() : llvm::formatv("{0} \"{1}\"", kind, path).str();
}

/// A group in the making. Its values, as the function sees them, are known inside under `inside`.
class Growing {
public:
  Growing(Operation *first, const TargetModel &model) : model(model) {
    OpBuilder builder(first);
    StringRef path = getPath(first).empty() ? first->getName().stripDialect() : getPath(first);
    group = GroupOp::create(builder, first->getLoc(), TypeRange{}, ValueRange{}, path, kindOf(first));
    OpBuilder body = OpBuilder::atBlockEnd(&group.getBlock());
    YieldOp::create(body, first->getLoc(), ValueRange{});
    take(first, group);
  }

  void grow() {
    SmallVector<std::pair<Operation *, std::string>> refused;
    bool changed = true;
    while (changed) {
      changed = false;
      refused.clear();
      for (Operation *user : users()) {
        std::string why = isElementwise(user) ? whyNot(user) : "is computed on its own";
        if (why.empty()) {
          take(user, sinks(user) ? user : group);
          changed = true;
          break;
        }
        refused.emplace_back(user, why);
      }
    }
    SmallVector<Attribute> notes;
    for (const auto &[user, why] : refused)
      notes.push_back(StringAttr::get(group.getContext(), nameOf(user) + ": " + why));
    if (!notes.empty())
      group.setNotesAttr(ArrayAttr::get(group.getContext(), notes));
  }

private:
  /// Who reads a result, in the order of the function, but for the return.
  SmallVector<Operation *> users() {
    llvm::SmallSetVector<Operation *, 4> set;
    for (Operation *user : group->getUsers())
      if (!isa<func::ReturnOp>(user) && !isCopied(user))
        set.insert(user);
    SmallVector<Operation *> users = set.takeVector();
    llvm::sort(users, [](Operation *a, Operation *b) { return a->isBeforeInBlock(b); });
    return users;
  }

  /// The operands of `op` that the group would have to read, looking through what is copied into groups.
  SmallVector<Value> reads(Operation *op) {
    SmallVector<Value> result;
    for (Value operand : op->getOperands()) {
      Operation *producer = operand.getDefiningOp();
      if (producer == group)
        continue;
      if (isCopied(producer))
        llvm::append_range(result, reads(producer));
      else
        result.push_back(operand);
    }
    return result;
  }

  /// Whether the group must move down to `op` to take it, as another operand is computed after the group.
  bool sinks(Operation *op) {
    return llvm::any_of(reads(op), [&](Value value) {
      Operation *producer = value.getDefiningOp();
      return producer && group->isBeforeInBlock(producer);
    });
  }

  std::string whyNot(Operation *op) {
    if (isRecomputed(op) && !isRecomputed(group))
      return "computes again, in the backward pass, what the group has";
    // What a gradient makes of the forward pass alone is not worth to be saved beside that.
    if (isBackwardPath(getPath(op)) && !isBackwardPath(group.getPath()) &&
        llvm::any_of(users(), [](Operation *user) { return !isBackwardPath(getPath(user)); }))
      return "is of the backward pass";
    for (Value operand : op->getOperands())
      if (auto broadcast = operand.getDefiningOp<BroadcastOp>()) {
        if (broadcast.getInput().getDefiningOp() == group)
          return "broadcasts a result of the group";
        if (std::string why; !model.fusesInto(group, broadcast, why))
          return why;
      }
    if (sinks(op))
      for (Operation *user : group->getUsers())
        if (user->isBeforeInBlock(op))
          return llvm::formatv("its other operand is computed after {0} reads the result", nameOf(user));
    std::string why;
    return model.fusesInto(group, op, why) ? "" : why.empty() ? "the target declines" : why;
  }

  Value inside(Value value) {
    Value &known = insideOf[value];
    if (known)
      return known;
    Operation *producer = value.getDefiningOp();
    if (isCopied(producer)) {
      Value copy = clone(producer);
      return insideOf[value] = copy;
    }
    group->insertOperands(group->getNumOperands(), value);
    return known = group.getBlock().addArgument(value.getType(), value.getLoc());
  }

  Value clone(Operation *op) {
    SmallVector<Value> operands;
    for (Value operand : op->getOperands())
      operands.push_back(inside(operand));
    IRMapping none;
    Operation *copy = op->cloneWithoutRegions(none);
    copy->setOperands(operands);
    OpBuilder(group.getYield()).insert(copy);
    return copy->getResult(0);
  }

  /// Moves `op` into the group, which then stands before `place`.
  void take(Operation *op, Operation *place) {
    insideOf[op->getResult(0)] = clone(op);
    // Results are what is read outside.
    SmallVector<Value> outside, yielded;
    auto consider = [&](Value value) {
      if (llvm::all_of(value.getUsers(), [&](Operation *user) { return user == op; }))
        return;
      outside.push_back(value);
      yielded.push_back(insideOf.lookup(value));
    };
    for (Value result : group.getResults())
      consider(result);
    consider(op->getResult(0));

    OpBuilder builder(place);
    auto grown = GroupOp::create(builder, group.getLoc(), ValueRange(yielded).getTypes(), ValueRange{}, group.getPath(),
                                 group.getKind());
    grown->setOperands(group->getOperands());
    grown.getBody().takeBody(group.getBody());
    grown.getYield()->setOperands(yielded);
    for (auto [value, result] : llvm::zip(outside, grown.getResults())) {
      value.replaceUsesWithIf(result, [&](OpOperand &use) { return use.getOwner() != op; });
      insideOf[result] = insideOf.lookup(value);
    }
    op->erase();
    group.erase();
    group = grown;
  }

  const TargetModel &model;
  GroupOp group;
  llvm::DenseMap<Value, Value> insideOf;
};

struct Fuse : impl::FuseBase<Fuse> {
  using Base::Base;

  void runOnOperation() override {
    auto run = getOperation().lookupSymbol<func::FuncOp>(kRunFunction);
    const TargetModel *model = findTargetModel(target);
    if (!run || !model) {
      if (!run)
        getOperation().emitError() << "there is no function @" << kRunFunction << " to fuse: hoist makes it";
      else
        getOperation().emitError() << "there is no target '" << target << "'";
      return signalPassFailure();
    }
    Block &body = run.getBody().front();
    eraseUnused(body);
    // What is returned must be the result of a group.
    auto isGroupOfItsOwn = [](Operation *op) { return llvm::any_of(op->getUsers(), llvm::IsaPred<func::ReturnOp>); };
    // Anchors before what stands between them, so that an operation joins the group that saves most.
    for (Operation *op = &body.front(); !op->hasTrait<OpTrait::IsTerminator>();) {
      Operation *next = op->getNextNode();
      if (!isa<GroupOp>(op) && !isElementwise(op) && (!isCopied(op) || isGroupOfItsOwn(op)))
        next = fuse(op, *model);
      op = next;
    }
    while (Operation *op = firstElementwise(body))
      fuse(op, *model);
    eraseUnused(body);
    mergeElementwiseGroups(body);
    // In a step what is kept for the backward pass is most of the memory.
    if (!getOperation().lookupSymbol(kPrepareFunction)) {
      rematerialize(body, *model);
      mergeElementwiseGroups(body);
    }
  }

private:
  /// Makes the group of `op`; returns what stood after it, or after what the group took next to it.
  Operation *fuse(Operation *op, const TargetModel &model) {
    // A mark that is erased again keeps the place while operations around it vanish.
    OpBuilder builder(op->getContext());
    builder.setInsertionPointAfter(op);
    Operation *mark = ConstantOp::create(builder, op->getLoc(),
                                         DenseElementsAttr::get(RankedTensorType::get({}, builder.getF32Type()), 0.0f));
    Growing(op, model).grow();
    Operation *next = mark->getNextNode();
    mark->erase();
    return next;
  }

  static Operation *firstElementwise(Block &body) {
    Operation *copied = nullptr;
    for (Operation &op : body) {
      if (isElementwise(&op) && !isCopied(&op))
        return &op;
      if (isElementwise(&op) && !op.use_empty() && !copied)
        copied = &op;
    }
    // Only groups that were made before read it.
    return copied;
  }

  static void eraseUnused(Block &body) {
    for (Operation &op : llvm::make_early_inc_range(llvm::reverse(body)))
      if (op.use_empty() && !op.hasTrait<OpTrait::IsTerminator>())
        op.erase();
  }
};

} // namespace
} // namespace cnn
