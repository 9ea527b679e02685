// Moves groups so that those which compute image by image follow one another (Passes.td has the rule): lowering then
// runs them together, a few images at a time. Stands after scheduling, which adds the groups that pack weights, and
// before memory is planned.
#include "passes/Passes.h"
#include "passes/TargetModel.h"

using namespace mlir;

namespace cnn {
#define GEN_PASS_DEF_ORDERGROUPS
#include "passes/Passes.h.inc"

namespace {

bool isByImage(GroupOp group) { return llvm::all_of(group.getResults(), isPerImage); }

bool reads(GroupOp group, GroupOp producer) {
  return llvm::any_of(group.getInputs(), [&](Value input) { return input.getDefiningOp() == producer; });
}

/// The first of the groups right before `group` that go by images, or not, as said; null where there is none or where
/// `group` reads a result of one of them.
GroupOp runBefore(GroupOp group, bool byImage) {
  GroupOp first;
  for (Operation *op = group->getPrevNode(); op; op = op->getPrevNode()) {
    auto before = dyn_cast<GroupOp>(op);
    if (!before || isByImage(before) != byImage)
      break;
    if (reads(group, before))
      return {};
    first = before;
  }
  return first;
}

/// What may not change its place: it would change the time at which a variable of a step gets its new value.
bool isReturned(GroupOp group) { return llvm::any_of(group->getUsers(), llvm::IsaPred<func::ReturnOp>); }

struct OrderGroups : impl::OrderGroupsBase<OrderGroups> {
  using Base::Base;

  void runOnOperation() override {
    auto run = getOperation().lookupSymbol<func::FuncOp>(kRunFunction);
    if (!run) {
      getOperation().emitError() << "there is no function @" << kRunFunction << " to order: hoist makes it";
      return signalPassFailure();
    }
    for (GroupOp group : llvm::to_vector(run.getBody().front().getOps<GroupOp>())) {
      bool byImage = isByImage(group);
      // The operands of what a convolution is moved before would live longer.
      if (isReturned(group) ||
          (byImage &&
           isa_and_nonnull<Conv2dOp, WinogradConv2dOp, Conv2dTransposeOp, DenseOp, MatmulOp>(group.getAnchor())))
        continue;
      GroupOp first = runBefore(group, !byImage);
      Operation *neighbour = first ? first->getPrevNode() : nullptr;
      // Among others of its kind, or at least out of the way of those that go by images.
      if (first && (!byImage || isa_and_nonnull<GroupOp>(neighbour)))
        group->moveBefore(first);
    }
  }
};

} // namespace
} // namespace cnn
