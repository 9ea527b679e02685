// Measures the memory's bandwidth; MemoryPeak.h has the contract.
#include "tools/cnnc/MemoryPeak.h"

#include "codegen/package/HugeMemory.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <cstring>
#include <thread>
#include <vector>

namespace cnn {
namespace {

/// Larger than the last-level caches of nearly all machines.
constexpr size_t kBytes = size_t(256) << 20;
constexpr int kRepeats = 5;

/// The sum of all words, in independent parts.
__attribute__((noinline)) uint64_t sumOf(const char *begin, size_t bytes) {
  typedef uint64_t Words __attribute__((vector_size(16)));
  Words sums[8] = {};
  const auto *words = reinterpret_cast<const Words *>(begin);
  for (size_t i = 0; i + 8 <= bytes / sizeof(Words); i += 8)
    for (size_t part = 0; part < 8; ++part)
      sums[part] += words[i + part];
  Words total = {};
  for (const Words &sum : sums)
    total += sum;
  return total[0] + total[1];
}

} // namespace

double measureReadGigabytes(int threads) {
  std::optional<HugeMemory> memory = HugeMemory::allocate(kBytes);
  if (!memory)
    return 0;
  // Pages that were never written are all the same one.
  std::memset(memory->data(), 1, kBytes);
  const size_t count = static_cast<size_t>(std::max(threads, 1)), share = kBytes / count / 4096 * 4096;
  double best = 0;
  for (int repeat = 0; repeat < kRepeats; ++repeat) {
    std::atomic<uint64_t> sink{0};
    std::atomic<size_t> ready{0};
    auto work = [&](size_t index) {
      ++ready;
      while (ready < count)
        std::this_thread::yield();
      sink += sumOf(memory->data() + index * share, share);
    };
    std::vector<std::thread> others;
    for (size_t index = 1; index < count; ++index)
      others.emplace_back(work, index);
    while (ready + 1 < count)
      std::this_thread::yield();
    auto start = std::chrono::steady_clock::now();
    work(0);
    for (std::thread &other : others)
      other.join();
    std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - start;
    best = std::max(best, static_cast<double>(share * count) / seconds.count() * 1e-9);
  }
  return best;
}

} // namespace cnn
