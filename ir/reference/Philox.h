// Counter-based random numbers: Philox4x32-10 (Salmon, Moraes, Dror and Shaw 2011, "Parallel random numbers: as easy as
// 1, 2, 3"). A draw is a function of seed, path, step and index, so that order, layout, threads and recomputation
// change no bit. Every implementation of a random operation obeys what is written down here.
//
//   key      word 0, 1: the low and the high half of the 64-bit seed
//   counter  word 0:    bits 0..31 of the block, block = index / 4
//            word 1:    bits 32..47 of the block in the low half, bits 32..47 of the path's hash in the high half
//            word 2:    bits 0..31 of the step
//            word 3:    bits 0..31 of the path's hash
//
// `index` is the element's row-major index in the logical (NCHW) tensor with the global sample index in dimension 0;
// the element takes word index % 4 of its block's result. The hash of a path is 64-bit FNV-1a of its UTF-8 bytes,
// folded to 48 bits (h >> 48) ^ (h & (2^48 - 1)).
#pragma once

#include "llvm/ADT/StringRef.h"

#include <array>
#include <cstdint>

namespace cnn::reference {

using PhiloxWords = std::array<uint32_t, 4>;

/// Ten rounds of Philox4x32.
inline PhiloxWords philox(PhiloxWords counter, std::array<uint32_t, 2> key) {
  for (int round = 0; round < 10; ++round) {
    uint64_t first = uint64_t(0xD2511F53) * counter[0], second = uint64_t(0xCD9E8D57) * counter[2];
    counter = {uint32_t(second >> 32) ^ counter[1] ^ key[0], uint32_t(second),
               uint32_t(first >> 32) ^ counter[3] ^ key[1], uint32_t(first)};
    key[0] += 0x9E3779B9; // the golden ratio
    key[1] += 0xBB67AE85; // sqrt(3) - 1
  }
  return counter;
}

/// The 48-bit hash of a path.
uint64_t pathHash(llvm::StringRef path);

/// The draws of one operation at one step.
class Draws {
public:
  Draws(uint64_t seed, llvm::StringRef path, uint64_t step) : seed(seed), hash(pathHash(path)), step(uint32_t(step)) {}

  /// The four words of elements 4 * block .. 4 * block + 3.
  PhiloxWords words(uint64_t block) const {
    return philox(
        {uint32_t(block), (uint32_t(block >> 32) & 0xFFFF) | uint32_t(hash >> 32) << 16, step, uint32_t(hash)},
        {uint32_t(seed), uint32_t(seed >> 32)});
  }

private:
  uint64_t seed, hash;
  uint32_t step;
};

/// A word as a number of [0, 1): its upper 24 bits times 2^-24, exact in f32.
inline double toUniform(uint32_t word) { return double(word >> 8) * 0x1p-24; }

/// A word as a number of the standard normal distribution: its quantile at (word + 1/2) * 2^-32 by Wichura's algorithm
/// AS 241 (1988, PPND16). Plain IEEE double operations in the order written, so that the bits are the same everywhere.
double toNormal(uint32_t word);

} // namespace cnn::reference
