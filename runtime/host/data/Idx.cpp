//===- Idx.cpp - The IDX format of MNIST ----------------------------------===//
//
// A file is a magic (two zeros, the element type, the rank), the sizes in 32 bits, big-endian, and the elements, plain
// or through gzip (LeCun, http://yann.lecun.com/exdb/mnist). Pictures are ubyte of rank 3, labels ubyte of rank 1.
//
//===----------------------------------------------------------------------===//
#include "runtime/host/File.h"
#include "runtime/host/data/Source.h"
#include "runtime/host/data/Stream.h"

#include <algorithm>
#include <array>

namespace cnn::host {
namespace {

class IdxSource final : public Source {
public:
  std::string name(int64_t index) const override { return fmt::format("{}[{}]", parts[0].file, index); }

  Result<Image> picture(size_t, int64_t index) const override {
    const int64_t height = parts[0].shape[1], width = parts[0].shape[2];
    Image image{static_cast<int>(height), static_cast<int>(width), 1, {}};
    const auto begin = pixels.begin() + static_cast<ptrdiff_t>(index * height * width);
    image.pixels.assign(begin, begin + static_cast<ptrdiff_t>(height * width));
    return image;
  }

  std::span<const uint8_t> array(size_t, int64_t index) const override {
    return std::span(labels).subspan(static_cast<size_t>(index), 1);
  }

  uint64_t memoryBytes() const override { return pixels.size() + labels.size(); }

  std::vector<uint8_t> pixels, labels;
};

/// The elements of a file of `rank` dimensions, and its sizes.
Result<std::vector<uint8_t>> readIdx(const std::string &path, unsigned rank, std::vector<int64_t> &sizes) {
  Result<MappedFile> file = MappedFile::open(path);
  if (!file)
    return file.error();
  std::unique_ptr<ByteStream> stream = openStream(file->bytes(), path);
  std::array<uint8_t, 16> header;
  const size_t length = 4 + 4 * size_t(rank);
  Result<size_t> got = stream->read(std::span(header).first(length));
  if (!got)
    return got.error();
  const std::array<uint8_t, 4> magic = {0, 0, 8, static_cast<uint8_t>(rank)};
  if (*got >= 4 && !std::equal(magic.begin(), magic.end(), header.begin()))
    return makeError("{}: not an IDX file of {}: it begins with {:02x}{:02x}{:02x}{:02x}, expected 0000080{}",
                     inQuotes(path), rank == 3 ? "pictures" : "labels", header[0], header[1], header[2], header[3],
                     rank);
  if (*got != length)
    return makeError("{}: the IDX file is truncated: {} bytes, a header has {}", inQuotes(path), *got, length);
  uint64_t count = 1;
  for (size_t d = 0; d < rank; ++d) {
    const uint8_t *at = &header[4 + 4 * d];
    const uint32_t size = uint32_t(at[0]) << 24 | uint32_t(at[1]) << 16 | uint32_t(at[2]) << 8 | at[3];
    sizes.push_back(size);
    if (size == 0 && d > 0)
      return makeError("{}: pictures of {}x{} pixels", inQuotes(path), sizes[1], d == 2 ? size : 0);
    if (__builtin_mul_overflow(count, uint64_t(size), &count))
      count = UINT64_MAX; // beyond any file; a later size of zero is an error of its own
  }
  auto truncated = [&](uint64_t there) {
    return makeError("{}: the IDX file is truncated: {} of {} bytes declared by its sizes {}", inQuotes(path), there,
                     count, shapeText(sizes));
  };
  if (count > stream->mostLeft()) {
    Result<uint64_t> there = stream->skip(UINT64_MAX);
    return there ? truncated(*there) : there.error();
  }
  std::vector<uint8_t> bytes(static_cast<size_t>(count));
  got = stream->read(bytes);
  if (!got)
    return got.error();
  if (*got != bytes.size())
    return truncated(*got);
  Result<uint64_t> rest = stream->skip(UINT64_MAX);
  if (!rest)
    return rest.error();
  if (*rest > 0)
    return makeError("{}: {} bytes more than its sizes {} declare", inQuotes(path), *rest, shapeText(sizes));
  return bytes;
}

std::string_view withoutGz(std::string_view name) {
  return name.ends_with(".gz") ? name.substr(0, name.size() - 3) : name;
}

/// The beginning of the name of a file of pictures: "train-" of train-images-idx3-ubyte.gz.
std::optional<std::string> prefixOf(std::string_view name) {
  name = withoutGz(name);
  for (std::string_view ending : {"images-idx3-ubyte", "images.idx3-ubyte"})
    if (name.ends_with(ending))
      return std::string(name.substr(0, name.size() - ending.size()));
  return std::nullopt;
}

Portion portionOfPrefix(std::string_view prefix) {
  if (prefix.find("train") != std::string_view::npos)
    return Portion::Train;
  if (prefix.find("t10k") != std::string_view::npos || prefix.find("test") != std::string_view::npos)
    return Portion::Test;
  return prefix.find("val") != std::string_view::npos ? Portion::Validation : Portion::Whole;
}

/// The file of these names that there is, unpacked or packed; empty where there is none.
std::string firstFile(const std::string &prefix, std::string_view what, int rank) {
  for (std::string_view dot : {"-", "."})
    for (std::string_view packed : {"", ".gz"})
      if (std::string path = fmt::format("{}{}{}idx{}-ubyte{}", prefix, what, dot, rank, packed); isFile(path))
        return path;
  return "";
}

/// Both files that begin with `prefix`, a path.
Result<Opened> openPair(const std::string &prefix, const Request &request) {
  auto source = std::make_shared<IdxSource>();
  source->format = "IDX";
  const std::string images = firstFile(prefix, "images", 3), labels = firstFile(prefix, "labels", 1);
  std::vector<int64_t> sizes, labelSizes;
  Result<std::vector<uint8_t>> pixels = readIdx(images, 3, sizes);
  if (!pixels)
    return pixels.error();
  source->pixels = std::move(*pixels);
  source->size = sizes[0];
  source->parts.push_back({"image", Part::Kind::Picture, DType::U8, {1, sizes[1], sizes[2]}, images});
  if (labels.empty() && request.wants("label"))
    return makeError("{}: the file of labels to it, {}labels-idx1-ubyte, is missing", inQuotes(images),
                     baseName(prefix));
  if (!labels.empty()) {
    Result<std::vector<uint8_t>> classes = readIdx(labels, 1, labelSizes);
    if (!classes)
      return classes.error();
    if (labelSizes[0] != sizes[0])
      return makeError("{}: {} labels, but {} pictures in {}", inQuotes(labels), labelSizes[0], sizes[0],
                       inQuotes(images));
    source->labels = std::move(*classes);
    source->parts.push_back({"label", Part::Kind::Array, DType::U8, {}, labels});
  }
  return Opened{true, std::move(source)};
}

} // namespace

Result<Opened> openIdx(const std::string &path, const Request &request) {
  if (isFile(path)) {
    const std::string name(baseName(path));
    std::optional<std::string> prefix = prefixOf(name);
    if (!prefix)
      return Opened{};
    return openPair(path.substr(0, path.size() - name.size()) + *prefix, request);
  }
  if (!isFolder(path)) {
    for (const std::string &prefix : {path, path + "-"})
      if (!firstFile(prefix, "images", 3).empty())
        return openPair(prefix, request);
    return Opened{};
  }
  Result<std::vector<std::string>> names = listFolder(path);
  if (!names)
    return names.error();
  std::set<std::string> prefixes;
  std::set<Portion> present;
  for (const std::string &name : *names)
    if (std::optional<std::string> prefix = prefixOf(name)) {
      prefixes.insert(*prefix);
      if (portionOfPrefix(*prefix) != Portion::Whole)
        present.insert(portionOfPrefix(*prefix));
    }
  if (prefixes.empty())
    return Opened{};
  Result<Portion> portion = choosePortion(present, request.split, path);
  if (!portion)
    return portion.error();
  std::vector<std::string> chosen;
  for (const std::string &prefix : prefixes)
    if (portionOfPrefix(prefix) == *portion)
      chosen.push_back(prefix);
  if (*portion == Portion::None)
    return Opened{true, nullptr};
  if (chosen.size() != 1)
    return makeError("{}: several IDX data sets, {} and {}; name one by the beginning of its files", inQuotes(path),
                     inQuotes(chosen.front()), inQuotes(chosen.back()));
  return openPair(joinPath(path, chosen.front()), request);
}

} // namespace cnn::host
