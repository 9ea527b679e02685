// The parser's tokens, declarations and statements.
#include "frontend/Parser.h"

#include "frontend/ForeignNames.h"

#include <algorithm>

namespace cnn {
using namespace ast;

std::unique_ptr<File> parseFile(const SourceFile &source, Diagnostics &diagnostics) {
  auto file = std::make_unique<File>();
  file->source = &source;
  size_t invalid = findInvalidUtf8(source.text());
  if (invalid != llvm::StringRef::npos) {
    uint32_t offset = invalid;
    diagnostics.error({&source, offset, offset + 1}, "the text is not UTF-8 here");
    return file;
  }
  detail::Parser(*file, diagnostics).parseTopLevel();
  return file;
}

namespace detail {

Parser::Nested::Nested(Parser &parser) : parser(parser), fine(++parser.depth <= kMaxNesting) {
  if (!fine && !parser.tooDeep) {
    parser.error(parser.here(), "nested more than " + std::to_string(kMaxNesting) + " deep");
    parser.tooDeep = true;
  }
}

Token Parser::take() {
  Token token = peek();
  if (at + 1 < tokens.size())
    ++at;
  return token;
}

bool Parser::accept(TokenKind kind) {
  if (!is(kind))
    return false;
  take();
  return true;
}

void Parser::skipNewlines() {
  while (is(TokenKind::Newline))
    take();
}

void Parser::error(SourceRange range, std::string message, std::vector<Note> notes) {
  if (!tooDeep)
    diagnostics.error(range, std::move(message), std::move(notes));
}

/// What the lexer reported already is not reported again.
void Parser::unexpected(llvm::StringRef wanted, llvm::StringRef hint) {
  if (is(TokenKind::Error))
    return;
  std::string met = describe(peek().kind);
  if (is(TokenKind::Name) || is(TokenKind::Integer) || is(TokenKind::Float))
    met = "'" + textOf(peek()).take_front(40).str() + "'";
  // The end of the file is shown where the text ends, not after what follows it.
  bool atEnd = is(TokenKind::End) && at > 0;
  error(atEnd ? rangeOf(tokens[at - 1]) : here(), "expected " + wanted.str() + ", met " + met + hint.str());
}

bool Parser::expect(TokenKind kind, llvm::StringRef context) {
  if (accept(kind))
    return true;
  unexpected(describe(kind) + (context.empty() ? "" : " " + context.str()));
  return false;
}

bool Parser::close(TokenKind kind, SourceRange opened, llvm::StringRef context) {
  if (is(kind) || is(TokenKind::Error) || at == 0 || here().position().line == rangeOf(tokens[at - 1]).position().line)
    return expect(kind, context);
  error(rangeOf(tokens[at - 1]), "expected " + describe(kind) + " " + context.str() + " before the line ends",
        {{opened, "it would close this"}});
  return false;
}

std::optional<Identifier> Parser::identifier(llvm::StringRef what) {
  if (is(TokenKind::Name)) {
    Token token = take();
    return Identifier{textOf(token), rangeOf(token)};
  }
  if (peek().kind > TokenKind::String && peek().kind < TokenKind::LeftParen)
    error(here(), "expected " + what.str() + ", met " + describe(peek().kind) + ", which is a word of the language");
  else
    unexpected(what);
  return std::nullopt;
}

/// Goes on after the statement that holds an error: to the newline that ends it, past whole bodies, and before the
/// brace that closes the body around it.
void Parser::skipStatement() {
  unsigned braces = 0;
  while (!is(TokenKind::End)) {
    if (braces == 0 && (is(TokenKind::Newline) || is(TokenKind::RightBrace)))
      return;
    if (is(TokenKind::LeftBrace))
      ++braces;
    else if (is(TokenKind::RightBrace))
      --braces;
    take();
  }
}

void Parser::parseTopLevel() {
  // Some editors begin a file with a byte order mark.
  uint32_t begin = source.text().starts_with("\xEF\xBB\xBF") ? 3 : 0;
  tokens = tokenize(source, begin, source.text().size(), diagnostics);
  for (;;) {
    skipNewlines();
    if (is(TokenKind::End) || tooDeep || diagnostics.isFull())
      return;
    size_t before = at;
    topLevelDeclaration();
    if (!is(TokenKind::Newline) && !is(TokenKind::End)) {
      if (at != before && tokens[at - 1].kind == TokenKind::RightBrace && !is(TokenKind::RightBrace))
        continue; // a brace ends a declaration as a newline does
      skipStatement();
      accept(TokenKind::RightBrace);
    }
  }
}

void Parser::topLevelDeclaration() {
  switch (peek().kind) {
  case TokenKind::Import:
    return importDeclaration();
  case TokenKind::Block:
    return blockDeclaration();
  case TokenKind::Network:
    return networkDeclaration();
  case TokenKind::Train:
    return trainDeclaration();
  case TokenKind::Const:
    if (BindStmt *stmt = constant())
      file.constants.push_back(stmt);
    return;
  case TokenKind::Preprocess:
    if (PreprocessStmt *stmt = preprocess())
      file.preprocesses.push_back(stmt);
    return;
  case TokenKind::Names:
    if (NamesStmt *stmt = names())
      file.names.push_back(stmt);
    return;
  case TokenKind::RightBrace:
    error(here(), "this '}' closes nothing");
    take();
    return;
  default: {
    std::string hint;
    if (is(TokenKind::Name))
      hint = declarationHint(textOf(peek()));
    if (hint.empty() && is(TokenKind::Name) && peek(1).kind == TokenKind::Assign)
      hint = "; at the top level a binding is 'const " + textOf(peek()).take_front(40).str() + " = ...'";
    if (!is(TokenKind::Error))
      unexpected("'network', 'block', 'const', 'import', 'train', 'preprocess' or 'names'", hint);
    skipStatement();
  }
  }
}

/// A string without expressions inside.
std::optional<std::string> Parser::plainString(llvm::StringRef what) {
  if (!is(TokenKind::String)) {
    unexpected(what);
    return std::nullopt;
  }
  StringExpr *text = string();
  if (!text)
    return std::nullopt;
  if (text->parts.size() > 1) {
    error(text->range, what.str() + " holds no expressions");
    return std::nullopt;
  }
  return text->parts.empty() ? std::string() : text->parts.front().text;
}

void Parser::importDeclaration() {
  uint32_t begin = take().begin;
  std::vector<Identifier> names;
  if (is(TokenKind::Name)) {
    do {
      auto name = identifier("a name to import");
      if (!name)
        return skipStatement();
      names.push_back(*name);
    } while (accept(TokenKind::Comma));
    if (!is(TokenKind::Name) || textOf(peek()) != "from") {
      unexpected("'from' and a file in quotes");
      return skipStatement();
    }
    take();
  }
  SourceRange pathRange = here();
  auto path = plainString("a file in quotes");
  if (!path)
    return skipStatement();
  auto *import = file.make<ImportDecl>(since(begin));
  import->path = *path;
  import->pathRange = pathRange;
  import->names = std::move(names);
  file.imports.push_back(import);
}

void Parser::blockDeclaration() {
  uint32_t begin = take().begin;
  auto name = identifier("the block's name");
  if (!name || !expect(TokenKind::LeftParen, "after the block's name"))
    return skipStatement();
  auto *block = file.make<BlockDecl>(since(begin));
  block->name = *name;
  while (!is(TokenKind::RightParen)) {
    auto parameter = identifier("a parameter's name");
    if (!parameter)
      return skipStatement();
    Expr *defaultValue = nullptr;
    if (accept(TokenKind::Assign) && !parse(defaultValue))
      return skipStatement();
    for (const Parameter &other : block->parameters)
      if (other.name.text == parameter->text)
        error(parameter->range, "two parameters are called '" + parameter->text.str() + "'",
              {{other.name.range, "the first"}});
    if (!defaultValue && !block->parameters.empty() && block->parameters.back().defaultValue)
      error(parameter->range, "'" + parameter->text.str() + "' needs a default value, because the one before has one");
    block->parameters.push_back({*parameter, defaultValue});
    if (!accept(TokenKind::Comma))
      break;
  }
  if (!expect(TokenKind::RightParen, "after the parameters"))
    return skipStatement();
  body(block->body, "the block's body", Role::Result);
  file.blocks.push_back(block);
}

bool Parser::type(Type &type) {
  uint32_t begin = peek().begin;
  auto element = identifier("a type, such as f32[N, 3, 224, 224]");
  if (!element)
    return false;
  type.element = *element;
  if (accept(TokenKind::LeftParen))
    if (!parse(type.classes) || !expect(TokenKind::RightParen, "after the number of classes"))
      return false;
  if (!expect(TokenKind::LeftBracket, "and the extents, as in f32[N, 3, 224, 224]"))
    return false;
  while (!is(TokenKind::RightBracket)) {
    Expr *extent = expression();
    if (!extent)
      return false;
    type.extents.push_back(extent);
    if (!accept(TokenKind::Comma))
      break;
  }
  if (!expect(TokenKind::RightBracket, "after the extents"))
    return false;
  type.range = since(begin);
  return true;
}

/// `name: type, ...)`, the opening parenthesis being taken already.
bool Parser::typedNames(std::vector<TypedName> &names, llvm::StringRef what) {
  while (!is(TokenKind::RightParen)) {
    TypedName entry;
    auto name = identifier("the name of " + what.str());
    if (!name || !expect(TokenKind::Colon, "and the type of '" + name->text.str() + "'") || !type(entry.type))
      return false;
    entry.name = *name;
    for (const TypedName &other : names)
      if (other.name.text == name->text)
        error(name->range, what.str() + " is called '" + name->text.str() + "' twice",
              {{other.name.range, "the first"}});
    names.push_back(std::move(entry));
    if (!accept(TokenKind::Comma))
      break;
  }
  return expect(TokenKind::RightParen, "");
}

void Parser::networkDeclaration() {
  uint32_t begin = take().begin;
  auto name = identifier("the network's name");
  if (!name || !expect(TokenKind::LeftParen, "after the network's name"))
    return skipStatement();
  auto *network = file.make<NetworkDecl>(since(begin));
  network->name = *name;
  file.networks.push_back(network);
  if (!typedNames(network->inputs, "an input"))
    return skipStatement();
  if (accept(TokenKind::Arrow)) {
    network->hasResults = true;
    bool fine = true;
    if (accept(TokenKind::LeftParen)) {
      fine = typedNames(network->results, "a result");
    } else {
      TypedName result;
      fine = type(result.type);
      network->results.push_back(std::move(result));
    }
    if (!fine)
      return skipStatement();
  }
  body(network->body, "the network's body", Role::Result);
}

void Parser::trainDeclaration() {
  uint32_t begin = take().begin;
  auto name = identifier("the train block's name");
  if (!name || !expect(TokenKind::LeftParen, "after the train block's name"))
    return skipStatement();
  auto *train = file.make<TrainDecl>(since(begin));
  train->name = *name;
  if (!typedNames(train->inputs, "an input"))
    return skipStatement();
  inTrain = true;
  body(train->body, "the train block's body", Role::Plain);
  inTrain = false;
  file.trains.push_back(train);
}

/// `{ statements }`. Errors inside are recovered from inside; false only when there is no body.
bool Parser::body(Body &body, llvm::StringRef of, Role role) {
  Nested nested(*this);
  SourceRange open = here();
  if (!nested || !expect(TokenKind::LeftBrace, "and " + of.str())) {
    skipStatement();
    return false;
  }
  bool labels = std::exchange(labelsAllowed, true);
  for (;;) {
    skipNewlines();
    if (is(TokenKind::RightBrace) || is(TokenKind::End) || tooDeep || diagnostics.isFull())
      break;
    if (!body.statements.empty() && isa<ReturnStmt>(body.statements.back()))
      error(here(), "nothing may follow 'return'");
    Stmt *stmt = statement(role);
    if (stmt)
      body.statements.push_back(stmt);
    if (!is(TokenKind::Newline) && !is(TokenKind::RightBrace) && !is(TokenKind::End)) {
      bool afterBody = at > 0 && tokens[at - 1].kind == TokenKind::RightBrace;
      if (stmt && afterBody)
        continue; // a brace ends a statement as a newline does
      if (stmt)
        unexpected("the end of the line");
      skipStatement();
    }
  }
  labelsAllowed = labels;
  body.close = here();
  if (!accept(TokenKind::RightBrace)) {
    if (is(TokenKind::End))
      error(open, "this '{' has no '}' to close " + of.str());
    return false;
  }
  return true;
}

Stmt *Parser::statement(Role role) {
  bool isWord = peek().kind > TokenKind::String && peek().kind < TokenKind::LeftParen;
  if (isWord && peek(1).kind == TokenKind::Assign) {
    error(here(), describe(peek().kind) + " is a word of the language and no name");
    return nullptr;
  }
  switch (peek().kind) {
  case TokenKind::Const:
    return constant();
  case TokenKind::For:
    return forLoop();
  case TokenKind::Preprocess:
    return preprocess();
  case TokenKind::Names:
    return names();
  case TokenKind::Return:
    if (role == Role::Result)
      return returnStatement();
    error(here(), "'return' stands at the end of a block or a network, not in a loop or a branch");
    return nullptr;
  case TokenKind::Minimize:
  case TokenKind::Report:
    if (inTrain)
      return is(TokenKind::Minimize) ? static_cast<Stmt *>(minimize()) : report();
    error(here(), describe(peek().kind) + " stands in a train block");
    return nullptr;
  case TokenKind::Import:
  case TokenKind::Block:
  case TokenKind::Network:
  case TokenKind::Train:
    error(here(), describe(peek().kind) + " stands at the top level of a file");
    return nullptr;
  default:
    return bindOrExpression();
  }
}

BindStmt *Parser::constant() {
  uint32_t begin = take().begin;
  auto name = identifier("the constant's name");
  if (!name || !expect(TokenKind::Assign, "and the constant's value"))
    return nullptr;
  Expr *value = expression();
  if (!value)
    return nullptr;
  auto *stmt = file.make<BindStmt>(since(begin));
  stmt->isConst = true;
  stmt->targets.push_back(*name);
  stmt->value = value;
  return stmt;
}

Stmt *Parser::bindOrExpression() {
  uint32_t begin = peek().begin;
  // `name =` or `name, name =` is a binding; anything else begins an expression.
  size_t ahead = 0;
  while (peek(ahead).kind == TokenKind::Name && peek(ahead + 1).kind == TokenKind::Comma)
    ahead += 2;
  if (peek(ahead).kind == TokenKind::Name && peek(ahead + 1).kind == TokenKind::Assign) {
    std::vector<Identifier> targets;
    do {
      Token token = take();
      targets.push_back({textOf(token), rangeOf(token)});
    } while (accept(TokenKind::Comma));
    take();
    Expr *value = expression();
    if (!value)
      return nullptr;
    auto *stmt = file.make<BindStmt>(since(begin));
    stmt->targets = std::move(targets);
    stmt->value = value;
    return stmt;
  }
  Expr *value = expression();
  if (!value)
    return nullptr;
  if (is(TokenKind::Assign)) {
    error(here(), "only a name stands left of '='; an argument's name stands within the parentheses of a call");
    return nullptr;
  }
  auto *stmt = file.make<ExprStmt>(since(begin));
  stmt->value = value;
  return stmt;
}

bool Parser::loopPattern(LoopPattern &pattern) {
  pattern.unpacks = accept(TokenKind::LeftParen);
  do {
    auto name = identifier("a loop variable");
    if (!name)
      return false;
    pattern.names.push_back(*name);
  } while (pattern.unpacks && accept(TokenKind::Comma));
  return !pattern.unpacks || expect(TokenKind::RightParen, "after the variables");
}

ForStmt *Parser::forLoop() {
  uint32_t begin = take().begin;
  auto *loop = file.make<ForStmt>(since(begin));
  do {
    loop->patterns.emplace_back();
    if (!loopPattern(loop->patterns.back()))
      return nullptr;
  } while (accept(TokenKind::Comma));
  if (loop->patterns.size() > 2 || (loop->patterns.size() == 2 && loop->patterns[0].unpacks)) {
    error(since(begin), "a loop has a value, or an index and a value; several values are unpacked by (a, b)");
    return nullptr;
  }
  if (!expect(TokenKind::In, "after the loop's variables") || !parse(loop->iterable))
    return nullptr;
  loop->range = since(begin);
  return body(loop->body, "the loop's body", Role::Plain) ? loop : nullptr;
}

ReturnStmt *Parser::returnStatement() {
  uint32_t begin = take().begin;
  auto *stmt = file.make<ReturnStmt>(since(begin));
  bool named = is(TokenKind::LeftParen) && peek(1).kind == TokenKind::Name && peek(2).kind == TokenKind::Assign;
  if (named) {
    if (!arguments(stmt->values))
      return nullptr;
    for (const Argument &value : stmt->values)
      if (value.name.text.empty()) {
        error(value.value->range, "either all results have a name or none has");
        return nullptr;
      }
  } else {
    Expr *value = expression();
    if (!value)
      return nullptr;
    stmt->values.push_back({{}, value});
  }
  stmt->range = since(begin);
  return stmt;
}

MinimizeStmt *Parser::minimize() {
  uint32_t begin = take().begin;
  auto *stmt = file.make<MinimizeStmt>(since(begin));
  if (!parse(stmt->loss) || !expect(TokenKind::Over, "and the networks to change"))
    return nullptr;
  do {
    Expr *target = expression();
    if (!target)
      return nullptr;
    stmt->targets.push_back(target);
  } while (accept(TokenKind::Comma));
  if (!expect(TokenKind::Using, "and an optimizer") || !parse(stmt->optimizer))
    return nullptr;
  stmt->range = since(begin);
  return stmt;
}

ReportStmt *Parser::report() {
  uint32_t begin = take().begin;
  auto *stmt = file.make<ReportStmt>(since(begin));
  do {
    Expr *value = expression();
    if (!value)
      return nullptr;
    stmt->values.push_back(value);
  } while (accept(TokenKind::Comma));
  stmt->range = since(begin);
  return stmt;
}

PreprocessStmt *Parser::preprocess() {
  uint32_t begin = take().begin;
  auto source = identifier("a name for the picture");
  if (!source || !expect(TokenKind::Arrow, "and the input that the picture becomes"))
    return nullptr;
  auto input = identifier("the name of an input");
  if (!input)
    return nullptr;
  auto *stmt = file.make<PreprocessStmt>(since(begin));
  stmt->source = *source;
  stmt->input = *input;
  return body(stmt->body, "the steps of preprocessing", Role::Plain) ? stmt : nullptr;
}

NamesStmt *Parser::names() {
  uint32_t begin = take().begin;
  auto name = plainString("the weights file's name in quotes");
  if (!name || !expect(TokenKind::LeftBrace, "and the map of names"))
    return nullptr;
  auto *stmt = file.make<NamesStmt>(since(begin));
  stmt->file = *name;
  for (skipNewlines(); !is(TokenKind::RightBrace); skipNewlines()) {
    NamesEntry entry;
    SourceRange keyRange = here();
    auto key = plainString("the tensor's name in the file, in quotes");
    if (!key || !expect(TokenKind::Assign, "and the path in the network"))
      return nullptr;
    entry.key = {source.text().slice(keyRange.begin + 1, keyRange.end - 1), keyRange};
    uint32_t pathBegin = peek().begin;
    if (is(TokenKind::String)) {
      SourceRange range = here();
      if (!plainString("the path in the network"))
        return nullptr;
      entry.path = {source.text().slice(range.begin + 1, range.end - 1), range};
    } else {
      do {
        if (!identifier("a path in the network"))
          return nullptr;
      } while (accept(TokenKind::Dot));
      SourceRange range = since(pathBegin);
      entry.path = {range.text(), range};
    }
    stmt->entries.push_back(entry);
    if (!accept(TokenKind::Comma) && !is(TokenKind::Newline) && !is(TokenKind::RightBrace)) {
      unexpected("the end of the line");
      return nullptr;
    }
  }
  take();
  return stmt;
}

} // namespace detail
} // namespace cnn
