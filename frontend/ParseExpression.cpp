// The parser's expressions, loosest first: `->`, or, and, not, comparison, `..`, `+ -`, `* / %`, sign, postfix.
#include "frontend/Parser.h"

#include "llvm/ADT/StringExtras.h"

#include <cmath>

namespace cnn::detail {
using namespace ast;

namespace {

struct Operator {
  BinaryOp op;
  unsigned precedence;
};

constexpr unsigned kNotPrecedence = 3, kComparison = 4;

std::optional<Operator> binaryOperator(TokenKind kind) {
  switch (kind) {
  case TokenKind::Or:
    return Operator{BinaryOp::Or, 1};
  case TokenKind::And:
    return Operator{BinaryOp::And, 2};
  case TokenKind::Equal:
    return Operator{BinaryOp::Equal, kComparison};
  case TokenKind::NotEqual:
    return Operator{BinaryOp::NotEqual, kComparison};
  case TokenKind::Less:
    return Operator{BinaryOp::Less, kComparison};
  case TokenKind::LessEqual:
    return Operator{BinaryOp::LessEqual, kComparison};
  case TokenKind::Greater:
    return Operator{BinaryOp::Greater, kComparison};
  case TokenKind::GreaterEqual:
    return Operator{BinaryOp::GreaterEqual, kComparison};
  case TokenKind::Range:
    return Operator{BinaryOp::Range, 5};
  case TokenKind::Plus:
    return Operator{BinaryOp::Add, 6};
  case TokenKind::Minus:
    return Operator{BinaryOp::Subtract, 6};
  case TokenKind::Star:
    return Operator{BinaryOp::Multiply, 7};
  case TokenKind::Slash:
    return Operator{BinaryOp::Divide, 7};
  case TokenKind::Percent:
    return Operator{BinaryOp::Remainder, 7};
  default:
    return std::nullopt;
  }
}

} // namespace

Expr *Parser::expression() {
  Nested nested(*this);
  if (!nested)
    return nullptr;
  uint32_t begin = peek().begin;
  Expr *value = operators(1);
  if (!value || !is(TokenKind::Arrow))
    return value;
  std::vector<Expr *> stages;
  while (accept(TokenKind::Arrow)) {
    Expr *next = stage();
    if (!next)
      return nullptr;
    stages.push_back(next);
    if (binaryOperator(peek().kind)) {
      error(here(), "the right side of '->' is an application, met " + describe(peek().kind) + " after it",
            {{since(begin), "write the chain in parentheses, as in (a -> f) + b"}});
      return nullptr;
    }
  }
  auto *arrow = file.make<ArrowExpr>(since(begin));
  arrow->source = value;
  arrow->stages = std::move(stages);
  return arrow;
}

/// Precedence climbing; operators of one precedence group from the left, comparisons don't chain.
Expr *Parser::operators(unsigned minPrecedence) {
  uint32_t begin = peek().begin;
  Expr *lhs = nullptr;
  if (is(TokenKind::Not) && minPrecedence <= kNotPrecedence) {
    Nested nested(*this);
    if (!nested)
      return nullptr;
    take();
    Expr *operand = operators(kNotPrecedence);
    if (!operand)
      return nullptr;
    auto *negation = file.make<UnaryExpr>(since(begin));
    negation->op = UnaryOp::Not;
    negation->operand = operand;
    lhs = negation;
  } else {
    lhs = unary();
  }
  bool compared = false;
  while (lhs) {
    auto next = binaryOperator(peek().kind);
    if (!next || next->precedence < minPrecedence)
      break;
    SourceRange opRange = here();
    if (next->precedence == kComparison && std::exchange(compared, true)) {
      error(opRange, "comparisons don't chain; join two by 'and'");
      return nullptr;
    }
    take();
    Expr *rhs = operators(next->precedence + 1);
    if (!rhs)
      return nullptr;
    auto *binary = file.make<BinaryExpr>(since(begin));
    binary->op = next->op;
    binary->opRange = opRange;
    binary->lhs = lhs;
    binary->rhs = rhs;
    lhs = binary;
  }
  return lhs;
}

Expr *Parser::unary() {
  if (!is(TokenKind::Minus))
    return is(TokenKind::At) ? annotated(/*asStage=*/false) : postfix();
  Nested nested(*this);
  if (!nested)
    return nullptr;
  uint32_t begin = take().begin;
  Expr *operand = unary();
  if (!operand)
    return nullptr;
  auto *negation = file.make<UnaryExpr>(since(begin));
  negation->operand = operand;
  return negation;
}

Expr *Parser::postfix() {
  uint32_t begin = peek().begin;
  Expr *value = primary();
  for (unsigned length = 0; value; ++length) {
    if (length > kMaxNesting) {
      error(here(), "nested more than " + std::to_string(kMaxNesting) + " deep");
      return nullptr;
    }
    if (accept(TokenKind::Dot)) {
      auto name = identifier("a property, such as 'channels'");
      if (!name)
        return nullptr;
      auto *property = file.make<PropertyExpr>(since(begin));
      property->base = value;
      property->name = *name;
      value = property;
    } else if (is(TokenKind::LeftBracket)) {
      take();
      auto *index = file.make<IndexExpr>(since(begin));
      index->base = value;
      do {
        index->subscripts.emplace_back();
        if (!subscript(index->subscripts.back()))
          return nullptr;
      } while (accept(TokenKind::Comma) && !is(TokenKind::RightBracket));
      if (!expect(TokenKind::RightBracket, "after the subscript"))
        return nullptr;
      index->range = since(begin);
      value = index;
    } else if (is(TokenKind::LeftParen)) {
      error(here(), "only a name can be called");
      return nullptr;
    } else {
      break;
    }
  }
  return value;
}

bool Parser::subscript(Subscript &subscript) {
  uint32_t begin = peek().begin;
  bool labels = std::exchange(labelsAllowed, false);
  auto part = [&](Expr *&into) {
    if (is(TokenKind::Colon) || is(TokenKind::Comma) || is(TokenKind::RightBracket))
      return true;
    return parse(into);
  };
  bool fine = part(subscript.start);
  if (fine && accept(TokenKind::Colon)) {
    subscript.isSlice = true;
    fine = part(subscript.stop) && (!accept(TokenKind::Colon) || part(subscript.step));
  }
  labelsAllowed = labels;
  if (fine && !subscript.isSlice && !subscript.start) {
    unexpected("an index or a slice");
    fine = false;
  }
  subscript.range = since(begin);
  return fine;
}

Expr *Parser::primary() {
  switch (peek().kind) {
  case TokenKind::Integer:
  case TokenKind::Float:
    return number();
  case TokenKind::True:
  case TokenKind::False: {
    Token token = take();
    auto *value = file.make<BoolExpr>(rangeOf(token));
    value->value = token.kind == TokenKind::True;
    return value;
  }
  case TokenKind::String: {
    uint32_t begin = peek().begin;
    StringExpr *text = string();
    if (text && labelsAllowed && accept(TokenKind::Colon))
      return application(text, begin);
    return text;
  }
  case TokenKind::Name:
    return nameOrApplication();
  case TokenKind::LeftParen:
    return parenthesized();
  case TokenKind::LeftBracket:
    return list();
  case TokenKind::If:
    return ifExpression();
  case TokenKind::Share:
    return share();
  default:
    unexpected("an expression");
    return nullptr;
  }
}

Expr *Parser::nameOrApplication() {
  uint32_t begin = peek().begin;
  if (peek(1).kind == TokenKind::LeftParen)
    return application(nullptr, begin);
  Token token = take();
  auto *name = file.make<NameExpr>(rangeOf(token));
  name->name = textOf(token);
  if (labelsAllowed && accept(TokenKind::Colon))
    return application(name, begin);
  return name;
}

/// The right side of an arrow.
Expr *Parser::stage() {
  if (is(TokenKind::At))
    return annotated(/*asStage=*/true);
  uint32_t begin = peek().begin;
  Expr *label = nullptr;
  if (is(TokenKind::String)) {
    label = string();
    if (!label || !expect(TokenKind::Colon, "after the label"))
      return nullptr;
  } else if (is(TokenKind::Name) && peek(1).kind == TokenKind::Colon) {
    Token token = take();
    auto *name = file.make<NameExpr>(rangeOf(token));
    name->name = textOf(token);
    label = name;
    take();
  }
  return application(label, begin);
}

ApplyExpr *Parser::application(Expr *label, uint32_t begin) {
  auto callee = identifier("the name of a layer, a block or a network");
  if (!callee)
    return nullptr;
  auto *apply = file.make<ApplyExpr>(since(begin));
  apply->label = label;
  apply->callee = *callee;
  if (is(TokenKind::LeftParen) && !arguments(apply->arguments))
    return nullptr;
  apply->range = since(begin);
  return apply;
}

/// `(a, name = b)`
bool Parser::arguments(std::vector<Argument> &arguments) {
  SourceRange opened = here();
  if (!expect(TokenKind::LeftParen, ""))
    return false;
  bool labels = std::exchange(labelsAllowed, true);
  bool fine = true;
  while (fine && !is(TokenKind::RightParen)) {
    Argument argument;
    if (is(TokenKind::Name) && peek(1).kind == TokenKind::Assign) {
      Token token = take();
      argument.name = {textOf(token), rangeOf(token)};
      take();
      for (const Argument &other : arguments)
        if (other.name.text == argument.name.text)
          error(argument.name.range, "'" + argument.name.text.str() + "' is given twice",
                {{other.name.range, "the first"}});
    } else if (!arguments.empty() && !arguments.back().name.text.empty()) {
      error(here(), "arguments without a name stand before those with one");
      fine = false;
      break;
    }
    fine = (argument.value = expression()) != nullptr;
    if (fine)
      arguments.push_back(argument);
    if (!accept(TokenKind::Comma))
      break;
  }
  labelsAllowed = labels;
  return fine && close(TokenKind::RightParen, opened, "or ',' after the argument");
}

Expr *Parser::number() {
  Token token = take();
  llvm::StringRef text = textOf(token);
  auto *value = file.make<NumberExpr>(rangeOf(token));
  value->isInteger = token.kind == TokenKind::Integer;
  if (value->isInteger) {
    if (text.getAsInteger(10, value->integer)) {
      error(value->range, "this integer does not fit 64 bits");
      return nullptr;
    }
    return value;
  }
  value->real = std::strtod(text.str().c_str(), nullptr);
  if (!std::isfinite(value->real)) {
    error(value->range, "this number is too large");
    return nullptr;
  }
  return value;
}

StringExpr *Parser::string() {
  Token token = take();
  auto *value = file.make<StringExpr>(rangeOf(token));
  uint32_t end = token.end - 1;
  llvm::StringRef all = source.text();
  std::string text;
  for (uint32_t i = token.begin + 1; i < end;) {
    char c = all[i];
    if (c == '\\') {
      char escaped = all[i + 1];
      if (!llvm::StringRef("\\\"nt").contains(escaped)) {
        error({&source, i, i + 2}, "unknown escape; there are \\\\, \\\", \\n and \\t");
        return nullptr;
      }
      text += escaped == 'n' ? '\n' : escaped == 't' ? '\t' : escaped;
      i += 2;
    } else if ((c == '{' || c == '}') && i + 1 < end && all[i + 1] == c) {
      text += c;
      i += 2;
    } else if (c == '}') {
      error({&source, i, i + 1}, "this '}' closes nothing ('}}' is a brace)");
      return nullptr;
    } else if (c == '{') {
      uint32_t from = ++i;
      bool inner = false;
      for (unsigned braces = 1; i < end; ++i) {
        if (all[i] == '\\')
          ++i;
        else if (all[i] == '"')
          inner = !inner;
        else if (!inner && all[i] == '{')
          ++braces;
        else if (!inner && all[i] == '}' && --braces == 0)
          break;
      }
      Expr *part = interpolation(from, std::min(i, end));
      if (!part)
        return nullptr;
      value->parts.push_back({std::move(text), part});
      text.clear();
      ++i;
    } else {
      text += c;
      ++i;
    }
  }
  if (!text.empty() || value->parts.empty())
    value->parts.push_back({std::move(text), nullptr});
  return value;
}

/// Parses the expression between a string's braces with tokens of its own.
Expr *Parser::interpolation(uint32_t begin, uint32_t end) {
  Nested nested(*this);
  if (!nested)
    return nullptr;
  std::vector<Token> outerTokens = std::exchange(tokens, tokenize(source, begin, end, diagnostics));
  size_t outerAt = std::exchange(at, 0);
  bool labels = std::exchange(labelsAllowed, true);
  Expr *value = expression();
  if (value && !is(TokenKind::End)) {
    unexpected("'}' after the expression");
    value = nullptr;
  }
  labelsAllowed = labels;
  tokens = std::move(outerTokens);
  at = outerAt;
  return value;
}

Expr *Parser::parenthesized() {
  SourceRange opened = here();
  uint32_t begin = take().begin;
  bool labels = std::exchange(labelsAllowed, true);
  std::vector<Expr *> elements;
  bool fine = true, comma = false;
  while (!is(TokenKind::RightParen)) {
    Expr *element = expression();
    fine = element != nullptr;
    if (!fine)
      break;
    elements.push_back(element);
    if (is(TokenKind::Assign)) {
      error(here(), "names for values stand in 'return (a = x, b = y)' and in calls");
      fine = false;
      break;
    }
    if (!accept(TokenKind::Comma))
      break;
    comma = true;
  }
  labelsAllowed = labels;
  if (!fine || !close(TokenKind::RightParen, opened, "to close the parenthesis"))
    return nullptr;
  if (elements.empty()) {
    error(since(begin), "expected an expression between the parentheses");
    return nullptr;
  }
  if (elements.size() == 1 && !comma)
    return elements.front();
  auto *tuple = file.make<TupleExpr>(since(begin));
  tuple->elements = std::move(elements);
  return tuple;
}

Expr *Parser::list() {
  uint32_t begin = take().begin;
  bool labels = std::exchange(labelsAllowed, true);
  std::vector<Expr *> elements;
  bool fine = true;
  while (fine && !is(TokenKind::RightBracket)) {
    Expr *element = expression();
    fine = element != nullptr;
    if (fine)
      elements.push_back(element);
    if (!accept(TokenKind::Comma))
      break;
  }
  labelsAllowed = labels;
  if (!fine || !expect(TokenKind::RightBracket, "to close the list"))
    return nullptr;
  auto *list = file.make<ListExpr>(since(begin));
  list->elements = std::move(elements);
  return list;
}

Expr *Parser::ifExpression() {
  Nested nested(*this);
  if (!nested)
    return nullptr;
  uint32_t begin = take().begin;
  auto *branch = file.make<IfExpr>(since(begin));
  if (!parse(branch->condition))
    return nullptr;
  branch->range = since(begin);
  if (!body(branch->then, "what is done if so", Role::Plain))
    return nullptr;
  if (!accept(TokenKind::Else))
    return branch;
  branch->hasElse = true;
  if (!is(TokenKind::If))
    return body(branch->otherwise, "what is done otherwise", Role::Plain) ? branch : nullptr;
  SourceRange range = here();
  Expr *chained = ifExpression();
  if (!chained)
    return nullptr;
  auto *stmt = file.make<ExprStmt>(range);
  stmt->value = chained;
  branch->otherwise.statements.push_back(stmt);
  branch->otherwise.close = range;
  return branch;
}

Expr *Parser::share() {
  uint32_t begin = take().begin;
  Expr *layer = stage();
  if (!layer)
    return nullptr;
  if (!isa<ApplyExpr>(layer)) {
    error(layer->range, "'share' takes an application, as in share name: conv(64, kernel = 3)");
    return nullptr;
  }
  auto *shared = file.make<ShareExpr>(since(begin));
  shared->layer = cast<ApplyExpr>(layer);
  return shared;
}

/// `@keep @schedule(...) expression`; as the right side of an arrow what follows is an application.
Expr *Parser::annotated(bool asStage) {
  Nested nested(*this);
  if (!nested)
    return nullptr;
  uint32_t begin = peek().begin;
  std::vector<Annotation> annotations;
  while (accept(TokenKind::At)) {
    Annotation annotation;
    auto name = identifier("an annotation's name");
    if (!name)
      return nullptr;
    annotation.name = *name;
    if (is(TokenKind::LeftParen) && !arguments(annotation.arguments))
      return nullptr;
    annotations.push_back(std::move(annotation));
  }
  Expr *value = asStage ? stage() : unary();
  if (!value)
    return nullptr;
  auto *expr = file.make<AnnotatedExpr>(since(begin));
  expr->annotations = std::move(annotations);
  expr->value = value;
  return expr;
}

} // namespace cnn::detail
