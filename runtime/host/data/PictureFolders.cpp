//===- PictureFolders.cpp - Data sets of picture files --------------------===//
//
// A folder a class, pictures with masks, or pictures alone; within train/, val/ and test/ or not; on disk or in an
// archive. A folder of such a name is a split where pictures are only in folders below it, so that a class may be
// called "train".
//
//===----------------------------------------------------------------------===//
#include "runtime/host/data/FileTree.h"
#include "runtime/host/data/Source.h"

#include <algorithm>
#include <charconv>
#include <map>

namespace cnn::host {
namespace {

class PictureSource final : public Source {
public:
  explicit PictureSource(std::shared_ptr<const FileTree> tree) : tree(std::move(tree)) {}

  std::string name(int64_t index) const override { return tree->display(path(0, index)); }
  std::string partName(size_t part, int64_t index) const override {
    return tree->display(path(parts[part].kind == Part::Kind::Array ? 0 : part, index));
  }

  Result<Image> picture(size_t part, int64_t index) const override {
    const size_t file = fileOf(part, index);
    Result<FileBytes> bytes = tree->read(file);
    if (!bytes)
      return bytes.error();
    return decodeImage(bytes->view, tree->display(tree->paths()[file]));
  }

  std::span<const uint8_t> array(size_t, int64_t index) const override {
    return {reinterpret_cast<const uint8_t *>(&labels[static_cast<size_t>(index)]), sizeof(int64_t)};
  }

  uint64_t memoryBytes() const override { return tree->memoryBytes(); }

  const std::string &path(size_t part, int64_t index) const { return tree->paths()[fileOf(part, index)]; }
  /// Weights are made of the mask.
  size_t fileOf(size_t part, int64_t index) const {
    return files[parts[part].kind == Part::Kind::BorderWeights ? 1 : part][static_cast<size_t>(index)];
  }

  std::shared_ptr<const FileTree> tree;
  std::vector<size_t> files[2]; // of each part that is a file
  std::vector<int64_t> labels;
};

std::shared_ptr<PictureSource> makeSource(const std::shared_ptr<const FileTree> &tree, std::string format) {
  auto source = std::make_shared<PictureSource>(tree);
  source->format = std::move(format);
  source->parts.push_back({"image", Part::Kind::Picture, DType::U8, {}, tree->root()});
  return source;
}

/// The folders of a path: "train", "train/cat".
size_t depthOf(std::string_view path) { return static_cast<size_t>(std::count(path.begin(), path.end(), '/')); }
std::string_view topOf(std::string_view path) { return path.substr(0, path.find('/')); }
bool isBelow(std::string_view path, std::string_view folder) {
  return folder.empty() || (path.size() > folder.size() && path.starts_with(folder) && path[folder.size()] == '/');
}
std::string_view relativeTo(std::string_view path, std::string_view folder) {
  return folder.empty() ? path : path.substr(folder.size() + 1);
}

/// The folders at the root that are splits, by their portions. With labels those that have pictures only in folders
/// below them; without, all of such a name where pictures are nowhere else.
std::multimap<Portion, std::string> splitFolders(const FileTree &tree, bool labels) {
  struct Found {
    bool direct = false, deeper = false;
  };
  std::map<std::string, Found, std::less<>> tops;
  for (const std::string &path : tree.paths())
    if (isPictureName(path)) {
      Found &found = tops[std::string(depthOf(path) == 0 ? "" : topOf(path))];
      (depthOf(path) == 1 ? found.direct : found.deeper) = true;
    }
  std::multimap<Portion, std::string> splits;
  for (const auto &[folder, found] : tops) {
    const Portion portion = portionOfFolder(folder);
    if (portion == Portion::None && !labels)
      return {};
    if (portion != Portion::None && (!labels || !found.direct))
      splits.emplace(portion, folder);
  }
  return splits;
}

/// The folder of the split asked for, "" for the whole, or nothing.
Result<std::optional<std::string>> chooseFolder(const FileTree &tree, const std::multimap<Portion, std::string> &found,
                                                Split split) {
  std::set<Portion> present;
  for (const auto &[portion, folder] : found) {
    if (!present.insert(portion).second)
      return makeError("{}: two folders for the same split, {} and {}", inQuotes(tree.root()),
                       inQuotes(found.find(portion)->second), inQuotes(folder));
  }
  Result<Portion> portion = choosePortion(present, split, tree.root());
  if (!portion)
    return portion.error();
  if (*portion == Portion::None)
    return std::optional<std::string>();
  return std::optional(*portion == Portion::Whole ? std::string() : found.find(*portion)->second);
}

/// By value where all are decimal numbers.
void sortClasses(std::vector<std::string> &names) {
  auto isNumber = [](const std::string &name) {
    return name.size() < 18 && std::all_of(name.begin(), name.end(), [](char c) { return c >= '0' && c <= '9'; });
  };
  auto valueOf = [](const std::string &name) {
    int64_t value = 0;
    std::from_chars(name.data(), name.data() + name.size(), value);
    return value;
  };
  if (std::all_of(names.begin(), names.end(), isNumber))
    std::sort(names.begin(), names.end(), [&](const std::string &a, const std::string &b) {
      return std::pair(valueOf(a), a) < std::pair(valueOf(b), b);
    });
  else
    std::sort(names.begin(), names.end());
}

Error foreignPicture(const FileTree &tree, std::string_view path) {
  return makeError("{}: a picture of a kind that is not read, expected PNG or JPEG", inQuotes(tree.display(path)));
}

} // namespace

Result<Opened> openClassFolders(const std::shared_ptr<const FileTree> &tree, const Request &request) {
  const bool labels = request.wants("label");
  const std::multimap<Portion, std::string> splits = splitFolders(*tree, true);
  /// The split's folder above `path`; "" for all data that has no splits; nothing beside the splits.
  auto splitOf = [&](std::string_view path) -> std::optional<std::string_view> {
    for (const auto &[portion, folder] : splits)
      if (isBelow(path, folder))
        return folder;
    return splits.empty() ? std::optional<std::string_view>("") : std::nullopt;
  };
  // The classes are those of all splits together, so that an index means the same in each.
  std::set<std::string, std::less<>> classes;
  for (const std::string &path : tree->paths()) {
    const std::optional<std::string_view> split = splitOf(path);
    if (!split || !isPictureName(path))
      continue;
    const std::string_view below = relativeTo(path, *split);
    if (depthOf(below) > 0) {
      if (const std::string_view top = topOf(below); !classes.contains(top))
        classes.emplace(top);
    } else if (!labels) {
      return Opened{};
    } else if (!classes.empty() || depthOf(path) > 0 || !tree->folders().empty()) {
      return makeError("{}: a picture beside the folders of classes, of no class", inQuotes(tree->display(path)));
    }
  }
  if (classes.empty() || (!labels && !splitFolders(*tree, false).empty() && splits.empty()))
    return Opened{};
  for (const std::string &folder : tree->folders())
    if (const std::optional<std::string_view> split = splitOf(folder); labels && split)
      if (const std::string_view name = relativeTo(folder, *split); depthOf(name) == 0 && !classes.contains(name))
        return makeError("{}: no PNG or JPEG picture in this folder of a class", inQuotes(tree->display(folder)));
  Result<std::optional<std::string>> chosen = chooseFolder(*tree, splits, request.split);
  if (!chosen)
    return chosen.error();
  if (!*chosen)
    return Opened{true, nullptr};
  const std::string &root = **chosen;

  auto source = makeSource(tree, "folders of classes");
  source->classNames.assign(classes.begin(), classes.end());
  sortClasses(source->classNames);
  std::map<std::string, int64_t, std::less<>> indices;
  for (size_t i = 0; i < source->classNames.size(); ++i)
    indices[source->classNames[i]] = static_cast<int64_t>(i);
  for (size_t file = 0; file < tree->paths().size(); ++file) {
    const std::string &path = tree->paths()[file];
    if (!isBelow(path, root))
      continue;
    if (isForeignPictureName(path))
      return foreignPicture(*tree, path);
    if (!isPictureName(path))
      continue;
    source->files[0].push_back(file);
    source->labels.push_back(indices.find(topOf(relativeTo(path, root)))->second);
  }
  source->size = static_cast<int64_t>(source->labels.size());
  source->parts.push_back({"label", Part::Kind::Array, DType::I64, {}, tree->root()});
  if (source->size == 0)
    return makeError("{}: no PNG or JPEG pictures", inQuotes(tree->display(root)));
  return Opened{true, std::move(source)};
}

Result<Opened> openMasks(const std::shared_ptr<const FileTree> &tree, const Request &request) {
  auto hasPair = [&](const std::string &root) {
    auto has = [&](std::string_view name) {
      const std::string folder = root.empty() ? std::string(name) : root + "/" + std::string(name);
      return std::binary_search(tree->folders().begin(), tree->folders().end(), folder);
    };
    return has("images") && has("masks");
  };
  const std::multimap<Portion, std::string> splits = splitFolders(*tree, true);
  const bool inSplits =
      std::any_of(splits.begin(), splits.end(), [&](const auto &split) { return hasPair(split.second); });
  if (!inSplits && !hasPair(""))
    return Opened{};
  std::optional<std::string> root = "";
  if (inSplits && !hasPair("")) {
    Result<std::optional<std::string>> chosen = chooseFolder(*tree, splits, request.split);
    if (!chosen)
      return chosen.error();
    root = std::move(*chosen);
  } else if (request.split == Split::Validation) {
    root.reset();
  }
  if (!root)
    return Opened{true, nullptr};
  if (!hasPair(*root))
    return makeError("{}: no folders images/ and masks/ in it", inQuotes(tree->display(*root)));

  auto source = makeSource(tree, "pictures with masks");
  source->parts.push_back({"mask", Part::Kind::Picture, DType::U8, {}, tree->root()});
  source->parts.push_back({"weight", Part::Kind::BorderWeights, DType::F32, {}, tree->root()});
  std::map<std::string, size_t, std::less<>> stems[2];
  const std::string folders[2] = {root->empty() ? "images" : *root + "/images",
                                  root->empty() ? "masks" : *root + "/masks"};
  for (size_t file = 0; file < tree->paths().size(); ++file)
    for (size_t part = 0; part < 2; ++part) {
      const std::string &path = tree->paths()[file];
      if (!isBelow(path, folders[part]))
        continue;
      if (isForeignPictureName(path))
        return foreignPicture(*tree, path);
      if (!isPictureName(path))
        continue;
      const auto [other, added] = stems[part].emplace(withoutExtension(relativeTo(path, folders[part])), file);
      if (!added)
        return makeError("{} and {}: two pictures with the same stem", inQuotes(tree->display(path)),
                         inQuotes(tree->display(tree->paths()[other->second])));
    }
  for (size_t part = 0; part < 2; ++part)
    for (const auto &[stem, file] : stems[part]) {
      const auto other = stems[1 - part].find(stem);
      if (other == stems[1 - part].end()) {
        Error error = makeError("{}: there is no {} of this stem in {}", inQuotes(tree->display(tree->paths()[file])),
                                part == 0 ? "mask" : "picture", inQuotes(tree->display(folders[1 - part])));
        if (!request.skipBad)
          return error;
        source->skipped.push_back(std::move(error.message));
      } else if (part == 0) {
        source->files[0].push_back(file);
        source->files[1].push_back(other->second);
      }
    }
  source->size = static_cast<int64_t>(source->files[0].size());
  if (source->size == 0)
    return makeError("{}: no PNG or JPEG pictures with masks", inQuotes(tree->display(*root)));
  return Opened{true, std::move(source)};
}

Result<Opened> openPlainPictures(const std::shared_ptr<const FileTree> &tree, const Request &request) {
  const bool any = std::any_of(tree->paths().begin(), tree->paths().end(),
                               [](const std::string &path) { return isPictureName(path); });
  if (!any)
    return Opened{};
  if (request.wants("label"))
    return makeError("{}: pictures without labels, expected a folder of them for each class", inQuotes(tree->root()));
  if (request.wants("mask"))
    return makeError("{}: pictures without masks, expected the folders images/ and masks/", inQuotes(tree->root()));
  Result<std::optional<std::string>> chosen = chooseFolder(*tree, splitFolders(*tree, false), request.split);
  if (!chosen)
    return chosen.error();
  if (!*chosen)
    return Opened{true, nullptr};
  auto source = makeSource(tree, "pictures");
  for (size_t file = 0; file < tree->paths().size(); ++file) {
    const std::string &path = tree->paths()[file];
    if (!isBelow(path, **chosen))
      continue;
    if (isForeignPictureName(path))
      return foreignPicture(*tree, path);
    if (isPictureName(path))
      source->files[0].push_back(file);
  }
  source->size = static_cast<int64_t>(source->files[0].size());
  if (source->size == 0)
    return makeError("{}: no PNG or JPEG pictures", inQuotes(tree->display(**chosen)));
  return Opened{true, std::move(source)};
}

} // namespace cnn::host
