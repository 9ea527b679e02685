//===- Tar.cpp - Archives as file trees -----------------------------------===//
//
// POSIX ustar and pax (IEEE 1003.1, pax), and GNU's long names and large numbers. Every header's checksum is verified,
// and an archive that breaks off is an error. Links and devices are passed over.
//
//===----------------------------------------------------------------------===//
#include "runtime/host/data/FileTree.h"
#include "runtime/host/data/Stream.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstring>
#include <tuple>

namespace cnn::host {
namespace {

constexpr size_t blockSize = 512;
constexpr uint64_t longestName = 1 << 16;
using Block = std::array<uint8_t, blockSize>;

std::string_view textOf(const Block &block, size_t offset, size_t size) {
  const auto *begin = reinterpret_cast<const char *>(block.data()) + offset;
  return {begin, strnlen(begin, size)};
}

/// Octal digits, or GNU's base 256 with the top bit set.
std::optional<uint64_t> numberOf(const Block &block, size_t offset, size_t size) {
  uint64_t value = 0;
  if (block[offset] & 0x80) {
    if (block[offset] != 0x80)
      return std::nullopt;
    for (size_t i = 1; i < size; ++i) {
      if (value >> 55)
        return std::nullopt;
      value = value << 8 | block[offset + i];
    }
    return value;
  }
  std::string_view digits = textOf(block, offset, size);
  while (digits.starts_with(' '))
    digits.remove_prefix(1);
  while (digits.ends_with(' '))
    digits.remove_suffix(1);
  if (digits.empty())
    return 0;
  const auto [end, code] = std::from_chars(digits.data(), digits.data() + digits.size(), value, 8);
  if (code != std::errc() || end != digits.data() + digits.size() || value >> 55)
    return std::nullopt;
  return value;
}

bool checksumHolds(const Block &block) {
  const std::optional<uint64_t> expected = numberOf(block, 148, 8);
  uint64_t sum = 8 * ' ';
  for (size_t i = 0; i < blockSize; ++i)
    if (i < 148 || i >= 156)
      sum += block[i];
  return expected && *expected == sum;
}

/// The records "length key=value\n" of a pax header, of which the path and the size matter here.
bool readPax(std::string_view text, std::string &path, std::optional<uint64_t> &size) {
  while (!text.empty()) {
    size_t length = 0;
    const auto [end, code] = std::from_chars(text.data(), text.data() + text.size(), length);
    const auto digits = static_cast<size_t>(end - text.data());
    if (code != std::errc() || length > text.size() || length < digits + 3 || text[digits] != ' ' ||
        text[length - 1] != '\n')
      return false;
    const std::string_view record = text.substr(digits + 1, length - digits - 2);
    const size_t equals = record.find('=');
    if (equals == std::string_view::npos)
      return false;
    const std::string_view key = record.substr(0, equals), value = record.substr(equals + 1);
    if (key == "path")
      path = value;
    if (key == "size") {
      uint64_t number = 0;
      if (std::from_chars(value.data(), value.data() + value.size(), number).ptr != value.data() + value.size() ||
          number >> 55)
        return false;
      size = number;
    }
    text.remove_prefix(length);
  }
  return true;
}

/// Without "./" and doubled or final slashes.
std::string cleanPath(std::string_view path) {
  std::string clean;
  while (!path.empty()) {
    const size_t slash = std::min(path.find('/'), path.size());
    const std::string_view component = path.substr(0, slash);
    if (!component.empty() && component != ".") {
      if (!clean.empty())
        clean += '/';
      clean += component;
    }
    path.remove_prefix(std::min(slash + 1, path.size()));
  }
  return clean;
}

bool isHidden(std::string_view path) {
  return path.empty() || path[0] == '.' || path.find("/.") != std::string_view::npos || path.starts_with("__MACOSX");
}

struct Member {
  std::string path;
  bool folder = false;
  uint64_t offset = 0, size = 0;
};

class TarReader {
public:
  TarReader(ByteStream &stream, const std::string &name) : stream(stream), name(name) {}

  /// Reads all members. Bodies go to `blob` where there is one; otherwise offsets are those of the stream.
  Result<void> read(std::vector<Member> &members, std::vector<uint8_t> *blob) {
    std::string longPath;
    std::optional<uint64_t> longSize;
    while (true) {
      Block block;
      if (Result<void> done = fill(block); !done)
        return done;
      if (std::all_of(block.begin(), block.end(), [](uint8_t byte) { return byte == 0; }))
        return drain();
      if (!checksumHolds(block))
        return broken("a header's checksum is wrong");
      std::optional<uint64_t> size = numberOf(block, 124, 12);
      if (!size)
        return broken("a header's size is no number");
      const char type = static_cast<char>(block[156]);
      if (type == 'L' || type == 'x') {
        if (*size > longestName)
          return broken("a name is too long");
        std::vector<uint8_t> body(static_cast<size_t>(*size));
        if (Result<void> done = fill(body); !done)
          return done;
        if (Result<void> done = pad(*size); !done)
          return done;
        std::string_view text(reinterpret_cast<const char *>(body.data()), body.size());
        if (type == 'L')
          longPath = text.substr(0, text.find('\0'));
        else if (!readPax(text, longPath, longSize))
          return broken("an extended header is malformed");
        continue;
      }
      size = longSize.value_or(*size);
      std::string path = longPath.empty() ? pathOf(block) : longPath;
      longPath.clear();
      longSize.reset();
      if (Result<void> done = readBody(cleanPath(path), type, *size, members, blob); !done)
        return done;
    }
  }

private:
  Error broken(std::string_view why) const { return makeError("{}: not a valid tar archive: {}", inQuotes(name), why); }

  Result<void> fill(std::span<uint8_t> out) {
    Result<size_t> got = stream.read(out);
    if (!got)
      return got.error();
    if (*got != out.size())
      return makeError("{}: the archive is truncated", inQuotes(name));
    position += out.size();
    return {};
  }

  Result<void> skip(uint64_t count) {
    Result<uint64_t> passed = stream.skip(count);
    if (!passed)
      return passed.error();
    if (*passed != count)
      return makeError("{}: the archive is truncated", inQuotes(name));
    position += count;
    return {};
  }

  Result<void> pad(uint64_t size) { return skip((blockSize - size % blockSize) % blockSize); }

  /// To the end, so that the checksum of gzip is verified.
  Result<void> drain() {
    Result<uint64_t> rest = stream.skip(UINT64_MAX);
    return rest ? Result<void>() : rest.error();
  }

  static std::string pathOf(const Block &block) {
    const std::string_view path = textOf(block, 0, 100);
    const std::string_view prefix = textOf(block, 257, 5) == "ustar" ? textOf(block, 345, 155) : std::string_view();
    // GNU's old header ("ustar  ") has times where POSIX has the prefix.
    if (prefix.empty() || block[263] == ' ')
      return std::string(path);
    return std::string(prefix) + "/" + std::string(path);
  }

  Result<void> readBody(std::string path, char type, uint64_t size, std::vector<Member> &members,
                        std::vector<uint8_t> *blob) {
    const bool file = type == '0' || type == '\0' || type == '7', folder = type == '5';
    if (isHidden(path) || (!file && !folder))
      return skip((size + blockSize - 1) / blockSize * blockSize);
    if (size > stream.mostLeft())
      return makeError("{}: the archive is truncated: {} has {} bytes", inQuotes(name), inQuotes(path), size);
    members.push_back({std::move(path), folder, blob ? blob->size() : position, folder ? 0 : size});
    if (!blob || folder)
      return skip((size + blockSize - 1) / blockSize * blockSize);
    const size_t before = blob->size();
    blob->resize(before + static_cast<size_t>(size));
    if (Result<void> done = fill(std::span(*blob).subspan(before)); !done)
      return done;
    return pad(size);
  }

  ByteStream &stream;
  const std::string &name;
  uint64_t position = 0;
};

/// "x/" where everything behind the first `from` bytes of paths is below x and x is no part of a data set itself.
std::string commonFolder(const std::vector<Member> &members, size_t from) {
  std::string common;
  for (const Member &member : members) {
    if (member.path.size() <= from)
      continue; // a folder that is taken away already
    const std::string_view path = std::string_view(member.path).substr(from);
    const std::string_view top = path.substr(0, path.find('/'));
    if ((top.size() == path.size() && !member.folder) || (!common.empty() && top != common))
      return "";
    common = top;
  }
  const std::string part = partOfName(common);
  if (common.empty() || portionOfFolder(common) != Portion::None || part == "image" || part == "mask")
    return "";
  // A single class would be an odd data set, but pictures right below the folder make it one.
  for (const Member &member : members)
    if (!member.folder && member.path.find('/', from + common.size() + 1) == std::string::npos &&
        isPictureName(member.path))
      return "";
  return common + "/";
}

/// "x/y/" where everything is below x/y, however many they are.
std::string commonFolders(const std::vector<Member> &members) {
  std::string common;
  for (std::string more = commonFolder(members, 0); !more.empty(); more = commonFolder(members, common.size()))
    common += more;
  return common;
}

} // namespace

Result<std::shared_ptr<const FileTree>> FileTree::ofArchive(const std::string &path) {
  Result<MappedFile> file = MappedFile::open(path);
  if (!file)
    return file.error();
  Block head = {};
  Result<size_t> got = openStream(file->bytes(), path)->read(head);
  if (!got)
    return got.error();
  if (*got != blockSize || std::memcmp(head.data() + 257, "ustar", 5) != 0)
    return makeError("{}: not a file of data: expected IDX, CIFAR's .bin, .npy, .npz, .tar or .tar.gz", inQuotes(path));
  auto tree = std::make_shared<FileTree>();
  tree->rootPath = path;
  tree->archive = true;
  const bool packed = isGzip(file->bytes());
  std::vector<Member> members;
  std::unique_ptr<ByteStream> stream = openStream(file->bytes(), path);
  if (Result<void> done = TarReader(*stream, path).read(members, packed ? &tree->blob : nullptr); !done)
    return done.error();
  tree->blob.shrink_to_fit();
  if (!packed)
    tree->mapped.emplace(std::move(*file));

  const std::string common = commonFolders(members);
  tree->prefix = path + ":" + common;
  std::set<std::string> folders;
  // A path that comes twice replaces the earlier one, as unpacking would.
  std::sort(members.begin(), members.end(),
            [](const Member &a, const Member &b) { return std::tie(a.path, a.offset) < std::tie(b.path, b.offset); });
  for (size_t i = 0; i < members.size(); ++i) {
    if (members[i].path.size() <= common.size())
      continue;
    const std::string below = members[i].path.substr(common.size());
    for (size_t slash = below.find('/'); slash != std::string::npos; slash = below.find('/', slash + 1))
      folders.insert(below.substr(0, slash));
    if (members[i].folder) {
      folders.insert(below);
    } else if (i + 1 == members.size() || members[i + 1].path != members[i].path) {
      tree->files.push_back(below);
      tree->extents.push_back({members[i].offset, members[i].size});
    }
  }
  tree->directories.assign(folders.begin(), folders.end());
  return std::shared_ptr<const FileTree>(std::move(tree));
}

} // namespace cnn::host
