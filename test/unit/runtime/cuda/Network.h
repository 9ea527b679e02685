// A network of four steps written by hand for the stub driver, so that the runtime is tested without a compiler:
//   x f32[N, 6, 5], table f32[6] (no batch) -> y f32[N, 6, 5], sums f32[N, 6]
//   fixed[p] = table[p] + 1;  workspace[n, p, e] = x[n, p, e] * weights[p];
//   y = workspace + fixed[p], sums = sum over e; and with a state, which counts the runs: state[0] += 1
#pragma once

#include "runtime/cuda/cnn_cuda_api.h"

#include <cstdint>
#include <vector>

namespace network {

constexpr int64_t kPlanes = 6, kElements = 5, kImage = kPlanes * kElements;
constexpr int64_t kSteps = 3, kStateBytes = 64;

/// Gives the stub driver the kernels, and makes this a network again.
void install();
/// From now on the network is a training step with a counter in its state, whose first value is 7.
void addState();
/// What the variants "sm_90a", "sm_80" (a cubin and PTX) and "sm_75" launch.
cnn_cuda_launch *launches();

/// What run() must give.
void expected(const float *x, const float *table, int64_t batch, float *y, float *sums);

} // namespace network
