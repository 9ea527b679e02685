// What the microbenchmarks measure time by and compare rates with.
#pragma once

#include "test/unit/codegen/cpu/KernelJit.h"

#include <algorithm>
#include <ctime>

namespace cnn::cpu {

/// CPU time of this thread, so that the turns of other processes do not count.
inline double threadSeconds() {
  timespec time;
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
  return double(time.tv_sec) + 1e-9 * double(time.tv_nsec);
}

/// The FMA rate: enough independent sums to fill the pipelines and nothing else.
class Peak {
public:
  explicit Peak(Isa isa)
      : sums(isaInfo(isa).registers * 3 / 4 / isaInfo(isa).registersPerBlock),
        jit(isa,
            [&](KernelBuilder &b) {
              b.kernel("peak", 1, [&] {
                llvm::SmallVector<mlir::Value> init;
                for (int i = 0; i < sums; ++i)
                  init.push_back(b.loadBlock(b.buffer(0), 64 * i));
                mlir::Value x = b.loadBlock(b.buffer(0), 64 * sums);
                auto last = b.forLoop(b.begin(), b.end(), 1, init, [&](mlir::Value, mlir::ValueRange carried) {
                  llvm::SmallVector<mlir::Value> next(carried);
                  for (int repeat = 0; repeat < 4; ++repeat)
                    for (mlir::Value &sum : next)
                      sum = b.fma(x, x, sum);
                  return next;
                });
                for (int i = 0; i < sums; ++i)
                  b.storeBlock(last[i], b.buffer(0), 64 * i);
              });
            }),
        data(16 * 64), function(jit.lookup("peak")) {}

  void measure() {
    constexpr int64_t kTimes = 20000;
    double start = threadSeconds();
    runKernel(function, {data.bytes()}, {0}, 1, kTimes);
    best = std::max(best, kTimes * 4.0 * sums * kBlock * 2 / (threadSeconds() - start) * 1e-9);
  }
  double gflops() const { return best; }

private:
  int64_t sums;
  KernelJit jit;
  Floats data;
  KernelFunction function;
  double best = 0;
};

/// The most capable instruction set of this machine.
inline Isa bestIsa() {
  for (Isa isa : allIsas())
    if (hostSupports(isa))
      return isa;
  return Isa::Sse;
}

} // namespace cnn::cpu
