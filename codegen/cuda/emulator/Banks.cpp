// See Banks.h.
#include "codegen/cuda/emulator/Banks.h"

#include <algorithm>

namespace cnn::cuda::emulator {

void BankCounter::note(const Site &site, uint32_t warp, uint32_t lane, uint32_t offset, uint32_t bytes) {
  Stream &stream = streams_[{&site, warp}];
  const uint32_t turn = stream.executed[lane]++;
  if (turn >= stream.accesses.size())
    stream.accesses.resize(turn + 1);
  Pending &access = stream.accesses[turn];
  access.offsets[lane] = offset;
  access.mask |= 1u << lane;
  access.bytes = bytes;
}

/// How many neighbouring lanes are served together.
static size_t lanesTogether(uint32_t bytes) { return bytes <= 4 ? 32 : std::max<size_t>(1, 128 / bytes); }

int64_t BankCounter::extraPasses(const Pending &access) {
  int64_t extra = 0;
  for (size_t begin = 0, together = lanesTogether(access.bytes); begin < 32; begin += together) {
    std::array<uint32_t, 32> offsets;
    size_t active = 0;
    for (size_t lane = begin; lane < begin + together; ++lane)
      if (access.mask >> lane & 1)
        offsets[active++] = access.offsets[lane];
    extra += extraPasses(offsets.data(), active, access.bytes);
  }
  return extra;
}

int64_t BankCounter::extraPasses(const uint32_t *offsets, size_t count, uint32_t bytes) {
  const size_t together = lanesTogether(bytes);
  int64_t extra = 0;
  for (size_t begin = 0; begin < count; begin += together) {
    std::array<std::vector<uint32_t>, 32> wanted;
    for (size_t i = begin; i < std::min(count, begin + together); ++i)
      for (uint32_t word = offsets[i] / 4; word <= (offsets[i] + bytes - 1) / 4; ++word) {
        std::vector<uint32_t> &words = wanted[word % 32];
        if (std::find(words.begin(), words.end(), word) == words.end())
          words.push_back(word);
      }
    size_t passes = 1;
    for (const std::vector<uint32_t> &words : wanted)
      passes = std::max(passes, words.size());
    extra += static_cast<int64_t>(passes) - 1;
  }
  return extra;
}

void BankCounter::add(const Site &site, int64_t extra) {
  Count &count = counts_[&site];
  ++count.accesses;
  count.extra += extra;
}

void BankCounter::endBlock() {
  for (const auto &[key, stream] : streams_)
    for (const Pending &access : stream.accesses)
      if (access.mask)
        add(*key.first, extraPasses(access));
  streams_.clear();
}

} // namespace cnn::cuda::emulator
