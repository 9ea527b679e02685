//===- File.h - Reading, mapping and atomic writing of files --------------===//
//
// Files are read whole or mapped; they are written under a temporary name beside the target, synced and renamed, so
// that nobody ever sees half a file and a failure leaves what was there before. Messages name the file and the reason.
//
//===----------------------------------------------------------------------===//
#ifndef CNN_RUNTIME_HOST_FILE_H
#define CNN_RUNTIME_HOST_FILE_H

#include "runtime/host/Error.h"

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace cnn::host {

/// The bytes of the file (pipes included); an error where it is a folder, cannot be read or has more than `limit`
/// bytes.
Result<std::vector<uint8_t>> readFile(const std::string &path, uint64_t limit = uint64_t(1) << 32);

/// A file's bytes, mapped read-only; a pipe is read into memory, a device refused. The file must not
/// shrink meanwhile.
class MappedFile {
public:
  static Result<MappedFile> open(const std::string &path);

  MappedFile(MappedFile &&other) noexcept;
  MappedFile &operator=(MappedFile &&other) noexcept;
  ~MappedFile();

  std::span<const uint8_t> bytes() const { return {data, size}; }

private:
  MappedFile() = default;

  const uint8_t *data = nullptr;
  size_t size = 0;
  void *mapping = nullptr;
  std::vector<uint8_t> copy;
};

/// A file in the making. What is written goes to a temporary file in the target's folder; commit() syncs it and gives
/// it the target's name and permissions; without commit() the temporary file is removed and the target is as it was. A
/// symbolic link stays a link (its target is replaced); devices and pipes are written directly.
class AtomicFile {
public:
  static Result<AtomicFile> create(const std::string &path);

  AtomicFile(AtomicFile &&other) noexcept;
  AtomicFile &operator=(AtomicFile &&) = delete;
  ~AtomicFile();

  Result<void> write(const void *bytes, size_t count);
  Result<void> write(std::string_view text) { return write(text.data(), text.size()); }
  /// Waits until what was written is on the disk, so that commit() has no reason to fail but the folder's.
  Result<void> sync();
  Result<void> commit();

private:
  AtomicFile() = default;

  std::string path;      // as the caller named it, for messages
  std::string target;    // with symbolic links followed
  std::string temporary; // empty when the target is written directly
  int descriptor = -1;
  bool isUnnamed = false; // it gets the temporary name when it is complete
};

/// Writes a whole file through AtomicFile.
Result<void> writeFile(const std::string &path, std::span<const uint8_t> bytes);
Result<void> writeFile(const std::string &path, std::string_view text);

} // namespace cnn::host

#endif // CNN_RUNTIME_HOST_FILE_H
