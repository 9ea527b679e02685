// Rewrites the functions of a module for nvptx64 so that they run on the host as fibres of the emulator.
#pragma once

#include "codegen/cuda/emulator/Sites.h"

#include "llvm/IR/Module.h"
#include "llvm/Support/Error.h"

namespace cnn::cuda::emulator {

struct Instrumented {
  /// With `entry` unset; the function `entryName(name)` of the module is what it has to become.
  std::vector<Kernel> kernels;
  /// Names of the variables that are not in shared memory, and their sizes.
  std::vector<std::pair<std::string, uint64_t>> variables;
};

std::string entryName(llvm::StringRef kernel);

/// The module keeps its triple and data layout. The code refers to `sites`, to which the places are added.
llvm::Expected<Instrumented> instrument(llvm::Module &module, std::deque<Site> &sites);

} // namespace cnn::cuda::emulator
