//===- NumpyData.cpp - Data sets in NumPy's files -------------------------===//
//
// Arrays whose first dimension counts the samples: .npy files side by side, or the members of one .npz. The array's
// name says its part and, with train, test or val in it, the split; so do folders of these names. u8 arrays shaped like
// pictures are pictures.
//
//===----------------------------------------------------------------------===//
#include "runtime/host/File.h"
#include "runtime/host/Npy.h"
#include "runtime/host/data/Source.h"
#include "runtime/host/data/Zip.h"

#include <algorithm>
#include <climits>

namespace cnn::host {
namespace {

enum class Layout { None, Grey, Planes, Pixels }; // [H, W], [C, H, W], [H, W, C]

class NumpySource final : public Source {
public:
  std::string name(int64_t index) const override { return fmt::format("{}[{}]", parts[0].file, index); }

  Result<Image> picture(size_t part, int64_t index) const override {
    const std::span<const uint8_t> bytes = array(part, index);
    const std::vector<int64_t> &shape = parts[part].shape;
    const size_t channels = static_cast<size_t>(shape[0]), plane = bytes.size() / channels;
    Image image{static_cast<int>(shape[1]), static_cast<int>(shape[2]), static_cast<int>(channels), {}};
    if (layouts[part] != Layout::Planes) {
      image.pixels.assign(bytes.begin(), bytes.end());
      return image;
    }
    image.pixels.resize(bytes.size());
    for (size_t c = 0; c < channels; ++c)
      for (size_t i = 0; i < plane; ++i)
        image.pixels[i * channels + c] = bytes[c * plane + i];
    return image;
  }

  std::span<const uint8_t> array(size_t part, int64_t index) const override {
    const size_t bytes = arrays[part].bytes.size() / static_cast<size_t>(size);
    return {arrays[part].bytes.data() + static_cast<size_t>(index) * bytes, bytes};
  }

  uint64_t memoryBytes() const override {
    uint64_t bytes = 0;
    for (const Tensor &tensor : arrays)
      bytes += tensor.bytes.size();
    return bytes;
  }

  std::vector<Tensor> arrays;
  std::vector<Layout> layouts;
};

/// One array that there is, not yet read.
struct Entry {
  std::string key;  // the name without .npy
  std::string path; // of an .npy
  const ZipMember *member = nullptr;
  std::string part = {};
  Portion portion = Portion::Whole;
};

/// x_train, train_x, train-x: the part's name and the portion.
void parseKey(Entry &entry) {
  for (const char separator : {'_', '-', '.'}) {
    const std::string &key = entry.key;
    if (const size_t last = key.rfind(separator); last != std::string::npos)
      if (Portion portion = portionOfFolder(std::string_view(key).substr(last + 1)); portion != Portion::None) {
        entry.portion = portion;
        entry.part = partOfName(std::string_view(key).substr(0, last));
        return;
      }
    if (const size_t first = key.find(separator); first != std::string::npos)
      if (Portion portion = portionOfFolder(std::string_view(key).substr(0, first)); portion != Portion::None) {
        entry.portion = portion;
        entry.part = partOfName(std::string_view(key).substr(first + 1));
        return;
      }
  }
  entry.part = partOfName(entry.key);
}

/// `shape` is that of one sample.
Layout layoutOf(const std::vector<int64_t> &shape) {
  auto isChannels = [](int64_t size) { return size == 1 || size == 3; };
  if (std::any_of(shape.begin(), shape.end(), [](int64_t size) { return size > INT_MAX; }) ||
      elementCount(shape).value_or(maximumPixels + 1) > maximumPixels)
    return Layout::None;
  if (shape.size() == 2)
    return Layout::Grey;
  if (shape.size() != 3)
    return Layout::None;
  return isChannels(shape[0]) ? Layout::Planes : isChannels(shape[2]) ? Layout::Pixels : Layout::None;
}

Result<void> addArray(NumpySource &source, const Entry &entry, Tensor tensor, const std::string &file) {
  if (tensor.shape.empty())
    return makeError("{}: a scalar, expected one entry a sample", inQuotes(file));
  if (tensor.elements() == 0)
    return makeError("{}: an array of {} is empty", inQuotes(file), shapeText(tensor.shape));
  if (source.parts.empty())
    source.size = tensor.shape[0];
  for (const Part &other : source.parts)
    if (other.name == entry.part)
      return makeError("{} and {}: two arrays of the part '{}'", inQuotes(other.file), inQuotes(file), entry.part);
  if (tensor.shape[0] != source.size)
    return makeError("{}: {} samples, but {} in {}", inQuotes(file), tensor.shape[0], source.size,
                     inQuotes(source.parts[0].file));
  Part part{entry.part, Part::Kind::Array, tensor.dtype, {tensor.shape.begin() + 1, tensor.shape.end()}, file};
  const Layout layout = tensor.dtype == DType::U8 ? layoutOf(part.shape) : Layout::None;
  if (layout != Layout::None) {
    part.kind = Part::Kind::Picture;
    if (layout == Layout::Grey)
      part.shape.insert(part.shape.begin(), 1);
    else if (layout == Layout::Pixels)
      std::rotate(part.shape.begin(), part.shape.begin() + 2, part.shape.end());
  }
  source.parts.push_back(std::move(part));
  source.layouts.push_back(layout);
  source.arrays.push_back(std::move(tensor));
  return {};
}

/// Reads those of the portion that the network asks for, and labels.
Result<Opened> openEntries(const std::string &path, std::vector<Entry> entries, std::span<const uint8_t> zip,
                           const Request &request) {
  std::set<Portion> present;
  for (Entry &entry : entries) {
    if (entry.part.empty())
      parseKey(entry);
    if (entry.portion != Portion::Whole)
      present.insert(entry.portion);
  }
  Result<Portion> portion = choosePortion(present, request.split, path);
  if (!portion)
    return portion.error();
  if (*portion == Portion::None)
    return Opened{true, nullptr};
  // Pictures first, as the first part names the samples.
  std::sort(entries.begin(), entries.end(), [](const Entry &a, const Entry &b) {
    return std::pair(a.part != "image", a.key) < std::pair(b.part != "image", b.key);
  });
  auto source = std::make_shared<NumpySource>();
  source->format = "NumPy";
  for (const Entry &entry : entries) {
    if (entry.portion != *portion || (!request.wants(entry.part) && entry.part != "label"))
      continue;
    const std::string file = entry.member ? path + ":" + entry.member->name : entry.path;
    Result<Tensor> tensor = [&]() -> Result<Tensor> {
      if (!entry.member)
        return readNpy(entry.path);
      Result<std::vector<uint8_t>> bytes = readZip(zip, *entry.member, path);
      return bytes ? decodeNpy(*bytes, file) : Result<Tensor>(bytes.error());
    }();
    if (!tensor)
      return tensor.error();
    if (Result<void> added = addArray(*source, entry, std::move(*tensor), file); !added)
      return added.error();
  }
  if (source->parts.empty()) {
    std::string keys;
    for (const Entry &entry : entries)
      keys += (keys.empty() ? "" : ", ") + inQuotes(entry.key);
    return makeError("{}: no array for the network's inputs, only {}", inQuotes(path), keys);
  }
  return Opened{true, std::move(source)};
}

Result<std::vector<Entry>> entriesOfFolder(const std::string &path) {
  Result<std::vector<std::string>> names = listFolder(path);
  if (!names)
    return names.error();
  std::vector<Entry> entries;
  for (const std::string &name : *names)
    if (name.ends_with(".npy"))
      entries.push_back({std::string(withoutExtension(name)), joinPath(path, name)});
  return entries;
}

Result<Opened> openNpz(const std::string &path, const Request &request) {
  Result<MappedFile> file = MappedFile::open(path);
  if (!file)
    return file.error();
  Result<std::vector<ZipMember>> members = listZip(file->bytes(), path);
  if (!members)
    return members.error();
  std::vector<Entry> entries;
  for (const ZipMember &member : *members)
    if (member.name.ends_with(".npy"))
      entries.push_back({member.name.substr(0, member.name.size() - 4), path, &member});
  if (entries.empty())
    return makeError("{}: no arrays in it", inQuotes(path));
  return openEntries(path, std::move(entries), file->bytes(), request);
}

} // namespace

Result<Opened> openNumpy(const std::string &path, const Request &request) {
  if (isFile(path)) {
    if (path.ends_with(".npz"))
      return openNpz(path, request);
    if (!path.ends_with(".npy"))
      return Opened{};
    // The file and what lies beside it, of the split that its name says.
    const std::string name(baseName(path)), folder = path.substr(0, path.size() - name.size());
    Result<std::vector<Entry>> entries = entriesOfFolder(folder.empty() ? "." : folder);
    if (!entries)
      return entries.error();
    Entry named{std::string(withoutExtension(name)), path};
    parseKey(named);
    for (Entry &entry : *entries)
      parseKey(entry);
    if (!request.wants(named.part) && named.part != "label" && request.wants("image")) {
      // A name of another kind: the pictures, whatever else lies there.
      std::erase_if(*entries, [](const Entry &entry) { return entry.part == "image"; });
      for (Entry &entry : *entries)
        if (entry.key == named.key)
          entry.part = "image";
    }
    std::erase_if(*entries, [&](const Entry &entry) { return entry.portion != named.portion; });
    for (Entry &entry : *entries)
      entry.portion = Portion::Whole;
    return openEntries(path, std::move(*entries), {}, request);
  }
  if (!isFolder(path))
    return Opened{};
  Result<std::vector<Entry>> entries = entriesOfFolder(path);
  Result<std::vector<std::string>> names = listFolder(path);
  if (!entries)
    return entries.error();
  if (!names)
    return names.error();
  if (entries->empty())
    for (const std::string &name : *names)
      if (Portion portion = portionOfFolder(name); portion != Portion::None && isFolder(joinPath(path, name))) {
        Result<std::vector<Entry>> below = entriesOfFolder(joinPath(path, name));
        if (!below)
          return below.error();
        for (Entry &entry : *below) {
          entry.part = partOfName(entry.key);
          entry.portion = portion;
          entries->push_back(std::move(entry));
        }
      }
  if (!entries->empty())
    return openEntries(path, std::move(*entries), {}, request);
  std::erase_if(*names, [](const std::string &name) { return !name.ends_with(".npz"); });
  if (names->size() > 1)
    return makeError("{}: {} .npz files, name one of them", inQuotes(path), names->size());
  return names->empty() ? Result(Opened{}) : openNpz(joinPath(path, names->front()), request);
}

} // namespace cnn::host
