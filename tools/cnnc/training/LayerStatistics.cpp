// The module that shows activations and gradients; LayerStatistics.h has the contract.
#include "tools/cnnc/training/LayerStatistics.h"

#include "passes/Gradients.h"

#include "llvm/ADT/MapVector.h"

using namespace mlir;

namespace cnn {

using host::makeError;
using host::Result;

constexpr llvm::StringLiteral kActivation = "activation:", kGradient = "gradient:";

/// A copy of a step as elaborated that has activations and gradients as its outputs and changes nothing; null where
/// something has no gradient, which has been reported.
static OwningOpRef<ModuleOp> showInside(ModuleOp original) {
  OwningOpRef<ModuleOp> module(original.clone());
  auto step = module->lookupSymbol<func::FuncOp>(kStepFunction);
  auto terminator = cast<func::ReturnOp>(step.front().getTerminator());
  llvm::DenseMap<Value, StringRef> names;
  for (BlockArgument argument : step.getArguments())
    if (auto tie = step.getArgAttrOfType<FlatSymbolRefAttr>(argument.getArgNumber(), kStateAttr))
      names[argument] = tie.getValue();
  // A layer of several operations is its last one.
  Builder builder(module->getContext());
  llvm::MapVector<StringAttr, Value> outputs;
  for (Operation &op : step.front().without_terminator()) {
    if (getPath(&op).empty() || op.getNumResults() != 1 || isa<BroadcastOp>(op))
      continue;
    auto type = cast<RankedTensorType>(op.getResult(0).getType());
    if (type.getElementType().isF32() && type.getRank() > 1 && type.isDynamicDim(0))
      outputs[builder.getStringAttr(kActivation + getPath(&op))] = op.getResult(0);
  }
  SmallVector<MinimizeOp> minimizations(step.getOps<MinimizeOp>());
  for (MinimizeOp op : minimizations) {
    OpBuilder before(op);
    auto gradients = buildGradients(before, op.getLoss(), llvm::to_vector(op.getParameters()));
    if (failed(gradients))
      return nullptr;
    for (auto [parameter, gradient] : llvm::zip_equal(op.getParameters(), *gradients))
      outputs[builder.getStringAttr(kGradient + names.lookup(parameter))] = gradient;
    op.replaceAllUsesWith(op.getParameters());
    op.erase();
  }
  terminator.getOperandsMutable().clear();
  if (failed(step.eraseResults(llvm::BitVector(step.getNumResults(), true))))
    return nullptr;
  for (const auto &[name, value] : outputs) {
    auto attribute = builder.getDictionaryAttr(builder.getNamedAttr(kOutputAttr, name));
    if (failed(step.insertResult(step.getNumResults(), value.getType(), attribute)))
      return nullptr;
    terminator.getOperandsMutable().append(value);
  }
  return module;
}

Result<std::unique_ptr<LayerStatistics>> LayerStatistics::create(const TrainingProgram &program,
                                                                 const StepModule *augment, const TargetChoice &choice,
                                                                 bool exact, int threads) {
  OwningOpRef<ModuleOp> shown = showInside(*program.step);
  if (!shown)
    return makeError("--statistics: the gradients of '{}' cannot be shown", program.name);
  auto module = StepModule::create(*shown, choice, exact);
  if (!module)
    return module.error();
  std::unique_ptr<LayerStatistics> result(new LayerStatistics(std::move(*module)));
  auto binding = BatchBinding::create(*result->module, program.inputs, augment);
  if (!binding)
    return binding.error();
  result->binding = std::move(*binding);
  auto state = result->module->newState();
  if (!state)
    return state.error();
  result->state = std::move(*state);
  auto session = result->module->open(kSamples, threads, &*result->state);
  if (!session)
    return session.error();
  result->session = std::move(*session);
  result->call = std::make_unique<StepCall>(*result->module, kSamples);
  return result;
}

Result<std::vector<host::LayerStatistics>> LayerStatistics::measure(const StateBlock &from, const host::Batch &batch,
                                                                    uint64_t seed) {
  (void)state->copyByName(from);
  call->setHyper("seed", static_cast<int64_t>(seed));
  call->setHyper("step", batch.step);
  if (auto done = call->run(*session, std::min(batch.count, kSamples), binding.data(batch)); !done)
    return done.error();
  std::vector<host::LayerStatistics> layers;
  for (size_t i = 0; i < module->outputs().size(); ++i) {
    StringRef name = module->outputs()[i].name;
    bool isGradient = name.consume_front(kGradient);
    name.consume_front(kActivation);
    if (const StateVariable *variable = isGradient ? state->find(name) : nullptr) {
      host::LayerStatistics weight{name.str(), "weight", {}};
      weight.figures.add(state->view(*variable));
      layers.push_back(std::move(weight));
    }
    host::LayerStatistics layer{name.str(), isGradient ? "gradient" : "activation", {}};
    layer.figures.add(call->output(i));
    layers.push_back(std::move(layer));
  }
  return layers;
}

} // namespace cnn
