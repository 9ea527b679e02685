// Compiled libraries of earlier runs of the tools, found by the content of what they were made of: a folder of files
// KEY.so, each a library with a digest behind it. Processes may use it at once. It only saves time: an entry that
// cannot be read, was damaged or is somebody else's is none, and what cannot be stored is not.
#pragma once

#include "codegen/package/MachineCode.h"

#include <optional>
#include <string>

namespace cnn {

class CodeCache {
public:
  static constexpr uint64_t kLimit = uint64_t(256) << 20;

  /// In `folder`, which is made when it is missing, with at most `limit` bytes.
  explicit CodeCache(std::string folder, uint64_t limit = kLimit) : folder(std::move(folder)), limit(limit) {}
  /// The user's: $XDG_CACHE_HOME/cnnc, else ~/.cache/cnnc; nothing where neither variable is an absolute path.
  static std::optional<CodeCache> ofUser();

  /// The path of the library, to be loaded at once.
  std::optional<std::string> find(llvm::StringRef key) const;
  /// Stores a library and removes the entries that were not used for longest, until all are within the limit.
  void store(llvm::StringRef key, llvm::ArrayRef<char> library) const;

private:
  std::string path(llvm::StringRef key) const { return folder + "/" + key.str() + ".so"; }
  bool isOurs() const;
  void trim() const;

  std::string folder;
  uint64_t limit;
};

/// What the library is made of, as hexadecimal digits: the code and tables to compile, and this compiler.
llvm::Expected<std::string> cacheKey(const Program &program, const LibraryOptions &options);

} // namespace cnn
