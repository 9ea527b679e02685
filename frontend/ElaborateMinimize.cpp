// Parameters in a train block: which ones a part of a network names, what is frozen, averaged or loaded, and their
// update by `minimize`.
#include "frontend/TrainElaborator.h"

#include "frontend/LayerCall.h"
#include "frontend/TrainFunctions.h"

namespace cnn {
using namespace ast;

//===-- Groups ---------------------------------------------------------------------------------------------------===//

/// The path below `prefix` that a group names: the variable itself, or all of a scope.
static bool isWithin(llvm::StringRef path, llvm::StringRef group) {
  return path.consume_front(group) && (group.empty() || path.empty() || path.front() == '.');
}

std::optional<size_t> TrainElaborator::matches(const NetworkDecl &network, llvm::StringRef group,
                                               llvm::StringRef path) const {
  std::string prefix = prefixOf(network);
  if (path.starts_with(prefix)) {
    if (isWithin(path.drop_front(prefix.size()), group))
      return prefix.size() + group.size();
    return std::nullopt;
  }
  // A network that it calls.
  auto inner = nested.find(&network);
  for (const NetworkDecl *called : inner == nested.end() ? std::set<const NetworkDecl *>() : inner->second) {
    if (group.empty() && matches(*called, "", path))
      return 0;
    if (!group.empty() && path.starts_with(prefixOf(*called)) && isWithin(path, group))
      return group.size();
  }
  return std::nullopt;
}

std::vector<std::string> TrainElaborator::stateOf(const NetworkDecl &network) const {
  std::vector<std::string> paths;
  for (const std::string &path : e.stateOrder)
    if (matches(network, "", path))
      paths.push_back(path);
  return paths;
}

/// The path that a variable has where the network stands alone.
std::string TrainElaborator::relativeTo(const NetworkDecl &network, llvm::StringRef path) const {
  path.consume_front(prefixOf(network));
  return path.str();
}

std::string TrainElaborator::textOf(const ParameterGroup &group) const {
  return group.network.decl->name.text.str() + (group.path.empty() ? "" : "." + group.path);
}

std::optional<ParameterGroup> TrainElaborator::group(const Value &value, SourceRange range, llvm::StringRef what) {
  if (value.isPoison())
    return std::nullopt;
  if (const ParameterGroup *group = value.get<ParameterGroup>())
    return *group;
  if (const NetworkRef *network = value.get<NetworkRef>())
    return ParameterGroup{*network, ""};
  if (const Word *word = value.get<Word>())
    e.unknownName(word->text, range, false);
  else
    e.error(range, what.str() + " takes networks and parts of them, as in net.conv1; met " + e.describe(value));
  return std::nullopt;
}

std::vector<std::string> TrainElaborator::parametersOf(const ParameterGroup &group, SourceRange range) {
  const NetworkDecl &network = *group.network.decl;
  std::vector<std::string> paths, all = stateOf(network), scopes;
  for (const std::string &path : all) {
    if (matches(network, group.path, path) && isa<ParamOp>(e.states.at(path).op))
      paths.push_back(path);
    std::string relative = relativeTo(network, path);
    for (size_t dot = relative.find('.'); dot != std::string::npos; dot = relative.find('.', dot + 1))
      scopes.push_back(relative.substr(0, dot));
  }
  if (!paths.empty() || failed.count(&network))
    return paths;
  std::string name = "'" + network.name.text.str() + "'";
  if (!e.instances.count(&network)) {
    e.error(range, "the network " + name + " is not called before this");
  } else if (group.path.empty()) {
    e.error(range, "the network " + name + " has no parameters", {{network.name.range, "the network"}});
  } else {
    std::vector<llvm::StringRef> candidates(scopes.begin(), scopes.end());
    std::string hint = didYouMean(group.path, candidates);
    std::vector<llvm::StringRef> outermost;
    for (llvm::StringRef scope : candidates)
      if (!scope.contains('.') && !llvm::is_contained(outermost, scope) && outermost.size() < 12)
        outermost.push_back(scope);
    if (hint.empty() && !outermost.empty())
      hint = "; it has " + listOfNames(outermost, "and");
    e.error(range, "the network " + name + " has no parameters at '" + group.path + "'" + hint);
  }
  return {};
}

int64_t TrainElaborator::rankOf(const std::string &path) const {
  return llvm::cast<mlir::RankedTensorType>(e.states.at(path).argument.getType()).getRank();
}

//===-- Freezing, averages, initial weights ----------------------------------------------------------------------===//

bool TrainElaborator::isFrozen(llvm::StringRef path) const {
  return llvm::any_of(frozen, [&](const FrozenGroup &group) {
    return matches(*group.group.network.decl, group.group.path, path).has_value();
  });
}

void TrainElaborator::freeze(const ParameterGroup &group, SourceRange range) { frozen.push_back({group, range}); }

void TrainElaborator::initialize(const NetworkRef &network, std::string file,
                                 std::vector<std::pair<std::string, SourceRange>> except, SourceRange range) {
  initializations.push_back({network.decl, std::move(file), std::move(except), range});
}

/// Until 1 / (1 - decay) values were seen it is the mean of all of them; from then on the newest one weighs 1 - decay.
void TrainElaborator::average(const NetworkRef &network, double decay, SourceRange range) {
  std::vector<std::string> parameters = parametersOf({network, ""}, range);
  if (parameters.empty() || mode == Mode::Evaluation)
    return;
  std::string prefix = "ema.", name = network.decl->name.text.str();
  for (const Average &other : averages)
    if (other.network == network.decl) {
      e.error(range, "the network '" + name + "' is averaged twice", {{other.range, "the first"}});
      return;
    }
  TensorBuilder b(e.builder, e.location(range), "train.ema." + name);
  auto scalar = mlir::RankedTensorType::get({}, e.builder.getI64Type());
  auto add = [&](const std::string &path, mlir::RankedTensorType type) {
    mlir::Value argument = main.entry->addArgument(type, e.location(range));
    e.argumentAttributes.emplace_back().append(kStateAttr, mlir::FlatSymbolRefAttr::get(e.builder.getStringAttr(path)));
    return argument;
  };
  Average record{network.decl, decay, parameters, range, {}};
  auto keep = [&](const std::string &path, mlir::Value before, mlir::Value after) {
    record.variables.push_back({path, before, after});
  };
  mlir::Value count = add(prefix + name + ".count", scalar);
  mlir::Value seen = b.add(count, 1);
  keep(prefix + name + ".count", count, seen);
  mlir::Value share = b.max(b.divide(1, b.convert(seen, e.builder.getF32Type())), 1 - decay);
  for (const std::string &path : parameters) {
    mlir::Value now = current.at(path);
    mlir::Value before = add(prefix + path, TensorBuilder::typeOf(now));
    mlir::Value after = b.add(before, b.mul(b.sub(now, before), b.broadcastScalar(share, now)));
    keep(prefix + path, before, after);
  }
  averages.push_back(std::move(record));
}

//===-- Minimization ---------------------------------------------------------------------------------------------===//

/// What the loss is computed from with a gradient.
static llvm::DenseSet<mlir::Value> dependencies(mlir::Value loss) {
  llvm::DenseSet<mlir::Value> seen = {loss};
  llvm::SmallVector<mlir::Value> work = {loss};
  while (!work.empty()) {
    mlir::Operation *op = work.pop_back_val().getDefiningOp();
    if (!op || mlir::isa<StopGradientOp, MinimizeOp>(op))
      continue;
    for (mlir::Value operand : op->getOperands())
      if (seen.insert(operand).second)
        work.push_back(operand);
  }
  return seen;
}

/// The path, or with a number where a minimization has it already.
std::string TrainElaborator::freePath(const std::string &path) const {
  auto taken = [&](const std::string &candidate) {
    return llvm::any_of(minimizations, [&](const Minimization &other) {
      return other.path == candidate || llvm::is_contained(other.opPaths, candidate);
    });
  };
  std::string free = path;
  for (unsigned i = 2; taken(free); ++i)
    free = path + "_" + std::to_string(i);
  return free;
}

void TrainElaborator::minimize(const MinimizeStmt &stmt) {
  Value loss = e.evaluate(stmt.loss);
  if (const Word *word = loss.get<Word>())
    loss = e.unknownName(word->text, stmt.loss->range, false);
  if (!loss.isPoison() && (!loss.isTensor() || loss.tensorType().getRank() != 0)) {
    std::vector<Note> notes;
    Elaborator::addOrigin(notes, loss, "it");
    loss = e.error(stmt.loss->range, "a loss is a single number, as mse(x, target) gives one; met " + e.describe(loss),
                   std::move(notes));
  }
  std::vector<ParameterGroup> groups;
  std::vector<std::vector<std::string>> known;
  bool fine = !loss.isPoison();
  for (const Expr *target : stmt.targets) {
    auto group = this->group(e.evaluate(target), target->range, "'over'");
    if (group && group->network.isFrozen) {
      e.error(target->range, "this network is frozen");
      group.reset();
    }
    // After a loss that failed, networks may lack parameters for that reason.
    known.push_back(group && !loss.isPoison() ? parametersOf(*group, target->range) : std::vector<std::string>());
    fine &= !known.back().empty();
    groups.push_back(group.value_or(ParameterGroup{}));
  }
  Value given = e.evaluate(stmt.optimizer);
  if (const Word *word = given.get<Word>()) {
    // A bare name is the optimizer with all its defaults.
    if (symbolizeOptimizerKind(word->text))
      given = e.callLayer(*findTrainFunction(word->text), stmt.optimizer->range, {}, std::nullopt);
    else
      given = e.unknownName(word->text, stmt.optimizer->range, true);
  }
  const auto *optimizer = given.get<std::shared_ptr<const OptimizerValue>>();
  if (!optimizer && !given.isPoison())
    e.error(stmt.optimizer->range, "'using' takes an optimizer, as in adam(lr = 1e-3); met " + e.describe(given));
  if (!optimizer || !fine)
    return;
  size_t rates = (*optimizer)->rates.size();
  if (rates != 1 && rates != groups.size()) {
    e.error((*optimizer)->ratesRange, std::to_string(rates) + " learning rates for " + std::to_string(groups.size()) +
                                          (groups.size() == 1 ? " part" : " parts") + " after 'over'");
    return;
  }

  llvm::DenseSet<mlir::Value> used = dependencies(loss.tensor());
  for (size_t i = 0; i < groups.size(); ++i) {
    auto isTrainable = [&](const std::string &path) { return !isFrozen(path); };
    bool reached = mode == Mode::Evaluation ||
                   llvm::any_of(known[i], [&](const std::string &path) { return used.contains(current.at(path)); });
    if (!llvm::any_of(known[i], isTrainable)) {
      e.error(stmt.targets[i]->range, "all parameters of '" + textOf(groups[i]) + "' are frozen");
      fine = false;
    } else if (!reached) {
      e.error(stmt.targets[i]->range, "the loss does not depend on the parameters of '" + textOf(groups[i]) + "'",
              {{stmt.loss->range, "the loss"}});
      fine = false;
    }
  }
  if (!fine)
    return;

  Minimization minimization;
  const auto *apply = dyn_cast<ApplyExpr>(stmt.optimizer);
  if (apply && apply->label) {
    auto label = e.labelText(apply->label);
    if (!label)
      return;
    minimization.path = std::move(*label);
  } else {
    for (const ParameterGroup &group : groups)
      minimization.path += (minimization.path.empty() ? "" : "_") + textOf(group);
  }
  minimization.path = freePath(minimization.path);
  minimization.loss = loss.tensor();
  update(minimization, stmt, **optimizer, groups);
  minimizations.push_back(std::move(minimization));
}

void TrainElaborator::update(Minimization &minimization, const MinimizeStmt &stmt, const OptimizerValue &optimizer,
                             llvm::ArrayRef<ParameterGroup> groups) {
  // A parameter belongs to the part that names most of its path.
  std::vector<std::vector<std::string>> parts(optimizer.rates.size());
  for (const std::string &path : e.stateOrder) {
    if (!isa<ParamOp>(e.states.at(path).op) || isFrozen(path))
      continue;
    std::optional<size_t> best;
    size_t owner = 0;
    for (auto [i, group] : llvm::enumerate(groups)) {
      std::optional<size_t> match = matches(*group.network.decl, group.path, path);
      if (match && best && *match == *best && group.path == groups[owner].path &&
          group.network.decl == groups[owner].network.decl) {
        e.error(stmt.targets[i]->range, "'" + textOf(group) + "' is named twice");
        return;
      }
      if (match && (!best || *match > *best)) {
        best = match;
        owner = i;
      }
    }
    if (best)
      parts[parts.size() == 1 ? 0 : owner].push_back(path);
  }
  for (auto [i, part] : llvm::enumerate(parts))
    if (part.empty()) {
      e.error(stmt.targets[i]->range,
              "no parameters of '" + textOf(groups[i]) + "' are left: the other parts name them all");
      return;
    }
  for (const auto &part : parts)
    llvm::append_range(minimization.parameters, part);
  if (mode == Mode::Evaluation)
    return;

  mlir::Location loc = e.location(stmt.range);
  std::map<std::string, mlir::Value> updated;
  for (auto [i, part] : llvm::enumerate(parts)) {
    mlir::Value rate = addArgument(main, main.inputs + main.rates++, minimization.loss.getType(), kHyperAttr, "rate",
                                   stmt.optimizer->range);
    llvm::SmallVector<mlir::Value> values;
    for (const std::string &path : part)
      values.push_back(current.at(path));
    std::string path = parts.size() == 1 ? minimization.path : freePath(textOf(groups[i]));
    auto number = [&](std::optional<double> limit) {
      return limit ? e.builder.getF64FloatAttr(*limit) : mlir::FloatAttr();
    };
    auto op = MinimizeOp::create(e.builder, loc, mlir::TypeRange(mlir::ValueRange(values)), minimization.loss, values,
                                 rate, optimizer.optimizer, number(optimizer.clipValue), number(optimizer.clipNorm),
                                 e.builder.getStringAttr(path));
    for (auto [name, value] : llvm::zip(part, op.getUpdated()))
      updated[name] = value;
    minimization.ops.push_back(op);
    minimization.opPaths.push_back(path);
    minimization.rates.push_back(rate);
    minimization.schedules.push_back(optimizer.rates[i]);
  }
  for (auto &[name, value] : updated)
    current[name] = value;
}

//===-- Reports --------------------------------------------------------------------------------------------------===//

void TrainElaborator::report(const ReportStmt &stmt) {
  for (const Expr *expr : stmt.values) {
    Value value = e.evaluate(expr);
    if (const Word *word = value.get<Word>())
      value = e.unknownName(word->text, expr->range, false);
    if (value.isPoison())
      continue;
    MetricValue metric;
    if (const auto *given = value.get<std::shared_ptr<const MetricValue>>()) {
      metric = **given;
    } else if (value.isTensor() && value.tensorType().getElementType().isF32()) {
      // The mean of whatever it is.
      mlir::Value x = value.tensor();
      if (value.tensorType().getRank())
        x = TensorBuilder(e.builder, e.location(expr->range), "train.report").mean(x);
      metric.name = bindingOf(value.tensor());
      metric.metric = "mean";
      metric.operands = {x};
      const auto *call = dyn_cast<ApplyExpr>(expr);
      if (metric.name.empty())
        metric.name = call ? call->callee.text.str() : "value";
    } else {
      e.error(expr->range,
              "'report' takes metrics, as accuracy(scores, label), and numbers that the block computes; met " +
                  e.describe(value));
      continue;
    }
    std::string name = metric.name;
    for (unsigned i = 2; llvm::any_of(reports, [&](const Report &other) { return other.metric.name == metric.name; });
         ++i)
      metric.name = name + "." + std::to_string(i);
    reports.push_back({std::move(metric), expr->range});
  }
}

/// The name in the block that a tensor is bound to, or an empty string.
std::string TrainElaborator::bindingOf(mlir::Value value) const {
  std::string name;
  for (auto &entry : block->scopes.back())
    if (entry.second.value.isTensor() && entry.second.value.tensor() == value)
      if (name.empty() || entry.getKey() < name)
        name = entry.getKey().str();
  return name;
}

} // namespace cnn
