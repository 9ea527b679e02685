// Counts bank conflicts: shared memory has 32 banks of 4-byte words, and an access of a warp takes as many passes as
// the most wanted bank has different words to give. Accesses of 8 bytes are served half a warp at a time, of 16 bytes a
// quarter (what the hardware's documentation calls transactions), which is no conflict.
#pragma once

#include <array>
#include <bit>
#include <cstdint>
#include <map>
#include <vector>

namespace cnn::cuda::emulator {

struct Site;

class BankCounter {
public:
  struct Count {
    int64_t accesses = 0, extra = 0;
  };

  /// One lane's access. The n-th time that lanes of a warp execute a site is one access of the warp.
  void note(const Site &site, uint32_t warp, uint32_t lane, uint32_t offset, uint32_t bytes);
  /// Passes over the banks that `count` lanes need for `bytes` at each of `offsets`, less those that they need at
  /// least.
  static int64_t extraPasses(const uint32_t *offsets, size_t count, uint32_t bytes);
  /// Adds a whole access of a warp.
  void add(const Site &site, int64_t extra);
  /// Counts what the block's warps did; to be called at the end of a block.
  void endBlock();

  const std::map<const Site *, Count> &counts() const { return counts_; }

private:
  struct Pending {
    uint32_t mask = 0, bytes = 0;
    std::array<uint32_t, 32> offsets; ///< By lane, of those in the mask.
  };
  static int64_t extraPasses(const Pending &access);
  struct Stream {
    std::array<uint32_t, 32> executed = {};
    std::vector<Pending> accesses;
  };
  std::map<std::pair<const Site *, uint32_t>, Stream> streams_;
  std::map<const Site *, Count> counts_;
};

} // namespace cnn::cuda::emulator
