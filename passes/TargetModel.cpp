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
