//===- Zip.cpp - Members of a .zip file -----------------------------------===//
//
// The end record is searched from the back; sizes are those of the central directory, which are right also where the
// local headers leave them to a descriptor.
//
//===----------------------------------------------------------------------===//
#include "runtime/host/data/Zip.h"

#include "runtime/host/data/Stream.h"

#include <algorithm>

#include <zlib.h>

namespace cnn::host {
namespace {

constexpr size_t endBytes = 22, centralBytes = 46, localBytes = 30, longestComment = 65535;

uint32_t number(std::span<const uint8_t> bytes, size_t at, size_t size) {
  uint32_t value = 0;
  for (size_t i = size; i-- > 0;)
    value = value << 8 | bytes[at + i];
  return value;
}

Error broken(const std::string &name, std::string_view why) {
  return makeError("{}: not a valid .zip file: {}", inQuotes(name), why);
}

} // namespace

Result<std::vector<ZipMember>> listZip(std::span<const uint8_t> file, const std::string &name) {
  if (file.size() < endBytes)
    return broken(name, "it is truncated");
  size_t end = file.size() - endBytes;
  const size_t last = end - std::min(end, longestComment);
  while (number(file, end, 4) != 0x06054b50) {
    if (end == last)
      return broken(name, "its directory is missing; truncated?");
    --end;
  }
  const uint32_t count = number(file, end + 10, 2), size = number(file, end + 12, 4),
                 offset = number(file, end + 16, 4);
  if (uint64_t(offset) + size > end)
    return broken(name, "its directory lies outside of it");
  std::vector<ZipMember> members;
  size_t at = offset;
  for (uint32_t i = 0; i < count; ++i) {
    if (end - at < centralBytes || number(file, at, 4) != 0x02014b50)
      return broken(name, "its directory is malformed");
    const size_t nameBytes = number(file, at + 28, 2);
    const size_t next = at + centralBytes + nameBytes + number(file, at + 30, 2) + number(file, at + 32, 2);
    if (next > end)
      return broken(name, "its directory is malformed");
    ZipMember member;
    member.name.assign(reinterpret_cast<const char *>(file.data()) + at + centralBytes, nameBytes);
    member.method = static_cast<uint16_t>(number(file, at + 10, 2));
    member.checksum = number(file, at + 16, 4);
    member.packed = number(file, at + 20, 4);
    member.size = number(file, at + 24, 4);
    member.header = number(file, at + 42, 4);
    if ((number(file, at + 8, 2) & 1) != 0)
      return makeError("{}: the member {} is encrypted", inQuotes(name), inQuotes(member.name));
    if (member.packed == 0xFFFFFFFF || member.size == 0xFFFFFFFF || member.header == 0xFFFFFFFF)
      return makeError("{}: the member {} has 4 GiB or more, which is not supported; save it as .npy", inQuotes(name),
                       inQuotes(member.name));
    members.push_back(std::move(member));
    at = next;
  }
  return members;
}

Result<std::vector<uint8_t>> readZip(std::span<const uint8_t> file, const ZipMember &member, const std::string &name) {
  const std::string full = name + ":" + member.name;
  if (member.header > file.size() || file.size() - member.header < localBytes ||
      number(file, member.header, 4) != 0x04034b50)
    return broken(full, "its header is missing");
  const uint64_t begin =
      member.header + localBytes + number(file, member.header + 26, 2) + number(file, member.header + 28, 2);
  if (begin > file.size() || file.size() - begin < member.packed)
    return broken(full, "it is truncated");
  const std::span<const uint8_t> packed = file.subspan(begin, member.packed);
  if (member.method != 0 && member.method != 8)
    return makeError("{}: compression method {}, expected 0 (stored) or 8 (deflated)", inQuotes(full), member.method);
  if (member.method == 0 && member.packed != member.size)
    return broken(full, "its two sizes differ");
  Result<std::vector<uint8_t>> bytes = member.method == 8 ? inflateRaw(packed, member.size, full)
                                                          : Result(std::vector<uint8_t>(packed.begin(), packed.end()));
  if (bytes && crc32_z(0, bytes->data(), bytes->size()) != member.checksum)
    return makeError("{}: the checksum is wrong, the file is corrupt", inQuotes(full));
  return bytes;
}

} // namespace cnn::host
