//===- Cifar.cpp - CIFAR-10 and CIFAR-100 in their binary version ---------===//
//
// Files of records: one byte of label (CIFAR-100: a coarse one and a fine one), then 3x32x32 bytes of pixels by planes
// (Krizhevsky, https://www.cs.toronto.edu/~kriz/cifar.html).
//
//===----------------------------------------------------------------------===//
#include "runtime/host/File.h"
#include "runtime/host/Labels.h"
#include "runtime/host/data/Source.h"

#include <algorithm>

namespace cnn::host {
namespace {

constexpr size_t side = 32, plane = side * side, pixelBytes = 3 * plane;

class CifarSource final : public Source {
public:
  std::string name(int64_t index) const override {
    const auto [file, record] = locate(index);
    return fmt::format("{}[{}]", paths[file], record);
  }
  std::string partName(size_t, int64_t index) const override { return name(index); }

  Result<Image> picture(size_t, int64_t index) const override {
    const uint8_t *planes = record(index) + labelBytes;
    Image image = Image::filled(side, side, 3, 0);
    for (size_t i = 0; i < plane; ++i)
      for (size_t c = 0; c < 3; ++c)
        image.pixels[3 * i + c] = planes[c * plane + i];
    return image;
  }

  std::span<const uint8_t> array(size_t, int64_t index) const override { return {record(index) + labelAt, 1}; }

  uint64_t memoryBytes() const override { return 0; } // mapped

  std::vector<std::string> paths;
  std::vector<MappedFile> files;
  std::vector<int64_t> ends; // of each file's records, counted from the first file on
  size_t labelBytes = 1, labelAt = 0;

private:
  std::pair<size_t, int64_t> locate(int64_t index) const {
    const auto file = static_cast<size_t>(std::upper_bound(ends.begin(), ends.end(), index) - ends.begin());
    return {file, file == 0 ? index : index - ends[file - 1]};
  }
  const uint8_t *record(int64_t index) const {
    const auto [file, at] = locate(index);
    return files[file].bytes().data() + static_cast<size_t>(at) * (labelBytes + pixelBytes);
  }
};

struct Kind {
  bool hundred = false;
  Portion portion = Portion::None;
};

Kind kindOf(std::string_view name) {
  if (name.starts_with("data_batch_") && name.ends_with(".bin"))
    return {false, Portion::Train};
  if (name == "test_batch.bin")
    return {false, Portion::Test};
  if (name == "train.bin")
    return {true, Portion::Train};
  return {true, name == "test.bin" ? Portion::Test : Portion::None};
}

Result<Opened> openFiles(const std::string &folder, const std::vector<std::string> &names, bool hundred,
                         const Request &request) {
  auto source = std::make_shared<CifarSource>();
  source->format = hundred ? "CIFAR-100" : "CIFAR-10";
  const bool coarse = hundred && request.classes == 20;
  source->labelBytes = hundred ? 2 : 1;
  source->labelAt = hundred && !coarse ? 1 : 0;
  const size_t recordBytes = source->labelBytes + pixelBytes;
  for (const std::string &name : names) {
    const std::string path = joinPath(folder, name);
    Result<MappedFile> file = MappedFile::open(path);
    if (!file)
      return file.error();
    const size_t bytes = file->bytes().size();
    if (bytes == 0 || bytes % recordBytes != 0)
      return makeError("{}: {} bytes are not whole records of {} bytes ({}): truncated?", inQuotes(path), bytes,
                       recordBytes, source->format);
    source->size += static_cast<int64_t>(bytes / recordBytes);
    source->ends.push_back(source->size);
    source->paths.push_back(path);
    source->files.push_back(std::move(*file));
  }
  source->parts = {{"image", Part::Kind::Picture, DType::U8, {3, side, side}, source->paths.front()},
                   {"label", Part::Kind::Array, DType::U8, {}, source->paths.front()}};
  const std::string classes = joinPath(folder, !hundred ? "batches.meta.txt"
                                               : coarse ? "coarse_label_names.txt"
                                                        : "fine_label_names.txt");
  if (isFile(classes)) {
    Result<std::vector<std::string>> labels = readLabels(classes);
    if (!labels)
      return labels.error();
    source->classNames = std::move(*labels);
  }
  return Opened{true, std::move(source)};
}

} // namespace

Result<Opened> openCifar(const std::string &path, const Request &request) {
  if (isFile(path)) {
    const std::string name(baseName(path));
    const Kind kind = kindOf(name);
    if (kind.portion == Portion::None)
      return Opened{};
    return openFiles(path.substr(0, path.size() - name.size()), {name}, kind.hundred, request);
  }
  if (!isFolder(path))
    return Opened{};
  Result<std::vector<std::string>> names = listFolder(path);
  if (!names)
    return names.error();
  std::vector<std::string> found;
  std::set<Portion> present;
  for (const std::string &name : *names)
    if (kindOf(name).portion != Portion::None) {
      found.push_back(name);
      present.insert(kindOf(name).portion);
    }
  if (found.empty()) {
    // As its archive unpacks.
    for (std::string_view below : {"cifar-10-batches-bin", "cifar-100-binary"})
      if (isFolder(joinPath(path, below)))
        return openCifar(joinPath(path, below), request);
    return Opened{};
  }
  const bool hundred = kindOf(found.front()).hundred;
  for (const std::string &name : found)
    if (kindOf(name).hundred != hundred)
      return makeError("{}: files of CIFAR-10 and of CIFAR-100, {} and {}", inQuotes(path), inQuotes(found.front()),
                       inQuotes(name));
  Result<Portion> portion = choosePortion(present, request.split, path);
  if (!portion)
    return portion.error();
  if (*portion == Portion::None)
    return Opened{true, nullptr};
  std::erase_if(found, [&](const std::string &name) { return kindOf(name).portion != *portion; });
  return openFiles(path, found, hundred, request);
}

} // namespace cnn::host
