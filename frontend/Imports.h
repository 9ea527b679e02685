// The names of a file's top level: its own declarations and what it imports.
#pragma once

#include "frontend/Ast.h"
#include "frontend/Diagnostics.h"

#include "llvm/ADT/StringMap.h"

#include <map>
#include <memory>
#include <string>
#include <vector>

namespace cnn {

struct FileScope;

/// A block, a network or a constant, and the scope of the file that declares it.
struct Global {
  const ast::Node *node = nullptr;
  FileScope *owner = nullptr;
  SourceRange range;
};

struct FileScope {
  std::unique_ptr<ast::File> file;
  /// What the file declares itself, which is what others import from it.
  llvm::StringMap<Global> own;
  /// All names that are visible in it.
  llvm::StringMap<Global> names;
};

/// Reads, parses and links a file and everything that it imports, each file once.
class Imports {
public:
  explicit Imports(Diagnostics &diagnostics) : diagnostics(diagnostics) {}

  /// The scope of the file, or null when it cannot be read.
  FileScope *load(const std::string &path);
  FileScope *add(const SourceFile &source);

private:
  Diagnostics &diagnostics;
  std::map<std::string, std::unique_ptr<FileScope>> scopes;
  struct Active {
    std::string path;
    SourceRange range;
  };
  std::vector<Active> active;

  FileScope *resolve(const std::string &path, SourceRange importedAt);
  FileScope *link(const SourceFile &source, const std::string &key, SourceRange importedAt);
  void declare(FileScope &scope, const ast::Identifier &name, const ast::Node *node);
  void import(FileScope &scope, const ast::ImportDecl &import);
};

} // namespace cnn
