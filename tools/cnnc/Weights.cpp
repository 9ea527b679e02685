// Finds, checks and draws the values of a network's state; Weights.h has the contract.
#include "tools/cnnc/Weights.h"

using namespace mlir;

namespace cnn {
namespace {

using host::makeError;
using host::Result;

RankedTensorType typeOf(Operation *state) {
  return cast<RankedTensorType>(state->getAttrOfType<TypeAttr>("type").getValue());
}

/// The name in weights files.
std::string sourceName(Operation *state) {
  auto name = state->getAttrOfType<StringAttr>("source_name");
  return (name ? name : SymbolTable::getSymbolName(state)).str();
}

/// The name that `state` has in the file: a name map's or else its path (a network with a map also loads what was saved
/// by path), either after the network's name or not. Empty when the file has none of them.
std::string nameIn(const host::SafetensorsFile &file, Operation *state) {
  auto module = state->getParentOfType<ModuleOp>();
  for (const std::string &name : {sourceName(state), SymbolTable::getSymbolName(state).str()}) {
    if (file.find(name))
      return name;
    std::string qualified = (module.getSymName().value_or("") + "." + name).str();
    if (file.find(qualified))
      return qualified;
  }
  return "";
}

/// What is wrong with the file's tensor for `state`, or an empty string.
std::string problemWith(const host::SafetensorsFile &file, Operation *state) {
  std::string shape = host::shapeText(typeOf(state).getShape()), found = nameIn(file, state);
  if (found.empty()) {
    std::string name = sourceName(state);
    std::vector<std::string> near = file.closestNames(name, 1);
    return fmt::format("no tensor {} ({}){}", host::inQuotes(name), shape,
                       near.empty() ? "" : "; did you mean " + host::inQuotes(near.front()) + "?");
  }
  const host::TensorView *view = file.find(found);
  if (ArrayRef(view->shape) != typeOf(state).getShape())
    return fmt::format("tensor {} is {}, but the network wants {}", host::inQuotes(found), host::shapeText(view->shape),
                       shape);
  switch (view->dtype) {
  case host::DType::F16:
  case host::DType::BF16:
  case host::DType::F32:
  case host::DType::F64:
    return "";
  default:
    return fmt::format("tensor {} has elements of {}; weights are floating-point numbers", host::inQuotes(found),
                       host::dtypeName(view->dtype));
  }
}

} // namespace

void WeightOptions::declare(CommandLine &line) {
  line.text("weights", "FILE", file, "a safetensors file with the network's parameters by path");
  line.seed("random-weights", "SEED", seed, "draw the parameters at random instead");
  line.exclude("weights", "random-weights");
}

Result<Weights> Weights::open(ModuleOp network, const WeightOptions &options) {
  Weights weights;
  SmallVector<Operation *> states;
  for (Operation &op : *network.getBody())
    if (isa<ParamOp, StatisticOp>(op))
      states.push_back(&op);
  if (!options.file.empty() && options.seed)
    return makeError("--weights and --random-weights exclude each other");
  if (options.seed) {
    weights.drawn.emplace(network, *options.seed, reference::Start::Random);
    return weights;
  }
  if (options.file.empty()) {
    if (states.empty())
      return weights;
    return makeError("the network has parameters: give --weights FILE or --random-weights SEED");
  }
  auto file = host::SafetensorsFile::open(options.file);
  if (!file)
    return file.error();
  size_t problems = 0;
  std::string first;
  for (Operation *state : states)
    if (std::string problem = problemWith(*file, state); !problem.empty() && problems++ == 0)
      first = std::move(problem);
  if (problems == 1)
    return makeError("{}: {}", options.file, first);
  if (problems > 1)
    return makeError("{}: {} ({} more {} missing, or of another shape or type)", options.file, first, problems - 1,
                     problems == 2 ? "tensor is" : "tensors are");
  weights.file = std::move(*file);
  for (Operation *state : states)
    weights.tensors[SymbolTable::getSymbolName(state)] = weights.file->find(nameIn(*weights.file, state));
  return weights;
}

llvm::FailureOr<reference::Tensor> Weights::operator()(StringRef name, RankedTensorType type) const {
  if (drawn)
    return (*drawn)(name, type);
  auto found = tensors.find(name);
  if (found == tensors.end())
    return failure();
  return reference::Tensor(found->second->shape, found->second->toDoubles());
}

} // namespace cnn
