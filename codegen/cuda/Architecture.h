// The GPU architectures that kernels are compiled for, and what schedules and reports need to know about each: the
// figures of NVIDIA's CUDA programming guide, table of technical specifications by compute capability.
#pragma once

#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/StringRef.h"

#include <cstdint>
#include <optional>

namespace cnn::cuda {

/// A GPU of an architecture, by which reports say what should hold a kernel: the figures of its data sheet.
struct Device {
  llvm::StringRef name;
  double teraflops; ///< Of f32 multiply-adds, two operations each, without tensor cores.
  double gigabytes; ///< Of memory, a second.
};

struct Architecture {
  llvm::StringRef
      name;       ///< "sm_80", "sm_90a": as on the command line, in schedules and as LLVM's name of the processor.
  int capability; ///< 80, 90: ten times the major and once the minor number of the compute capability.
  /// Code runs on this capability alone; what has no such features runs on all later ones.
  bool exclusive;
  int ptxVersion;              ///< The lowest that knows the architecture: 70 is PTX 7.0.
  int64_t sharedBytesPerBlock; ///< That a kernel can ask for.
  int64_t sharedBytesPerMultiprocessor;
  int64_t threadsPerMultiprocessor;
  int64_t blocksPerMultiprocessor;
  Device device;

  /// cp.async, ldmatrix' companions and mma.sync on tf32 and bf16.
  bool hasAsyncCopies() const { return capability >= 80; }
  /// wgmma, which only code for one capability has, and no later one.
  bool hasWarpgroupProducts() const { return capability == 90 && exclusive; }
};

/// Of what an entry point of a device may use.
constexpr int64_t kThreadsPerBlock = 1024, kThreadsPerWarp = 32, kRegistersPerMultiprocessor = 65536;

/// All architectures, the most capable first.
llvm::ArrayRef<Architecture> allArchitectures();
/// The names of all of them, in that order.
llvm::ArrayRef<llvm::StringRef> architectureNames();
const Architecture *findArchitecture(llvm::StringRef name);

} // namespace cnn::cuda
