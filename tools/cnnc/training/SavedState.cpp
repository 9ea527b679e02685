// State to and from files; SavedState.h has the contract.
#include "tools/cnnc/training/SavedState.h"

#include "ir/StepBatch.h"
#include "ir/reference/InitialState.h"
#include "ir/reference/Materialize.h"

#include "llvm/ADT/StringSet.h"

#include <cstring>

using namespace mlir;

namespace cnn {

using host::makeError;
using host::NamedTensor;
using host::Result;
using host::SafetensorsFile;
using host::TensorView;

static RankedTensorType typeOf(Operation *state) {
  return cast<RankedTensorType>(state->getAttrOfType<TypeAttr>("type").getValue());
}

/// Stores the file's tensor, converted, as the variable's value; its name is the first of `names` that the file has,
/// alone or after the network's and a dot. Returns what is wrong with it, or an empty string.
static std::string load(StateBlock &state, const StateVariable &variable, RankedTensorType type,
                        const SafetensorsFile &file, ArrayRef<std::string> names, const std::string &network) {
  const TensorView *view = nullptr;
  std::string name = names.front();
  for (const std::string &known : names)
    for (const std::string &full : {known, network + "." + known})
      if (!view && (view = file.find(full)))
        name = full;
  if (!view) {
    std::vector<std::string> near = file.closestNames(name, 1);
    return fmt::format("no tensor {} ({}){}", host::inQuotes(name), host::shapeText(variable.shape),
                       near.empty() ? "" : "; did you mean " + host::inQuotes(near.front()) + "?");
  }
  if (view->shape != variable.shape)
    return fmt::format("tensor {} is {}, but the network wants {}", host::inQuotes(name), host::shapeText(view->shape),
                       host::shapeText(variable.shape));
  std::vector<char> bytes = reference::materialize(type, reference::Tensor(view->shape, view->toDoubles()));
  std::memcpy(state.bytesOf(variable).data(), bytes.data(), bytes.size());
  return "";
}

Result<void> initializeState(StateBlock &state, ModuleOp step, const TrainingProgram &program, uint64_t seed,
                             const std::string &weightsFile) {
  reference::InitialState initial(step, seed, reference::Start::Training);
  llvm::StringMap<Operation *> declarations;
  for (Operation &op : *step.getBody())
    if (isState(&op))
      declarations[SymbolTable::getSymbolName(&op)] = &op;
  for (const StateVariable &variable : state.variables()) {
    RankedTensorType type = typeOf(declarations[variable.name]);
    auto value = initial(variable.name, type);
    if (failed(value))
      return makeError("there is no initial value for '{}'", variable.name);
    std::vector<char> bytes = reference::materialize(type, *value);
    std::memcpy(state.bytesOf(variable).data(), bytes.data(), bytes.size());
  }
  auto fill = [&](const SafetensorsFile &file, const std::string &path, StringRef variable, const std::string &network,
                  ArrayRef<std::string> known) -> Result<void> {
    const StateVariable *found = state.find(variable);
    std::string problem = found ? load(state, *found, typeOf(declarations[variable]), file, known, network) : "";
    if (!problem.empty())
      return makeError("{}: {}", path, problem);
    return {};
  };
  for (const InitialWeights &from : program.initial) {
    auto file = SafetensorsFile::open(from.path);
    if (!file)
      return makeError("{}: {}", from.place, file.error().message);
    for (const InitialWeights::Tensor &tensor : from.tensors) {
      StringRef path = tensor.state;
      for (const TrainingNetwork &network : program.networks)
        if (network.name == from.network)
          path.consume_front(network.prefix);
      if (auto done = fill(*file, from.path, tensor.state, from.network, {tensor.name, path.str()}); !done)
        return makeError("{}: {}", from.place, done.error().message);
    }
  }
  if (!weightsFile.empty()) {
    auto file = SafetensorsFile::open(weightsFile);
    if (!file)
      return file.error();
    for (const TrainingNetwork &network : program.networks)
      for (const std::string &name : network.state) {
        std::vector<std::string> known = {name};
        if (auto mapped = declarations[name]->getAttrOfType<StringAttr>("source_name"))
          known.push_back(mapped.str());
        if (auto done = fill(*file, weightsFile, name, network.name, known); !done)
          return done.error();
      }
  }
  for (const MovingAverage &average : program.averages)
    for (const MovingAverage::Variable &pair : average.variables) {
      const StateVariable *to = state.find(pair.average), *from = state.find(pair.state);
      if (to && from)
        std::memcpy(state.bytesOf(*to).data(), state.bytesOf(*from).data(), static_cast<size_t>(from->bytes));
    }
  return {};
}

std::vector<NamedTensor> allTensors(const StateBlock &state) {
  std::vector<NamedTensor> tensors;
  for (const StateVariable &variable : state.variables())
    tensors.push_back({variable.name, state.view(variable)});
  return tensors;
}

std::vector<host::ExpectedTensor> expectedTensors(const StateBlock &state) {
  std::vector<host::ExpectedTensor> tensors;
  for (const StateVariable &variable : state.variables())
    tensors.push_back({variable.name, variable.dtype, variable.shape});
  return tensors;
}

void restoreState(StateBlock &state, const SafetensorsFile &file) {
  for (const StateVariable &variable : state.variables()) {
    const TensorView *view = file.find(variable.name);
    std::memcpy(state.bytesOf(variable).data(), view->bytes.data(), view->bytes.size());
  }
}

/// The variable that holds the average of each variable that has one.
static llvm::StringMap<std::string> averagesOf(const TrainingProgram &program) {
  llvm::StringMap<std::string> averages;
  for (const MovingAverage &average : program.averages)
    for (const MovingAverage::Variable &pair : average.variables)
      averages[pair.state] = pair.average;
  return averages;
}

std::vector<NamedTensor> weightTensors(const StateBlock &state, const TrainingProgram &program) {
  llvm::StringMap<std::string> averages = averagesOf(program);
  std::vector<NamedTensor> tensors;
  llvm::StringSet<> known; // what a network and one that it calls both have
  for (const TrainingNetwork &network : program.networks)
    for (const std::string &name : network.state) {
      if (!known.insert(name).second)
        continue;
      auto average = averages.find(name);
      const StateVariable *variable = state.find(average == averages.end() ? name : average->second);
      if (variable)
        tensors.push_back({name, state.view(*variable)});
    }
  return tensors;
}

void copyForEvaluation(StateBlock &evaluation, const StateBlock &state, const TrainingProgram &program) {
  (void)evaluation.copyByName(state);
  for (const auto &entry : averagesOf(program)) {
    const StateVariable *to = evaluation.find(entry.getKey()), *from = state.find(entry.getValue());
    if (to && from)
      std::memcpy(evaluation.bytesOf(*to).data(), state.view(*from).bytes.data(), static_cast<size_t>(to->bytes));
  }
}

Result<void> setState(StateBlock &state, const StepModule &evaluate, const Weights &weights) {
  for (const StateVariable &variable : state.variables()) {
    RankedTensorType type = typeOf(evaluate.module().lookupSymbol(variable.name));
    auto value = weights(variable.name, type);
    if (failed(value))
      return makeError("there is no value for '{}'", variable.name);
    std::vector<char> bytes = reference::materialize(type, *value);
    std::memcpy(state.bytesOf(variable).data(), bytes.data(), bytes.size());
  }
  return {};
}

Result<std::vector<std::string>> classNamesOf(const std::string &weightsFile) {
  auto file = SafetensorsFile::open(weightsFile);
  if (!file)
    return file.error();
  auto names = host::classNamesOf(file->metadata());
  if (!names)
    return makeError("{}: {}", weightsFile, names.error().message);
  return names;
}

Result<std::optional<host::PixelScale>> pixelsOf(const std::string &weightsFile) {
  auto file = SafetensorsFile::open(weightsFile);
  if (!file)
    return file.error();
  auto found = file->metadata().find("pixels");
  if (found == file->metadata().end())
    return std::optional<host::PixelScale>();
  if (found->second != "unit" && found->second != "raw")
    return makeError("{}: 'pixels' in the metadata is {} (expected unit or raw)", weightsFile,
                     host::inQuotes(found->second));
  return std::optional(found->second == "raw" ? host::PixelScale::Raw : host::PixelScale::Unit);
}

std::string programHash(const TrainingProgram &program) {
  std::string text;
  llvm::raw_string_ostream stream(text);
  // The batch changes how the step is computed, not what.
  OwningOpRef<ModuleOp> step = cast<ModuleOp>(ModuleOp(*program.step)->clone());
  step->walk([](func::FuncOp function) { function->removeAttr(kStepBatchAttr); });
  step->print(stream, OpPrintingFlags());
  return host::hashText(text);
}

} // namespace cnn
