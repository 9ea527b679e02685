// Compiles kernels for one instruction set and calls them in this process, for the tests of single kernels and the
// microbenchmarks.
#pragma once

#include "codegen/cpu/KernelBuilder.h"

#include <memory>
#include <string>
#include <vector>

namespace cnn::cpu {

using KernelFunction = void (*)(char *const *buffers, const int64_t *imageStrides, int64_t batch, int64_t begin,
                                int64_t end, char *scratch);

class KernelJit {
public:
  /// `build` appends kernels; the process ends with a message where they do not compile.
  KernelJit(Isa isa, llvm::function_ref<void(KernelBuilder &)> build);
  ~KernelJit();

  KernelFunction lookup(llvm::StringRef symbol) const;
  /// The kernels as assembly text.
  std::string assembly() const;
  /// Milliseconds from MLIR to machine code.
  double milliseconds() const { return milliseconds_; }
  size_t codeBytes() const { return codeBytes_; }

private:
  struct Engine;
  std::unique_ptr<Engine> engine_;
  double milliseconds_ = 0;
  size_t codeBytes_ = 0;
};

/// Accesses to the stack in inner loops: registers that the allocator spilled or reloaded, as text in assembly.
int64_t countSpills(const std::string &assembly);

/// f32 memory that is aligned to 64 bytes, between pages that no one may touch: a kernel that leaves its operands ends
/// the test.
class Floats {
public:
  explicit Floats(int64_t size, float value = 0);
  Floats(Floats &&other);
  ~Floats();
  float *data() const { return data_; }
  int64_t size() const { return size_; }
  float &operator[](int64_t index) const { return data_[index]; }
  char *bytes() const { return reinterpret_cast<char *>(data_); }

private:
  char *pages_;
  int64_t pageBytes_;
  float *data_;
  int64_t size_;
};

/// Calls a kernel for all its units.
void runKernel(KernelFunction kernel, const std::vector<char *> &buffers, const std::vector<int64_t> &imageStrides,
               int64_t batch, int64_t units, char *scratch = nullptr);

} // namespace cnn::cpu
