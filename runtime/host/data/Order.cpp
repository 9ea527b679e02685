//===- Order.cpp - The order of samples -----------------------------------===//
//
// Philox and the shuffle of Fisher and Yates.
//
//===----------------------------------------------------------------------===//
#include "runtime/host/data/Order.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <utility>

namespace cnn::host {
namespace {

enum Purpose : uint32_t { Epoch = 0, Validation = 1 };

} // namespace

std::array<uint32_t, 4> philox4x32(std::array<uint32_t, 4> counter, std::array<uint32_t, 2> key) {
  for (int round = 0; round < 10; ++round) {
    const uint64_t first = uint64_t(0xD2511F53) * counter[0], second = uint64_t(0xCD9E8D57) * counter[2];
    counter = {static_cast<uint32_t>(second >> 32) ^ counter[1] ^ key[0], static_cast<uint32_t>(second),
               static_cast<uint32_t>(first >> 32) ^ counter[3] ^ key[1], static_cast<uint32_t>(first)};
    key[0] += 0x9E3779B9; // the golden ratio
    key[1] += 0xBB67AE85; // sqrt(3) - 1
  }
  return counter;
}

std::vector<int64_t> permutation(int64_t count, uint64_t seed, uint32_t epoch, uint32_t purpose) {
  std::vector<int64_t> order(static_cast<size_t>(std::max<int64_t>(count, 0)));
  std::iota(order.begin(), order.end(), 0);
  const std::array<uint32_t, 2> key = {static_cast<uint32_t>(seed), static_cast<uint32_t>(seed >> 32)};
  for (size_t i = order.size(); i-- > 1;) {
    const auto words =
        philox4x32({static_cast<uint32_t>(i), static_cast<uint32_t>(uint64_t(i) >> 32), epoch, purpose}, key);
    const uint64_t draw = words[0] | uint64_t(words[1]) << 32;
    // The bias is below count * 2^-64.
    const auto other = static_cast<size_t>(static_cast<unsigned __int128>(draw) * (i + 1) >> 64);
    std::swap(order[i], order[other]);
  }
  return order;
}

std::vector<int64_t> epochOrder(int64_t count, uint64_t seed, int64_t epoch) {
  return permutation(count, seed, static_cast<uint32_t>(epoch), Epoch);
}

std::vector<int64_t> validationIndices(int64_t count, double fraction, uint64_t seed) {
  std::vector<int64_t> chosen = permutation(count, seed, 0, Validation);
  const auto kept = static_cast<int64_t>(std::llround(static_cast<double>(count) * fraction));
  chosen.resize(static_cast<size_t>(std::clamp<int64_t>(kept, 0, count)));
  std::sort(chosen.begin(), chosen.end());
  return chosen;
}

} // namespace cnn::host
