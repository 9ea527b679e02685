// Measures the peak of the multiply-add units; FmaPeak.h has the contract.
#include "tools/cnnc/FmaPeak.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <thread>
#include <vector>

namespace cnn {
namespace {

// Enough independent sums to fill two units with a latency of four cycles, and few enough for the registers of each
// width.
constexpr int kSums = 12;
constexpr int kSteps = 200000;

template <int Lanes> struct Vector {
  typedef float type __attribute__((vector_size(Lanes * sizeof(float))));
};

// The body is a macro and not a template, because the target attribute must stand on the function that holds the loop.
// The compiler contracts the multiply-add where the target has one.
#define CNN_PEAK_LOOP(LANES)                                                                                           \
  using V = Vector<LANES>::type;                                                                                       \
  V sums[kSums];                                                                                                       \
  V a = V{} + x, b = V{} + y;                                                                                          \
  for (int i = 0; i < kSums; ++i)                                                                                      \
    sums[i] = V{} + static_cast<float>(i);                                                                             \
  for (int step = 0; step < kSteps; ++step)                                                                            \
    _Pragma("GCC unroll 12") for (int i = 0; i < kSums; ++i) sums[i] = sums[i] * a + b;                                \
  V total{};                                                                                                           \
  for (int i = 0; i < kSums; ++i)                                                                                      \
    total += sums[i];                                                                                                  \
  return total[0];

#if defined(__x86_64__)
__attribute__((target("avx512f"), noinline)) float loop512(float x, float y) { CNN_PEAK_LOOP(16) }
__attribute__((target("avx2,fma"), noinline)) float loop256(float x, float y) { CNN_PEAK_LOOP(8) }
#endif
__attribute__((noinline)) float loop128(float x, float y) { CNN_PEAK_LOOP(4) }

#undef CNN_PEAK_LOOP

} // namespace

double measurePeakGflops(llvm::StringRef isa, int threads) {
  float (*loop)(float, float) = loop128;
  int lanes = 4;
#if defined(__x86_64__)
  if (isa == "avx512") {
    loop = loop512;
    lanes = 16;
  } else if (isa == "avx2") {
    loop = loop256;
    lanes = 8;
  }
#endif
  const double flops = 2.0 * lanes * kSums * kSteps;
  constexpr int kRepeats = 12;
  std::vector<double> rates(static_cast<size_t>(threads), 0.0);
  std::atomic<int> ready{0};
  auto work = [&](int index) {
    volatile float x = 0.999f, y = 0.001f, sink = 0;
    ready.fetch_add(1);
    while (ready.load() < threads)
      std::this_thread::yield();
    for (int repeat = 0; repeat < kRepeats; ++repeat) {
      auto start = std::chrono::steady_clock::now();
      sink = loop(x, y);
      std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - start;
      rates[static_cast<size_t>(index)] = std::max(rates[static_cast<size_t>(index)], flops / seconds.count() * 1e-9);
    }
    (void)sink;
  };
  std::vector<std::thread> others;
  for (int index = 1; index < threads; ++index)
    others.emplace_back(work, index);
  work(0);
  for (std::thread &other : others)
    other.join();
  double total = 0;
  for (double rate : rates)
    total += rate;
  return total;
}

} // namespace cnn
