// A device for tests of kernels: the emulated driver behind calls that stop the test when what they need is missing.
#pragma once

#include "codegen/cuda/emulator/Emulator.h"
#include "runtime/cuda/cnn_cuda_driver.h"

#include "llvm/IR/Module.h"

#include <string>
#include <vector>

namespace cnn::cuda {

/// What a launch came to: CUDA_SUCCESS, or the code and the emulator's words.
struct Outcome {
  CUresult code = CUDA_SUCCESS;
  std::string fault;
};

class EmulatedDevice {
public:
  explicit EmulatedDevice(const EmulatorOptions &options = {});
  ~EmulatedDevice();
  EmulatedDevice(const EmulatedDevice &) = delete;
  EmulatedDevice &operator=(const EmulatedDevice &) = delete;

  const cnn_cuda_driver &driver() const { return driver_; }
  CUmodule module() const { return module_; }
  CUstream stream() const { return stream_; }

  /// Loads a module of kernels: LLVM's textual form (without triple and layout, which are added), or a module. The
  /// answer is empty, or says why the module was not taken.
  std::string load(llvm::StringRef assembly);
  std::string load(const llvm::Module &module);

  /// Memory of the device, freed with it.
  CUdeviceptr allocate(size_t bytes);
  template <typename T> CUdeviceptr upload(const std::vector<T> &values) {
    return upload(values.data(), values.size() * sizeof(T));
  }
  template <typename T> std::vector<T> download(CUdeviceptr address, size_t count) {
    std::vector<T> values(count);
    download(values.data(), address, count * sizeof(T));
    return values;
  }

  struct Shape {
    unsigned grid[3] = {1, 1, 1};
    unsigned block = 32;
    unsigned sharedBytes = 0;
  };
  /// Parameters are words: addresses and i64.
  Outcome run(const std::string &kernel, const Shape &shape, std::vector<uint64_t> parameters);

private:
  CUdeviceptr upload(const void *values, size_t bytes);
  void download(void *values, CUdeviceptr address, size_t bytes);

  EmulatorOptions before_;
  cnn_cuda_driver driver_;
  CUmodule module_ = nullptr;
  CUstream stream_ = nullptr;
  std::vector<CUdeviceptr> allocations_;
};

} // namespace cnn::cuda
