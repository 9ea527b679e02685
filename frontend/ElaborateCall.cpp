// Calls: what a name in call position means, labels and paths, blocks, networks, shared layers.
#include "frontend/Elaborator.h"

#include "frontend/ForeignNames.h"
#include "frontend/LayerCall.h"
#include "frontend/TrainElaborator.h"

#include <algorithm>
#include <cmath>

namespace cnn {
using namespace ast;

/// A tuple is several operands.
void Elaborator::spread(const Value &value, SourceRange range, std::vector<CallArgument> &into) {
  if (const Tuple *tuple = value.get<Tuple>()) {
    for (const Value &element : (*tuple)->elements)
      into.push_back({{}, range, element});
    return;
  }
  into.push_back({{}, range, value});
}

bool Elaborator::evaluateArguments(const std::vector<Argument> &arguments, std::vector<CallArgument> &into) {
  bool fine = true;
  for (const Argument &argument : arguments) {
    Value value = evaluate(argument.value);
    if (value.is<Nothing>())
      value = error(argument.value->range, "this has no value");
    fine &= !value.isPoison();
    if (argument.name.text.empty())
      spread(value, argument.value->range, into);
    else
      into.push_back({argument.name, argument.value->range, std::move(value)});
  }
  return fine;
}

//===-- Paths
//--------------------------------------------------------------------------------------------------------------===//

bool Elaborator::claim(const std::string &path, SourceRange range, bool replay) {
  if (path.size() > kMaxText) {
    error(range, "a path has at most " + std::to_string(kMaxText) + " bytes");
    return false;
  }
  auto [known, fresh] = claimed.try_emplace(path, range);
  if (fresh || replay)
    return true;
  error(range, "two parts of the network have the path '" + path + "'", {{known->second, "the first"}});
  return false;
}

std::string Elaborator::ordinalPath(llvm::StringRef kind, SourceRange range) {
  PathScope *paths = frame->paths;
  if (!paths) {
    error(range, "layers are applied in networks and blocks, not in constants");
    return {};
  }
  if (!step(range, 16))
    return {};
  std::string path = paths->prefix + kind.str() + "_" + std::to_string(paths->ordinals[kind.str()]++);
  return claim(path, range, paths->replay) ? path : std::string();
}

std::optional<std::string> Elaborator::labelText(const Expr *label) {
  std::string text;
  if (const auto *name = dyn_cast<NameExpr>(label)) {
    text = name->name.str();
  } else {
    Value value = evaluate(label);
    if (!value.is<Text>())
      return std::nullopt;
    text = value.as<Text>().text;
  }
  bool printable = std::all_of(text.begin(), text.end(), [](unsigned char c) { return c >= 0x20 && c != 0x7F; });
  if (text.empty() || !printable) {
    error(label->range, text.empty() ? "a label is not empty" : "a label is of printable characters");
    return std::nullopt;
  }
  return text;
}

std::optional<std::string> Elaborator::claimLabel(const Expr *label) {
  std::optional<std::string> text = labelText(label);
  if (!text)
    return std::nullopt;
  if (!frame->paths) {
    error(label->range, "layers are applied in networks and blocks, not in constants");
    return std::nullopt;
  }
  std::string path = frame->paths->prefix + *text;
  if (!claim(path, label->range, frame->paths->replay))
    return std::nullopt;
  return path;
}

//===-- Application
//----------------------------------------------------------------------------------------------------------===//

Value Elaborator::apply(const ApplyExpr &expr, std::vector<CallArgument> arguments) {
  if (!step(expr.range))
    return {};
  auto callee = lookupCallee(expr.callee.text, expr.callee.range);
  evaluateArguments(expr.arguments, arguments);
  if (!callee)
    return unknownName(expr.callee.text, expr.callee.range, true);
  std::optional<Target> target;
  if (expr.label) {
    if (callee->is<NetworkRef>() || callee->is<Shared>())
      return error(expr.label->range, callee->is<Shared>() ? "a shared layer has its path where it is defined"
                                                           : "a network's parameters are named by the network itself");
    auto path = claimLabel(expr.label);
    if (!path)
      return {};
    target = Target{*path, frame->paths->replay};
  }
  return dispatch(*callee, expr.callee.text, expr.range, std::move(arguments), std::move(target));
}

Value Elaborator::dispatch(const Value &callee, llvm::StringRef name, SourceRange range,
                           std::vector<CallArgument> arguments, std::optional<Target> target) {
  if (const auto *layer = callee.get<const LayerInfo *>())
    return callLayer(**layer, range, std::move(arguments), std::move(target));
  if (const auto *block = callee.get<BlockRef>())
    return callBlock(*block, range, std::move(arguments), std::move(target));
  if (const auto *network = callee.get<NetworkRef>())
    return callNetwork(*network, range, std::move(arguments));
  if (const auto *shared = callee.get<Shared>())
    return callShared(**shared, range, std::move(arguments));
  if (callee.isPoison())
    return {};
  std::vector<Note> notes;
  if (Binding *binding = findLocal(name))
    notes.push_back({binding->range, "'" + name.str() + "' is bound here"});
  return error(range, "'" + name.str() + "' is " + describe(callee) + ", which cannot be applied", std::move(notes));
}

/// Gives positional arguments to the inputs and then to the parameters; false after an error.
bool LayerCall::match(std::vector<CallArgument> given) {
  std::vector<llvm::StringRef> names;
  names.reserve(layer.parameters.size());
  for (const LayerParameter &parameter : layer.parameters)
    names.push_back(parameter.name);
  size_t positional = 0;
  for (CallArgument &argument : given) {
    if (argument.name.text.empty()) {
      // What an augmentation is given beside tensors is for its parameters.
      bool isInput = !layer.isAugmentation || inputs.empty() || argument.value.isTensor();
      if (inputs.size() < layer.maxInputs && isInput) {
        inputs.push_back(std::move(argument));
        continue;
      }
      if (positional >= names.size()) {
        error(argument.range, !names.empty()         ? "too many arguments"
                              : layer.maxInputs == 1 ? "takes one tensor and nothing else"
                                                     : "takes no arguments");
        return false;
      }
      argument.name = {names[positional++], argument.range};
    }
    if (!llvm::is_contained(names, argument.name.text)) {
      error(argument.name.range,
            "there is no parameter '" + argument.name.text.str() + "'" + parameterHint(layer, argument.name.text));
      return false;
    }
    if (const CallArgument *first = find(argument.name.text)) {
      error(argument.range, "'" + argument.name.text.str() + "' is given twice", {{first->range, "the first"}});
      return false;
    }
    arguments.push_back(std::move(argument));
  }
  return true;
}

bool LayerCall::checkComplete() {
  std::string example = layer.example.empty() ? "" : ", as in " + layer.example.str();
  if (inputs.size() < layer.minInputs) {
    error(layer.minInputs == 1 ? "needs a tensor, as in x -> " + layer.name.str()
                               : "needs " + std::to_string(layer.minInputs) + " tensors" + example);
    return false;
  }
  for (const LayerParameter &parameter : layer.parameters)
    if (parameter.required && !has(parameter.name)) {
      error("needs '" + parameter.name.str() + "'" + example);
      return false;
    }
  return true;
}

Value Elaborator::callLayer(const LayerInfo &layer, SourceRange range, std::vector<CallArgument> arguments,
                            std::optional<Target> target) {
  bool poisoned = llvm::any_of(arguments, [](const CallArgument &a) { return holdsPoison(a.value); });
  LayerCall call{*this, layer, range, {}, false, {}, {}, false};
  if (!call.match(std::move(arguments)) || poisoned || !call.checkComplete())
    return {};
  bool onNumbers = (layer.onNumber || layer.minInputs > 1) &&
                   llvm::all_of(call.inputs, [](const CallArgument &a) { return a.value.isNumber(); });
  if (onNumbers && layer.onNumber) {
    double result = layer.onNumber(call.inputs[0].value.number());
    if (!std::isfinite(result))
      return error(range, "the result is not finite");
    return Value(result, range);
  }
  if (target) {
    call.path = target->path;
    call.replay = target->replay;
  } else if (!onNumbers) {
    call.path = ordinalPath(layer.name, range);
    if (call.path.empty())
      return {};
    call.replay = frame->paths->replay;
  }
  if (!step(range, 16))
    return {};
  if (layer.isAugmentation)
    return TrainElaborator::augment(training, call);
  Value value = layer.build(call);
  return call.failed ? Value() : value;
}

/// `; met 3` of a call with too many arguments, and whether one of them stands before it.
static std::string metCount(llvm::ArrayRef<CallArgument> arguments, SourceRange call) {
  bool isPiped = llvm::any_of(arguments, [&](const CallArgument &argument) {
    return argument.range.file == call.file && argument.range.begin < call.begin;
  });
  return "; met " + std::to_string(arguments.size()) + (isPiped ? ", as what stands before '->' counts" : "");
}

Value Elaborator::callBlock(const BlockRef &block, SourceRange range, std::vector<CallArgument> arguments,
                            std::optional<Target> target) {
  const BlockDecl &decl = *block.decl;
  std::string name = "'" + decl.name.text.str() + "'";
  if (llvm::is_contained(activeBlocks, &decl))
    return error(range, "the block " + name + " calls itself", {{decl.name.range, "the block"}});
  if (activeBlocks.size() + activeNetworks.size() >= kMaxCalls)
    return error(range, "calls are nested more than " + std::to_string(kMaxCalls) + " deep");
  if (!frame->paths)
    return error(range, "blocks are applied in networks and blocks, not in constants");

  PathScope paths;
  paths.replay = frame->paths->replay;
  if (target) {
    paths.prefix = target->path + ".";
    paths.replay = target->replay;
  } else {
    std::string path = ordinalPath(decl.name.text, range);
    if (path.empty())
      return {};
    paths.prefix = path + ".";
  }

  Frame callee;
  callee.file = block.scope;
  callee.paths = &paths;
  callee.scopes.emplace_back();
  std::vector<llvm::StringRef> names = namesOf(decl.parameters);
  size_t positional = 0;
  for (CallArgument &argument : arguments) {
    if (argument.name.text.empty()) {
      if (positional >= names.size())
        return error(argument.range,
                     "the block " + name + " takes " + std::to_string(names.size()) +
                         (names.size() == 1 ? " argument" : " arguments") + metCount(arguments, range),
                     {{decl.name.range, "the block"}});
      argument.name = {names[positional++], argument.range};
    }
    if (!llvm::is_contained(names, argument.name.text))
      return error(argument.name.range,
                   "the block " + name + " has no parameter '" + argument.name.text.str() + "'" +
                       didYouMean(argument.name.text, names),
                   {{decl.name.range, "the block"}});
    auto [known, fresh] =
        callee.scopes.back().try_emplace(argument.name.text, Binding{argument.value, argument.range, false});
    if (!fresh)
      return error(argument.range, "'" + argument.name.text.str() + "' is given twice",
                   {{known->second.range, "the first"}});
  }

  for (const Parameter &parameter : decl.parameters)
    if (!parameter.defaultValue && !callee.scopes.back().contains(parameter.name.text))
      return error(range, "the block " + name + " needs '" + parameter.name.text.str() + "'",
                   {{parameter.name.range, "the parameter"}});

  LevelGuard level(*this, range, "in the block " + name + ", called here");
  FrameGuard guard(*this, callee);
  for (const Parameter &parameter : decl.parameters)
    if (!callee.scopes.back().contains(parameter.name.text))
      callee.scopes.back()[parameter.name.text] = {evaluate(parameter.defaultValue), parameter.name.range, false};
  activeBlocks.push_back(&decl);
  Value result = statements(decl.body);
  activeBlocks.pop_back();
  if (result.is<Nothing>())
    return error(decl.body.close, "the block " + name + " ends without a result: its last statement is no expression");
  return result;
}

Value Elaborator::callNetwork(const NetworkRef &network, SourceRange range, std::vector<CallArgument> arguments) {
  const NetworkDecl &decl = *network.decl;
  std::string name = "'" + decl.name.text.str() + "'";
  if (llvm::is_contained(activeNetworks, &decl))
    return error(range, "the network " + name + " calls itself", {{decl.name.range, "the network"}});
  if (activeBlocks.size() + activeNetworks.size() >= kMaxCalls)
    return error(range, "calls are nested more than " + std::to_string(kMaxCalls) + " deep");
  if (!frame->paths)
    return error(range, "networks are called in networks and blocks, not in constants");
  Frame callee;
  callee.file = network.scope;
  callee.scopes.emplace_back();
  std::vector<llvm::StringRef> names = namesOf(decl.inputs);
  size_t positional = 0;
  bool poisoned = false;
  for (CallArgument &argument : arguments) {
    if (argument.name.text.empty()) {
      if (positional >= names.size())
        return error(argument.range,
                     "the network " + name + " takes " + std::to_string(names.size()) +
                         (names.size() == 1 ? " input" : " inputs") + metCount(arguments, range),
                     {{decl.name.range, "the network"}});
      argument.name = {names[positional++], argument.range};
    }
    auto input = llvm::find(names, argument.name.text);
    if (input == names.end())
      return error(argument.name.range,
                   "the network " + name + " has no input '" + argument.name.text.str() + "'" +
                       didYouMean(argument.name.text, names),
                   {{decl.name.range, "the network"}});
    poisoned |= argument.value.isPoison();
    if (!callee.scopes.back().try_emplace(*input, Binding{argument.value, argument.range, false}).second)
      return error(argument.range, "'" + input->str() + "' is given twice");
  }
  if (poisoned)
    return {};
  Identifier symbol;
  for (const TypedName &input : decl.inputs) {
    auto given = callee.scopes.back().find(input.name.text);
    if (given == callee.scopes.back().end())
      return error(range, "the network " + name + " needs '" + input.name.text.str() + "'",
                   {{input.name.range, "the input"}});
    std::optional<mlir::RankedTensorType> expected;
    {
      Frame declared;
      declared.file = network.scope;
      declared.scopes.emplace_back();
      FrameGuard guard(*this, declared);
      expected = type(input.type, symbol);
    }
    if (!expected)
      return {};
    const Value &value = given->second.value;
    if (!value.isTensor() || value.tensor().getType() != *expected) {
      std::vector<Note> notes = {{input.name.range, "the input"}};
      addOrigin(notes, value, value.isTensor() ? typeText(value.tensorType()) : "it");
      return error(given->second.range,
                   "the network " + name + " takes " + typeText(*expected) + " as '" + input.name.text.str() +
                       "'; met " + describe(value),
                   std::move(notes));
    }
  }
  callee.scopes.back()[symbol.text] = {Value(Batch{batchName}, symbol.range), symbol.range, true};
  PathScope paths;
  paths.prefix = training ? training->prefixOf(decl) : decl.name.text.str() + ".";
  paths.replay = instances[&decl].applications++ > 0;
  if (!paths.replay && !paths.prefix.empty() && !claim(decl.name.text.str(), range, false))
    return {};
  callee.paths = &paths;
  Frame inputsAlone = callee;
  std::optional<TrainElaborator::FrozenGuard> frozen;
  if (training) {
    frozen.emplace(*training, network.isFrozen);
    training->calling(decl);
  }
  LevelGuard level(*this, range, "in the network " + name + ", called here");
  FrameGuard guard(*this, callee);
  // What belongs to the outermost network alone is left where it is.
  size_t outerPreprocesses = preprocesses.size(), outerNames = nameMaps.size();
  activeNetworks.push_back(&decl);
  Value result = statements(decl.body);
  activeNetworks.pop_back();
  if (training)
    training->called(network, inputsAlone, outerPreprocesses, outerNames, result.isPoison());
  preprocesses.resize(outerPreprocesses);
  nameMaps.resize(outerNames);
  return checkResults(decl, std::move(result), false);
}

Value Elaborator::evaluateShare(const ShareExpr &expr) {
  const ApplyExpr &layer = *expr.layer;
  auto callee = lookupCallee(layer.callee.text, layer.callee.range);
  auto shared = std::make_shared<SharedLayer>();
  bool fine = evaluateArguments(layer.arguments, shared->arguments);
  if (!callee)
    return unknownName(layer.callee.text, layer.callee.range, true);
  if (!callee->is<const LayerInfo *>() && !callee->is<BlockRef>())
    return callee->isPoison() ? Value()
                              : error(layer.range, "'share' makes one layer of a layer or a block; " +
                                                       describe(*callee) + " is shared as it is");
  if (!frame->paths)
    return error(expr.range, "layers are shared in networks and blocks, not in constants");
  std::optional<std::string> path;
  if (layer.label)
    path = claimLabel(layer.label);
  else if (std::string ordinal = ordinalPath(layer.callee.text, expr.range); !ordinal.empty())
    path = ordinal;
  if (!path || !fine)
    return {};
  shared->callee = *callee;
  shared->calleeName = layer.callee.text;
  shared->range = expr.range;
  shared->path = *path;
  shared->replay = frame->paths->replay;
  return Value(std::move(shared), expr.range);
}

Value Elaborator::callShared(SharedLayer &shared, SourceRange range, std::vector<CallArgument> arguments) {
  for (const CallArgument &argument : arguments)
    if (!argument.name.text.empty())
      return error(argument.name.range, "a shared layer has its parameters where it is defined",
                   {{shared.range, "it is defined here"}});
  for (const CallArgument &argument : shared.arguments)
    arguments.push_back(argument);
  Target target{shared.path, shared.replay};
  shared.replay = true;
  return dispatch(shared.callee, shared.calleeName, range, std::move(arguments), std::move(target));
}

} // namespace cnn
