// Objects to what users link: one relocatable object whose only global symbols are the API, an archive around it, and a
// shared library. lld and llvm-objcopy run in process; nothing but libc.so.6 is linked against.
#pragma once

#include "codegen/package/MachineCode.h"

#include "llvm/ADT/ArrayRef.h"

namespace cnn {

/// A folder for a while: removed, with what is in it, at the end of scope.
class TemporaryFolder {
public:
  static llvm::Expected<TemporaryFolder> create();
  TemporaryFolder(TemporaryFolder &&other) : folder(std::move(other.folder)) { other.folder.clear(); }
  ~TemporaryFolder();
  std::string path(llvm::StringRef name) const;
  llvm::Error write(const ObjectFile &object) const;

private:
  TemporaryFolder() = default;
  std::string folder;
};

/// One object out of many; every symbol that is not in `exported` becomes local.
llvm::Expected<ObjectFile> combine(const TemporaryFolder &folder, llvm::ArrayRef<ObjectFile> objects,
                                   llvm::StringRef name, llvm::ArrayRef<std::string> exported);

/// A shared library `soname` at `output`, from objects in which everything but the API is hidden. Its symbols have the
/// version CNN_ABI_<n>.
llvm::Error linkShared(const TemporaryFolder &folder, llvm::ArrayRef<ObjectFile> objects, llvm::StringRef soname,
                       const std::string &output);

/// A static library with a symbol table and no time stamps.
llvm::Expected<llvm::SmallVector<char, 0>> archive(const ObjectFile &object);

} // namespace cnn
