// Finds accesses to the device's memory that nothing orders within a launch: two threads, the same bytes, at least one
// writes, and no barrier of their block between; blocks are never ordered. The history is that of one launch, shared by
// all workers; it takes memory where kernels access it only.
#pragma once

#include "codegen/cuda/emulator/DeviceMemory.h"
#include "codegen/cuda/emulator/Races.h"

#include <atomic>
#include <string>

namespace cnn::cuda::emulator {

class GlobalHistory {
public:
  /// `granule` (1, 2 or 4) is the smallest access that kernels make.
  GlobalHistory(const std::vector<Range> &ranges, unsigned granule);
  ~GlobalHistory();
  GlobalHistory(const GlobalHistory &) = delete;
  GlobalHistory &operator=(const GlobalHistory &) = delete;

  struct Earlier {
    bool wrote = false;
    bool severalBlocks = false;
    uint32_t block = 0;
    uint16_t thread = 0;
  };

  /// Notes an access of a thread of block number `block` that lies in range number `range`.
  std::optional<Earlier> read(size_t range, uint64_t address, uint64_t bytes, uint32_t block, const Observer &by);
  std::optional<Earlier> write(size_t range, uint64_t address, uint64_t bytes, uint32_t block, const Observer &by);

private:
  /// Who accessed a granule last: block + 1, thread and count of barriers in one word; 0: no one.
  using Stamp = uint64_t;
  static constexpr Stamp kSeveralBlocks = UINT64_MAX;
  struct Record {
    std::atomic<Stamp> writer, reader;
  };
  struct Shadow {
    uint64_t begin = 0, bytes = 0;
    Record *records = nullptr;
  };
  static bool isOrdered(Stamp stamp, uint32_t block, const Observer &by);
  static Earlier explain(Stamp stamp, bool wrote);

  unsigned shift_;
  std::vector<Shadow> shadows_;
};

} // namespace cnn::cuda::emulator
