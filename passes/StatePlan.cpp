// See StatePlan.h.
#include "passes/StatePlan.h"

using namespace mlir;

namespace cnn {

llvm::MapVector<Attribute, int64_t> stateOffsets(func::FuncOp run) {
  llvm::MapVector<Attribute, int64_t> offsets;
  int64_t next = 0;
  for (BlockArgument argument : run.getArguments())
    if (Attribute variable = run.getArgAttr(argument.getArgNumber(), kStateAttr)) {
      offsets[variable] = next;
      next += llvm::alignTo(storedBytes(cast<RankedTensorType>(argument.getType()), /*whole=*/true), 64);
    }
  return offsets;
}

BlockArgument stateArgument(func::FuncOp run, Attribute variable) {
  for (BlockArgument argument : run.getArguments())
    if (run.getArgAttr(argument.getArgNumber(), kStateAttr) == variable)
      return argument;
  return {};
}

} // namespace cnn
