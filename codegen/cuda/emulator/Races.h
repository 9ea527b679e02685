// Finds accesses to shared memory that nothing orders: two threads, the same bytes, at least one writes. Order comes
// from barriers alone, kept as vector clocks (Flanagan and Freund, "FastTrack", PLDI 2009): a thread counts the
// barriers that it passed, and each thread knows up to which count of every other it has synchronized.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

namespace cnn::cuda::emulator {

/// For each thread of a block, a count of barriers.
using Clocks = std::vector<uint32_t>;

/// A thread as the history of accesses sees it: its number, its own count (from 1), what it knows of the others.
struct Observer {
  uint16_t thread = 0;
  uint32_t clock = 0;
  const uint32_t *seen = nullptr;
};

struct Race {
  enum Kind { Read, Write, Copy } kind = Read;
  uint16_t thread = 0; ///< Who made the earlier access.
};

class SharedHistory {
public:
  /// Forgets everything. `granule` (1, 2 or 4) is the smallest access that the kernel makes.
  void reset(size_t bytes, unsigned granule);

  std::optional<Race> read(uint32_t offset, uint32_t bytes, const Observer &by);
  std::optional<Race> write(uint32_t offset, uint32_t bytes, const Observer &by, bool atomic = false);
  /// An asynchronous copy: from its begin to its end, any access is a race, its own thread's too.
  std::optional<Race> beginCopy(uint32_t offset, uint32_t bytes, const Observer &by);
  void endCopy(uint32_t offset, uint32_t bytes, uint16_t thread, uint32_t clock);

private:
  static constexpr uint32_t kPending = UINT32_MAX;
  struct Record {
    uint32_t writeClock = 0; ///< 0: never.
    uint32_t readClock[2] = {0, 0};
    uint16_t writer = 0;
    uint16_t reader[2] = {0, 0};
    bool atomic = false;
  };
  static bool isOrdered(uint16_t thread, uint32_t clock, const Observer &by) {
    return clock != kPending && (thread == by.thread || clock <= by.seen[thread]);
  }

  unsigned shift_ = 2;
  std::vector<Record> records_;
};

} // namespace cnn::cuda::emulator
