// See CodeCache.h.
#include "codegen/package/CodeCache.h"

#include "runtime/host/File.h"

#include "llvm/ADT/StringExtras.h"
#include "llvm/Bitcode/BitcodeWriter.h"
#include "llvm/Config/llvm-config.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/Path.h"
#include "llvm/Support/SHA256.h"
#include "llvm/Support/raw_ostream.h"

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <dlfcn.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <tuple>
#include <unistd.h>

using namespace cnn;
using llvm::ArrayRef;
using llvm::SmallVector;
using llvm::StringRef;

namespace {

using Digest = std::array<uint8_t, 32>;

/// Of an entry: its key counts, so that a file under another name is none.
Digest digestOf(StringRef key, ArrayRef<uint8_t> library) {
  llvm::SHA256 hash;
  hash.update(key);
  hash.update(library);
  return hash.final();
}

/// Which file something was loaded from: a compiler that was built again is another one.
std::string identityOf(const char *path) {
  struct stat status;
  if (!path || stat(path, &status) != 0)
    return "";
  return fmt::format("{} {} {} {}.{};", path, status.st_size, status.st_ino, status.st_mtim.tv_sec,
                     status.st_mtim.tv_nsec);
}

std::string compilerIdentity() {
  Dl_info llvmLibrary{};
  if (!dladdr(reinterpret_cast<void *>(&llvm::WriteBitcodeToFile), &llvmLibrary))
    llvmLibrary.dli_fname = nullptr;
  return std::string(LLVM_VERSION_STRING ";") + identityOf("/proc/self/exe") + identityOf(llvmLibrary.dli_fname);
}

} // namespace

llvm::Expected<std::string> cnn::cacheKey(const Program &program, const LibraryOptions &options) {
  llvm::SHA256 hash;
  auto add = [&](const llvm::Module &module) {
    SmallVector<char, 0> bitcode;
    llvm::raw_svector_ostream stream(bitcode);
    llvm::WriteBitcodeToFile(module, stream);
    hash.update(std::to_string(bitcode.size()) + ":");
    hash.update(StringRef(bitcode.data(), bitcode.size()));
  };
  hash.update(compilerIdentity());
  hash.update(program.target);
  llvm::LLVMContext context;
  LibraryOptions stripped = options;
  stripped.onlyForKey = true;
  auto tables = buildTables(program, stripped, context);
  if (!tables)
    return tables.takeError();
  add(**tables);
  for (size_t index : options.variants)
    add(*program.variants[index].module);
  return llvm::toHex(hash.final(), /*LowerCase=*/true);
}

std::optional<CodeCache> CodeCache::ofUser() {
  auto absolute = [](const char *name) -> std::optional<std::string> {
    const char *value = std::getenv(name);
    if (!value || *value != '/')
      return std::nullopt;
    return value;
  };
  if (auto folder = absolute("XDG_CACHE_HOME"))
    return CodeCache(*folder + "/cnnc");
  if (auto home = absolute("HOME"))
    return CodeCache(*home + "/.cache/cnnc");
  return std::nullopt;
}

/// Code is loaded from the folder, so nobody else may write there.
bool CodeCache::isOurs() const {
  struct stat status;
  return stat(folder.c_str(), &status) == 0 && S_ISDIR(status.st_mode) && status.st_uid == geteuid() &&
         (status.st_mode & (S_IWGRP | S_IWOTH)) == 0;
}

std::optional<std::string> CodeCache::find(StringRef key) const {
  if (!isOurs())
    return std::nullopt;
  auto file = host::readFile(path(key), limit);
  if (!file || file->size() <= sizeof(Digest))
    return std::nullopt;
  const ArrayRef<uint8_t> all(*file), library = all.drop_back(sizeof(Digest));
  const Digest digest = digestOf(key, library);
  if (all.take_back(sizeof(Digest)) != ArrayRef<uint8_t>(digest))
    return std::nullopt;
  // Entries go by when they were used last; where the time cannot be set, this one is older than it could be.
  if (utimensat(AT_FDCWD, path(key).c_str(), nullptr, 0) != 0)
    errno = 0;
  return path(key);
}

void CodeCache::store(StringRef key, ArrayRef<char> library) const {
  if (library.size() + sizeof(Digest) > limit)
    return;
  if (llvm::sys::fs::create_directories(folder, /*IgnoreExisting=*/true, llvm::sys::fs::owner_all) || !isOurs())
    return;
  const ArrayRef<uint8_t> bytes(reinterpret_cast<const uint8_t *>(library.data()), library.size());
  const Digest digest = digestOf(key, bytes);
  auto file = host::AtomicFile::create(path(key));
  if (!file || !file->write(bytes.data(), bytes.size()) || !file->write(digest.data(), digest.size()) ||
      !file->commit())
    return;
  trim();
}

void CodeCache::trim() const {
  using Time = llvm::sys::TimePoint<>;
  std::vector<std::tuple<Time, std::string, uint64_t>> entries;
  uint64_t total = 0;
  std::error_code code;
  for (llvm::sys::fs::directory_iterator it(folder, code), end; it != end && !code; it.increment(code)) {
    auto status = it->status();
    if (!status)
      continue; // Another process was faster.
    const StringRef ending = llvm::sys::path::extension(it->path());
    const bool isStale = status->getLastModificationTime() + std::chrono::hours(1) < std::chrono::system_clock::now();
    if (ending == ".tmp" && isStale) {
      (void)llvm::sys::fs::remove(it->path());
    } else if (ending == ".so") {
      entries.emplace_back(status->getLastModificationTime(), it->path(), status->getSize());
      total += status->getSize();
    }
  }
  std::sort(entries.begin(), entries.end());
  for (const auto &[time, path, size] : entries) {
    if (total <= limit)
      return;
    (void)llvm::sys::fs::remove(path);
    total -= size;
  }
}
