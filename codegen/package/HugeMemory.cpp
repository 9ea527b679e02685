// See HugeMemory.h.
#include "codegen/package/HugeMemory.h"

#include <cstdint>
#include <sys/mman.h>
#include <utility>

using namespace cnn;

static constexpr size_t kHugePage = size_t(2) << 20;

std::optional<HugeMemory> HugeMemory::allocate(size_t bytes) {
  if (bytes > SIZE_MAX / 2)
    return std::nullopt;
  HugeMemory memory;
  memory.bytes = bytes;
  memory.mappingBytes = bytes + kHugePage;
  void *mapping =
      mmap(nullptr, memory.mappingBytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (mapping == MAP_FAILED)
    return std::nullopt;
  memory.mapping = mapping;
  uintptr_t address = (reinterpret_cast<uintptr_t>(mapping) + kHugePage - 1) / kHugePage * kHugePage;
  memory.begin = reinterpret_cast<char *>(address);
  // Only advice: small pages serve as well.
  if (bytes >= kHugePage)
    madvise(memory.begin, bytes, MADV_HUGEPAGE);
  return memory;
}

HugeMemory::HugeMemory(HugeMemory &&other) noexcept { *this = std::move(other); }

HugeMemory &HugeMemory::operator=(HugeMemory &&other) noexcept {
  std::swap(begin, other.begin);
  std::swap(bytes, other.bytes);
  std::swap(mapping, other.mapping);
  std::swap(mappingBytes, other.mappingBytes);
  return *this;
}

HugeMemory::~HugeMemory() {
  if (mapping)
    munmap(mapping, mappingBytes);
}
