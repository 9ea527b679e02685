// See Recompute.h. Regions are gone through from the last to the first: what a later one reads, copies included, is
// then known when the earlier ones that compute it decide what to save.
#include "passes/Recompute.h"

#include "ir/Recompute.h"
#include "passes/TargetModel.h"

#include "mlir/IR/IRMapping.h"
#include "llvm/ADT/MapVector.h"
#include "llvm/ADT/SetVector.h"

using namespace mlir;

namespace cnn {
namespace {

Attribute regionOf(Operation *op) { return op->getAttr(kRecomputeAttr); }

class Region {
public:
  Region(Attribute number, Operation *firstBackward, Operation *end)
      : number(number), firstBackward(firstBackward), end(end) {}

  /// Copies stand as late as they can: before the first gradient that needs them.
  void recompute() {
    for (OpOperand *use : usesOfOwnGradients()) {
      OpBuilder builder(use->getOwner());
      for (Operation *op : missingFor(use->get())) {
        Operation *copy = builder.clone(*op, copies);
        copy->removeAttr(kRecomputeAttr);
        copy->setAttr(kRecomputedAttr, number);
        if (!isDraw(op) && !getPath(op).empty())
          setPath(copy, (getPath(op) + kAgainSuffix).str());
      }
      use->set(copies.lookup(use->get()));
    }
  }

private:
  bool isBackward(Operation *op) const { return op->isBeforeInBlock(end) && !op->isBeforeInBlock(firstBackward); }

  /// Whether the value is computed in the region and not saved.
  bool isInside(Value value) const {
    Operation *op = value.getDefiningOp();
    if (!op || regionOf(op) != number || !op->isBeforeInBlock(firstBackward) || op->hasAttr(kKeepAttr) ||
        isa<MinimizeOp>(op) || !isPerImage(value))
      return false;
    return llvm::none_of(value.getUsers(),
                         [&](Operation *user) { return isBackward(user) && regionOf(user) != number; });
  }

  /// In the order of the backward pass.
  SmallVector<OpOperand *> usesOfOwnGradients() const {
    SmallVector<OpOperand *> uses;
    for (Operation *op = firstBackward; op != end; op = op->getNextNode())
      if (regionOf(op) == number)
        for (OpOperand &operand : op->getOpOperands())
          if (isInside(operand.get()))
            uses.push_back(&operand);
    return uses;
  }

  /// The operations that compute the value again and have no copy yet, in order.
  SmallVector<Operation *> missingFor(Value value) {
    llvm::SetVector<Value> values;
    values.insert(value);
    SmallVector<Operation *> operations;
    for (size_t next = 0; next < values.size(); ++next) {
      if (copies.contains(values[next]))
        continue;
      operations.push_back(values[next].getDefiningOp());
      for (Value operand : operations.back()->getOperands())
        if (isInside(operand))
          values.insert(operand);
    }
    llvm::sort(operations, [](Operation *a, Operation *b) { return a->isBeforeInBlock(b); });
    return operations;
  }

  Attribute number;
  Operation *firstBackward, *end;
  IRMapping copies;
};

} // namespace

bool isBackwardPath(StringRef path) {
  return path.ends_with(kGradientSuffix) || path.contains(".grad.") || path.ends_with(kAgainSuffix);
}

bool isRecomputed(Operation *op) {
  if (auto group = dyn_cast<GroupOp>(op))
    return llvm::any_of(group.getBlock(), [](Operation &inner) { return inner.hasAttr(kRecomputedAttr); });
  return op->hasAttr(kRecomputedAttr);
}

void recomputeRegions(Operation *firstBackward, Operation *end) {
  llvm::SetVector<Attribute> regions;
  for (Operation *op = firstBackward->getPrevNode(); op; op = op->getPrevNode())
    if (Attribute number = regionOf(op))
      regions.insert(number);
  for (Attribute number : regions)
    Region(number, firstBackward, end).recompute();
}

} // namespace cnn
