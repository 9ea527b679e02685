// The syntax tree. Nodes belong to the file that they were parsed from and refer to each other by plain pointers; none
// is changed after parsing. Names are slices of the source text.
#pragma once

#include "frontend/Source.h"

#include "llvm/Support/Casting.h"

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace cnn::ast {

using llvm::cast;
using llvm::dyn_cast;
using llvm::isa;

struct Node {
  enum Kind {
    // Expressions.
    NumberKind,
    BoolKind,
    StringKind,
    NameKind,
    ListKind,
    TupleKind,
    UnaryKind,
    BinaryKind,
    ApplyKind,
    ArrowKind,
    IndexKind,
    PropertyKind,
    IfKind,
    ShareKind,
    AnnotatedKind,
    LastExpr = AnnotatedKind,
    // Statements.
    ExprStmtKind,
    BindKind,
    ForKind,
    ReturnKind,
    MinimizeKind,
    ReportKind,
    PreprocessKind,
    NamesKind,
    LastStmt = NamesKind,
    // Declarations.
    ImportKind,
    BlockKind,
    NetworkKind,
    TrainKind
  };
  Node(Kind kind, SourceRange range) : kind(kind), range(range) {}
  virtual ~Node() = default;
  const Kind kind;
  SourceRange range;
};

/// A name as written.
struct Identifier {
  llvm::StringRef text;
  SourceRange range;
};

struct Expr : Node {
  using Node::Node;
  static bool classof(const Node *node) { return node->kind <= LastExpr; }
};
struct Stmt : Node {
  using Node::Node;
  static bool classof(const Node *node) { return node->kind > LastExpr && node->kind <= LastStmt; }
};

/// Gives a node type its kind, for `llvm::isa`.
template <typename Base, Node::Kind K> struct NodeOf : Base {
  explicit NodeOf(SourceRange range) : Base(K, range) {}
  static bool classof(const Node *node) { return node->kind == K; }
};

/// The statements between braces. `close` is the closing brace.
struct Body {
  std::vector<Stmt *> statements;
  SourceRange close;
};

//===-- Expressions
//------------------------------------------------------------------------------------------------------===//

struct NumberExpr : NodeOf<Expr, Node::NumberKind> {
  using NodeOf::NodeOf;
  bool isInteger = true;
  int64_t integer = 0;
  double real = 0;
};
struct BoolExpr : NodeOf<Expr, Node::BoolKind> {
  using NodeOf::NodeOf;
  bool value = false;
};
/// Text with expressions between: `text` comes before `value`, which is null in the last part.
struct StringPart {
  std::string text;
  Expr *value = nullptr;
};
struct StringExpr : NodeOf<Expr, Node::StringKind> {
  using NodeOf::NodeOf;
  std::vector<StringPart> parts;
};
struct NameExpr : NodeOf<Expr, Node::NameKind> {
  using NodeOf::NodeOf;
  llvm::StringRef name;
};
struct ListExpr : NodeOf<Expr, Node::ListKind> {
  using NodeOf::NodeOf;
  std::vector<Expr *> elements;
};
/// `(a, b)`; a single expression in parentheses is itself, without a node.
struct TupleExpr : NodeOf<Expr, Node::TupleKind> {
  using NodeOf::NodeOf;
  std::vector<Expr *> elements;
};
enum class UnaryOp { Negate, Not };
struct UnaryExpr : NodeOf<Expr, Node::UnaryKind> {
  using NodeOf::NodeOf;
  UnaryOp op = UnaryOp::Negate;
  Expr *operand = nullptr;
};
enum class BinaryOp {
  Or,
  And,
  Equal,
  NotEqual,
  Less,
  LessEqual,
  Greater,
  GreaterEqual,
  Range,
  Add,
  Subtract,
  Multiply,
  Divide,
  Remainder
};
struct BinaryExpr : NodeOf<Expr, Node::BinaryKind> {
  using NodeOf::NodeOf;
  BinaryOp op = BinaryOp::Add;
  SourceRange opRange;
  Expr *lhs = nullptr, *rhs = nullptr;
};
/// `name = value`, or a positional argument with an empty name.
struct Argument {
  Identifier name;
  Expr *value = nullptr;
};
/// `label: callee(arguments)`; `label` is a NameExpr (its text is the label) or a StringExpr, or null.
struct ApplyExpr : NodeOf<Expr, Node::ApplyKind> {
  using NodeOf::NodeOf;
  Expr *label = nullptr;
  Identifier callee;
  std::vector<Argument> arguments;
};
/// `@name(arguments)`
struct Annotation {
  Identifier name;
  std::vector<Argument> arguments;
};
struct AnnotatedExpr : NodeOf<Expr, Node::AnnotatedKind> {
  using NodeOf::NodeOf;
  std::vector<Annotation> annotations;
  Expr *value = nullptr;
};
/// `source -> stage -> stage`; every stage is an ApplyExpr, or an AnnotatedExpr of one.
struct ArrowExpr : NodeOf<Expr, Node::ArrowKind> {
  using NodeOf::NodeOf;
  Expr *source = nullptr;
  std::vector<Expr *> stages;
};
/// `start:stop:step`, each of which may be null, or the single index `start`.
struct Subscript {
  SourceRange range;
  bool isSlice = false;
  Expr *start = nullptr, *stop = nullptr, *step = nullptr;
};
struct IndexExpr : NodeOf<Expr, Node::IndexKind> {
  using NodeOf::NodeOf;
  Expr *base = nullptr;
  std::vector<Subscript> subscripts;
};
struct PropertyExpr : NodeOf<Expr, Node::PropertyKind> {
  using NodeOf::NodeOf;
  Expr *base = nullptr;
  Identifier name;
};
/// `else if` is an otherwise-body that holds one IfExpr.
struct IfExpr : NodeOf<Expr, Node::IfKind> {
  using NodeOf::NodeOf;
  Expr *condition = nullptr;
  Body then;
  bool hasElse = false;
  Body otherwise;
};
struct ShareExpr : NodeOf<Expr, Node::ShareKind> {
  using NodeOf::NodeOf;
  ApplyExpr *layer = nullptr;
};

//===-- Statements
//-------------------------------------------------------------------------------------------------------===//

struct ExprStmt : NodeOf<Stmt, Node::ExprStmtKind> {
  using NodeOf::NodeOf;
  Expr *value = nullptr;
};
/// `a, b = value`, or `const a = value`.
struct BindStmt : NodeOf<Stmt, Node::BindKind> {
  using NodeOf::NodeOf;
  bool isConst = false;
  std::vector<Identifier> targets;
  Expr *value = nullptr;
};
/// One variable of a loop, or several that are unpacked from it.
struct LoopPattern {
  bool unpacks = false;
  std::vector<Identifier> names;
};
struct ForStmt : NodeOf<Stmt, Node::ForKind> {
  using NodeOf::NodeOf;
  /// One pattern: the value; two: the index and the value.
  std::vector<LoopPattern> patterns;
  Expr *iterable = nullptr;
  Body body;
};
/// `return value` or `return (name = value, ...)`.
struct ReturnStmt : NodeOf<Stmt, Node::ReturnKind> {
  using NodeOf::NodeOf;
  std::vector<Argument> values;
};
/// `minimize loss over targets using optimizer`
struct MinimizeStmt : NodeOf<Stmt, Node::MinimizeKind> {
  using NodeOf::NodeOf;
  Expr *loss = nullptr;
  std::vector<Expr *> targets;
  Expr *optimizer = nullptr;
};
struct ReportStmt : NodeOf<Stmt, Node::ReportKind> {
  using NodeOf::NodeOf;
  std::vector<Expr *> values;
};
/// `preprocess photo -> image { ... }`
struct PreprocessStmt : NodeOf<Stmt, Node::PreprocessKind> {
  using NodeOf::NodeOf;
  Identifier source, input;
  Body body;
};
/// `names "file" { "tensor in the file" = path.in.the.network }`
struct NamesEntry {
  Identifier key, path; // texts without quotes
};
struct NamesStmt : NodeOf<Stmt, Node::NamesKind> {
  using NodeOf::NodeOf;
  std::string file;
  std::vector<NamesEntry> entries;
};

//===-- Declarations
//-----------------------------------------------------------------------------------------------------===//

/// `f32[N, 3, 224, 224]` or `class(10)[N]`.
struct Type {
  SourceRange range;
  Identifier element;
  Expr *classes = nullptr;
  std::vector<Expr *> extents;
};
struct TypedName {
  Identifier name;
  Type type;
};
/// `import "file"` (everything), or `import a, b from "file"`.
struct ImportDecl : NodeOf<Node, Node::ImportKind> {
  using NodeOf::NodeOf;
  std::string path;
  SourceRange pathRange;
  std::vector<Identifier> names;
};
struct Parameter {
  Identifier name;
  Expr *defaultValue = nullptr;
};
struct BlockDecl : NodeOf<Node, Node::BlockKind> {
  using NodeOf::NodeOf;
  Identifier name;
  std::vector<Parameter> parameters;
  Body body;
};
struct NetworkDecl : NodeOf<Node, Node::NetworkKind> {
  using NodeOf::NodeOf;
  Identifier name;
  std::vector<TypedName> inputs;
  bool hasResults = false;
  /// One without a name, or several with names.
  std::vector<TypedName> results;
  Body body;
};
struct TrainDecl : NodeOf<Node, Node::TrainKind> {
  using NodeOf::NodeOf;
  Identifier name;
  std::vector<TypedName> inputs;
  Body body;
};

/// A parsed file. Constants, preprocessing and name maps at the top level are statements.
struct File {
  const SourceFile *source = nullptr;
  std::vector<ImportDecl *> imports;
  std::vector<BindStmt *> constants;
  std::vector<BlockDecl *> blocks;
  std::vector<NetworkDecl *> networks;
  std::vector<TrainDecl *> trains;
  std::vector<PreprocessStmt *> preprocesses;
  std::vector<NamesStmt *> names;

  template <typename T> T *make(SourceRange range) {
    auto node = std::make_unique<T>(range);
    T *raw = node.get();
    nodes.push_back(std::move(node));
    return raw;
  }

private:
  std::vector<std::unique_ptr<Node>> nodes;
};

} // namespace cnn::ast
