// Libraries for CUDA devices: kernels as PTX in the library's tables, which the driver compiles for the device; or, for
// the emulated device, as LLVM bitcode.
#pragma once

#include "codegen/package/LibraryTarget.h"
#include "runtime/cuda/cnn_cuda_driver.h"

#include <memory>

namespace cnn::cuda {

/// With a lookup, libraries for tools find the driver's entries by it and not in libcuda.so.1.
std::unique_ptr<LibraryTarget> createLibraryTarget(cnn_cuda_lookup lookup = nullptr);
std::unique_ptr<LibraryTarget> createEmulatedLibraryTarget();

/// The front of a program with parts for "cpu" and "cuda", in that order (codegen/package/Parts.h).
std::unique_ptr<LibraryTarget> createFrontLibraryTarget();
constexpr const char kFrontTarget[] = "cpu,cuda";

/// Registers "cuda", "cuda-emulated" and the front.
void registerLibraryTargets();

} // namespace cnn::cuda
