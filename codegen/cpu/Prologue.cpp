// See Prologue.h.
#include "codegen/cpu/Prologue.h"

#include "mlir/IR/IRMapping.h"
#include "llvm/ADT/SetVector.h"
#include "llvm/Support/FormatVariadic.h"

using namespace mlir;

namespace cnn::cpu {

/// The operations that `values` depend on, in the order of the body.
static SmallVector<Operation *> operationsOf(GroupOp group, ArrayRef<Value> values) {
  SmallPtrSet<Operation *, 16> needed;
  SmallVector<Value> open(values);
  while (!open.empty())
    if (Operation *op = open.pop_back_val().getDefiningOp(); op && needed.insert(op).second)
      llvm::append_range(open, op->getOperands());
  SmallVector<Operation *> ordered;
  for (Operation &op : group.getBlock())
    if (needed.contains(&op))
      ordered.push_back(&op);
  return ordered;
}

std::string Prologue::whyNot(GroupOp group, ArrayRef<Value> values, RankedTensorType full) {
  auto isStoredOtherwise = [&](Value value) {
    auto type = cast<RankedTensorType>(value.getType());
    return isa<BlockArgument>(value) && type.getShape() == full.getShape() && getLayout(type) != getLayout(full);
  };
  for (Value value : values)
    if (isStoredOtherwise(value))
      return "inputs have different layouts";
  for (Operation *op : operationsOf(group, values)) {
    if (!isElementwise(op) && !isa<ConstantOp, BroadcastOp>(op))
      return llvm::formatv("{0} is no element-wise operation", op->getName());
    if (std::string why = EpilogueEmitter::whyNot(op, full); !why.empty())
      return why;
    if (llvm::any_of(op->getOperands(), isStoredOtherwise))
      return "inputs have different layouts";
  }
  return {};
}

Prologue::Prologue(GroupOp group, ArrayRef<Value> values, RankedTensorType full, EpilogueEmitter::Lanes lanes)
    : inputs(group->getNumOperands()) {
  // Without operands, so that the uses of the group's inputs stay as they are.
  OpBuilder builder(group.getContext());
  SmallVector<Type> types(values.size(), full);
  body = GroupOp::create(builder, group.getLoc(), types, ValueRange{}, group.getPath(), group.getKind());
  IRMapping inside;
  for (BlockArgument argument : group.getBlock().getArguments())
    inside.map(argument, body->getBlock().addArgument(argument.getType(), argument.getLoc()));
  builder.setInsertionPointToEnd(&body->getBlock());
  for (Operation *op : operationsOf(group, values))
    builder.clone(*op, inside);
  YieldOp::create(builder, group.getLoc(),
                  llvm::map_to_vector(values, [&](Value value) { return inside.lookup(value); }));
  emitter.emplace(*body, lanes);
}

SmallVector<Value> Prologue::images(KernelBuilder &b, Value image) const {
  // The stride of what all images share is 0.
  SmallVector<Value> addresses;
  for (size_t input = 0; input < inputs; ++input)
    addresses.push_back(b.imageOf(input, image));
  return addresses;
}

} // namespace cnn::cpu
