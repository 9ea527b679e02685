// The texts of a package: the header NAME.h, which is C99 and C++, and the small files that build systems want. What
// they promise is docs/embedding.md.
#pragma once

#include "codegen/Program.h"

#include <string>
#include <vector>

namespace cnn {

struct PackageFacts {
  uint64_t weightsHash = 0;
  bool weightsEmbedded = false;
};

/// NAME.h.
std::string headerText(const Program &program, const PackageFacts &facts);
/// NAME.pc, NAMEConfig.cmake and NAMEConfigVersion.cmake, which find the files beside them. Their version is that of
/// the ABI.
std::string pkgConfigText(const Program &program);
std::string cmakeText(const Program &program);
std::string cmakeVersionText(const Program &program);
/// NAME_smoke_test.c: runs the network on zeros, twice, and compares.
std::string smokeTestText(const Program &program, const PackageFacts &facts);

/// `text` with each @KEY@ replaced by its value.
std::string fillIn(llvm::StringRef text, llvm::ArrayRef<std::pair<llvm::StringRef, std::string>> values);

/// The inputs that are tensors, and the hyperparameters of a step behind them.
std::pair<llvm::ArrayRef<TensorInfo>, llvm::ArrayRef<TensorInfo>> splitInputs(const Program &program);

/// The names of the tensors' fields in NAME_inputs or NAME_outputs: identifiers, all different, near to the tensors'
/// names.
std::vector<std::string> fieldNames(llvm::ArrayRef<TensorInfo> tensors);

} // namespace cnn
