//===- FileTree.cpp - The files of a folder or of an archive --------------===//
//
// Folders by the file system; archives are in Tar.cpp.
//
//===----------------------------------------------------------------------===//
#include "runtime/host/data/FileTree.h"

#include <algorithm>

namespace cnn::host {
namespace {

constexpr int deepest = 8;

Result<void> collect(const std::string &folder, const std::string &relative, int depth, std::vector<std::string> &files,
                     std::vector<std::string> &folders) {
  Result<std::vector<std::string>> names = listFolder(folder);
  if (!names)
    return names.error();
  if (depth == deepest)
    return makeError("{}: more than {} folders within each other", inQuotes(folder), deepest);
  for (const std::string &name : *names) {
    const std::string path = joinPath(folder, name), below = relative.empty() ? name : relative + "/" + name;
    if (isPictureName(name) || !isFolder(path)) {
      files.push_back(below);
      continue;
    }
    folders.push_back(below);
    if (Result<void> done = collect(path, below, depth + 1, files, folders); !done)
      return done;
  }
  return {};
}

} // namespace

Result<std::shared_ptr<const FileTree>> FileTree::ofFolder(const std::string &path) {
  auto tree = std::make_shared<FileTree>();
  tree->rootPath = path;
  tree->prefix = joinPath(path, "");
  if (Result<void> done = collect(path, "", 0, tree->files, tree->directories); !done)
    return done.error();
  std::sort(tree->files.begin(), tree->files.end());
  std::sort(tree->directories.begin(), tree->directories.end());
  return std::shared_ptr<const FileTree>(std::move(tree));
}

std::shared_ptr<const FileTree> FileTree::ofFiles(std::vector<std::string> paths) {
  auto tree = std::make_shared<FileTree>();
  tree->files = std::move(paths);
  return tree;
}

std::string FileTree::display(std::string_view path) const { return prefix + std::string(path); }

Result<FileBytes> FileTree::read(size_t file) const {
  FileBytes bytes;
  if (!archive) {
    Result<std::vector<uint8_t>> content = readFile(prefix + files[file]);
    if (!content)
      return content.error();
    bytes.owned = std::move(*content);
    bytes.view = bytes.owned;
    return bytes;
  }
  const Extent &extent = extents[file];
  const std::span<const uint8_t> all = mapped ? mapped->bytes() : std::span<const uint8_t>(blob);
  bytes.view = all.subspan(static_cast<size_t>(extent.offset), static_cast<size_t>(extent.size));
  return bytes;
}

} // namespace cnn::host
