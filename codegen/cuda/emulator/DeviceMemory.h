// The emulated device's memory: allocations with unmapped space around them, and the question which of them an access
// lies in. New memory is full of NaN, whatever the type; an allocation begins at a multiple of 256 and of nothing more,
// which is what the driver promises.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <mutex>
#include <optional>
#include <vector>

namespace cnn::cuda::emulator {

struct Range {
  uint64_t begin = 0, bytes = 0;
  bool writable = true;

  bool holds(uint64_t address, uint64_t size) const {
    return address >= begin && size <= bytes && address - begin <= bytes - size;
  }
};

class DeviceMemory {
public:
  DeviceMemory() = default;
  DeviceMemory(const DeviceMemory &) = delete;
  DeviceMemory &operator=(const DeviceMemory &) = delete;
  ~DeviceMemory();

  /// Nothing when there is no memory; `limit` bytes may be allocated in all.
  std::optional<uint64_t> allocate(uint64_t bytes, uint64_t limit);
  /// False when `address` is not that of an allocation.
  bool release(uint64_t address);
  uint64_t used() const;

  /// Adds memory that is not the device's own: constants of a module.
  void add(Range range);
  void remove(uint64_t begin);

  /// All ranges, in order of address.
  std::vector<Range> ranges() const;
  /// Whether all these bytes lie in one range.
  bool holds(uint64_t address, uint64_t bytes) const;

private:
  struct Entry {
    Range range;
    char *mapped = nullptr; ///< Null for what was added.
    uint64_t mappedBytes = 0;
  };
  mutable std::mutex mutex_;
  std::map<uint64_t, Entry> entries_;
  uint64_t used_ = 0;
};

} // namespace cnn::cuda::emulator
