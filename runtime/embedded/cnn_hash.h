/* The content hash of packed weights: it finds out a wrong, stale or damaged file in the time that reading it takes; it
 * does not resist an attacker. Eight independent lanes of a multiply and a shift, one 64-bit word each of every 64-byte
 * block, so that the multiplications overlap. Every step is a bijection of the lane, so one changed word always changes
 * the hash. */
#ifndef CNN_HASH_H
#define CNN_HASH_H

#include <stdint.h>
#include <string.h>

#define CNN_HASH_LANES 8
#define CNN_HASH_BLOCK 64
/* The fractional part of the golden ratio, and an odd constant of splitmix64 (Steele et al. 2014). */
#define CNN_HASH_SEED UINT64_C(0x9e3779b97f4a7c15)
#define CNN_HASH_MULTIPLIER UINT64_C(0xbf58476d1ce4e5b9)

typedef struct cnn_hash {
  uint64_t lanes[CNN_HASH_LANES];
  uint64_t bytes;
} cnn_hash;

static inline uint64_t cnn_hash_mix(uint64_t lane, uint64_t word) {
  lane = (lane ^ word) * CNN_HASH_MULTIPLIER;
  return lane ^ (lane >> 29);
}

static inline void cnn_hash_begin(cnn_hash *hash) {
  for (int lane = 0; lane < CNN_HASH_LANES; ++lane)
    hash->lanes[lane] = CNN_HASH_SEED * (uint64_t)(lane + 1);
  hash->bytes = 0;
}

/* `bytes` is a multiple of CNN_HASH_BLOCK. */
static inline void cnn_hash_add(cnn_hash *hash, const void *data, uint64_t bytes) {
  uint64_t lanes[CNN_HASH_LANES];
  memcpy(lanes, hash->lanes, sizeof lanes);
  const char *at = (const char *)data;
  for (uint64_t done = 0; done + CNN_HASH_BLOCK <= bytes; done += CNN_HASH_BLOCK, at += CNN_HASH_BLOCK) {
    uint64_t words[CNN_HASH_LANES];
    memcpy(words, at, sizeof words);
    for (int lane = 0; lane < CNN_HASH_LANES; ++lane)
      lanes[lane] = cnn_hash_mix(lanes[lane], words[lane]);
  }
  memcpy(hash->lanes, lanes, sizeof lanes);
  hash->bytes += bytes;
}

static inline uint64_t cnn_hash_end(const cnn_hash *hash) {
  uint64_t result = hash->bytes;
  for (int lane = 0; lane < CNN_HASH_LANES; ++lane)
    result = cnn_hash_mix(result, hash->lanes[lane]);
  return cnn_hash_mix(result, CNN_HASH_SEED);
}

#endif
