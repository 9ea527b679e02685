//===- File.cpp - Reading, mapping and atomic writing of files ------------===//
//
// POSIX calls with their errors turned into one line of text.
//
//===----------------------------------------------------------------------===//
#include "runtime/host/File.h"

#include <atomic>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

namespace cnn::host {
namespace {

/// Closes a descriptor at the end of its scope.
struct Descriptor {
  int value = -1;
  explicit Descriptor(int value) : value(value) {}
  Descriptor(const Descriptor &) = delete;
  Descriptor &operator=(const Descriptor &) = delete;
  ~Descriptor() {
    if (value >= 0)
      close(value);
  }
};

std::string reason(int code) {
  switch (code) {
  case ENOENT:
    return "no such file or folder";
  case EACCES:
  case EPERM:
    return "permission denied";
  case ENOTDIR:
    return "a part of the path is no folder";
  case EISDIR:
    return "it is a folder";
  case ENOSPC:
  case EDQUOT:
    return "the disk is full";
  case EROFS:
    return "the file system is read-only";
  case ENAMETOOLONG:
    return "the name is too long";
  default:
    return std::strerror(code);
  }
}

Error cannotRead(const std::string &path, std::string_view why) {
  return makeError("cannot read {}: {}", inQuotes(path), why);
}

Error cannotWrite(const std::string &path, std::string_view why) {
  return makeError("cannot write {}: {}", inQuotes(path), why);
}

std::string folderOf(const std::string &path) {
  const size_t slash = path.rfind('/');
  if (slash == std::string::npos)
    return ".";
  return slash == 0 ? "/" : path.substr(0, slash);
}

/// A name beside `target` that no other file of this process has.
std::string temporaryName(const std::string &target) {
  static std::atomic<unsigned> counter{0};
  return fmt::format("{}/.cnn-{}-{}.tmp", folderOf(target), getpid(), counter++);
}

/// Opens for reading; folders are an error.
Result<int> openForReading(const std::string &path, struct stat &status) {
  if (path.empty())
    return cannotRead(path, "the name is empty");
  if (path.find('\0') != std::string::npos)
    return cannotRead(path, "the name holds a zero byte");
  int descriptor = -1;
  do
    descriptor = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  while (descriptor < 0 && errno == EINTR);
  if (descriptor < 0)
    return cannotRead(path, reason(errno));
  int code = fstat(descriptor, &status) != 0 ? errno : S_ISDIR(status.st_mode) ? EISDIR : 0;
  if (code != 0) {
    close(descriptor);
    return cannotRead(path, reason(code));
  }
  return descriptor;
}

Result<std::vector<uint8_t>> readAll(int descriptor, const struct stat &status, const std::string &path,
                                     uint64_t limit) {
  auto tooLarge = [&] { return cannotRead(path, fmt::format("it has more than {} bytes", limit)); };
  std::vector<uint8_t> bytes;
  const bool sized = S_ISREG(status.st_mode) && status.st_size > 0;
  if (sized && static_cast<uint64_t>(status.st_size) > limit)
    return tooLarge();
  // One more than the size, so that the end is seen without growing; files of /proc say 0 and grow.
  bytes.resize(sized ? static_cast<size_t>(status.st_size) + 1 : size_t(1) << 16);
  size_t filled = 0;
  while (true) {
    if (filled == bytes.size())
      bytes.resize(bytes.size() * 2);
    const ssize_t got = read(descriptor, bytes.data() + filled, bytes.size() - filled);
    if (got < 0 && errno == EINTR)
      continue;
    if (got < 0)
      return cannotRead(path, reason(errno));
    if (got == 0)
      break;
    filled += static_cast<size_t>(got);
    if (filled > limit)
      return tooLarge();
  }
  bytes.resize(filled);
  return bytes;
}

} // namespace

Result<std::vector<uint8_t>> readFile(const std::string &path, uint64_t limit) {
  struct stat status;
  Result<int> opened = openForReading(path, status);
  if (!opened)
    return opened.error();
  Descriptor descriptor(*opened);
  return readAll(descriptor.value, status, path, limit);
}

Result<MappedFile> MappedFile::open(const std::string &path) {
  struct stat status;
  Result<int> opened = openForReading(path, status);
  if (!opened)
    return opened.error();
  Descriptor descriptor(*opened);
  MappedFile file;
  if (S_ISCHR(status.st_mode))
    return cannotRead(path, "it is a device");
  if (!S_ISREG(status.st_mode)) {
    Result<std::vector<uint8_t>> bytes = readAll(descriptor.value, status, path, uint64_t(1) << 32);
    if (!bytes)
      return bytes.error();
    file.copy = std::move(*bytes);
    file.data = file.copy.data();
    file.size = file.copy.size();
  } else if (status.st_size > 0) {
    file.size = static_cast<size_t>(status.st_size);
    void *mapping = mmap(nullptr, file.size, PROT_READ, MAP_PRIVATE, descriptor.value, 0);
    if (mapping == MAP_FAILED)
      return cannotRead(path, reason(errno));
    file.mapping = mapping;
    file.data = static_cast<const uint8_t *>(mapping);
  }
  return file;
}

MappedFile::MappedFile(MappedFile &&other) noexcept { *this = std::move(other); }

MappedFile &MappedFile::operator=(MappedFile &&other) noexcept {
  std::swap(data, other.data);
  std::swap(size, other.size);
  std::swap(mapping, other.mapping);
  std::swap(copy, other.copy);
  return *this;
}

MappedFile::~MappedFile() {
  if (mapping)
    munmap(mapping, size);
}

Result<AtomicFile> AtomicFile::create(const std::string &path) {
  if (path.empty())
    return cannotWrite(path, "the name is empty");
  if (path.find('\0') != std::string::npos)
    return cannotWrite(path, "the name holds a zero byte");
  AtomicFile file;
  file.path = path;
  file.target = path;
  struct stat status;
  const bool exists = stat(path.c_str(), &status) == 0;
  if (exists && S_ISDIR(status.st_mode))
    return cannotWrite(path, reason(EISDIR));
  if (exists && !S_ISREG(status.st_mode)) {
    file.descriptor = open(path.c_str(), O_WRONLY | O_CLOEXEC);
    if (file.descriptor < 0)
      return cannotWrite(path, reason(errno));
    return file;
  }
  if (exists) {
    if (access(path.c_str(), W_OK) != 0)
      return cannotWrite(path, reason(errno));
    if (char *resolved = realpath(path.c_str(), nullptr)) {
      file.target = resolved;
      std::free(resolved);
    }
  }

  const std::string folder = folderOf(file.target);
  struct stat folderStatus;
  if (stat(folder.c_str(), &folderStatus) != 0) {
    if (errno == ENOENT)
      return cannotWrite(path, fmt::format("the folder {} does not exist", inQuotes(folder)));
    return cannotWrite(path, reason(errno));
  }
  // A file without a name is gone with the process, however that ends; not every file system has them.
  if (access("/proc/self/fd", X_OK) == 0)
    file.descriptor = open(folder.c_str(), O_WRONLY | O_TMPFILE | O_CLOEXEC, 0666);
  file.isUnnamed = file.descriptor >= 0;
  for (int attempt = 0; attempt < 100 && file.descriptor < 0; ++attempt) {
    file.temporary = temporaryName(file.target);
    file.descriptor = open(file.temporary.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    if (file.descriptor < 0 && errno != EEXIST && errno != EINTR)
      break;
  }
  if (file.descriptor < 0) {
    file.temporary.clear();
    return cannotWrite(path, reason(errno));
  }
  // The new file keeps the permissions of the one it replaces; where that is refused, the default ones are right
  // enough.
  if (exists && fchmod(file.descriptor, status.st_mode & 07777) != 0)
    errno = 0;
  return file;
}

AtomicFile::AtomicFile(AtomicFile &&other) noexcept
    : path(std::move(other.path)), target(std::move(other.target)),
      temporary(std::exchange(other.temporary, std::string())), descriptor(std::exchange(other.descriptor, -1)),
      isUnnamed(other.isUnnamed) {}

AtomicFile::~AtomicFile() {
  if (descriptor >= 0)
    close(descriptor);
  if (!temporary.empty())
    unlink(temporary.c_str());
}

Result<void> AtomicFile::write(const void *bytes, size_t count) {
  const char *at = static_cast<const char *>(bytes);
  while (count > 0) {
    const ssize_t written = ::write(descriptor, at, count);
    if (written < 0 && errno == EINTR)
      continue;
    if (written < 0)
      return cannotWrite(path, reason(errno));
    at += written;
    count -= static_cast<size_t>(written);
  }
  return {};
}

Result<void> AtomicFile::sync() {
  const bool isDirect = temporary.empty() && !isUnnamed;
  if (!isDirect && fsync(descriptor) != 0)
    return cannotWrite(path, reason(errno));
  return {};
}

Result<void> AtomicFile::commit() {
  if (temporary.empty() && !isUnnamed) {
    if (close(std::exchange(descriptor, -1)) != 0)
      return cannotWrite(path, reason(errno));
    return {};
  }
  // Errors of delayed writing (a full disk, a network file system) come out in fsync and close.
  if (Result<void> synced = sync(); !synced)
    return synced;
  if (isUnnamed) {
    const std::string unnamed = fmt::format("/proc/self/fd/{}", descriptor);
    int code = EEXIST;
    for (int attempt = 0; attempt < 100 && code == EEXIST; ++attempt) {
      temporary = temporaryName(target);
      code = linkat(AT_FDCWD, unnamed.c_str(), AT_FDCWD, temporary.c_str(), AT_SYMLINK_FOLLOW) == 0 ? 0 : errno;
    }
    if (code != 0) {
      temporary.clear();
      return cannotWrite(path, reason(code));
    }
  }
  if (close(std::exchange(descriptor, -1)) != 0)
    return cannotWrite(path, reason(errno));
  if (rename(temporary.c_str(), target.c_str()) != 0)
    return cannotWrite(path, reason(errno));
  temporary.clear();
  // The name itself survives a crash only when the folder is synced too; some file systems refuse that.
  Descriptor folder(open(folderOf(target).c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (folder.value >= 0 && fsync(folder.value) != 0)
    errno = 0;
  return {};
}

Result<void> writeFile(const std::string &path, std::span<const uint8_t> bytes) {
  Result<AtomicFile> file = AtomicFile::create(path);
  if (!file)
    return file.error();
  if (Result<void> written = file->write(bytes.data(), bytes.size()); !written)
    return written;
  return file->commit();
}

Result<void> writeFile(const std::string &path, std::string_view text) {
  return writeFile(path, std::span(reinterpret_cast<const uint8_t *>(text.data()), text.size()));
}

} // namespace cnn::host
