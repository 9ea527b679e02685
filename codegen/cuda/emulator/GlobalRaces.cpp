// See GlobalRaces.h.
#include "codegen/cuda/emulator/GlobalRaces.h"

#include <algorithm>
#include <sys/mman.h>

namespace cnn::cuda::emulator {

static constexpr int kThreadShift = 22, kBlockShift = 32;
static constexpr uint32_t kClockMask = (1u << kThreadShift) - 1;

static uint64_t stampOf(uint32_t block, const Observer &by) {
  return uint64_t(block + 1) << kBlockShift | uint64_t(by.thread) << kThreadShift | std::min(by.clock, kClockMask);
}

GlobalHistory::GlobalHistory(const std::vector<Range> &ranges, unsigned granule)
    : shift_(granule == 1   ? 0
             : granule == 2 ? 1
                            : 2) {
  for (const Range &range : ranges) {
    Shadow shadow;
    shadow.begin = range.begin;
    // A granule more: a range need not begin at a multiple of it.
    shadow.bytes = ((range.bytes >> shift_) + 2) * sizeof(Record);
    void *memory = range.writable ? mmap(nullptr, shadow.bytes, PROT_READ | PROT_WRITE,
                                         MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0)
                                  : MAP_FAILED;
    shadow.records = memory == MAP_FAILED ? nullptr : static_cast<Record *>(memory);
    shadows_.push_back(shadow);
  }
}

GlobalHistory::~GlobalHistory() {
  for (const Shadow &shadow : shadows_)
    if (shadow.records)
      munmap(static_cast<void *>(shadow.records), shadow.bytes);
}

bool GlobalHistory::isOrdered(Stamp stamp, uint32_t block, const Observer &by) {
  if (stamp == 0)
    return true;
  if (stamp >> kBlockShift != block + 1)
    return false;
  const auto thread = static_cast<uint16_t>(stamp >> kThreadShift & 0x3ff);
  return thread == by.thread || (stamp & kClockMask) <= by.seen[thread];
}

GlobalHistory::Earlier GlobalHistory::explain(Stamp stamp, bool wrote) {
  return {wrote, stamp == kSeveralBlocks, static_cast<uint32_t>((stamp >> kBlockShift) - 1),
          static_cast<uint16_t>(stamp >> kThreadShift & 0x3ff)};
}

std::optional<GlobalHistory::Earlier> GlobalHistory::read(size_t range, uint64_t address, uint64_t bytes,
                                                          uint32_t block, const Observer &by) {
  const Shadow &shadow = shadows_[range];
  if (!shadow.records)
    return std::nullopt;
  const Stamp mine = stampOf(block, by);
  const uint64_t offset = address - shadow.begin;
  for (uint64_t i = offset >> shift_, end = (offset + bytes - 1) >> shift_; i <= end; ++i) {
    Record &record = shadow.records[i];
    const Stamp writer = record.writer.load(std::memory_order_relaxed);
    if (!isOrdered(writer, block, by))
      return explain(writer, true);
    const Stamp reader = record.reader.load(std::memory_order_relaxed);
    const bool ownBlock = reader == 0 || reader >> kBlockShift == mine >> kBlockShift;
    record.reader.store(ownBlock ? mine : kSeveralBlocks, std::memory_order_relaxed);
  }
  return std::nullopt;
}

std::optional<GlobalHistory::Earlier> GlobalHistory::write(size_t range, uint64_t address, uint64_t bytes,
                                                           uint32_t block, const Observer &by) {
  const Shadow &shadow = shadows_[range];
  if (!shadow.records)
    return std::nullopt;
  const Stamp mine = stampOf(block, by);
  const uint64_t offset = address - shadow.begin;
  for (uint64_t i = offset >> shift_, end = (offset + bytes - 1) >> shift_; i <= end; ++i) {
    Record &record = shadow.records[i];
    const Stamp writer = record.writer.exchange(mine, std::memory_order_relaxed);
    if (!isOrdered(writer, block, by))
      return explain(writer, true);
    const Stamp reader = record.reader.load(std::memory_order_relaxed);
    if (!isOrdered(reader, block, by))
      return explain(reader, false);
  }
  return std::nullopt;
}

} // namespace cnn::cuda::emulator
