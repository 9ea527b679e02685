// Expressions: names, strings, lists, conditions, annotations.
#include "frontend/Elaborator.h"

#include "frontend/Layers.h"
#include "frontend/TrainElaborator.h"
#include "frontend/TrainFunctions.h"
#include "ir/Recompute.h"

#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/StringSwitch.h"

namespace cnn {
using namespace ast;

bool Elaborator::step(SourceRange range, unsigned cost) {
  if (stopped)
    return false;
  steps += cost;
  if (steps > kMaxSteps) {
    error(range, "elaboration stops after " + std::to_string(kMaxSteps) + " steps: a loop or a list is too long");
    stopped = true;
  }
  stopped |= diagnostics.isFull();
  return !stopped;
}

Value Elaborator::evaluate(const Expr *expr) {
  if (!step(expr->range))
    return {};
  if (depth >= kMaxDepth)
    return error(expr->range, "calls and expressions are nested too deep");
  ++depth;
  Value value;
  switch (expr->kind) {
  case Node::NumberKind: {
    const auto *number = cast<NumberExpr>(expr);
    value = number->isInteger ? Value(number->integer, expr->range) : Value(number->real, expr->range);
    break;
  }
  case Node::BoolKind:
    value = Value(cast<BoolExpr>(expr)->value, expr->range);
    break;
  case Node::StringKind:
    value = evaluateString(*cast<StringExpr>(expr));
    break;
  case Node::NameKind:
    value = evaluateName(*cast<NameExpr>(expr));
    break;
  case Node::ListKind:
    value = evaluateList(*cast<ListExpr>(expr));
    break;
  case Node::TupleKind:
    value = evaluateTuple(*cast<TupleExpr>(expr));
    break;
  case Node::UnaryKind:
    value = evaluateUnary(*cast<UnaryExpr>(expr));
    break;
  case Node::BinaryKind:
    value = evaluateBinary(*cast<BinaryExpr>(expr));
    break;
  case Node::ApplyKind:
    value = apply(*cast<ApplyExpr>(expr), {});
    break;
  case Node::ArrowKind:
    value = evaluateArrow(*cast<ArrowExpr>(expr));
    break;
  case Node::IndexKind:
    value = evaluateIndex(*cast<IndexExpr>(expr));
    break;
  case Node::PropertyKind:
    value = evaluateProperty(*cast<PropertyExpr>(expr));
    break;
  case Node::IfKind:
    value = evaluateIf(*cast<IfExpr>(expr));
    break;
  case Node::ShareKind:
    value = evaluateShare(*cast<ShareExpr>(expr));
    break;
  case Node::AnnotatedKind:
    value = evaluateAnnotated(*cast<AnnotatedExpr>(expr));
    break;
  default:
    break;
  }
  --depth;
  return value;
}

//===-- Names
//------------------------------------------------------------------------------------------------------------===//

Binding *Elaborator::findLocal(llvm::StringRef name) {
  for (auto &scope : llvm::reverse(frame->scopes))
    if (auto found = scope.find(name); found != scope.end())
      return &found->second;
  return nullptr;
}

/// What a name is bound to: in the body, at the top level of its file, or the batch symbol.
std::optional<Value> Elaborator::lookup(llvm::StringRef name, SourceRange range) {
  if (Binding *binding = findLocal(name)) {
    binding->isUsed = true;
    return binding->value;
  }
  if (auto found = frame->file->names.find(name); found != frame->file->names.end()) {
    const Global &global = found->second;
    if (const auto *stmt = dyn_cast<BindStmt>(global.node))
      return constant(*stmt, *global.owner);
    if (const auto *block = dyn_cast<BlockDecl>(global.node))
      return Value(BlockRef{block, global.owner}, range);
    return Value(NetworkRef{cast<NetworkDecl>(global.node), global.owner}, range);
  }
  if (const LayerInfo *layer = findLayer(name))
    return Value(layer, range);
  if (name == batchName)
    return Value(Batch{batchName}, range);
  return std::nullopt;
}

static bool isCallable(const Value &value) {
  return value.is<BlockRef>() || value.is<NetworkRef>() || value.is<Shared>() || value.is<const LayerInfo *>();
}

/// As lookup, but a binding that cannot be called does not hide a layer: a block may have a parameter called `filter`.
std::optional<Value> Elaborator::lookupCallee(llvm::StringRef name, SourceRange range) {
  auto value = lookup(name, range);
  if (value && (isCallable(*value) || value->isPoison()))
    return value;
  if (const LayerInfo *layer = findLayer(name))
    return Value(layer, range);
  // What stands in train blocks alone does not take names from networks.
  if (training && activeNetworks.empty())
    if (const LayerInfo *function = findTrainFunction(name))
      return Value(function, range);
  return value;
}

Value Elaborator::constant(const BindStmt &stmt, FileScope &scope) {
  auto [known, fresh] = constants.try_emplace(&stmt);
  if (!fresh) {
    if (known->second)
      return *known->second;
    return error(stmt.targets.front().range,
                 "the constant '" + stmt.targets.front().text.str() + "' depends on itself");
  }
  Frame constantFrame;
  constantFrame.file = &scope;
  constantFrame.scopes.emplace_back();
  FrameGuard guard(*this, constantFrame);
  Value value = evaluate(stmt.value);
  if (value.is<Nothing>() || value.is<Word>())
    value = value.is<Word>() ? unknownName(value.as<Word>().text, value.origin, false)
                             : error(stmt.value->range, "this has no value");
  constants[&stmt] = value;
  return value;
}

std::vector<llvm::StringRef> Elaborator::visibleNames(bool callable) {
  std::vector<llvm::StringRef> names;
  for (auto &scope : frame->scopes)
    for (auto &entry : scope)
      if (!callable || isCallable(entry.second.value))
        names.push_back(entry.getKey());
  for (auto &entry : frame->file->names)
    if (!callable || !isa<BindStmt>(entry.second.node))
      names.push_back(entry.getKey());
  if (callable)
    for (const LayerInfo *layer : allLayers())
      names.push_back(layer->name);
  if (callable && training && activeNetworks.empty())
    for (const LayerInfo *function : trainFunctions())
      names.push_back(function->name);
  llvm::sort(names);
  return names;
}

Value Elaborator::unknownName(llvm::StringRef name, SourceRange range, bool asCallee) {
  if (asCallee && findTrainFunction(name))
    return error(range, "'" + name.str() + "' stands in train blocks");
  bool inBlock = training && activeNetworks.empty();
  const LayerInfo *function = inBlock ? findTrainFunction(name) : nullptr;
  if (!asCallee && function && !function->example.empty()) {
    bool isSchedule = llvm::any_of(scheduleFunctions(), [&](const LayerInfo &info) { return info.name == name; });
    return error(range, "'" + name.str() + "' is a " + (isSchedule ? "schedule" : "function") +
                            " and takes arguments, as in " + function->example.str());
  }
  std::string message = !asCallee ? "there is no '"
                        : inBlock ? "there is no function, layer, block or network '"
                                  : "there is no layer, block or network '";
  // Losses of logits say so in their names.
  if (std::string logits = name.str() + "_logits"; asCallee && inBlock && findTrainFunction(logits))
    return error(range, message + name.str() + "'; did you mean '" + logits + "'?");
  if (auto ended = frame->ended.find(name); ended != frame->ended.end())
    return error(range, message + name.str() + "'" + (asCallee ? "" : " here") + ": it ended with the loop",
                 {{ended->second, "what a loop binds first lives until its turn ends; bind it before the loop, too"}});
  return error(range,
               message + name.str() + "'" + (asCallee ? "" : " here") + didYouMean(name, visibleNames(asCallee)));
}

/// An unbound name is a word; who takes it decides whether that word is known.
Value Elaborator::evaluateName(const NameExpr &expr) {
  auto value = lookup(expr.name, expr.range);
  return value ? *value : Value(Word{expr.name.str()}, expr.range);
}

//===-- Strings, lists, tuples
//--------------------------------------------------------------------------------------------===//

std::optional<std::string> Elaborator::textOf(const Value &value, SourceRange range) {
  if (value.isPoison())
    return std::nullopt;
  if (const Text *text = value.get<Text>())
    return text->text;
  if (value.is<int64_t>())
    return std::to_string(value.as<int64_t>());
  if (value.is<double>())
    return numberText(value.as<double>());
  if (value.is<bool>())
    return value.as<bool>() ? "true" : "false";
  if (const Word *word = value.get<Word>())
    unknownName(word->text, range, false);
  else
    error(range, "a string holds numbers, words and strings; met " + describe(value));
  return std::nullopt;
}

Value Elaborator::evaluateString(const StringExpr &expr) {
  std::string text;
  for (const StringPart &part : expr.parts) {
    text += part.text;
    if (part.value) {
      auto inner = textOf(evaluate(part.value), part.value->range);
      if (!inner)
        return {};
      text += *inner;
    }
    if (text.size() > kMaxText)
      return error(expr.range, "a string has at most " + std::to_string(kMaxText) + " bytes");
  }
  return Value(Text{std::move(text)}, expr.range);
}

Value Elaborator::evaluateList(const ListExpr &expr) {
  auto elements = std::make_shared<std::vector<Value>>();
  elements->reserve(expr.elements.size());
  bool poisoned = false;
  for (const Expr *element : expr.elements) {
    Value value = evaluate(element);
    if (const Word *word = value.get<Word>())
      value = unknownName(word->text, element->range, false);
    if (value.is<Nothing>())
      value = error(element->range, "this has no value");
    if (value.is<Tuple>())
      value = error(element->range, "this is several values; a list takes them one by one");
    poisoned |= value.isPoison();
    elements->push_back(std::move(value));
  }
  return poisoned ? Value() : Value(List(std::move(elements)), expr.range);
}

Value Elaborator::evaluateTuple(const TupleExpr &expr) {
  auto tuple = std::make_shared<TupleData>();
  for (const Expr *element : expr.elements) {
    Value value = evaluate(element);
    if (value.is<Nothing>())
      value = error(element->range, "this has no value");
    if (const Word *word = value.get<Word>())
      value = unknownName(word->text, element->range, false);
    tuple->elements.push_back(std::move(value));
  }
  return Value(Tuple(std::move(tuple)), expr.range);
}

//===-- Conditions
//---------------------------------------------------------------------------------------------------------===//

std::optional<bool> Elaborator::truth(const Expr *expr) {
  Value value = evaluate(expr);
  if (value.is<bool>())
    return value.as<bool>();
  if (const Word *word = value.get<Word>())
    unknownName(word->text, expr->range, false);
  else if (!value.isPoison())
    error(expr->range, "a condition is true or false; met " + describe(value));
  return std::nullopt;
}

Value Elaborator::evaluateIf(const IfExpr &expr) {
  auto condition = truth(expr.condition);
  if (!condition) {
    poisonAssigned(expr.then);
    poisonAssigned(expr.otherwise);
    return {};
  }
  if (*condition)
    return body(expr.then);
  return expr.hasElse ? body(expr.otherwise) : Value(Nothing{}, expr.range);
}

//===-- Arrows, properties, annotations
//-------------------------------------------------------------------------------------===//

Value Elaborator::evaluateArrow(const ArrowExpr &expr) {
  Value value = evaluate(expr.source);
  SourceRange range = expr.source->range;
  if (const Word *word = value.get<Word>())
    value = unknownName(word->text, range, false);
  for (const Expr *stage : expr.stages) {
    if (stopped)
      return {};
    if (value.is<Nothing>())
      value = error(range, "this has no value to go through '->'");
    std::vector<CallArgument> arguments;
    spread(value, range, arguments);
    if (const auto *annotated = dyn_cast<AnnotatedExpr>(stage))
      value = annotate(*annotated, [&] { return apply(*cast<ApplyExpr>(annotated->value), std::move(arguments)); });
    else
      value = apply(*cast<ApplyExpr>(stage), std::move(arguments));
    range = stage->range;
  }
  return value;
}

Value Elaborator::evaluateProperty(const PropertyExpr &expr) {
  Value base = evaluate(expr.base);
  llvm::StringRef name = expr.name.text;
  if (base.isPoison())
    return {};
  if (const Word *word = base.get<Word>())
    return unknownName(word->text, expr.base->range, false);
  auto extent = [&](int64_t value) {
    return mlir::ShapedType::isDynamic(value) ? Value(Batch{batchName}, expr.range) : Value(value, expr.range);
  };
  if (base.isTensor()) {
    auto type = base.tensorType();
    if (name == "rank")
      return Value(type.getRank(), expr.range);
    if (name == "shape") {
      auto list = std::make_shared<std::vector<Value>>();
      for (int64_t dim : type.getShape())
        list->push_back(extent(dim));
      return Value(List(std::move(list)), expr.range);
    }
    int64_t dim = llvm::StringSwitch<int64_t>(name).Case("channels", 1).Case("height", 2).Case("width", 3).Default(-1);
    if (dim < 0)
      return error(expr.name.range, "a tensor has no '" + name.str() +
                                        "'; it has 'channels', 'height', 'width', 'shape' and "
                                        "'rank'" +
                                        didYouMean(name, {"channels", "height", "width", "shape", "rank"}));
    if (dim >= type.getRank())
      return error(expr.name.range, typeText(type) + " has no " + name.str());
    return extent(type.getDimSize(dim));
  }
  if (const List *list = base.get<List>()) {
    if (name == "length")
      return Value(static_cast<int64_t>((*list)->size()), expr.range);
    return error(expr.name.range, "a list has no '" + name.str() + "'; it has 'length'");
  }
  if (const Tuple *tuple = base.get<Tuple>()) {
    std::vector<llvm::StringRef> names((*tuple)->names.begin(), (*tuple)->names.end());
    if (auto at = llvm::find(names, name); at != names.end())
      return (*tuple)->elements[at - names.begin()];
    return error(expr.name.range, "there is no result '" + name.str() + "'" + didYouMean(name, names));
  }
  if (base.is<NetworkRef>() || base.is<ParameterGroup>())
    return partOf(base, name, expr.range);
  return error(expr.name.range, describe(base) + " has no properties");
}

/// The parameters below a path of a network, or of a part of one.
Value Elaborator::partOf(const Value &network, llvm::StringRef path, SourceRange range) {
  if (const ParameterGroup *group = network.get<ParameterGroup>())
    return Value(ParameterGroup{group->network, group->path + "." + path.str()}, range);
  return Value(ParameterGroup{network.as<NetworkRef>(), path.str()}, range);
}

Value Elaborator::evaluateAnnotated(const AnnotatedExpr &expr) {
  return annotate(expr, [&] { return evaluate(expr.value); });
}

/// `@recompute`: all operations after `before` are of one region. A region within is a part of it.
void Elaborator::markRecompute(const Annotation &annotation, mlir::Block *block, mlir::Operation *before) {
  if (!annotation.arguments.empty())
    error(annotation.name.range, "'@recompute' has no arguments");
  mlir::Operation *op = before ? before->getNextNode() : block->empty() ? nullptr : &block->front();
  if (!op) {
    error(annotation.name.range,
          "there is nothing to compute again here: '@recompute' stands before the call of a layer "
          "or a block, as in 'x -> @recompute f(2)'");
    return;
  }
  mlir::Attribute region = builder.getI64IntegerAttr(recomputeRegions++);
  for (; op; op = op->getNextNode())
    op->setAttr(kRecomputeAttr, region);
}

/// Annotations stay with the operation that makes the value, as attributes that steer passes and change no value;
/// `@recompute` with all operations of the expression.
Value Elaborator::annotate(const AnnotatedExpr &expr, llvm::function_ref<Value()> compute) {
  static const std::vector<llvm::StringRef> known = {"keep", "recompute", "schedule"};
  mlir::Block *block = builder.getInsertionBlock();
  mlir::Operation *before = block && !block->empty() ? &block->back() : nullptr;
  Value value = compute();
  mlir::Operation *op = value.isTensor() ? value.tensor().getDefiningOp() : nullptr;
  for (const Annotation &annotation : expr.annotations) {
    if (!llvm::is_contained(known, annotation.name.text)) {
      error(annotation.name.range, "there is no annotation '@" + annotation.name.text.str() + "'; there are " +
                                       listOfNames(known, "and") + didYouMean(annotation.name.text, known));
      continue;
    }
    if (annotation.name.text == "recompute") {
      if (block && !value.isPoison())
        markRecompute(annotation, block, before);
      continue;
    }
    if (!value.isPoison() && !value.isTensor())
      error(annotation.name.range,
            "'@" + annotation.name.text.str() + "' stands before a tensor, met " + describe(value));
    std::vector<CallArgument> arguments;
    if (!evaluateArguments(annotation.arguments, arguments) || !value.isTensor())
      continue;
    if (!op) {
      error(annotation.name.range, "'@" + annotation.name.text.str() + "' stands before what a layer makes; met " +
                                       describe(value) + ", an input or a parameter");
      continue;
    }
    if (annotation.name.text == "keep" && !arguments.empty()) {
      error(annotation.name.range, "'@keep' has no arguments");
      continue;
    }
    llvm::SmallVector<mlir::NamedAttribute> values;
    for (const CallArgument &argument : arguments) {
      if (argument.name.text.empty()) {
        error(argument.range, "the arguments of an annotation have names");
        continue;
      }
      const Value &given = argument.value;
      mlir::Attribute attribute;
      if (given.is<int64_t>())
        attribute = builder.getI64IntegerAttr(given.as<int64_t>());
      else if (given.is<double>())
        attribute = builder.getF64FloatAttr(given.as<double>());
      else if (given.is<bool>())
        attribute = builder.getBoolAttr(given.as<bool>());
      else if (given.is<Text>() || given.is<Word>())
        attribute = builder.getStringAttr(given.is<Text>() ? given.as<Text>().text : given.as<Word>().text);
      else
        error(argument.range, "an annotation takes numbers, words and strings, met " + describe(given));
      if (attribute)
        values.push_back(builder.getNamedAttr(argument.name.text, attribute));
    }
    mlir::Attribute attribute = builder.getUnitAttr();
    if (!values.empty())
      attribute = builder.getDictionaryAttr(values);
    if (annotation.name.text == "keep" && !value.tensorType().isDynamicDim(0)) {
      error(annotation.name.range, "'@keep' stands before a value of each image; met " + describe(value));
      continue;
    }
    op->setAttr("cnn." + annotation.name.text.str(), attribute);
  }
  return value;
}

} // namespace cnn
