// See AstPrinter.h.
#include "frontend/AstPrinter.h"

#include "llvm/ADT/StringExtras.h"

#include "llvm/ADT/STLExtras.h"

#include <algorithm>
#include <charconv>

namespace cnn {
using namespace ast;
using llvm::StringRef;

namespace {

/// Deeper lines are indented no further and begin with their depth, so that a sum of 100,000 terms, whose tree is as
/// deep, has a printout of linear size.
constexpr unsigned kMaxIndentedDepth = 64;

/// Control characters as \xNN, so that a tree is harmless on a terminal.
std::string harmless(StringRef text) {
  std::string result;
  for (char c : text)
    if (static_cast<unsigned char>(c) < ' ' || c == '\x7f')
      result += {'\\', 'x', llvm::hexdigit(static_cast<unsigned char>(c) >> 4), llvm::hexdigit(c & 15)};
    else
      result += c;
  return result;
}

/// In quotes, as the language writes it.
std::string quoted(StringRef text) {
  std::string result;
  for (char c : text)
    if (c == '\n')
      result += "\\n";
    else if (c == '\t')
      result += "\\t";
    else if (c == '"' || c == '\\')
      result += {'\\', c};
    else
      result += c;
  return "\"" + harmless(result) + "\"";
}

/// The shortest digits that give the same number.
std::string digits(double value) {
  char buffer[32];
  return {buffer, std::to_chars(buffer, buffer + sizeof(buffer), value).ptr};
}

std::string listOf(llvm::ArrayRef<Identifier> names) {
  return llvm::join(llvm::map_range(names, [](const Identifier &name) { return name.text; }), ", ");
}

/// Recursion is as deep as the parser's, which is bounded; operators that group from the left are the exception and
/// are walked.
class Printer {
public:
  explicit Printer(llvm::raw_ostream &os) : os(os) {}

  void node(const Node &node, StringRef role = "") {
    switch (node.kind) {
    case Node::NumberKind:
      return number(cast<NumberExpr>(node), role);
    case Node::BoolKind:
      return line(role, "bool", node.range, cast<BoolExpr>(node).value ? "true" : "false");
    case Node::StringKind:
      return string(cast<StringExpr>(node), role);
    case Node::NameKind:
      return line(role, "name", node.range, cast<NameExpr>(node).name);
    case Node::ListKind:
      return elements("list", node, cast<ListExpr>(node).elements, role);
    case Node::TupleKind:
      return elements("tuple", node, cast<TupleExpr>(node).elements, role);
    case Node::UnaryKind:
      return unary(cast<UnaryExpr>(node), role);
    case Node::BinaryKind:
      return binary(cast<BinaryExpr>(node), role);
    case Node::ApplyKind:
      return apply(cast<ApplyExpr>(node), role);
    case Node::ArrowKind:
      return arrow(cast<ArrowExpr>(node), role);
    case Node::IndexKind:
      return index(cast<IndexExpr>(node), role);
    case Node::PropertyKind:
      return property(cast<PropertyExpr>(node), role);
    case Node::IfKind:
      return condition(cast<IfExpr>(node), role);
    case Node::ShareKind: {
      line(role, "share", node.range);
      Inner inner(*this);
      return this->node(*cast<ShareExpr>(node).layer);
    }
    case Node::AnnotatedKind:
      return annotated(cast<AnnotatedExpr>(node), role);
    case Node::ExprStmtKind:
      return this->node(*cast<ExprStmt>(node).value);
    case Node::BindKind:
      return bind(cast<BindStmt>(node));
    case Node::ForKind:
      return loop(cast<ForStmt>(node));
    case Node::ReturnKind: {
      line("", "return", node.range);
      Inner inner(*this);
      return arguments(cast<ReturnStmt>(node).values);
    }
    case Node::MinimizeKind:
      return minimize(cast<MinimizeStmt>(node));
    case Node::ReportKind:
      return elements("report", node, cast<ReportStmt>(node).values, role);
    case Node::PreprocessKind: {
      const auto &stmt = cast<PreprocessStmt>(node);
      line("", "preprocess", node.range, (stmt.source.text + " -> " + stmt.input.text).str());
      Inner inner(*this);
      return body(stmt.body);
    }
    case Node::NamesKind:
      return names(cast<NamesStmt>(node));
    case Node::ImportKind: {
      const auto &import = cast<ImportDecl>(node);
      return line("", "import", node.range,
                  (import.names.empty() ? "" : listOf(import.names) + " from ") + quoted(import.path));
    }
    case Node::BlockKind:
      return block(cast<BlockDecl>(node));
    case Node::NetworkKind:
      return network(cast<NetworkDecl>(node));
    case Node::TrainKind: {
      const auto &train = cast<TrainDecl>(node);
      line("", "train", node.range, train.name.text);
      Inner inner(*this);
      typedNames(train.inputs, "input");
      return body(train.body);
    }
    }
  }

private:
  llvm::raw_ostream &os;
  unsigned depth = 0;

  /// Lines are a level deeper while it lives.
  struct Inner {
    explicit Inner(Printer &printer) : printer(printer) { ++printer.depth; }
    ~Inner() { --printer.depth; }
    Inner(const Inner &) = delete;
    Inner &operator=(const Inner &) = delete;
    Printer &printer;
  };

  void line(StringRef role, StringRef kind, SourceRange range, StringRef detail = "") {
    os.indent(2 * std::min(depth, kMaxIndentedDepth));
    if (depth > kMaxIndentedDepth)
      os << "[" << depth << "] ";
    os << role << (role.empty() ? "" : " ") << kind;
    if (Position position = range.position(); range)
      os << " " << position.line << ":" << position.column;
    if (!detail.empty())
      os << " " << detail;
    os << "\n";
  }

  void elements(StringRef kind, const Node &node, llvm::ArrayRef<Expr *> values, StringRef role) {
    line(role, kind, node.range);
    Inner inner(*this);
    for (const Expr *value : values)
      this->node(*value);
  }

  /// A child that may be missing.
  void optional(const Expr *value, StringRef role) {
    if (value)
      node(*value, role);
  }

  void body(const Body &body) {
    for (const Stmt *stmt : body.statements)
      node(*stmt);
  }

  void arguments(llvm::ArrayRef<Argument> arguments) {
    for (const Argument &argument : arguments)
      node(*argument.value, argument.name.text.empty() ? "" : (argument.name.text + " =").str());
  }

  //===-- Expressions
  //----------------------------------------------------------------------------------------------------===//

  void number(const NumberExpr &expr, StringRef role) {
    if (expr.isInteger)
      line(role, "integer", expr.range, std::to_string(expr.integer));
    else
      line(role, "fraction", expr.range, digits(expr.real));
  }

  void string(const StringExpr &expr, StringRef role) {
    if (expr.parts.size() == 1 && !expr.parts.front().value)
      return line(role, "string", expr.range, quoted(expr.parts.front().text));
    line(role, "string", expr.range);
    Inner inner(*this);
    for (const StringPart &part : expr.parts) {
      if (!part.text.empty())
        line("", "text", {}, quoted(part.text));
      optional(part.value, "");
    }
  }

  void unary(const UnaryExpr &expr, StringRef role) {
    line(role, "unary", expr.range, expr.op == UnaryOp::Not ? "not" : "-");
    Inner inner(*this);
    node(*expr.operand);
  }

  void binary(const BinaryExpr &expr, StringRef role) {
    const unsigned outer = depth;
    std::vector<const BinaryExpr *> spine = {&expr};
    while (const auto *next = dyn_cast<BinaryExpr>(spine.back()->lhs))
      spine.push_back(next);
    for (const BinaryExpr *op : spine) {
      line(op == &expr ? role : "", "binary", op->range, op->opRange.text());
      ++depth;
    }
    node(*spine.back()->lhs);
    for (const BinaryExpr *op : llvm::reverse(spine)) {
      node(*op->rhs);
      --depth;
    }
    assert(depth == outer);
    (void)outer;
  }

  void apply(const ApplyExpr &expr, StringRef role) {
    line(role, "apply", expr.range, expr.callee.text);
    Inner inner(*this);
    optional(expr.label, "label:");
    arguments(expr.arguments);
  }

  void arrow(const ArrowExpr &expr, StringRef role) {
    line(role, "arrow", expr.range);
    Inner inner(*this);
    node(*expr.source);
    for (const Expr *stage : expr.stages)
      node(*stage);
  }

  void index(const IndexExpr &expr, StringRef role) {
    line(role, "index", expr.range);
    Inner inner(*this);
    node(*expr.base);
    for (const Subscript &subscript : expr.subscripts) {
      if (!subscript.isSlice) {
        node(*subscript.start);
        continue;
      }
      line("", "slice", subscript.range);
      Inner innermost(*this);
      optional(subscript.start, "start:");
      optional(subscript.stop, "stop:");
      optional(subscript.step, "step:");
    }
  }

  void property(const PropertyExpr &expr, StringRef role) {
    line(role, "property", expr.range, expr.name.text);
    Inner inner(*this);
    node(*expr.base);
  }

  void branch(StringRef name, const Body &body) {
    line("", name, {});
    Inner inner(*this);
    this->body(body);
  }

  void condition(const IfExpr &expr, StringRef role) {
    line(role, "if", expr.range);
    Inner inner(*this);
    node(*expr.condition);
    branch("then", expr.then);
    if (expr.hasElse)
      branch("else", expr.otherwise);
  }

  void annotated(const AnnotatedExpr &expr, StringRef role) {
    line(role, "annotated", expr.range);
    Inner inner(*this);
    for (const Annotation &annotation : expr.annotations) {
      line("", "annotation", annotation.name.range, annotation.name.text);
      Inner innermost(*this);
      arguments(annotation.arguments);
    }
    node(*expr.value);
  }

  //===-- Statements
  //-----------------------------------------------------------------------------------------------------===//

  void bind(const BindStmt &stmt) {
    line("", stmt.isConst ? "const" : "bind", stmt.range, listOf(stmt.targets));
    Inner inner(*this);
    node(*stmt.value);
  }

  void loop(const ForStmt &stmt) {
    std::vector<std::string> patterns;
    for (const LoopPattern &pattern : stmt.patterns)
      patterns.push_back(pattern.unpacks ? "(" + listOf(pattern.names) + ")" : listOf(pattern.names));
    line("", "for", stmt.range, llvm::join(patterns, ", "));
    Inner inner(*this);
    node(*stmt.iterable, "in:");
    body(stmt.body);
  }

  void minimize(const MinimizeStmt &stmt) {
    line("", "minimize", stmt.range);
    Inner inner(*this);
    node(*stmt.loss);
    for (const Expr *target : stmt.targets)
      node(*target, "over:");
    node(*stmt.optimizer, "using:");
  }

  void names(const NamesStmt &stmt) {
    line("", "names", stmt.range, quoted(stmt.file));
    Inner inner(*this);
    // The texts stand between quotes in the source and are escaped there.
    for (const NamesEntry &entry : stmt.entries)
      line("", "entry", entry.key.range, harmless(("\"" + entry.key.text + "\" = \"" + entry.path.text + "\"").str()));
  }

  //===-- Declarations
  //---------------------------------------------------------------------------------------------------===//

  void typedNames(llvm::ArrayRef<TypedName> names, StringRef kind) {
    for (const TypedName &entry : names) {
      line("", kind, entry.name.text.empty() ? entry.type.range : entry.name.range, entry.name.text);
      Inner inner(*this);
      line("", "type", entry.type.range, entry.type.element.text);
      Inner innermost(*this);
      optional(entry.type.classes, "classes:");
      for (const Expr *extent : entry.type.extents)
        node(*extent);
    }
  }

  void block(const BlockDecl &decl) {
    line("", "block", decl.range, decl.name.text);
    Inner inner(*this);
    for (const Parameter &parameter : decl.parameters) {
      line("", "parameter", parameter.name.range, parameter.name.text);
      Inner innermost(*this);
      optional(parameter.defaultValue, "");
    }
    body(decl.body);
  }

  void network(const NetworkDecl &decl) {
    line("", "network", decl.range, decl.name.text);
    Inner inner(*this);
    typedNames(decl.inputs, "input");
    typedNames(decl.results, "result");
    body(decl.body);
  }
};

bool isBefore(const Node *a, const Node *b) { return a->range.begin < b->range.begin; }

} // namespace

void printSyntaxTree(const Node &node, llvm::raw_ostream &os) { Printer(os).node(node); }

void printSyntaxTree(const File &file, llvm::raw_ostream &os) {
  std::vector<const Node *> nodes(file.imports.begin(), file.imports.end());
  for (const auto &[name, node] : namedDeclarations(file))
    nodes.push_back(node);
  nodes.insert(nodes.end(), file.preprocesses.begin(), file.preprocesses.end());
  nodes.insert(nodes.end(), file.names.begin(), file.names.end());
  llvm::sort(nodes, isBefore);
  for (const Node *node : nodes)
    printSyntaxTree(*node, os);
}

std::vector<std::pair<StringRef, const Node *>> namedDeclarations(const File &file) {
  std::vector<std::pair<StringRef, const Node *>> found;
  for (const BindStmt *constant : file.constants)
    found.emplace_back(constant->targets.front().text, constant);
  for (const BlockDecl *block : file.blocks)
    found.emplace_back(block->name.text, block);
  for (const NetworkDecl *network : file.networks)
    found.emplace_back(network->name.text, network);
  for (const TrainDecl *train : file.trains)
    found.emplace_back(train->name.text, train);
  llvm::sort(found, [](const auto &a, const auto &b) { return isBefore(a.second, b.second); });
  return found;
}

} // namespace cnn
