// See Races.h.
#include "codegen/cuda/emulator/Races.h"

namespace cnn::cuda::emulator {

void SharedHistory::reset(size_t bytes, unsigned granule) {
  shift_ = granule == 1 ? 0 : granule == 2 ? 1 : 2;
  records_.assign((bytes + granule - 1) >> shift_, Record());
}

std::optional<Race> SharedHistory::read(uint32_t offset, uint32_t bytes, const Observer &by) {
  for (uint32_t i = offset >> shift_, end = (offset + bytes - 1) >> shift_; i <= end; ++i) {
    Record &record = records_[i];
    if (!isOrdered(record.writer, record.writeClock, by))
      return Race{record.writeClock == kPending ? Race::Copy : Race::Write, record.writer};
    // Two readers are kept: whoever writes, one of them is another thread. Those that a barrier has ordered before
    // this one need not be.
    int slot = record.reader[0] == by.thread ? 0 : 1;
    if (record.reader[slot] != by.thread && isOrdered(record.reader[0], record.readClock[0], by))
      slot = 0;
    record.reader[slot] = by.thread;
    record.readClock[slot] = by.clock;
  }
  return std::nullopt;
}

std::optional<Race> SharedHistory::write(uint32_t offset, uint32_t bytes, const Observer &by, bool atomic) {
  for (uint32_t i = offset >> shift_, end = (offset + bytes - 1) >> shift_; i <= end; ++i) {
    Record &record = records_[i];
    if (!(atomic && record.atomic) && !isOrdered(record.writer, record.writeClock, by))
      return Race{record.writeClock == kPending ? Race::Copy : Race::Write, record.writer};
    for (int slot = 0; slot < 2; ++slot)
      if (!isOrdered(record.reader[slot], record.readClock[slot], by))
        return Race{Race::Read, record.reader[slot]};
    record.writer = by.thread;
    record.writeClock = by.clock;
    record.atomic = atomic;
    record.readClock[0] = record.readClock[1] = 0;
  }
  return std::nullopt;
}

std::optional<Race> SharedHistory::beginCopy(uint32_t offset, uint32_t bytes, const Observer &by) {
  if (std::optional<Race> race = write(offset, bytes, by))
    return race;
  for (uint32_t i = offset >> shift_, end = (offset + bytes - 1) >> shift_; i <= end; ++i)
    records_[i].writeClock = kPending;
  return std::nullopt;
}

void SharedHistory::endCopy(uint32_t offset, uint32_t bytes, uint16_t thread, uint32_t clock) {
  for (uint32_t i = offset >> shift_, end = (offset + bytes - 1) >> shift_; i <= end; ++i)
    if (records_[i].writer == thread && records_[i].writeClock == kPending)
      records_[i].writeClock = clock;
}

} // namespace cnn::cuda::emulator
