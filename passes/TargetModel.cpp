// The registry of target models.
#include "passes/TargetModel.h"

#include <mutex>

using namespace mlir;

namespace cnn {

bool isPacked(Value value) {
  auto argument = dyn_cast<BlockArgument>(value);
  auto function = argument ? dyn_cast_or_null<func::FuncOp>(argument.getOwner()->getParentOp()) : func::FuncOp();
  return function && function.getArgAttr(argument.getArgNumber(), kPackedAttr);
}

bool mayOverwrite(GroupOp group) { return !group.getAnchor() || group->hasAttr(kMayOverwriteAttr); }

bool isPerImage(Value value) {
  auto type = cast<RankedTensorType>(value.getType());
  if (type.getRank() == 0)
    return false;
  if (type.isDynamicDim(0))
    return true;
  Operation *owner = value.getParentBlock()->getParentOp();
  if (auto group = dyn_cast<GroupOp>(owner)) {
    if (auto argument = dyn_cast<BlockArgument>(value))
      return isPerImage(group.getInputs()[argument.getArgNumber()]);
    owner = group->getParentOp();
  }
  auto function = dyn_cast<func::FuncOp>(owner);
  if (!function || isPacked(value))
    return false;
  bool isBatch = false;
  for (BlockArgument argument : function.getArguments()) {
    auto input = cast<RankedTensorType>(argument.getType());
    if (!function.getArgAttr(argument.getArgNumber(), kInputAttr) || input.getRank() == 0)
      continue;
    if (input.isDynamicDim(0))
      return false;
    isBatch |= input.getDimSize(0) == type.getDimSize(0);
  }
  return isBatch;
}

namespace {
struct Registry {
  std::mutex mutex;
  std::vector<std::unique_ptr<TargetModel>> models;
};
} // namespace

static Registry &registry() {
  static Registry instance;
  return instance;
}

const TargetModel *findTargetModel(StringRef name) {
  std::lock_guard lock(registry().mutex);
  for (const std::unique_ptr<TargetModel> &model : registry().models)
    if (model->name() == name)
      return model.get();
  return nullptr;
}

void registerTargetModel(std::unique_ptr<TargetModel> model) {
  if (findTargetModel(model->name()))
    return;
  std::lock_guard lock(registry().mutex);
  registry().models.push_back(std::move(model));
}

SmallVector<StringRef> targetModelNames() {
  std::lock_guard lock(registry().mutex);
  SmallVector<StringRef> names;
  for (const std::unique_ptr<TargetModel> &model : registry().models)
    names.push_back(model->name());
  return names;
}

} // namespace cnn
