// The two modules and their calls; Accumulation.h has the contract.
#include "tools/cnnc/training/Accumulation.h"

#include "passes/Gradients.h"

#include <cstring>

using namespace mlir;

namespace cnn {

using host::makeError;
using host::Result;

constexpr llvm::StringLiteral kGradient = "gradient:", kMean = "accumulated.";

static func::FuncOp stepOf(ModuleOp module) { return module.lookupSymbol<func::FuncOp>(kStepFunction); }

static DictionaryAttr named(Builder builder, StringRef attribute, Attribute value) {
  return builder.getDictionaryAttr(builder.getNamedAttr(attribute, value));
}

/// The state that each argument of the function is.
static llvm::DenseMap<Value, StringRef> stateOf(func::FuncOp step) {
  llvm::DenseMap<Value, StringRef> names;
  for (BlockArgument argument : step.getArguments())
    if (auto tie = step.getArgAttrOfType<FlatSymbolRefAttr>(argument.getArgNumber(), kStateAttr))
      names[argument] = tie.getValue();
  return names;
}

/// The step without its update, the gradients being outputs; null where something has no gradient, which has been
/// reported.
static OwningOpRef<ModuleOp> gradientsOf(ModuleOp original) {
  OwningOpRef<ModuleOp> module(original.clone());
  func::FuncOp step = stepOf(*module);
  llvm::DenseMap<Value, StringRef> names = stateOf(step);
  MinimizeOp minimize = *step.getOps<MinimizeOp>().begin();
  SmallVector<Value> parameters(minimize.getParameters());
  OpBuilder builder(minimize);
  auto gradients = buildGradients(builder, minimize.getLoss(), parameters);
  if (failed(gradients))
    return nullptr;
  // What is given back unchanged is no result.
  auto terminator = cast<func::ReturnOp>(step.front().getTerminator());
  llvm::BitVector unchanged(step.getNumResults());
  for (unsigned i = 0; i < step.getNumResults(); ++i)
    if (terminator.getOperand(i).getDefiningOp() == minimize)
      unchanged.set(i);
  minimize.replaceAllUsesWith(parameters);
  minimize.erase();
  terminator->eraseOperands(unchanged);
  if (failed(step.eraseResults(unchanged)))
    return nullptr;
  // Outputs stand before state.
  unsigned place = 0;
  while (place < step.getNumResults() && step.getResultAttr(place, kOutputAttr))
    ++place;
  for (auto [parameter, gradient] : llvm::zip_equal(parameters, *gradients)) {
    auto name = builder.getStringAttr(kGradient + names.lookup(parameter));
    if (failed(step.insertResult(place, gradient.getType(), named(builder, kOutputAttr, name))))
      return nullptr;
    terminator->insertOperands(place++, gradient);
  }
  return module;
}

/// The update alone, from gradients that are slots: the gradient of the sum of parameters times those.
static OwningOpRef<ModuleOp> updateOf(ModuleOp original) {
  OwningOpRef<ModuleOp> module(original.clone());
  func::FuncOp old = stepOf(*module);
  llvm::DenseMap<Value, StringRef> names = stateOf(old);
  MinimizeOp minimize = *old.getOps<MinimizeOp>().begin();
  auto rate = cast<BlockArgument>(minimize.getRate());
  OpBuilder builder(old);
  auto symbol = [&](StringRef name) { return FlatSymbolRefAttr::get(builder.getContext(), name); };
  SmallVector<Type> arguments = {rate.getType()}, results;
  SmallVector<DictionaryAttr> argumentAttrs = {old.getArgAttrDict(rate.getArgNumber())}, resultAttrs;
  for (BlockArgument argument : old.getArguments())
    if (names.contains(argument)) {
      arguments.push_back(argument.getType());
      argumentAttrs.push_back(old.getArgAttrDict(argument.getArgNumber()));
    }
  for (Value parameter : minimize.getParameters()) {
    std::string name = (kMean + names.lookup(parameter)).str();
    SlotOp::create(builder, old.getLoc(), name, TensorBuilder::typeOf(parameter), InitAttr(), StringAttr());
    arguments.push_back(parameter.getType());
    argumentAttrs.push_back(named(builder, kStateAttr, symbol(name)));
    results.push_back(parameter.getType());
    resultAttrs.push_back(named(builder, kStateAttr, symbol(names.lookup(parameter))));
  }
  auto step = func::FuncOp::create(builder, old.getLoc(), kStepFunction, builder.getFunctionType(arguments, results),
                                   ArrayRef<NamedAttribute>(), argumentAttrs);
  step.setAllResultAttrs(resultAttrs);
  Block *body = step.addEntryBlock();
  llvm::StringMap<Value> state;
  for (auto [argument, name] : stateOf(step))
    state[name] = argument;
  builder.setInsertionPointToStart(body);
  TensorBuilder b(builder, minimize.getLoc(), "accumulated");
  SmallVector<Value> parameters;
  Value sum;
  for (Value parameter : minimize.getParameters()) {
    Value own = state[names.lookup(parameter)];
    parameters.push_back(own);
    Value product = b.mul(own, state[(kMean + names.lookup(parameter)).str()]);
    if (cast<RankedTensorType>(own.getType()).getRank() > 0)
      product = b.sum(product);
    sum = sum ? b.add(sum, product) : product;
  }
  Operation *update = builder.clone(*minimize);
  update->setOperands([&] {
    SmallVector<Value> operands = {sum};
    operands.append(parameters);
    operands.push_back(body->getArgument(0));
    return operands;
  }());
  func::ReturnOp::create(builder, minimize.getLoc(), update->getResults());
  old.erase();
  return module;
}

Result<std::unique_ptr<Accumulation>> Accumulation::create(const TrainingProgram &program, const TargetChoice &choice,
                                                           bool exact) {
  func::FuncOp step = stepOf(*program.step);
  if (llvm::range_size(step.getOps<MinimizeOp>()) != 1)
    return makeError("--accumulate is for blocks with one minimize and one learning rate");
  if (!program.averages.empty())
    return makeError("--accumulate is not for blocks with averages (ema)");
  OwningOpRef<ModuleOp> gradients = gradientsOf(*program.step);
  if (!gradients)
    return makeError("--accumulate: the gradients of '{}' cannot be computed apart", program.name);
  OwningOpRef<ModuleOp> update = updateOf(*program.step);
  std::unique_ptr<Accumulation> result(new Accumulation());
  for (auto [module, into] :
       {std::pair(*gradients, &result->gradientModule), std::pair(*update, &result->updateModule)}) {
    auto made = StepModule::create(module, choice, exact);
    if (!made)
      return made.error();
    *into = std::move(*made);
  }
  for (const std::string &parameter : program.minimizations.front().parameters) {
    std::optional<size_t> output = result->gradientModule->output((kGradient + parameter).str());
    if (!output)
      continue;
    result->summed.push_back({*output, (kMean + parameter).str(), {}});
    const TensorInfo &info = result->gradientModule->outputs()[*output];
    result->summed.back().sum.assign(static_cast<size_t>(*host::elementCount(info.shape)), 0.0);
  }
  return result;
}

Result<void> Accumulation::open(int64_t maxBatch, int threads, StateBlock &whole) {
  state = &whole;
  auto own = gradientModule->newState();
  if (!own)
    return own.error();
  gradientState = std::move(*own);
  auto first = gradientModule->open(maxBatch, threads, &*gradientState);
  if (!first)
    return first.error();
  auto second = updateModule->open(1, threads, state);
  if (!second)
    return second.error();
  gradientSession = std::move(*first);
  updateSession = std::move(*second);
  gradientCall = std::make_unique<StepCall>(*gradientModule, maxBatch);
  updatingCall = std::make_unique<StepCall>(*updateModule, 1);
  return {};
}

Result<void> Accumulation::add(int64_t batch, ArrayRef<const void *> inputs) {
  (void)gradientState->copyByName(*state);
  if (auto done = gradientCall->run(*gradientSession, batch, inputs); !done)
    return done.error();
  // The batch's statistics; the parameters are what they were.
  (void)state->copyByName(*gradientState);
  for (Gradient &gradient : summed) {
    std::vector<float> values = gradientCall->output(gradient.output).toFloats();
    for (size_t i = 0; i < values.size(); ++i)
      gradient.sum[i] += static_cast<double>(values[i]) * static_cast<double>(batch);
  }
  samples += static_cast<double>(batch);
  return {};
}

Result<std::string> Accumulation::findNotFinite(int64_t batch, ArrayRef<const void *> inputs) {
  (void)gradientState->copyByName(*state);
  return gradientCall->findNotFinite(*gradientSession, batch, inputs);
}

Result<void> Accumulation::step() {
  for (Gradient &gradient : summed) {
    auto *mean = reinterpret_cast<float *>(state->bytesOf(*state->find(gradient.slot)).data());
    for (size_t i = 0; i < gradient.sum.size(); ++i)
      mean[i] = static_cast<float>(gradient.sum[i] / samples);
    std::fill(gradient.sum.begin(), gradient.sum.end(), 0.0);
  }
  samples = 0;
  return updatingCall->run(*updateSession, 1, {});
}

} // namespace cnn
