// Small programs with kernels written as LLVM IR, so that package emission is tested without the compiler before it. A
// chain of steps on x f32[N, 6, 7]: step k multiplies by weight k and then adds (k + 1) / 2, `adds` times; through the
// scratch memory.
#pragma once

#include "codegen/Program.h"

#include <vector>

namespace cnn::tiny {

constexpr int64_t kPlanes = 6, kElements = 7;
constexpr int64_t kImage = kPlanes * kElements;

struct Options {
  std::string name = "tiny";
  int steps = 3;
  int adds = 1; ///< Makes kernels longer.
  float firstWeight = 1.5f;
  std::vector<std::string> isas = {"avx512", "avx2", "sse"};
  bool twoOutputs =
      false; ///< A second input `bias` f32[N, 6], added by the last step, and a second output with its sums.
  int64_t extraWeightBytes = 0;
};

Program makeProgram(const Options &options = {});

/// What the library computes for `batch` images; bias and sums only with twoOutputs.
struct Result {
  std::vector<float> y, sums;
};
Result expected(const Options &options, int64_t batch, const float *x, const float *bias = nullptr);

/// Numbers that differ, and are exact after a few operations.
std::vector<float> numbers(int64_t count, int seed = 0);

} // namespace cnn::tiny
