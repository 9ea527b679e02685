// A CUDA device that is emulated on the CPU: what tests choose of its behaviour, what it found, and the entry points of
// its driver (runtime/cuda/cnn_cuda_driver.h), which take modules as LLVM bitcode for nvptx64 in place of PTX.
//
// Kernels run as they are: each device thread is a fibre that executes the kernel's code, compiled for the host, up to
// the next operation that threads do together. Every access to memory is checked: bounds, alignment, what the kernel
// promises about its parameters (align, readonly, noalias), and that no two threads touch the same bytes, one of them
// writing, without a barrier between. The emulator knows
// nothing of time, of weak memory order beyond that, and of how a GPU rounds inside a tensor core.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace cnn::cuda {

/// In which order the warps of a block, and the lanes of a warp, get their turn. Kernels must not depend on it.
enum class ThreadOrder { Forward, Reverse, Shuffled };
/// When asynchronous copies happen: at the instruction, when they are waited for, or either, by the seed.
enum class CopyTime { Early, Late, Mixed };

struct EmulatorOptions {
  ThreadOrder order = ThreadOrder::Forward;
  CopyTime copies = CopyTime::Early;
  uint64_t seed = 1;
  bool checkRaces = true;       ///< In shared memory.
  bool checkGlobalRaces = true; ///< In the device's memory, within a launch.
  bool countBankConflicts = false;
  /// Operating-system threads that run blocks; 0: one for each CPU.
  int workers = 1;
  int computeMajor = 9, computeMinor = 0;
  uint64_t memoryBytes = uint64_t(8) << 30;
};

/// Options of all launches and devices from now on.
void setEmulatorOptions(const EmulatorOptions &options);
EmulatorOptions emulatorOptions();

/// How often an instruction that accesses shared memory had to be served, over all warps and launches.
struct BankCount {
  std::string kernel, instruction;
  int64_t accesses = 0; ///< Of a warp.
  int64_t extra = 0;    ///< Further passes over the banks, because lanes wanted different words of one bank.
};

/// What was counted since the last call, in the order of the kernels' instructions. Empty unless countBankConflicts.
std::vector<BankCount> takeBankCounts();

/// Says what the last kernel that failed did wrong: kernel, block, thread, instruction. Empty when none failed since
/// the last call of this function.
std::string takeEmulatorFault();

/// The emulated driver's entry of that name (an address of a function with the prototype of cnn_cuda_driver.h), or
/// null.
void *emulatedDriverEntry(const char *name);

} // namespace cnn::cuda
