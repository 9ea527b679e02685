// See DeviceMemory.h.
#include "codegen/cuda/emulator/DeviceMemory.h"

#include <cstring>
#include <sys/mman.h>

namespace cnn::cuda::emulator {

// Far enough that an index that runs past the end of one allocation does not reach the next.
static constexpr uint64_t kGuard = uint64_t(16) << 20, kPage = 4096, kAlignment = 256;

DeviceMemory::~DeviceMemory() {
  for (auto &[begin, entry] : entries_)
    if (entry.mapped)
      munmap(entry.mapped, entry.mappedBytes);
}

std::optional<uint64_t> DeviceMemory::allocate(uint64_t bytes, uint64_t limit) {
  std::lock_guard lock(mutex_);
  if (bytes == 0 || bytes > limit || used_ > limit - bytes)
    return std::nullopt;
  const uint64_t inner = (bytes + kAlignment + kPage - 1) / kPage * kPage, all = inner + 2 * kGuard;
  void *mapped = mmap(nullptr, all, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (mapped == MAP_FAILED)
    return std::nullopt;
  char *usable = static_cast<char *>(mapped) + kGuard;
  if (mprotect(usable, inner, PROT_READ | PROT_WRITE) != 0) {
    munmap(mapped, all);
    return std::nullopt;
  }
  char *data = usable + kAlignment;
  memset(data, 0xff, bytes);
  const auto address = reinterpret_cast<uint64_t>(data);
  entries_[address] = {{address, bytes, true}, static_cast<char *>(mapped), all};
  used_ += bytes;
  return address;
}

bool DeviceMemory::release(uint64_t address) {
  std::lock_guard lock(mutex_);
  auto found = entries_.find(address);
  if (found == entries_.end() || !found->second.mapped)
    return false;
  munmap(found->second.mapped, found->second.mappedBytes);
  used_ -= found->second.range.bytes;
  entries_.erase(found);
  return true;
}

uint64_t DeviceMemory::used() const {
  std::lock_guard lock(mutex_);
  return used_;
}

void DeviceMemory::add(Range range) {
  std::lock_guard lock(mutex_);
  entries_[range.begin] = {range, nullptr, 0};
}

void DeviceMemory::remove(uint64_t begin) {
  std::lock_guard lock(mutex_);
  auto found = entries_.find(begin);
  if (found != entries_.end() && !found->second.mapped)
    entries_.erase(found);
}

std::vector<Range> DeviceMemory::ranges() const {
  std::lock_guard lock(mutex_);
  std::vector<Range> result;
  for (const auto &[begin, entry] : entries_)
    result.push_back(entry.range);
  return result;
}

bool DeviceMemory::holds(uint64_t address, uint64_t bytes) const {
  std::lock_guard lock(mutex_);
  auto after = entries_.upper_bound(address);
  return after != entries_.begin() && std::prev(after)->second.range.holds(address, bytes);
}

} // namespace cnn::cuda::emulator
