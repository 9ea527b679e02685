// A CUDA driver for tests, without a device: it keeps account of all that it gives out, runs kernels that the test has
// written as functions, and fails on command. Device memory is memory of its own that the host's copies have to go
// through; work on a stream is done at once.
#pragma once

#include "runtime/cuda/cnn_cuda_driver.h"

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <vector>

namespace stub {

struct Launch {
  std::string kernel;
  unsigned grid[3], block[3], shared;
  bool isReplayed = false; ///< From a graph.
};

/// Called for a whole grid with the kernel's arguments.
struct Kernel {
  size_t arguments = 0;
  std::function<void(const uint64_t *arguments)> run;
  int sharedBytes = 0, mostThreads = 1024;
};

/// The machine, and what a test asks of it. reset() makes a new one.
struct Machine {
  std::map<std::string, Kernel> kernels;
  bool knowsAllKernels = false; ///< Those that nobody wrote do nothing.
  int devices = 2, capability = 80;
  int mostSharedBytes = 163 * 1024;
  size_t freeBytes = size_t(1) << 30;
  unsigned char fill = 0xff;               ///< Bytes of new device memory.
  std::string missingEntry;                ///< lookup() does not know it.
  std::map<std::string, CUresult> refused; ///< Images, by their text, and what loading them answers.

  std::string failEntry; ///< Empty: any.
  int failAt = -1;       ///< From 0 on; the number of the call, or of the call of the entry, that fails.
  bool failsOn = false;  ///< And all later ones.
  CUresult failWith = CUDA_ERROR_UNKNOWN;

  std::vector<std::string> calls; ///< Names of entries, in order.
  std::vector<Launch> launches;
  std::string loaded; ///< The text of the module that was loaded last.
  int device = -1;    ///< Whose context was retained last.

  int count(const std::string &entry) const;
};
Machine &machine();
void reset();

/// Gives the entries; a cnn_cuda_lookup.
void *lookup(const char *name);

/// What was given out and not given back, as text: empty is what a test wants in the end.
std::string leaks();

/// Device memory as a user of a library has it.
CUdeviceptr allocate(size_t bytes, int device = 0);
void release(CUdeviceptr address);
CUstream newStream();
void deleteStream(CUstream stream);

} // namespace stub
