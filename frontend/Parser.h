// Text to syntax tree: recursive descent with one token of lookahead, a bounded depth, and recovery at the next
// statement, so that one run reports several mistakes and no input can exhaust the stack.
#pragma once

#include "frontend/Ast.h"
#include "frontend/Lexer.h"

#include <memory>
#include <optional>

namespace cnn {

/// Parses a file; what could be understood is returned even after errors.
std::unique_ptr<ast::File> parseFile(const SourceFile &source, Diagnostics &diagnostics);

/// How deep expressions and bodies may be nested.
inline constexpr unsigned kMaxNesting = 256;

namespace detail {

class Parser {
public:
  Parser(ast::File &file, Diagnostics &diagnostics) : file(file), source(*file.source), diagnostics(diagnostics) {}

  void parseTopLevel();

private:
  ast::File &file;
  const SourceFile &source;
  Diagnostics &diagnostics;
  std::vector<Token> tokens;
  size_t at = 0;
  unsigned depth = 0;
  bool tooDeep = false;
  /// Where `a:` cannot be a label: in the subscript of a slice.
  bool labelsAllowed = true;
  /// Where `minimize` and `report` stand.
  bool inTrain = false;

  struct Nested;

  // Tokens.
  const Token &peek(size_t ahead = 0) const { return tokens[std::min(at + ahead, tokens.size() - 1)]; }
  bool is(TokenKind kind) const { return peek().kind == kind; }
  Token take();
  bool accept(TokenKind kind);
  bool expect(TokenKind kind, llvm::StringRef context);
  /// The same for what closes a bracket; where the next token stands on another line, the place is where this one ends.
  bool close(TokenKind kind, SourceRange opened, llvm::StringRef context);
  void skipNewlines();
  SourceRange rangeOf(const Token &token) const { return {&source, token.begin, token.end}; }
  SourceRange here() const { return rangeOf(peek()); }
  SourceRange since(uint32_t begin) const { return {&source, begin, at ? std::max(begin, tokens[at - 1].end) : begin}; }
  llvm::StringRef textOf(const Token &token) const { return source.text().slice(token.begin, token.end); }
  void error(SourceRange range, std::string message, std::vector<Note> notes = {});
  void unexpected(llvm::StringRef wanted, llvm::StringRef hint = "");
  std::optional<ast::Identifier> identifier(llvm::StringRef what);
  void skipStatement();

  // Declarations and statements.
  void topLevelDeclaration();
  void importDeclaration();
  void blockDeclaration();
  void networkDeclaration();
  void trainDeclaration();
  enum class Role { Plain, Result }; // may it return
  bool body(ast::Body &body, llvm::StringRef of, Role role);
  ast::Stmt *statement(Role role);
  ast::Stmt *bindOrExpression();
  ast::BindStmt *constant();
  ast::ForStmt *forLoop();
  bool loopPattern(ast::LoopPattern &pattern);
  ast::ReturnStmt *returnStatement();
  ast::MinimizeStmt *minimize();
  ast::ReportStmt *report();
  ast::PreprocessStmt *preprocess();
  ast::NamesStmt *names();
  bool type(ast::Type &type);
  bool typedNames(std::vector<ast::TypedName> &names, llvm::StringRef what);
  std::optional<std::string> plainString(llvm::StringRef what);

  // Expressions.
  ast::Expr *expression();
  /// Whether there was an expression, which is then in `into`.
  bool parse(ast::Expr *&into) { return (into = expression()) != nullptr; }
  ast::Expr *operators(unsigned minPrecedence);
  ast::Expr *unary();
  ast::Expr *postfix();
  ast::Expr *primary();
  ast::Expr *nameOrApplication();
  ast::Expr *number();
  ast::StringExpr *string();
  ast::Expr *interpolation(uint32_t begin, uint32_t end);
  ast::Expr *parenthesized();
  ast::Expr *list();
  ast::Expr *ifExpression();
  ast::Expr *share();
  ast::Expr *annotated(bool asStage);
  ast::Expr *stage();
  ast::ApplyExpr *application(ast::Expr *label, uint32_t begin);
  bool arguments(std::vector<ast::Argument> &arguments);
  bool subscript(ast::Subscript &subscript);
};

/// Counts a level of nesting while it lives; false when there are too many, which is reported once.
struct Parser::Nested {
  explicit Nested(Parser &parser);
  ~Nested() { --parser.depth; }
  explicit operator bool() const { return fine; }
  Parser &parser;
  bool fine;
};

} // namespace detail
} // namespace cnn
