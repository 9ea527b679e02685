//===- Npy.cpp - NumPy's .npy files ---------------------------------------===//
//
// The format is numpy.lib.format's: a magic, a version, the length of a header that is a Python dictionary with the
// keys descr, fortran_order and shape, then the elements.
//
//===----------------------------------------------------------------------===//
#include "runtime/host/Npy.h"

#include "runtime/host/File.h"

#include <algorithm>
#include <cstring>

namespace cnn::host {
namespace {

constexpr std::string_view magic = "\x93NUMPY";
constexpr size_t maximumRank = 64; // NumPy's own limit

struct Header {
  std::string descr;
  bool fortranOrder = false;
  std::vector<int64_t> shape;
};

/// The dictionary as NumPy writes it: Python literals, keys in any order, each once.
class HeaderReader {
public:
  explicit HeaderReader(std::string_view text) : text(text) {}

  /// An empty string, or what was expected.
  std::string read(Header &header) {
    if (!accept('{'))
      return "a dictionary";
    bool seen[3] = {};
    while (!accept('}')) {
      std::string key;
      if (!readString(key))
        return "a key in quotes";
      if (!accept(':'))
        return "':' after a key";
      const int index = key == "descr" ? 0 : key == "fortran_order" ? 1 : key == "shape" ? 2 : -1;
      if (index < 0 || seen[index])
        return "the keys descr, fortran_order and shape, each once";
      seen[index] = true;
      if (index == 0 && !readString(header.descr))
        return "a plain element type in quotes";
      if (index == 1 && !readBool(header.fortranOrder))
        return "True or False for fortran_order";
      if (index == 2 && !readShape(header.shape))
        return "a tuple of at most 64 sizes";
      if (!accept(',')) {
        if (!accept('}'))
          return "',' or '}'";
        break;
      }
    }
    if (!seen[0] || !seen[1] || !seen[2])
      return "the keys descr, fortran_order and shape, each once";
    skipSpace();
    return at == text.size() ? "" : "nothing after the dictionary";
  }

private:
  void skipSpace() {
    while (at < text.size() && (text[at] == ' ' || text[at] == '\n'))
      ++at;
  }

  bool accept(char c) {
    skipSpace();
    if (at == text.size() || text[at] != c)
      return false;
    ++at;
    return true;
  }

  bool acceptWord(std::string_view word) {
    skipSpace();
    if (text.substr(at, word.size()) != word)
      return false;
    at += word.size();
    return true;
  }

  bool readString(std::string &out) {
    skipSpace();
    if (at == text.size() || (text[at] != '\'' && text[at] != '"'))
      return false;
    const size_t end = text.find(text[at], at + 1);
    if (end == std::string_view::npos)
      return false;
    out = text.substr(at + 1, end - at - 1);
    at = end + 1;
    return out.find('\\') == std::string::npos;
  }

  bool readBool(bool &out) {
    out = acceptWord("True");
    return out || acceptWord("False");
  }

  bool readShape(std::vector<int64_t> &shape) {
    if (!accept('('))
      return false;
    while (!accept(')')) {
      int64_t size = 0;
      size_t digits = 0;
      for (skipSpace(); at < text.size() && text[at] >= '0' && text[at] <= '9'; ++at, ++digits)
        if (__builtin_mul_overflow(size, int64_t(10), &size) || __builtin_add_overflow(size, text[at] - '0', &size))
          return false;
      if (digits == 0 || shape.size() == maximumRank)
        return false;
      shape.push_back(size);
      if (!accept(','))
        return accept(')');
    }
    return true;
  }

  std::string_view text;
  size_t at = 0;
};

std::optional<DType> dtypeOf(std::string_view descr) {
  static constexpr std::pair<std::string_view, DType> known[] = {
      {"<f4", DType::F32}, {"<f8", DType::F64}, {"<f2", DType::F16}, {"|u1", DType::U8},
      {"<u1", DType::U8},  {"|b1", DType::U8},  {"<i4", DType::I32}, {"<i8", DType::I64}};
  for (const auto &[name, type] : known)
    if (name == descr)
      return type;
  return std::nullopt;
}

/// From the first index running fastest to the last index running fastest.
void transposeFromFortran(Tensor &tensor, std::span<const uint8_t> source) {
  const size_t width = dtypeBytes(tensor.dtype), rank = tensor.shape.size();
  std::vector<size_t> stride(rank, width);
  for (size_t d = 1; d < rank; ++d)
    stride[d] = stride[d - 1] * static_cast<size_t>(tensor.shape[d - 1]);
  std::vector<int64_t> index(rank, 0);
  size_t from = 0;
  for (size_t to = 0; to < tensor.bytes.size(); to += width) {
    std::memcpy(tensor.bytes.data() + to, source.data() + from, width);
    for (size_t d = rank; d-- > 0;) {
      from += stride[d];
      if (++index[d] < tensor.shape[d])
        break;
      from -= stride[d] * static_cast<size_t>(index[d]);
      index[d] = 0;
    }
  }
}

} // namespace

Result<Tensor> decodeNpy(std::span<const uint8_t> file, const std::string &name) {
  auto broken = [&](std::string_view why) { return makeError("{}: not a valid .npy file: {}", inQuotes(name), why); };
  if (file.size() < 10 || std::memcmp(file.data(), magic.data(), magic.size()) != 0)
    return broken(file.size() < magic.size() || std::memcmp(file.data(), magic.data(), magic.size()) != 0
                      ? "it does not begin with \\x93NUMPY"
                      : "the header is truncated");
  const unsigned version = file[6];
  if (version < 1 || version > 3)
    return broken(fmt::format("version {}, expected 1, 2 or 3", version));
  const size_t start = version == 1 ? 10 : 12;
  if (file.size() < start)
    return broken("the header is truncated");
  uint64_t length = file[8] | file[9] << 8;
  if (version > 1)
    length |= uint64_t(file[10]) << 16 | uint64_t(file[11]) << 24;
  if (length > file.size() - start)
    return broken(fmt::format("a header of {} bytes in a file of {} bytes", length, file.size()));

  Header header;
  const std::string expected =
      HeaderReader({reinterpret_cast<const char *>(file.data()) + start, static_cast<size_t>(length)}).read(header);
  if (!expected.empty())
    return broken("its header should have " + expected);
  const std::optional<DType> type = dtypeOf(header.descr);
  if (!type)
    return makeError("{}: elements of type {}, expected one of <f4, <f8, <f2, |u1, |b1, <i4, <i8", inQuotes(name),
                     inQuotes(header.descr));
  const std::optional<int64_t> bytes = byteCount(header.shape, *type);
  const std::span<const uint8_t> data = file.subspan(start + static_cast<size_t>(length));
  if (!bytes || static_cast<uint64_t>(*bytes) != data.size())
    return broken(fmt::format("shape {} of {} does not match {} bytes of data", shapeText(header.shape),
                              dtypeName(*type), data.size()));

  Tensor tensor{*type, std::move(header.shape), {}};
  if (header.fortranOrder && tensor.shape.size() > 1) {
    tensor.bytes.resize(data.size());
    transposeFromFortran(tensor, data);
  } else {
    tensor.bytes.assign(data.begin(), data.end());
  }
  return tensor;
}

Result<Tensor> readNpy(const std::string &path) {
  Result<MappedFile> file = MappedFile::open(path);
  if (!file)
    return file.error();
  return decodeNpy(file->bytes(), path);
}

std::vector<uint8_t> encodeNpy(const TensorView &tensor) {
  std::string_view descr = "<f4";
  for (const auto &[type, name] :
       {std::pair(DType::F64, "<f8"), std::pair(DType::F16, "<f2"), std::pair(DType::U8, "|u1"),
        std::pair(DType::I32, "<i4"), std::pair(DType::I64, "<i8")})
    if (type == tensor.dtype)
      descr = name;
  std::string sizes;
  for (size_t d = 0; d < tensor.shape.size(); ++d)
    sizes += (d == 0 ? "" : ", ") + std::to_string(tensor.shape[d]);
  if (tensor.shape.size() == 1)
    sizes += ",";
  std::string header = fmt::format("{{'descr': '{}', 'fortran_order': False, 'shape': ({}), }}", descr, sizes);
  const bool isLong = header.size() + 65 > 0xFFFF;
  const size_t start = isLong ? 12 : 10;
  header.resize((start + header.size() + 1 + 63) / 64 * 64 - start - 1, ' ');
  header.push_back('\n');

  std::vector<uint8_t> file(magic.begin(), magic.end());
  file.push_back(isLong ? 2 : 1);
  file.push_back(0);
  for (size_t i = 0; i < start - 8; ++i)
    file.push_back(static_cast<uint8_t>(header.size() >> (8 * i)));
  file.insert(file.end(), header.begin(), header.end());
  if (tensor.dtype == DType::BF16) {
    const std::vector<float> values = tensor.toFloats();
    const auto *bytes = reinterpret_cast<const uint8_t *>(values.data());
    file.insert(file.end(), bytes, bytes + values.size() * sizeof(float));
  } else {
    file.insert(file.end(), tensor.bytes.begin(), tensor.bytes.end());
  }
  return file;
}

Result<void> writeNpy(const std::string &path, const TensorView &tensor) { return writeFile(path, encodeNpy(tensor)); }

} // namespace cnn::host
