// The programs of the CUDA Toolkit, where the machine has them: ptxas, which makes machine code of PTX and says what it
// takes, and nvdisasm, which shows it. Nothing that the compiler must do needs them.
#pragma once

#include "codegen/cuda/Architecture.h"

#include "llvm/ADT/SmallVector.h"
#include "llvm/ADT/StringMap.h"
#include "llvm/Support/Error.h"

#include <optional>
#include <string>

namespace cnn::cuda {

/// The path of one of the programs: from PATH, $CUDA_HOME/bin or /usr/local/cuda/bin. Nothing where it is in none.
std::optional<std::string> findTool(llvm::StringRef name);

/// What a thread and a block of a kernel take.
struct KernelResources {
  int64_t registers = 0;
  int64_t spillBytes = 0; ///< Stored to local memory, for want of registers.
  int64_t stackBytes = 0;
};

struct Assembled {
  llvm::SmallVector<char, 0> cubin;
  llvm::StringMap<KernelResources> kernels;
};

/// Machine code for the architecture. An error with ptxas' words where it refuses, and where there is no ptxas.
llvm::Expected<Assembled> assemble(llvm::StringRef ptx, const Architecture &architecture);

/// Machine code as text; an error where there is no nvdisasm.
llvm::Expected<std::string> disassemble(llvm::ArrayRef<char> cubin);

} // namespace cnn::cuda
