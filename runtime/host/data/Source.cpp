//===- Source.cpp - Names, portions and the choice of a format ------------===//
//
// What the formats share, and the order in which they are tried.
//
//===----------------------------------------------------------------------===//
#include "runtime/host/data/Source.h"

#include "runtime/host/data/FileTree.h"

#include <algorithm>
#include <array>
#include <filesystem>

namespace cnn::host {
namespace {

namespace fs = std::filesystem;

std::string lower(std::string_view text) {
  std::string result(text);
  std::transform(result.begin(), result.end(), result.begin(),
                 [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; });
  return result;
}

std::string_view portionWords(Portion portion) {
  return portion == Portion::Train ? "training" : portion == Portion::Test ? "test" : "validation";
}

bool isArchiveName(std::string_view name) {
  const std::string text = lower(name);
  return text.ends_with(".tar") || text.ends_with(".tar.gz") || text.ends_with(".tgz");
}

} // namespace

std::string partOfName(std::string_view name) {
  static constexpr std::pair<std::string_view, std::string_view> known[] = {
      {"images", "image"},  {"x", "image"},    {"inputs", "image"},  {"input", "image"},
      {"labels", "label"},  {"y", "label"},    {"target", "label"},  {"targets", "label"},
      {"classes", "label"}, {"masks", "mask"}, {"weights", "weight"}};
  const std::string text = lower(name);
  for (const auto &[alias, part] : known)
    if (text == alias)
      return std::string(part);
  return text == "image" || text == "label" || text == "mask" || text == "weight" ? text : std::string(name);
}

std::vector<std::string> partCandidates(const Field &field) {
  if (!field.part.empty())
    return {field.part};
  const std::optional<int64_t> elements = elementCount(field.shape);
  const bool scalar = elements && *elements == 1;
  const std::string byType = scalar ? "label" : field.classes > 0 && field.shape.size() >= 2 ? "mask" : "image";
  const std::string byName = partOfName(field.name);
  if (byName == "weight") // a picture would be no substitute
    return {byName};
  return byName == byType ? std::vector{byType} : std::vector{byName, byType};
}

Portion portionOfFolder(std::string_view name) {
  const std::string text = lower(name);
  if (text == "train" || text == "training")
    return Portion::Train;
  if (text == "test" || text == "testing" || text == "t10k")
    return Portion::Test;
  if (text == "val" || text == "valid" || text == "validation")
    return Portion::Validation;
  return Portion::None;
}

Result<Portion> choosePortion(const std::set<Portion> &present, Split split, const std::string &path) {
  auto has = [&](Portion portion) { return present.contains(portion); };
  if (present.empty())
    return split == Split::Validation ? Portion::None : Portion::Whole;
  if (split == Split::Train && has(Portion::Train))
    return Portion::Train;
  if (split != Split::Train)
    for (Portion portion : split == Split::Test ? std::array{Portion::Test, Portion::Validation}
                                                : std::array{Portion::Validation, Portion::Test})
      if (has(portion))
        return portion;
  if (split == Split::Validation)
    return Portion::None;
  return makeError("{}: there is no {} part, only one for {}", inQuotes(path),
                   split == Split::Train ? "training" : "test", portionWords(*present.begin()));
}

Result<std::vector<std::string>> listFolder(const std::string &path) {
  std::error_code code;
  std::vector<std::string> names;
  fs::directory_iterator entries(path, code);
  for (; !code && entries != fs::directory_iterator(); entries.increment(code))
    if (std::string name = entries->path().filename().string(); name[0] != '.' && name != "__MACOSX")
      names.push_back(std::move(name));
  if (code == std::errc::permission_denied)
    return makeError("cannot read the folder {}: permission denied", inQuotes(path));
  if (code)
    return makeError("cannot read the folder {}: {}", inQuotes(path), code.message());
  std::sort(names.begin(), names.end());
  return names;
}

bool isFolder(const std::string &path) {
  std::error_code code;
  return fs::is_directory(path, code);
}

bool isFile(const std::string &path) {
  std::error_code code;
  return fs::exists(path, code) && !fs::is_directory(path, code);
}

bool isPictureName(std::string_view path) {
  const std::string text = lower(path);
  return text.ends_with(".png") || text.ends_with(".jpg") || text.ends_with(".jpeg");
}

bool isForeignPictureName(std::string_view path) {
  const std::string text = lower(path);
  for (std::string_view ending : {".bmp", ".gif", ".webp", ".tif", ".tiff", ".ppm", ".pgm", ".heic", ".avif"})
    if (text.ends_with(ending))
      return true;
  return false;
}

std::string_view baseName(std::string_view path) {
  const size_t slash = path.rfind('/');
  return slash == std::string_view::npos ? path : path.substr(slash + 1);
}

std::string_view withoutExtension(std::string_view path) {
  const size_t dot = path.rfind('.'), slash = path.rfind('/');
  const size_t begin = slash == std::string_view::npos ? 0 : slash + 1;
  return dot == std::string_view::npos || dot <= begin ? path : path.substr(0, dot);
}

std::string joinPath(const std::string &folder, std::string_view name) {
  return folder.empty() || folder.ends_with('/') ? folder + std::string(name) : folder + "/" + std::string(name);
}

Result<SourcePointer> openSource(const std::string &path, Request &request) {
  for (auto *open : {openIdx, openCifar, openNumpy}) {
    Result<Opened> opened = open(path, request);
    if (!opened)
      return opened.error();
    if (opened->recognized)
      return std::move(opened->source);
  }
  if (!isFolder(path) && !isFile(path))
    return makeError("cannot read {}: no such file or folder", inQuotes(path));
  if (!request.tree || request.tree->root() != path) {
    Result<std::shared_ptr<const FileTree>> tree =
        isFolder(path) ? FileTree::ofFolder(path) : FileTree::ofArchive(path);
    if (!tree)
      return tree.error();
    request.tree = std::move(*tree);
  }
  for (auto *open : {openMasks, openClassFolders, openPlainPictures}) {
    Result<Opened> opened = open(request.tree, request);
    if (!opened)
      return opened.error();
    if (opened->recognized)
      return std::move(opened->source);
  }
  // A folder that holds nothing but an archive, beside a readme perhaps, stands for it.
  if (isFolder(path)) {
    Result<std::vector<std::string>> names = listFolder(path);
    if (!names)
      return names.error();
    std::vector<std::string> archives;
    std::copy_if(names->begin(), names->end(), std::back_inserter(archives), isArchiveName);
    if (archives.size() == 1)
      return openSource(joinPath(path, archives.front()), request);
    if (archives.size() > 1)
      return makeError("{}: {} archives, name one of them", inQuotes(path), archives.size());
    if (names->empty())
      return makeError("{}: the folder is empty", inQuotes(path));
  }
  return makeError(
      "{}: no data set found: expected IDX files, CIFAR's, NumPy's, images/ and masks/, a folder of PNG or "
      "JPEG pictures for each class, or an archive of those",
      inQuotes(path));
}

} // namespace cnn::host
