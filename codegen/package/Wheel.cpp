// Wheels (PEP 427): a zip archive of stored files with their hashes. See Python.h.
#include "codegen/package/Python.h"

#include "runtime/embedded/cnn_abi.h"

#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/Base64.h"
#include "llvm/Support/CRC.h"
#include "llvm/Support/EndianStream.h"
#include "llvm/Support/SHA256.h"

#include <fmt/format.h>

using namespace cnn;
using llvm::ArrayRef;

namespace {

ArrayRef<char> bytesOf(const std::string &text) { return {text.data(), text.size()}; }

ArrayRef<uint8_t> unsignedBytes(ArrayRef<char> bytes) {
  return {reinterpret_cast<const uint8_t *>(bytes.data()), bytes.size()};
}

/// A zip archive (APPNOTE.TXT of PKWARE, 4.3) without compression and without times, below 4 GB.
class ZipWriter {
public:
  void add(const PackageFile &file) {
    const Entry entry = {file.name, llvm::crc32(unsignedBytes(file.bytes)), static_cast<uint32_t>(file.bytes.size()),
                         static_cast<uint32_t>(archive.size())};
    number<uint32_t>(0x04034b50);
    common(entry);
    bytes(bytesOf(file.name));
    bytes(file.bytes);
    entries.push_back(entry);
  }

  llvm::SmallVector<char, 0> finish() {
    const auto begin = static_cast<uint32_t>(archive.size());
    for (const Entry &entry : entries) {
      number<uint32_t>(0x02014b50);
      number<uint16_t>(3 << 8 | 20); // Made on Unix by version 2.0.
      common(entry);
      number<uint16_t>(0); // Comment.
      number<uint16_t>(0); // Disk.
      number<uint16_t>(0); // Internal attributes.
      number<uint32_t>(0100644u << 16);
      number<uint32_t>(entry.offset);
      bytes(bytesOf(entry.name));
    }
    const auto size = static_cast<uint32_t>(archive.size()) - begin;
    number<uint32_t>(0x06054b50);
    number<uint32_t>(0); // This disk and the directory's.
    number<uint16_t>(static_cast<uint16_t>(entries.size()));
    number<uint16_t>(static_cast<uint16_t>(entries.size()));
    number<uint32_t>(size);
    number<uint32_t>(begin);
    number<uint16_t>(0); // Comment.
    return std::move(archive);
  }

private:
  struct Entry {
    std::string name;
    uint32_t crc, size, offset;
  };

  template <class T> void number(T value) {
    char buffer[sizeof value];
    llvm::support::endian::write<T>(buffer, value, llvm::endianness::little);
    archive.append(buffer, buffer + sizeof value);
  }
  void bytes(ArrayRef<char> data) { archive.append(data.begin(), data.end()); }
  /// What local headers and the directory have in common.
  void common(const Entry &entry) {
    number<uint16_t>(20);         // Version to extract: 2.0.
    number<uint16_t>(1 << 11);    // Names are UTF-8.
    number<uint16_t>(0);          // Stored.
    number<uint16_t>(0);          // Time.
    number<uint16_t>(1 << 5 | 1); // The first of January 1980.
    number<uint32_t>(entry.crc);
    number<uint32_t>(entry.size);
    number<uint32_t>(entry.size);
    number<uint16_t>(static_cast<uint16_t>(entry.name.size()));
    number<uint16_t>(0); // Extra fields.
  }

  llvm::SmallVector<char, 0> archive;
  std::vector<Entry> entries;
};

/// As RECORD has it: base64 for URLs without padding.
std::string digest(ArrayRef<char> bytes) {
  std::string text = llvm::encodeBase64(llvm::SHA256::hash(unsignedBytes(bytes)));
  for (char &c : text)
    c = c == '+' ? '-' : c == '/' ? '_' : c;
  while (text.ends_with('='))
    text.pop_back();
  return "sha256=" + text;
}

/// Equal weights are an equal version, so that pip replaces a package whose weights have changed.
std::string version(const PackageFacts &facts) { return fmt::format("{}+{:016x}", CNN_ABI_VERSION, facts.weightsHash); }

constexpr const char kTag[] = "py3-none-linux_x86_64";

} // namespace

std::string cnn::wheelName(const Program &program, const PackageFacts &facts) {
  return fmt::format("{}-{}-{}.whl", program.name, version(facts), kTag);
}

llvm::SmallVector<char, 0> cnn::wheel(const Program &program, const PackageFacts &facts, ArrayRef<PackageFile> files) {
  const std::string module = pythonModuleText(program, facts), folder = program.name + "/",
                    information = fmt::format("{}-{}.dist-info/", program.name, version(facts));
  const std::string metadata = fmt::format("Metadata-Version: 2.1\nName: {}\nVersion: {}\n"
                                           "Summary: The network {} for NumPy, compiled by cnnc\n"
                                           "Requires-Python: >=3.8\nRequires-Dist: numpy\n",
                                           program.name, version(facts), program.name);
  const std::string about = fmt::format("Wheel-Version: 1.0\nGenerator: cnnc\nRoot-Is-Purelib: false\nTag: {}\n", kTag);

  std::vector<PackageFile> all = {{folder + "__init__.py", bytesOf(module)}};
  for (const PackageFile &file : files)
    all.push_back({folder + file.name, file.bytes});
  all.push_back({information + "METADATA", bytesOf(metadata)});
  all.push_back({information + "WHEEL", bytesOf(about)});
  ZipWriter zip;
  std::string record;
  for (const PackageFile &file : all) {
    zip.add(file);
    record += fmt::format("{},{},{}\n", file.name, digest(file.bytes), file.bytes.size());
  }
  record += information + "RECORD,,\n";
  zip.add({information + "RECORD", bytesOf(record)});
  return zip.finish();
}
