// A train block as a whole: its signature, its statements, what it uses; the choice of the block in a file.
#include "frontend/TrainElaborator.h"

#include "frontend/LayerCall.h"

#include <cmath>

namespace cnn {
using namespace ast;

llvm::ArrayRef<TrainingSetting> trainingSettings() {
  static constexpr double kMany = 1e9;
  static constexpr TrainingSetting settings[] = {
      {"epochs", 10, true, 1, kMany, "how often the training data is gone through"},
      {"batch", 64, true, 1, kMany, "samples in a step"},
      {"validation", 0, false, 0, 0.99, "the share of the training data that is held out to validate"},
      {"seed", 1, true, 0, 9007199254740992, "what all random numbers depend on"},
      {"patience", 0, true, 0, kMany, "epochs without progress after which training stops; 0: never"},
  };
  return settings;
}

static std::vector<llvm::StringRef> settingNames() {
  std::vector<llvm::StringRef> names;
  for (const TrainingSetting &setting : trainingSettings())
    names.push_back(setting.name);
  return names;
}

/// What is wrong with a setting's value, or an empty string.
static std::string problemWith(const TrainingSetting &setting, double value) {
  if (value >= setting.low && value <= setting.high && (!setting.isInteger || value == std::floor(value)))
    return "";
  return "'" + setting.name.str() + "' is " + numberText(value) + "; it is " +
         (setting.isInteger ? "an integer of at least " + numberText(setting.low)
                            : "between " + numberText(setting.low) + " and " + numberText(setting.high));
}

//===-- What the elaborator asks ---------------------------------------------------------------------------------===//

bool Elaborator::isTraining(llvm::StringRef path) const { return training && training->isTraining(path); }
mlir::Value Elaborator::batched() { return training->batched(); }
mlir::Value Elaborator::seed() { return training->seed(); }
mlir::Value Elaborator::stepNumber() { return training->stepNumber(); }
std::string Elaborator::drawPath(llvm::StringRef path) { return training->drawPath(path); }
void Elaborator::updateState(const std::string &path, mlir::Value value) { training->update(path, value); }

TrainElaborator::TrainElaborator(Elaborator &elaborator, Mode mode, const TrainDecl &decl, FileScope &scope,
                                 const TrainingRequest &request, TrainingProgram &program)
    : e(elaborator), mode(mode), decl(decl), scope(scope), request(request), program(program) {
  e.training = this;
}
TrainElaborator::~TrainElaborator() { e.training = nullptr; }

std::string TrainElaborator::prefixOf(const NetworkDecl &network) const {
  return networks.size() == 1 && networks.front() == &network ? "" : network.name.text.str() + ".";
}

mlir::Value TrainElaborator::read(const std::string &path) {
  mlir::Value value = current.try_emplace(path, e.states.at(path).argument).first->second;
  if (mode == Mode::Training && (frozenCalls || isFrozen(path)))
    return StopGradientOp::create(e.builder, value.getLoc(), value, e.builder.getStringAttr(path));
  return value;
}

std::pair<mlir::Value, mlir::Value> TrainElaborator::draws() {
  if (!active->draws.first) {
    auto type = mlir::RankedTensorType::get({}, e.builder.getI64Type());
    unsigned at = active->inputs + active->rates;
    active->draws.first = addArgument(*active, at, type, kHyperAttr, "seed", decl.name.range);
    active->draws.second = addArgument(*active, at + 1, type, kHyperAttr, "step", decl.name.range);
  }
  return active->draws;
}

std::string TrainElaborator::drawPath(llvm::StringRef path) {
  unsigned count = drawCounts[path.str()]++;
  return count ? path.str() + "@" + std::to_string(count) : path.str();
}

void TrainElaborator::called(const NetworkRef &network, Frame &inputs, size_t preprocesses, size_t namesBegin,
                             bool hasFailed) {
  if (hasFailed)
    failed.insert(network.decl);
  if (!e.activeNetworks.empty())
    return;
  if (names.try_emplace(network.decl).second) {
    std::vector<const NamesStmt *> outer(e.nameMaps.begin(), e.nameMaps.begin() + namesBegin);
    e.nameMaps.erase(e.nameMaps.begin(), e.nameMaps.begin() + namesBegin);
    e.collectNames(*network.scope->file);
    names[network.decl] = e.nameMaps;
    e.nameMaps = outer;
  }
  // What an input of the block goes through where a network takes it as its own.
  const File &file = *network.scope->file;
  std::vector<const PreprocessStmt *> own(e.preprocesses.begin() + preprocesses, e.preprocesses.end());
  if (file.networks.size() == 1)
    llvm::append_range(own, file.preprocesses);
  Elaborator::FrameGuard guard(e, inputs);
  for (const PreprocessStmt *stmt : own) {
    auto binding = inputs.scopes.back().find(stmt->input.text);
    if (binding == inputs.scopes.back().end() || !binding->second.value.isTensor())
      continue;
    std::optional<size_t> input = inputOf(binding->second.value.tensor());
    if (!input || hasPreprocess(*input))
      continue;
    auto known = inherited.find(*input);
    if (known != inherited.end() && known->second.range.begin == stmt->range.begin)
      continue;
    mlir::ArrayAttr steps = e.preprocess(*stmt, binding->second.value);
    const Identifier &name = decl.inputs[*input].name;
    if (known == inherited.end())
      inherited[*input] = {steps, stmt->range};
    else if (steps && known->second.steps && known->second.steps != steps)
      e.error(name.range,
              "two networks have different preprocessing for '" + name.text.str() +
                  "'; say in the train block which, as in preprocess photo -> " + name.text.str() + " { ... }",
              {{known->second.range, "the first"}, {stmt->range, "the second"}});
  }
}

/// Whether the block itself says what this input goes through.
bool TrainElaborator::hasPreprocess(size_t input) const {
  return llvm::any_of(decl.body.statements, [&](const Stmt *stmt) {
    const auto *preprocess = dyn_cast<PreprocessStmt>(stmt);
    return preprocess && preprocess->input.text == decl.inputs[input].name.text;
  });
}

/// The input of the block that a value is, augmented or not.
std::optional<size_t> TrainElaborator::inputOf(mlir::Value value) const {
  for (size_t i = 0; i < rawInputs.size(); ++i)
    if (rawInputs[i] == value)
      return i;
  if (auto found = augmented.find(value); found != augmented.end())
    return found->second.input;
  if (auto found = evaluated.find(value); found != evaluated.end())
    return found->second;
  return std::nullopt;
}

//===-- Functions ------------------------------------------------------------------------------------------------===//

void TrainElaborator::begin(Function &function, llvm::StringRef name) {
  mlir::OpBuilder::InsertionGuard guard(e.builder);
  mlir::Location loc = e.location(decl.name.range);
  function.module = mlir::ModuleOp::create(loc, name);
  e.builder.setInsertionPointToEnd(function.module->getBody());
  function.function = mlir::func::FuncOp::create(e.builder, loc, kStepFunction, e.builder.getFunctionType({}, {}));
  function.entry = function.function.addEntryBlock();
}

mlir::Value TrainElaborator::addArgument(Function &function, unsigned at, mlir::Type type, llvm::StringRef attribute,
                                         llvm::StringRef name, SourceRange range) {
  mlir::Value argument = function.entry->insertArgument(at, type, e.location(range));
  auto &attributes = attributesOf(function);
  attributes.insert(attributes.begin() + at, mlir::NamedAttrList())->append(attribute, e.builder.getStringAttr(name));
  return argument;
}

bool TrainElaborator::signature() {
  if (decl.inputs.empty()) {
    e.error(decl.name.range, "a train block has at least one input");
    return false;
  }
  Identifier symbol;
  bool fine = true;
  std::vector<llvm::StringRef> reserved = settingNames();
  for (const TypedName &input : decl.inputs) {
    if (llvm::is_contained(reserved, input.name.text)) {
      e.error(input.name.range, "'" + input.name.text.str() + "' is a setting of train blocks and no input's name");
      fine = false;
    }
    int64_t count = 0;
    auto type = e.type(input.type, symbol, &count);
    if (!type) {
      fine = false;
      continue;
    }
    e.batchName = symbol.text.str();
    mlir::Value argument = addArgument(main, main.inputs++, *type, kInputAttr, input.name.text, input.name.range);
    if (count) {
      e.argumentAttributes[main.inputs - 1].append(kClassesAttr, e.builder.getI64IntegerAttr(count));
      classes[argument] = count;
    }
    rawInputs.push_back(argument);
    auto [known, fresh] = block->scopes.back().try_emplace(
        input.name.text, Binding{Value(argument, input.name.range), input.name.range, true, true});
    if (!fresh) {
      e.error(input.name.range, "two inputs are called '" + input.name.text.str() + "'",
              {{known->second.range, "the first"}});
      fine = false;
    }
    known->second.isConst = false;
  }
  return fine;
}

//===-- Settings -------------------------------------------------------------------------------------------------===//

void TrainElaborator::bindSetting(const BindStmt &stmt, Value &value) {
  if (e.frame != block || value.isPoison())
    return;
  llvm::StringRef name = stmt.targets.front().text;
  for (auto [setting, known] : llvm::zip(trainingSettings(), program.settings)) {
    if (setting.name != name)
      continue;
    for (const auto &[asked, number] : request.settings)
      if (asked == name)
        value = setting.isInteger ? Value(static_cast<int64_t>(number), stmt.value->range)
                                  : Value(number, stmt.value->range);
    std::string problem = value.isNumber() ? problemWith(setting, value.number())
                                           : "'" + name.str() + "' is a number; met " + e.describe(value);
    if (!problem.empty())
      value = e.error(stmt.value->range, problem);
    else
      known.second = value.number();
    return;
  }
}

/// A number that nothing uses is likely a setting with a misspelt name.
void TrainElaborator::checkBindings() {
  std::vector<llvm::StringRef> settings = settingNames();
  for (auto &entry : block->scopes.back()) {
    const Binding &binding = entry.second;
    bool isPlain = binding.value.isNumber() || binding.value.is<bool>() || binding.value.is<Text>();
    if (!binding.isUsed && isPlain && !llvm::is_contained(settings, entry.getKey()))
      e.error(binding.range, "'" + entry.getKey().str() + "' is used by nothing; a train block has the settings " +
                                 listOfNames(settings, "and") + didYouMean(entry.getKey(), settings));
  }
}

//===-- Augmentation ---------------------------------------------------------------------------------------------===//

Value TrainElaborator::augment(TrainElaborator *training, LayerCall &call) {
  if (!training || !call.elaborator.activeNetworks.empty())
    return call.error("changes training data: it stands in a train block, on inputs of the block");
  TrainElaborator &t = *training;
  std::vector<Value> given;
  std::vector<size_t> origins;
  for (CallArgument &argument : call.inputs) {
    auto input = argument.value.isTensor() ? t.inputOf(argument.value.tensor()) : std::nullopt;
    if (!input) {
      std::vector<Note> notes;
      Elaborator::addOrigin(notes, argument.value, "it");
      call.error(argument.range,
                 "takes inputs of the train block, augmented or not; met " + t.e.describe(argument.value),
                 std::move(notes));
      continue;
    }
    origins.push_back(*input);
    given.push_back(argument.value);
  }
  if (call.failed)
    return {};
  if (t.mode == Mode::Evaluation) {
    if (call.layer.evaluate) {
      Value result = call.layer.evaluate(call);
      if (call.failed || holdsPoison(result))
        return {};
      given = result.is<Tuple>() ? result.as<Tuple>()->elements : std::vector<Value>{result};
      for (auto [value, origin] : llvm::zip(given, origins))
        t.evaluated.insert({value.tensor(), origin});
    }
    if (given.size() == 1)
      return given.front();
    return Value(Tuple(std::make_shared<TupleData>(TupleData{std::move(given), {}})), call.range);
  }
  Function &function = t.augmentation;
  if (!function.entry) {
    t.begin(function, t.decl.name.text.str() + "_augment");
    for (size_t i = 0; i < t.rawInputs.size(); ++i) {
      mlir::Value argument = t.addArgument(function, function.inputs++, t.rawInputs[i].getType(), kInputAttr,
                                           t.decl.inputs[i].name.text, t.decl.inputs[i].name.range);
      if (int64_t count = t.classesOf(t.rawInputs[i])) {
        t.augmentationAttributes.back().append(kClassesAttr, t.e.builder.getI64IntegerAttr(count));
        t.classes[argument] = count;
      }
    }
  }
  for (size_t i = 0; i < call.inputs.size(); ++i) {
    auto known = t.augmented.find(given[i].tensor());
    mlir::Value inside =
        known == t.augmented.end() ? mlir::Value(function.entry->getArgument(origins[i])) : known->second.result;
    call.inputs[i].value.data = inside;
  }
  Value result;
  {
    mlir::OpBuilder::InsertionGuard guard(t.e.builder);
    t.e.builder.setInsertionPointToEnd(function.entry);
    t.active = &function;
    result = call.layer.build(call);
    t.active = &t.main;
  }
  if (call.failed || holdsPoison(result))
    return {};
  std::vector<Value> results = result.is<Tuple>() ? result.as<Tuple>()->elements : std::vector<Value>{result};
  for (size_t i = 0; i < results.size() && i < origins.size(); ++i) {
    mlir::Value inside = results[i].tensor();
    const std::string name = t.decl.inputs[origins[i]].name.text.str();
    mlir::Value outside = t.addArgument(t.main, t.main.inputs++, inside.getType(), kInputAttr, name, call.range);
    if (int64_t count = t.classesOf(t.rawInputs[origins[i]])) {
      t.e.argumentAttributes[t.main.inputs - 1].append(kClassesAttr, t.e.builder.getI64IntegerAttr(count));
      t.classes[outside] = t.classes[inside] = count;
    }
    t.augmented.insert({outside, Augmented{origins[i], inside}});
    results[i] = Value(outside, call.range);
  }
  if (results.size() == 1)
    return results.front();
  return Value(Tuple(std::make_shared<TupleData>(TupleData{std::move(results), {}})), call.range);
}

//===-- What the block uses --------------------------------------------------------------------------------------===//

namespace {
/// The networks whose names appear in a body, also through the blocks that it calls.
struct NameFinder {
  std::vector<const NetworkDecl *> networks;
  std::set<const BlockDecl *> seen;

  void name(llvm::StringRef text, const FileScope &scope) {
    auto found = scope.names.find(text);
    if (found == scope.names.end())
      return;
    if (const auto *network = dyn_cast<NetworkDecl>(found->second.node)) {
      if (!llvm::is_contained(networks, network))
        networks.push_back(network);
    } else if (const auto *block = dyn_cast<BlockDecl>(found->second.node)) {
      if (seen.insert(block).second)
        body(block->body, *found->second.owner);
    }
  }
  void arguments(const std::vector<Argument> &given, const FileScope &scope) {
    for (const Argument &argument : given)
      expr(argument.value, scope);
  }
  void exprs(const std::vector<Expr *> &all, const FileScope &scope) {
    for (const Expr *each : all)
      expr(each, scope);
  }
  void body(const Body &body, const FileScope &scope) {
    for (const Stmt *each : body.statements)
      stmt(each, scope);
  }
  void stmt(const Stmt *stmt, const FileScope &scope) {
    switch (stmt->kind) {
    case Node::ExprStmtKind:
      return expr(cast<ExprStmt>(stmt)->value, scope);
    case Node::BindKind:
      return expr(cast<BindStmt>(stmt)->value, scope);
    case Node::ForKind:
      expr(cast<ForStmt>(stmt)->iterable, scope);
      return body(cast<ForStmt>(stmt)->body, scope);
    case Node::ReturnKind:
      return arguments(cast<ReturnStmt>(stmt)->values, scope);
    case Node::MinimizeKind:
      expr(cast<MinimizeStmt>(stmt)->loss, scope);
      exprs(cast<MinimizeStmt>(stmt)->targets, scope);
      return expr(cast<MinimizeStmt>(stmt)->optimizer, scope);
    case Node::ReportKind:
      return exprs(cast<ReportStmt>(stmt)->values, scope);
    default:
      return;
    }
  }
  void expr(const Expr *expr, const FileScope &scope) {
    if (!expr)
      return;
    switch (expr->kind) {
    case Node::NameKind:
      return name(cast<NameExpr>(expr)->name, scope);
    case Node::ListKind:
      return exprs(cast<ListExpr>(expr)->elements, scope);
    case Node::TupleKind:
      return exprs(cast<TupleExpr>(expr)->elements, scope);
    case Node::UnaryKind:
      return this->expr(cast<UnaryExpr>(expr)->operand, scope);
    case Node::BinaryKind: {
      // Sums may be long; they lean to the left.
      const Expr *left = expr;
      for (; isa<BinaryExpr>(left); left = cast<BinaryExpr>(left)->lhs)
        this->expr(cast<BinaryExpr>(left)->rhs, scope);
      return this->expr(left, scope);
    }
    case Node::ApplyKind:
      name(cast<ApplyExpr>(expr)->callee.text, scope);
      return arguments(cast<ApplyExpr>(expr)->arguments, scope);
    case Node::ArrowKind:
      this->expr(cast<ArrowExpr>(expr)->source, scope);
      return exprs(cast<ArrowExpr>(expr)->stages, scope);
    case Node::IndexKind:
      return this->expr(cast<IndexExpr>(expr)->base, scope);
    case Node::PropertyKind:
      return this->expr(cast<PropertyExpr>(expr)->base, scope);
    case Node::IfKind:
      this->expr(cast<IfExpr>(expr)->condition, scope);
      body(cast<IfExpr>(expr)->then, scope);
      return body(cast<IfExpr>(expr)->otherwise, scope);
    case Node::ShareKind:
      return this->expr(cast<ShareExpr>(expr)->layer, scope);
    case Node::AnnotatedKind:
      return this->expr(cast<AnnotatedExpr>(expr)->value, scope);
    default:
      return;
    }
  }
};
} // namespace

void TrainElaborator::findNetworks() {
  NameFinder finder;
  finder.body(decl.body, scope);
  networks = std::move(finder.networks);
}

//===-- The block ------------------------------------------------------------------------------------------------===//

bool TrainElaborator::run() {
  findNetworks();
  std::string name = decl.name.text.str();
  begin(main, mode == Mode::Training ? name : name + "_evaluate");
  e.entry = main.entry;
  e.stateBuilder.setInsertionPoint(main.function);
  e.builder.setInsertionPointToEnd(main.entry);

  PathScope paths;
  paths.prefix = "train.";
  Frame frame;
  frame.file = &scope;
  frame.paths = &paths;
  frame.scopes.resize(2);
  block = &frame;
  Elaborator::FrameGuard guard(e, frame);
  std::vector<llvm::StringRef> known = settingNames();
  program.settings.clear();
  for (const TrainingSetting &setting : trainingSettings()) {
    double number = setting.initial;
    for (const auto &[asked, given] : request.settings)
      if (asked == setting.name) {
        number = given;
        if (std::string problem = problemWith(setting, given); !problem.empty())
          e.diagnostics.error({}, problem);
      }
    program.settings.push_back({setting.name.str(), number});
    Value value =
        setting.isInteger ? Value(static_cast<int64_t>(number), decl.name.range) : Value(number, decl.name.range);
    frame.scopes.front()[setting.name] = {std::move(value), decl.name.range, false, true};
  }
  for (const auto &[asked, given] : request.settings)
    if (!llvm::is_contained(known, asked))
      e.diagnostics.error({}, "there is no setting '" + asked + "'" + didYouMean(asked, known));
  if (e.diagnostics.hasErrors() || !signature())
    return false;

  for (const Stmt *stmt : decl.body.statements)
    if (const auto *preprocess = dyn_cast<PreprocessStmt>(stmt))
      if (!llvm::is_contained(namesOf(decl.inputs), preprocess->input.text))
        e.error(preprocess->input.range, "the train block has no input '" + preprocess->input.text.str() + "'" +
                                             didYouMean(preprocess->input.text, namesOf(decl.inputs)));
  Value result = e.statements(decl.body);
  if (!result.isPoison() && !result.is<Nothing>())
    e.error(decl.body.statements.back()->range,
            "this value is used by nothing: bind it to a name, minimize it or report it");
  checkBindings();
  if (minimizations.empty() && !e.diagnostics.hasErrors())
    e.error(decl.name.range, "a train block has a 'minimize', as in minimize loss over net using adam(lr = 1e-3)");
  return !e.diagnostics.hasErrors() && finish();
}

//===-- Interface ------------------------------------------------------------------------------------------------===//

/// The block asked for, or null after an error.
static const TrainDecl *chooseTrain(const FileScope &scope, const TrainingRequest &request, Diagnostics &diagnostics) {
  const File &file = *scope.file;
  std::vector<llvm::StringRef> names;
  names.reserve(file.trains.size());
  for (const TrainDecl *train : file.trains)
    names.push_back(train->name.text);
  std::string declares = names.empty() ? "'" + request.path + "' declares no train block"
                                       : "'" + request.path + "' declares the train " +
                                             (names.size() == 1 ? "block " : "blocks ") + listOfNames(names, "and");
  if (request.train.empty()) {
    if (file.trains.size() == 1)
      return file.trains.front();
    if (file.trains.empty())
      diagnostics.error({}, "'" + request.path + "' holds no train block");
    else
      diagnostics.error({}, "'" + request.path + "' holds several train blocks, " + listOfNames(names, "and") +
                                "; say which, as in " + request.path + ":" + names.front().str());
    return nullptr;
  }
  for (const TrainDecl *train : file.trains)
    if (train->name.text == request.train)
      return train;
  if (auto found = scope.names.find(request.train); found != scope.names.end()) {
    bool isNetwork = isa<NetworkDecl>(found->second.node);
    diagnostics.error({}, "'" + request.train + "' is " +
                              (isNetwork ? "a network" : "a block or a constant, no train block") + "; " + declares);
    return nullptr;
  }
  diagnostics.error({}, "'" + request.path + "' has no train block '" + request.train + "'" +
                            didYouMean(request.train, names));
  return nullptr;
}

static TrainingProgram elaborate(mlir::MLIRContext &context, FileScope *scope, const TrainingRequest &request,
                                 Diagnostics &diagnostics) {
  TrainingProgram program;
  if (diagnostics.hasErrors() || !scope)
    return program;
  const TrainDecl *train = chooseTrain(*scope, request, diagnostics);
  if (!train)
    return program;
  context.loadDialect<CnnDialect, mlir::func::FuncDialect>();
  program.name = train->name.text.str();
  bool fine = true;
  for (auto mode : {TrainElaborator::Mode::Training, TrainElaborator::Mode::Evaluation})
    if (fine) {
      Elaborator elaborator(context, diagnostics);
      fine = TrainElaborator(elaborator, mode, *train, *scope, request, program).run();
    }
  return fine ? std::move(program) : TrainingProgram();
}

TrainingProgram loadTraining(mlir::MLIRContext &context, const TrainingRequest &request, Diagnostics &diagnostics) {
  Imports imports(diagnostics);
  return elaborate(context, imports.load(request.path), request, diagnostics);
}

TrainingProgram loadTrainingFromText(mlir::MLIRContext &context, std::string text, const TrainingRequest &request,
                                     Diagnostics &diagnostics) {
  Imports imports(diagnostics);
  const SourceFile *source = diagnostics.sources().add(request.path, std::move(text));
  return elaborate(context, imports.add(*source), request, diagnostics);
}

Declarations declarationsOf(const std::string &path) {
  Diagnostics diagnostics;
  Imports imports(diagnostics);
  Declarations declarations;
  if (FileScope *scope = imports.load(path)) {
    for (const NetworkDecl *network : scope->file->networks)
      declarations.networks.push_back(network->name.text.str());
    for (const TrainDecl *train : scope->file->trains)
      declarations.trains.push_back(train->name.text.str());
  }
  return declarations;
}

} // namespace cnn
