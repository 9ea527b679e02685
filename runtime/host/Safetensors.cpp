//===- Safetensors.cpp - Weights in safetensors files ---------------------===//
//
// Every number of the header is checked before it is used as a size or an offset.
//
//===----------------------------------------------------------------------===//
#include "runtime/host/Safetensors.h"

#include "runtime/host/Json.h"

#include <algorithm>
#include <cstring>

namespace cnn::host {
namespace {

constexpr uint64_t maximumHeader = 100'000'000; // the limit of the published reader
constexpr size_t maximumRank = 64;

constexpr std::pair<std::string_view, DType> dtypes[] = {
    {"F32", DType::F32}, {"F64", DType::F64}, {"F16", DType::F16}, {"BF16", DType::BF16},
    {"U8", DType::U8},   {"BOOL", DType::U8}, {"I32", DType::I32}, {"I64", DType::I64}};

struct Entry {
  std::string name;
  TensorView tensor;
  uint64_t begin = 0;
  uint64_t end = 0;
};

/// Reads one entry of the header; the error text continues "tensor 'x' has ".
Result<Entry> readEntry(const std::string &name, const JsonValue &description, uint64_t dataBytes) {
  if (!description.isObject())
    return makeError("no description (expected an object with dtype, shape and data_offsets)");
  for (const auto &[key, value] : description.members)
    if (key != "dtype" && key != "shape" && key != "data_offsets")
      return makeError("an unknown key {} (expected dtype, shape and data_offsets)", inQuotes(key));
  Entry entry;
  entry.name = name;

  const JsonValue *dtype = description.find("dtype");
  if (!dtype || !dtype->isString())
    return makeError("no dtype");
  const auto *known = std::find_if(std::begin(dtypes), std::end(dtypes),
                                   [&](const auto &candidate) { return candidate.first == dtype->string; });
  if (known == std::end(dtypes))
    return makeError("dtype {}, expected one of F32, F64, F16, BF16, U8, BOOL, I32, I64", inQuotes(dtype->string));
  entry.tensor.dtype = known->second;

  const JsonValue *shape = description.find("shape");
  if (!shape || !shape->isArray())
    return makeError("no shape");
  if (shape->items.size() > maximumRank)
    return makeError("{} dimensions, expected at most {}", shape->items.size(), maximumRank);
  for (const JsonValue &size : shape->items) {
    if (!size.isInteger() || size.integer < 0)
      return makeError("a shape of other things than sizes below 2^63");
    entry.tensor.shape.push_back(size.integer);
  }

  const JsonValue *offsets = description.find("data_offsets");
  if (!offsets || !offsets->isArray() || offsets->items.size() != 2 || !offsets->items[0].isInteger() ||
      !offsets->items[1].isInteger() || offsets->items[0].integer < 0 || offsets->items[1].integer < 0)
    return makeError("no data_offsets (expected two offsets [begin, end] below 2^63)");
  entry.begin = static_cast<uint64_t>(offsets->items[0].integer);
  entry.end = static_cast<uint64_t>(offsets->items[1].integer);
  if (entry.begin > entry.end)
    return makeError("data_offsets [{}, {}] that run backwards", entry.begin, entry.end);
  if (entry.end > dataBytes)
    return makeError("data_offsets [{}, {}], but the file has {} bytes of data (truncated?)", entry.begin, entry.end,
                     dataBytes);

  const std::optional<int64_t> bytes = byteCount(entry.tensor.shape, entry.tensor.dtype);
  if (!bytes)
    return makeError("shape {} of {}, whose size does not fit in 64 bits", shapeText(entry.tensor.shape),
                     dtypeName(entry.tensor.dtype));
  if (static_cast<uint64_t>(*bytes) != entry.end - entry.begin)
    return makeError("shape {} of {}, which is {} bytes, but data_offsets [{}, {}], which are {}",
                     shapeText(entry.tensor.shape), dtypeName(entry.tensor.dtype), *bytes, entry.begin, entry.end,
                     entry.end - entry.begin);
  return entry;
}

/// The optimal string alignment distance, or limit + 1 where it is above `limit`.
size_t editDistance(std::string_view a, std::string_view b, size_t limit) {
  if (a.size() > b.size())
    std::swap(a, b);
  if (b.size() - a.size() > limit)
    return limit + 1;
  std::vector<size_t> beforeLast(a.size() + 1), last(a.size() + 1), row(a.size() + 1);
  for (size_t i = 0; i <= a.size(); ++i)
    last[i] = i;
  for (size_t j = 1; j <= b.size(); ++j) {
    row[0] = j;
    size_t best = j;
    for (size_t i = 1; i <= a.size(); ++i) {
      row[i] = std::min({row[i - 1] + 1, last[i] + 1, last[i - 1] + (a[i - 1] != b[j - 1])});
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
        row[i] = std::min(row[i], beforeLast[i - 2] + 1);
      best = std::min(best, row[i]);
    }
    if (best > limit)
      return limit + 1;
    std::swap(beforeLast, last);
    std::swap(last, row);
  }
  return last[a.size()];
}

bool endsInComponent(std::string_view whole, std::string_view tail) {
  return whole.size() > tail.size() && whole.ends_with(tail) && whole[whole.size() - tail.size() - 1] == '.';
}

} // namespace

std::vector<std::string> closestNames(std::string_view name, std::span<const std::string> candidates, size_t count) {
  constexpr size_t longest = 256; // beyond that a name is no typing error, and the time would be quadratic
  if (name.empty() || name.size() > longest)
    return {};
  const size_t limit = std::max<size_t>(1, name.size() / 3);
  std::vector<std::pair<size_t, std::string_view>> near;
  for (const std::string &candidate : candidates) {
    if (candidate.empty() || candidate.size() > longest)
      continue;
    size_t distance = editDistance(name, candidate, limit);
    if (distance > 1 && (endsInComponent(candidate, name) || endsInComponent(name, candidate)))
      distance = 1;
    if (distance <= limit)
      near.emplace_back(distance, candidate);
  }
  const size_t kept = std::min(count, near.size());
  std::partial_sort(near.begin(), near.begin() + static_cast<ptrdiff_t>(kept), near.end());
  std::vector<std::string> names(kept);
  for (size_t i = 0; i < kept; ++i)
    names[i] = near[i].second;
  return names;
}

Result<SafetensorsFile> SafetensorsFile::open(const std::string &path) {
  Result<MappedFile> mapping = MappedFile::open(path);
  if (!mapping)
    return mapping.error();
  Result<SafetensorsFile> file = parse(mapping->bytes(), path);
  if (file)
    file->mapping = std::move(*mapping);
  return file;
}

Result<SafetensorsFile> SafetensorsFile::parse(std::span<const uint8_t> file, const std::string &name) {
  auto broken = [&](std::string_view why) {
    return makeError("{}: not a valid safetensors file: {}", inQuotes(name), why);
  };
  // The commonest files that are given in its place.
  const std::string_view start(reinterpret_cast<const char *>(file.data()), std::min<size_t>(file.size(), 8));
  for (const auto &[magic, what] : std::initializer_list<std::pair<std::string_view, std::string_view>>{
           {"\x89PNG", "a PNG picture"},
           {"\xff\xd8\xff", "a JPEG picture"},
           {"\x93NUMPY", "a NumPy array"},
           {"PK\x03\x04", "a zip archive, as .npz and PyTorch's .pt are"},
           {"\x89HDF", "an HDF5 file, as Keras's .h5 are"}})
    if (start.starts_with(magic))
      return broken(fmt::format("it is {}", what));
  uint64_t length = 0;
  if (file.size() < sizeof(length))
    return broken(fmt::format("{} bytes are too few for a header", file.size()));
  std::memcpy(&length, file.data(), sizeof(length));
  if (length > maximumHeader)
    return broken(fmt::format("a header of {} bytes (at most {} are allowed)", length, maximumHeader));
  if (length > file.size() - sizeof(length))
    return broken(fmt::format("a header of {} bytes in a file of {} bytes (truncated?)", length, file.size()));
  const std::string_view text(reinterpret_cast<const char *>(file.data()) + sizeof(length),
                              static_cast<size_t>(length));
  const std::span<const uint8_t> data = file.subspan(sizeof(length) + text.size());
  if (!text.starts_with('{'))
    return broken("the header does not begin with '{'");
  Result<JsonValue> header = parseJson(text, {.depth = 4});
  if (!header)
    return broken("the header is " + header.error().message);

  SafetensorsFile result;
  std::vector<Entry> entries;
  for (const auto &[key, value] : header->members) {
    if (key == "__metadata__") {
      if (!value.isObject())
        return broken("__metadata__ is no object");
      for (const auto &[metaKey, metaValue] : value.members) {
        if (!metaValue.isString())
          return broken(fmt::format("__metadata__ {} is no string", inQuotes(metaKey)));
        result.meta[metaKey] = metaValue.string;
      }
      continue;
    }
    Result<Entry> entry = readEntry(key, value, data.size());
    if (!entry)
      return broken(fmt::format("tensor {} has {}", inQuotes(key), entry.error().message));
    entries.push_back(std::move(*entry));
  }

  std::sort(entries.begin(), entries.end(), [](const Entry &a, const Entry &b) {
    return std::tie(a.begin, a.end, a.name) < std::tie(b.begin, b.end, b.name);
  });
  uint64_t end = 0;
  for (size_t i = 0; i < entries.size(); ++i) {
    if (entries[i].begin < end)
      return broken(fmt::format("tensors {} and {} overlap", inQuotes(entries[i - 1].name), inQuotes(entries[i].name)));
    if (entries[i].begin > end)
      return broken(
          fmt::format("a hole of {} bytes before tensor {}", entries[i].begin - end, inQuotes(entries[i].name)));
    end = entries[i].end;
  }
  if (end != data.size())
    return broken(fmt::format("{} bytes after the last tensor", data.size() - end));

  for (Entry &entry : entries) {
    entry.tensor.bytes = data.subspan(static_cast<size_t>(entry.begin), static_cast<size_t>(entry.end - entry.begin));
    result.sortedNames.push_back(entry.name);
    result.tensors.emplace(std::move(entry.name), std::move(entry.tensor));
  }
  std::sort(result.sortedNames.begin(), result.sortedNames.end());
  return result;
}

const TensorView *SafetensorsFile::find(const std::string &name) const {
  auto found = tensors.find(name);
  return found == tensors.end() ? nullptr : &found->second;
}

Result<void> writeSafetensors(const std::string &path, std::vector<NamedTensor> tensors,
                              const std::map<std::string, std::string> &metadata) {
  std::sort(tensors.begin(), tensors.end(), [](const NamedTensor &a, const NamedTensor &b) {
    const size_t widthA = dtypeBytes(a.tensor.dtype), widthB = dtypeBytes(b.tensor.dtype);
    return widthA != widthB ? widthA > widthB : a.name < b.name;
  });
  JsonWriter header;
  header.beginObject();
  if (!metadata.empty()) {
    header.key("__metadata__").beginObject();
    for (const auto &[key, value] : metadata)
      header.member(key, value);
    header.endObject();
  }
  std::unordered_map<std::string_view, int> seen;
  uint64_t offset = 0;
  for (const auto &[name, tensor] : tensors) {
    if (name == "__metadata__" || !seen.emplace(name, 0).second)
      return makeError("cannot write {}: the tensor name {} is {}", inQuotes(path), inQuotes(name),
                       name == "__metadata__" ? "reserved" : "given twice");
    if (byteCount(tensor.shape, tensor.dtype) != static_cast<int64_t>(tensor.bytes.size()))
      return makeError("cannot write {}: tensor {} of shape {} has {} bytes", inQuotes(path), inQuotes(name),
                       shapeText(tensor.shape), tensor.bytes.size());
    const auto *type = std::find_if(std::begin(dtypes), std::end(dtypes),
                                    [&](const auto &known) { return known.second == tensor.dtype; });
    header.key(name).beginObject().member("dtype", type->first).array("shape", tensor.shape);
    header.array("data_offsets", std::initializer_list<uint64_t>{offset, offset + tensor.bytes.size()}).endObject();
    offset += tensor.bytes.size();
  }
  header.endObject();
  std::string text = header.text();
  text.resize((text.size() + 7) / 8 * 8, ' ');
  if (text.size() > maximumHeader)
    return makeError("cannot write {}: its header would have {} bytes (at most {} are allowed)", inQuotes(path),
                     text.size(), maximumHeader);

  Result<AtomicFile> file = AtomicFile::create(path);
  if (!file)
    return file.error();
  const uint64_t length = text.size();
  if (Result<void> written = file->write(&length, sizeof(length)); !written)
    return written;
  if (Result<void> written = file->write(text); !written)
    return written;
  for (const NamedTensor &tensor : tensors)
    if (Result<void> written = file->write(tensor.tensor.bytes.data(), tensor.tensor.bytes.size()); !written)
      return written;
  return file->commit();
}

} // namespace cnn::host
