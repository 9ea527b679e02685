// Statements: bindings, loops, results of bodies.
#include "frontend/TrainElaborator.h"

namespace cnn {
using namespace ast;

/// A body of a loop or a branch: a scope of its own, where rebinding an outer name reaches out.
Value Elaborator::body(const Body &body) {
  frame->scopes.emplace_back();
  Value value = statements(body);
  frame->scopes.pop_back();
  return value;
}

/// Runs the statements; the value is that of the last one.
Value Elaborator::statements(const Body &body) {
  Value result(Nothing{}, body.close);
  for (const Stmt *stmt : body.statements) {
    if (!step(stmt->range))
      return {};
    bool isLast = stmt == body.statements.back();
    switch (stmt->kind) {
    case Node::BindKind:
      bind(*cast<BindStmt>(stmt));
      break;
    case Node::ForKind:
      loop(*cast<ForStmt>(stmt));
      break;
    case Node::ReturnKind:
      return returned(*cast<ReturnStmt>(stmt));
    case Node::PreprocessKind:
    case Node::NamesKind:
      if (!activeBlocks.empty())
        error(stmt->range, "this stands in a network or at the top level of a file, not in a block");
      else if (training && activeNetworks.empty() && isa<NamesStmt>(stmt))
        error(stmt->range, "'names' stands in the network that it is for, not in a train block");
      else if (const auto *preprocess = dyn_cast<PreprocessStmt>(stmt))
        preprocesses.push_back(preprocess);
      else
        nameMaps.push_back(cast<NamesStmt>(stmt));
      break;
    case Node::ExprStmtKind: {
      const Expr *expr = cast<ExprStmt>(stmt)->value;
      Value value = evaluate(expr);
      if (const Word *word = value.get<Word>())
        value = unknownName(word->text, expr->range, false);
      if (isLast)
        result = value;
      else if (!value.isPoison() && !value.is<Nothing>())
        error(expr->range,
              "this value is used by nothing: bind it to a name, or make it the last expression of the body");
      break;
    }
    case Node::MinimizeKind:
      training->minimize(*cast<MinimizeStmt>(stmt));
      break;
    case Node::ReportKind:
      training->report(*cast<ReportStmt>(stmt));
      break;
    default:
      break;
    }
  }
  return result;
}

Value Elaborator::returned(const ReturnStmt &stmt) {
  bool named = !stmt.values.front().name.text.empty();
  auto tuple = std::make_shared<TupleData>();
  for (const Argument &argument : stmt.values) {
    Value value = evaluate(argument.value);
    if (const Word *word = value.get<Word>())
      value = unknownName(word->text, argument.value->range, false);
    if (value.is<Nothing>())
      value = error(argument.value->range, "this has no value");
    if (!named)
      return value;
    tuple->elements.push_back(std::move(value));
    tuple->names.push_back(argument.name.text.str());
  }
  return Value(Tuple(std::move(tuple)), stmt.range);
}

void Elaborator::bindName(const Identifier &target, Value value, bool isConst, bool newScope) {
  Binding *known = newScope ? nullptr : findLocal(target.text);
  if (known && known->isConst) {
    error(target.range, "'" + target.text.str() + "' is a constant", {{known->range, "it is bound here"}});
    return;
  }
  if (known && !isConst)
    known->value = std::move(value);
  else
    frame->scopes.back()[target.text] = {std::move(value), target.range, isConst};
}

void Elaborator::bind(const BindStmt &stmt) {
  Value value = evaluate(stmt.value);
  if (const Word *word = value.get<Word>())
    value = unknownName(word->text, stmt.value->range, false);
  if (value.is<Nothing>())
    value = error(stmt.value->range, "this has no value to bind");
  if (stmt.targets.size() == 1) {
    if (training)
      training->bindSetting(stmt, value);
    if (value.is<Tuple>() && value.as<Tuple>()->names.empty())
      value = error(stmt.value->range, "this is " + std::to_string(value.as<Tuple>()->elements.size()) +
                                           " values; bind them to as many names, as in a, b = f(x)");
    bindName(stmt.targets.front(), std::move(value), stmt.isConst, false);
    return;
  }
  const std::vector<Value> *parts = value.is<Tuple>()  ? &value.as<Tuple>()->elements
                                    : value.is<List>() ? value.as<List>().get()
                                                       : nullptr;
  if (!value.isPoison() && (!parts || parts->size() != stmt.targets.size())) {
    error(stmt.range,
          std::to_string(stmt.targets.size()) + " names for " +
              (parts ? std::to_string(parts->size()) + (parts->size() == 1 ? " value" : " values") : describe(value)));
    parts = nullptr;
  }
  for (size_t i = 0; i < stmt.targets.size(); ++i)
    bindName(stmt.targets[i], parts ? (*parts)[i] : Value(), stmt.isConst, false);
}

/// After a condition or list that failed, what the body would have bound is unknown.
void Elaborator::poisonAssigned(const Body &body) {
  for (const Stmt *stmt : body.statements) {
    if (const auto *bound = dyn_cast<BindStmt>(stmt)) {
      for (const Identifier &target : bound->targets)
        if (Binding *known = findLocal(target.text); known && !known->isConst)
          known->value = Value();
    } else if (const auto *inner = dyn_cast<ForStmt>(stmt)) {
      poisonAssigned(inner->body);
    } else if (const auto *expr = dyn_cast<ExprStmt>(stmt)) {
      if (const auto *branch = dyn_cast<IfExpr>(expr->value)) {
        poisonAssigned(branch->then);
        poisonAssigned(branch->otherwise);
      }
    }
  }
}

bool Elaborator::bindPattern(const LoopPattern &pattern, const Value &value, SourceRange range, std::string &note) {
  auto bindOne = [&](const Identifier &name, const Value &part) {
    bindName(name, part, /*isConst=*/false, /*newScope=*/true);
    bool isShort = part.isNumber() || part.is<bool>() || (part.is<Text>() && part.as<Text>().text.size() < 30);
    if (isShort && note.size() < 60)
      note += (note.empty() ? "" : ", ") + name.text.str() + " = " +
              (part.is<Text>() ? "\"" + part.as<Text>().text + "\"" : *textOf(part, range));
  };
  if (!pattern.unpacks) {
    bindOne(pattern.names.front(), value);
    return true;
  }
  const List *list = value.get<List>();
  if (!list || (*list)->size() != pattern.names.size()) {
    error(range, std::to_string(pattern.names.size()) + " names for " + describe(value));
    return false;
  }
  for (size_t i = 0; i < pattern.names.size(); ++i)
    bindOne(pattern.names[i], (**list)[i]);
  return true;
}

void Elaborator::loop(const ForStmt &stmt) {
  Value iterable = evaluate(stmt.iterable);
  if (const Word *word = iterable.get<Word>())
    iterable = unknownName(word->text, stmt.iterable->range, false);
  if (!iterable.isPoison() && !iterable.is<List>())
    iterable = error(stmt.iterable->range, "a loop goes over a list or a range; met " + describe(iterable));
  if (iterable.isPoison()) {
    poisonAssigned(stmt.body);
    return;
  }
  const List list = iterable.as<List>();
  for (size_t i = 0; i < list->size(); ++i) {
    if (!step(stmt.range))
      return;
    frame->scopes.emplace_back();
    std::string note;
    bool fine = true;
    if (stmt.patterns.size() == 2)
      fine = bindPattern(stmt.patterns[0], Value(static_cast<int64_t>(i), stmt.range), stmt.range, note);
    fine = fine && bindPattern(stmt.patterns.back(), (*list)[i], stmt.range, note);
    if (fine) {
      if (note.empty())
        note = "turn " + std::to_string(i);
      LevelGuard level(*this, stmt.range, "in this loop, where " + note);
      Value value = statements(stmt.body);
      if (!value.isPoison() && !value.is<Nothing>())
        error(stmt.body.statements.back()->range, "a loop has no value: bind this to a name");
    }
    for (auto &entry : frame->scopes.back())
      frame->ended[entry.getKey()] = entry.second.range;
    frame->scopes.pop_back();
    if (!fine)
      return;
  }
}

} // namespace cnn
