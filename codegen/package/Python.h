// A program's shared library as a Python package: a wheel, which pip installs without a network, with a module over
// ctypes and NumPy. What it promises is docs/embedding.md.
#pragma once

#include "codegen/Program.h"
#include "codegen/package/Header.h"

#include <string>
#include <vector>

namespace cnn {

/// A file of a wheel or of a package.
struct PackageFile {
  std::string name; ///< Folders are separated by '/'.
  llvm::ArrayRef<char> bytes;
};

/// NAME/__init__.py.
std::string pythonModuleText(const Program &program, const PackageFacts &facts);

/// What pip calls the wheel: NAME-1+<hash of the weights>-py3-none-linux_x86_64.whl.
std::string wheelName(const Program &program, const PackageFacts &facts);

/// The wheel with the module and `files`, which lie beside it: the library, and the weights where they are apart. Equal
/// arguments give equal bytes.
llvm::SmallVector<char, 0> wheel(const Program &program, const PackageFacts &facts, llvm::ArrayRef<PackageFile> files);

} // namespace cnn
