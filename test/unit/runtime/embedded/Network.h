// A network of three steps written by hand, with kernels that count, so that the runtime is tested without a compiler:
//   x f32[N, 24, 5], table f32[24] (no batch) -> y f32[N, 24, 5], sums f32[N, 24]
//   fixed[p] = table[p] + 1;  workspace[n, p, e] = x[n, p, e] * weights[p];  y = workspace + fixed[p], sums = sum over
//   e
#pragma once

#include "runtime/embedded/cnn_api.h"

#include <atomic>
#include <cstdint>
#include <vector>

namespace network {

constexpr int64_t kPlanes = 24, kElements = 5;
constexpr int64_t kImage = kPlanes * kElements;

/// How often the second step's kernel was called, and how often with scratch that another thread was using.
extern std::atomic<int> calls, scratchCollisions;
/// The largest number of threads seen within the second step at once.
extern std::atomic<int> inside, mostInside;
/// The most images that a call of the second step saw: its batch, or fewer where steps are run as a chain.
extern std::atomic<int64_t> mostImages;
/// When set, the first call of the second step waits (at most a second) until a second thread has come in.
extern std::atomic<bool> meet;

/// The bytes of the weights file, at an address that is a multiple of 64.
std::vector<char> weightsFile();

/// From now on the network is a training step with so many bytes of state; 0: a network again.
void setStateBytes(int64_t bytes);

/// What run() must give.
void expected(const float *x, const float *table, int64_t batch, float *y, float *sums);

} // namespace network
