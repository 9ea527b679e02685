// The end of a train block: inputs, outputs and optimizers get their names, functions their results, and the tool is
// told what it decides by.
#include "frontend/TrainElaborator.h"

#include "ir/StepBatch.h"

#include "mlir/IR/Diagnostics.h"
#include "mlir/IR/Verifier.h"

#include "llvm/Support/Path.h"

namespace cnn {
using namespace ast;

void TrainElaborator::eraseArgument(Function &function, mlir::Value argument) {
  unsigned number = llvm::cast<mlir::BlockArgument>(argument).getArgNumber();
  auto &attributes = attributesOf(function);
  attributes.erase(attributes.begin() + number);
  function.entry->eraseArgument(number);
  --function.inputs;
}

/// The step takes an input as the loader gives it, or what augmentation made of it, by the input's name; where it takes
/// both or several, the augmented ones have names of their own.
void TrainElaborator::nameInputs() {
  auto isLive = [&](mlir::Value value) {
    // Of what only gives the batch's extent to noise, any form will do.
    return llvm::any_of(value.getUses(),
                        [](mlir::OpOperand &use) {
                          auto noise = llvm::dyn_cast<RandomNormalOp>(use.getOwner());
                          return !noise || noise.getLike() != use.get();
                        }) ||
           llvm::any_of(reports,
                        [&](const Report &report) { return llvm::is_contained(report.metric.operands, value); });
  };
  std::vector<std::pair<mlir::Value, Augmented>> all(augmented.begin(), augmented.end());
  for (size_t i = 0; i < rawInputs.size(); ++i) {
    std::vector<std::pair<mlir::Value, mlir::Value>> live;
    for (auto &[argument, made] : all) {
      if (made.input != i)
        continue;
      if (isLive(argument)) {
        live.push_back({argument, made.result});
      } else {
        augmented.erase(argument);
        eraseArgument(main, argument);
      }
    }
    std::string name = decl.inputs[i].name.text.str();
    bool takesRaw = isLive(rawInputs[i]);
    if (live.size() == 1 && !takesRaw) {
      rawInputs[i].setType(live.front().first.getType());
      live.front().first.replaceAllUsesWith(rawInputs[i]);
      for (Report &report : reports)
        llvm::replace(report.metric.operands, live.front().first, rawInputs[i]);
      augmented.erase(live.front().first);
      eraseArgument(main, live.front().first);
      augmentedInputs.push_back({name, live.front().second});
      continue;
    }
    for (auto [k, pair] : llvm::enumerate(live)) {
      std::string own = name + ".augmented" + (k ? std::to_string(k + 1) : "");
      e.argumentAttributes[llvm::cast<mlir::BlockArgument>(pair.first).getArgNumber()].set(
          kInputAttr, e.builder.getStringAttr(own));
      augmentedInputs.push_back({own, pair.second});
    }
  }
}

void TrainElaborator::nameMinimizations() {
  bool single = minimizations.size() == 1 && minimizations.front().ops.size() == 1;
  for (auto [i, minimization] : llvm::enumerate(minimizations)) {
    TrainingMinimization described;
    described.lossOutput = minimizations.size() == 1 ? "loss" : "loss." + minimization.path;
    described.parameters = minimization.parameters;
    for (size_t k = 0; k < minimization.ops.size(); ++k) {
      std::string path = single ? "optimizer" : minimization.opPaths[k];
      std::string hyper = single ? "rate" : path + ".rate";
      minimization.ops[k]->setAttr("path", e.builder.getStringAttr(path));
      unsigned argument = llvm::cast<mlir::BlockArgument>(minimization.rates[k]).getArgNumber();
      e.argumentAttributes[argument].set(kHyperAttr, e.builder.getStringAttr(hyper));
      described.paths.push_back(path);
      program.rates.push_back({hyper, minimization.schedules[k].base, minimization.schedules[k].text, i});
    }
    program.minimizations.push_back(std::move(described));
  }
}

void TrainElaborator::nameReports(std::vector<Result> &results) {
  auto isTaken = [&](const std::string &name) {
    return llvm::any_of(results, [&](const Result &result) { return result.name == name; });
  };
  for (auto [i, report] : llvm::enumerate(reports)) {
    TrainingReport described{
        report.metric.name, report.metric.metric, {}, report.metric.classes, report.metric.settings};
    for (auto [j, operand] : llvm::enumerate(report.metric.operands)) {
      if (auto raw = llvm::find(rawInputs, operand); raw != rawInputs.end()) {
        described.operands.push_back({decl.inputs[raw - rawInputs.begin()].name.text.str(), true});
        continue;
      }
      mlir::Value value = operand;
      auto known = llvm::find_if(results, [&](const Result &result) { return result.value == value; });
      if (known == results.end()) {
        std::string name = bindingOf(operand), fallback = "report." + std::to_string(i) + "." + std::to_string(j);
        results.push_back({operand, kOutputAttr, name.empty() || isTaken(name) ? fallback : name});
        known = std::prev(results.end());
      }
      described.operands.push_back({known->name, false});
    }
    program.reports.push_back(std::move(described));
  }
}

/// An evaluation reports the same under the same names.
void TrainElaborator::followReports(std::vector<Result> &results) {
  for (auto [report, described] : llvm::zip(reports, program.reports))
    for (auto [operand, name] : llvm::zip(report.metric.operands, described.operands)) {
      auto known = llvm::find_if(results, [&](const Result &result) { return result.name == name.name; });
      if (!name.isInput && known == results.end())
        results.push_back({operand, kOutputAttr, name.name});
    }
}

void TrainElaborator::addStateResults(std::vector<Result> &results) {
  for (const std::string &path : e.stateOrder)
    if (auto now = current.find(path); now != current.end() && now->second != e.states.at(path).argument)
      results.push_back({now->second, kStateAttr, path});
  for (Average &average : averages) {
    MovingAverage described{average.network->name.text.str(), average.decay, {}};
    for (auto [k, variable] : llvm::enumerate(average.variables)) {
      auto type = mlir::TypeAttr::get(variable.before.getType());
      auto name = e.builder.getStringAttr(variable.path);
      mlir::Location loc = e.location(average.range);
      if (k == 0) {
        CounterOp::create(e.stateBuilder, loc, name, type, InitAttr(), mlir::StringAttr());
      } else {
        SlotOp::create(e.stateBuilder, loc, name, type, InitAttr(), mlir::StringAttr());
        described.variables.push_back({average.parameters[k - 1], variable.path});
      }
      results.push_back({variable.after, kStateAttr, variable.path});
    }
    program.averages.push_back(std::move(described));
  }
}

/// `plateau` watches the loss or a figure that the block reports.
void TrainElaborator::checkWatched() {
  std::vector<llvm::StringRef> figures = {"loss"};
  for (const Report &report : reports)
    figures.push_back(report.metric.name);
  for (const Minimization &minimization : minimizations)
    for (const ScheduleValue &schedule : minimization.schedules)
      if (!schedule.watched.empty() && !llvm::is_contained(figures, schedule.watched))
        e.error(schedule.range, "the block reports no '" + schedule.watched + "'; 'on' is " + listOfNames(figures) +
                                    didYouMean(schedule.watched, figures));
}

//===-- What the tool is told ------------------------------------------------------------------------------------===//

void TrainElaborator::describeInputs() {
  std::vector<mlir::RankedTensorType> types;
  Identifier symbol;
  for (const auto &[i, input] : llvm::enumerate(decl.inputs)) {
    int64_t count = 0;
    auto type = e.type(input.type, symbol, &count);
    TrainingInput described{input.name.text.str(), type.value_or(mlir::RankedTensorType()), count, {}};
    if (auto found = inherited.find(i); found != inherited.end())
      described.preprocess = found->second.steps;
    program.inputs.push_back(std::move(described));
  }
  std::map<llvm::StringRef, SourceRange> seen;
  for (const Stmt *stmt : decl.body.statements) {
    const auto *preprocess = dyn_cast<PreprocessStmt>(stmt);
    if (!preprocess)
      continue;
    auto [known, fresh] = seen.try_emplace(preprocess->input.text, preprocess->range);
    if (!fresh) {
      e.error(preprocess->input.range, "'" + preprocess->input.text.str() + "' is preprocessed twice",
              {{known->second, "the first"}});
      continue;
    }
    for (TrainingInput &input : program.inputs)
      if (preprocess->input.text == input.name) {
        // A tensor of the input's type stands for it; nothing is left of it.
        mlir::Value picture = main.entry->addArgument(input.type, e.location(preprocess->input.range));
        input.preprocess = e.preprocess(*preprocess, Value(picture, preprocess->input.range));
        main.entry->eraseArgument(main.entry->getNumArguments() - 1);
      }
  }
}

void TrainElaborator::describeNetworks() {
  for (const NetworkDecl *network : networks) {
    TrainingNetwork described{network->name.text.str(), prefixOf(*network), false, stateOf(*network)};
    for (const Minimization &minimization : minimizations)
      described.isTrained |= llvm::any_of(
          described.state, [&](const std::string &path) { return llvm::is_contained(minimization.parameters, path); });
    program.networks.push_back(std::move(described));
    e.applyNames(names[network], prefixOf(*network));
  }
}

void TrainElaborator::describeInitial() {
  for (const Initialization &init : initializations) {
    Position position = init.range.position();
    InitialWeights described{init.network->name.text.str(),
                             init.file,
                             init.file,
                             init.range.file->path().str() + ":" + std::to_string(position.line) + ":" +
                                 std::to_string(position.column),
                             {}};
    if (!llvm::sys::path::is_absolute(init.file)) {
      llvm::SmallString<256> path = llvm::sys::path::parent_path(init.range.file->path());
      llvm::sys::path::append(path, init.file);
      described.path = path.str().str();
    }
    for (const auto &[except, range] : init.except)
      parametersOf({{init.network, nullptr}, except}, range);
    if (!e.instances.count(init.network))
      e.error(init.range, "the network '" + described.network + "' is not called in this block");
    for (const std::string &path : stateOf(*init.network)) {
      bool isLeftOut = llvm::any_of(
          init.except, [&](const auto &except) { return matches(*init.network, except.first, path).has_value(); });
      if (isLeftOut)
        continue;
      auto mapped = e.states.at(path).op->getAttrOfType<mlir::StringAttr>("source_name");
      described.tensors.push_back({path, relativeTo(*init.network, mapped ? mapped.getValue() : path)});
    }
    program.initial.push_back(std::move(described));
  }
  for (const FrozenGroup &group : frozen)
    parametersOf(group.group, group.range);
}

//===-- Functions ------------------------------------------------------------------------------------------------===//

void TrainElaborator::close(Function &function, llvm::ArrayRef<Result> results) {
  llvm::SmallVector<mlir::Value> values;
  llvm::SmallVector<mlir::DictionaryAttr> arguments, attributes;
  for (const Result &result : results) {
    values.push_back(result.value);
    mlir::Attribute name = e.builder.getStringAttr(result.name);
    if (result.attribute == kStateAttr)
      name = mlir::FlatSymbolRefAttr::get(e.builder.getContext(), result.name);
    attributes.push_back(e.builder.getDictionaryAttr(e.builder.getNamedAttr(result.attribute, name)));
  }
  mlir::OpBuilder::InsertionGuard guard(e.builder);
  e.builder.setInsertionPointToEnd(function.entry);
  mlir::func::ReturnOp::create(e.builder, e.location(decl.body.close), values);
  function.function.setFunctionType(
      e.builder.getFunctionType(function.entry->getArgumentTypes(), mlir::TypeRange(mlir::ValueRange(values))));
  for (mlir::NamedAttrList &list : attributesOf(function))
    arguments.push_back(list.getDictionary(e.builder.getContext()));
  function.function.setAllArgAttrs(arguments);
  function.function.setAllResultAttrs(attributes);
}

bool TrainElaborator::verify(Function &function) {
  std::string problem;
  mlir::ScopedDiagnosticHandler handler(e.builder.getContext(), [&](mlir::Diagnostic &diagnostic) {
    if (problem.empty())
      problem = diagnostic.str();
    return mlir::success();
  });
  if (mlir::succeeded(mlir::verify(*function.module)))
    return true;
  e.error(decl.name.range, "the elaborated block is not valid: " + problem);
  return false;
}

bool TrainElaborator::finishAugmentation() {
  if (augmentedInputs.empty())
    return true;
  std::vector<Result> results;
  for (const auto &[name, value] : augmentedInputs)
    results.push_back({value, kOutputAttr, name});
  // What a later augmentation was composed with, and what the block does not use.
  for (mlir::Operation &op : llvm::make_early_inc_range(llvm::reverse(*augmentation.entry)))
    if (op.use_empty() &&
        llvm::none_of(results, [&](const Result &result) { return result.value.getDefiningOp() == &op; }))
      op.erase();
  for (unsigned i = augmentation.inputs; i-- > 0;) {
    mlir::Value argument = augmentation.entry->getArgument(i);
    bool isGiven = llvm::any_of(results, [&](const Result &result) { return result.value == argument; });
    if (argument.use_empty() && !isGiven)
      eraseArgument(augmentation, argument);
  }
  close(augmentation, results);
  if (!verify(augmentation))
    return false;
  program.augment = std::move(augmentation.module);
  return true;
}

bool TrainElaborator::finish() {
  std::vector<Result> results;
  if (mode == Mode::Training) {
    nameInputs();
    nameMinimizations();
    checkWatched();
  }
  for (auto [minimization, described] : llvm::zip(minimizations, program.minimizations))
    results.push_back({minimization.loss, kOutputAttr, described.lossOutput});
  if (mode == Mode::Training) {
    nameReports(results);
    addStateResults(results);
    describeNetworks();
    describeInitial();
    describeInputs();
  } else {
    followReports(results);
  }
  if (e.diagnostics.hasErrors())
    return false;
  close(main, results);
  if (mode == Mode::Training)
    for (const auto &[name, value] : program.settings)
      if (name == "batch")
        main.function->setAttr(kStepBatchAttr, e.builder.getI64IntegerAttr(static_cast<int64_t>(value)));
  if (!verify(main))
    return false;
  (mode == Mode::Training ? program.step : program.evaluate) = std::move(main.module);
  return mode == Mode::Evaluation || finishAugmentation();
}

} // namespace cnn
