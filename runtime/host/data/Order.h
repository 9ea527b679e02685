//===- Order.h - The order of samples -------------------------------------===//
//
// Permutations drawn from a counter-based generator, Philox4x32-10 (Salmon, Moraes, Dror and Shaw 2011, "Parallel
// random numbers: as easy as 1, 2, 3"), so that the order of an epoch needs no state of the epochs before it.
//
//===----------------------------------------------------------------------===//
#ifndef CNN_RUNTIME_HOST_DATA_ORDER_H
#define CNN_RUNTIME_HOST_DATA_ORDER_H

#include <array>
#include <cstdint>
#include <vector>

namespace cnn::host {

/// Ten rounds of Philox4x32.
std::array<uint32_t, 4> philox4x32(std::array<uint32_t, 4> counter, std::array<uint32_t, 2> key);

/// A permutation of 0 .. count - 1 by Fisher and Yates, for i from count - 1 down to 1: swap i with
/// (u (i + 1)) >> 64, where u is the first 64 bits of Philox with the seed as the key and the counter
/// (i, i >> 32, epoch, purpose).
std::vector<int64_t> permutation(int64_t count, uint64_t seed, uint32_t epoch, uint32_t purpose);

/// The order of a shuffled epoch.
std::vector<int64_t> epochOrder(int64_t count, uint64_t seed, int64_t epoch);

/// Which of `count` samples, ascending, a fraction for validation takes: round(count * fraction) of them, the front of
/// a permutation.
std::vector<int64_t> validationIndices(int64_t count, double fraction, uint64_t seed);

} // namespace cnn::host

#endif // CNN_RUNTIME_HOST_DATA_ORDER_H
