// A module of kernels made ready to run: LLVM bitcode for nvptx64, compiled for the host with a call to the emulator in
// front of every access to memory and in place of every operation that only a GPU has.
#pragma once

#include "codegen/cuda/emulator/DeviceMemory.h"
#include "codegen/cuda/emulator/Sites.h"

#include "llvm/Support/Error.h"

#include <map>
#include <memory>

namespace llvm::orc {
class LLJIT;
}

namespace cnn::cuda::emulator {

class LoadedModule {
public:
  ~LoadedModule();

  /// Fails with one line when `bitcode` is not bitcode for nvptx64, or does what the emulator does not know.
  static llvm::Expected<std::unique_ptr<LoadedModule>> load(llvm::StringRef bitcode);

  /// Null when there is no kernel of that name.
  const Kernel *find(llvm::StringRef name) const;
  /// The module's variables outside shared memory, which kernels may read.
  const std::vector<Range> &variables() const { return variables_; }

private:
  LoadedModule();

  // Generated code holds addresses of sites: a deque does not move them.
  std::deque<Site> sites_;
  std::map<std::string, Kernel, std::less<>> kernels_;
  std::vector<Range> variables_;
  std::unique_ptr<llvm::orc::LLJIT> jit_;
};

} // namespace cnn::cuda::emulator
