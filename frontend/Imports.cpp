// Imports: files are found beside the file that imports them, read once, and may not import each other in a circle.
#include "frontend/Imports.h"

#include "frontend/Parser.h"

#include "llvm/Support/FileSystem.h"
#include "llvm/Support/Path.h"

#include <algorithm>

namespace cnn {

/// Files that import files that import files ...
static constexpr size_t kMaxImportDepth = 64;

FileScope *Imports::load(const std::string &path) { return resolve(path, {}); }

/// The path without links and detours, so that one file has one key; the path itself where there is no such file.
static std::string keyOf(const std::string &path) {
  llvm::SmallString<256> real;
  return llvm::sys::fs::real_path(path, real) ? path : real.str().str();
}

FileScope *Imports::add(const SourceFile &source) { return link(source, keyOf(source.path().str()), {}); }

FileScope *Imports::resolve(const std::string &path, SourceRange importedAt) {
  std::string key = keyOf(path);
  for (size_t i = 0; i < active.size(); ++i)
    if (active[i].path == key) {
      std::vector<Note> notes;
      for (size_t j = i + 1; j < active.size() && notes.size() < 10; ++j)
        notes.push_back({active[j].range, "imported here"});
      diagnostics.error(importedAt, "this file imports itself" + std::string(notes.empty() ? "" : " through others"),
                        std::move(notes));
      return nullptr;
    }
  if (auto known = scopes.find(key); known != scopes.end())
    return known->second.get();
  if (active.size() >= kMaxImportDepth) {
    diagnostics.error(importedAt, "imports are nested more than " + std::to_string(kMaxImportDepth) + " deep");
    return nullptr;
  }
  std::string reason;
  const SourceFile *source = diagnostics.sources().load(path, reason);
  if (!source) {
    diagnostics.error(importedAt, "cannot read '" + path + "': " + reason);
    return nullptr;
  }
  return link(*source, key, importedAt);
}

FileScope *Imports::link(const SourceFile &source, const std::string &key, SourceRange importedAt) {
  auto &scope = scopes[key];
  scope = std::make_unique<FileScope>();
  FileScope *result = scope.get();
  result->file = parseFile(source, diagnostics);
  active.push_back({key, importedAt});
  for (const auto *constant : result->file->constants)
    declare(*result, constant->targets.front(), constant);
  for (const auto *block : result->file->blocks)
    declare(*result, block->name, block);
  for (const auto *network : result->file->networks)
    declare(*result, network->name, network);
  // A train block is named as a network is, FILE:NAME, but nothing in a file refers to it.
  llvm::StringMap<SourceRange> trains;
  for (const auto *train : result->file->trains) {
    SourceRange first = trains.try_emplace(train->name.text, train->name.range).first->second;
    if (auto other = result->own.find(train->name.text); other != result->own.end())
      first = other->second.range;
    if (first.begin != train->name.range.begin)
      diagnostics.error(train->name.range, "'" + train->name.text.str() + "' is declared twice",
                        {{first, "the first"}});
  }
  for (const auto *import : result->file->imports)
    this->import(*result, *import);
  active.pop_back();
  return result;
}

void Imports::declare(FileScope &scope, const ast::Identifier &name, const ast::Node *node) {
  Global global{node, &scope, name.range};
  auto [at, fresh] = scope.own.try_emplace(name.text, global);
  if (!fresh) {
    diagnostics.error(name.range, "'" + name.text.str() + "' is declared twice", {{at->second.range, "the first"}});
    return;
  }
  scope.names[name.text] = global;
}

void Imports::import(FileScope &scope, const ast::ImportDecl &import) {
  if (import.path.empty()) {
    diagnostics.error(import.pathRange, "the name of the file is empty");
    return;
  }
  if (import.path.find('\0') != std::string::npos) {
    diagnostics.error(import.pathRange, "the name of the file holds a NUL");
    return;
  }
  llvm::SmallString<256> path(import.path);
  if (!llvm::sys::path::is_absolute(path)) {
    path = llvm::sys::path::parent_path(import.range.file->path());
    llvm::sys::path::append(path, import.path);
  }
  FileScope *imported = resolve(path.str().str(), import.pathRange);
  if (!imported)
    return;
  auto add = [&](llvm::StringRef name, const Global &global, SourceRange range) {
    auto [at, fresh] = scope.names.try_emplace(name, global);
    if (!fresh && at->second.node != global.node)
      diagnostics.error(range, "the import brings a second '" + name.str() + "'",
                        {{at->second.range, "the first"}, {global.range, "the second"}});
  };
  if (import.names.empty()) {
    std::vector<llvm::StringRef> names;
    for (const auto &entry : imported->own)
      names.push_back(entry.getKey());
    std::sort(names.begin(), names.end());
    for (llvm::StringRef name : names)
      add(name, imported->own[name], import.pathRange);
    return;
  }
  for (const ast::Identifier &name : import.names) {
    auto found = imported->own.find(name.text);
    if (found == imported->own.end()) {
      std::vector<llvm::StringRef> names;
      for (const auto &entry : imported->own)
        names.push_back(entry.getKey());
      std::sort(names.begin(), names.end());
      diagnostics.error(name.range,
                        "'" + import.path + "' has no '" + name.text.str() + "'" + didYouMean(name.text, names));
      continue;
    }
    add(name.text, found->second, name.range);
  }
}

} // namespace cnn
