// Operations among the lanes of a warp: shuffles, votes, reductions. Semantics: PTX ISA, "Data Movement and Conversion
// Instructions: shfl.sync", "Parallel Synchronization and Communication Instructions".
#include "codegen/cuda/emulator/Block.h"

#include "llvm/ADT/StringSwitch.h"

#include <algorithm>
#include <bit>

namespace cnn::cuda::emulator {

namespace {
enum Shuffle { kUp, kDown, kButterfly, kIndex };

void shuffleAll(Block &block, Thread *const *lanes, uint32_t mask, const Site &site) {
  const auto kind = static_cast<Shuffle>(site.operation.variant[0]);
  for (int lane = 0; lane < 32; ++lane) {
    if (!(mask >> lane & 1))
      continue;
    const uint64_t *arguments = lanes[lane]->arguments;
    const int distance = static_cast<int>(arguments[2] & 31), clamp = static_cast<int>(arguments[3] & 31);
    const int segment = static_cast<int>(arguments[3] >> 8 & 31);
    const int last = (lane & segment) | (clamp & ~segment);
    int from = kind == kUp          ? lane - distance
               : kind == kDown      ? lane + distance
               : kind == kButterfly ? lane ^ distance
                                    : (lane & segment) | (distance & ~segment);
    const bool inside = kind == kUp ? from >= last : from <= last;
    if (!inside)
      from = lane;
    if (!(mask >> from & 1))
      block.fail(*lanes[lane], site, CUDA_ERROR_LAUNCH_FAILED,
                 "takes the value of lane " + llvm::Twine(from) + ", which is not in the mask of lanes");
    lanes[lane]->results[0] = lanes[from]->arguments[1];
    // Only the forms with a predicate have a second result; there is room for it all the same.
    if (site.operation.variant[1])
      lanes[lane]->results[1] = inside;
  }
}

enum Vote { kAll, kAny, kUniform, kBallot };

void voteAll(Block &, Thread *const *lanes, uint32_t mask, const Site &site) {
  uint32_t ballot = 0;
  for (int lane = 0; lane < 32; ++lane)
    if (mask >> lane & 1 && lanes[lane]->arguments[1] & 1)
      ballot |= 1u << lane;
  const uint32_t answers[] = {ballot == mask, ballot != 0, ballot == mask || ballot == 0, ballot};
  for (int lane = 0; lane < 32; ++lane)
    if (mask >> lane & 1)
      lanes[lane]->results[0] = answers[site.operation.variant[0]];
}

enum Reduce { kAdd, kMin, kMax, kUnsignedMin, kUnsignedMax, kAndBits, kOrBits, kXorBits };

uint32_t combine(Reduce kind, uint32_t a, uint32_t b) {
  switch (kind) {
  case kAdd:
    return a + b;
  case kMin:
    return static_cast<int32_t>(a) < static_cast<int32_t>(b) ? a : b;
  case kMax:
    return static_cast<int32_t>(a) > static_cast<int32_t>(b) ? a : b;
  case kUnsignedMin:
    return std::min(a, b);
  case kUnsignedMax:
    return std::max(a, b);
  case kAndBits:
    return a & b;
  case kOrBits:
    return a | b;
  case kXorBits:
    return a ^ b;
  }
  return 0;
}

void reduceAll(Block &, Thread *const *lanes, uint32_t mask, const Site &site) {
  const auto kind = static_cast<Reduce>(site.operation.variant[0]);
  auto result = static_cast<uint32_t>(lanes[std::countr_zero(mask)]->arguments[0]);
  for (int lane = std::countr_zero(mask) + 1; lane < 32; ++lane)
    if (mask >> lane & 1)
      result = combine(kind, result, static_cast<uint32_t>(lanes[lane]->arguments[0]));
  for (int lane = 0; lane < 32; ++lane)
    if (mask >> lane & 1)
      lanes[lane]->results[0] = result;
}

void electOne(Block &, Thread *const *lanes, uint32_t mask, const Site &) {
  const int leader = std::countr_zero(mask);
  for (int lane = 0; lane < 32; ++lane)
    if (mask >> lane & 1) {
      lanes[lane]->results[0] = leader;
      lanes[lane]->results[1] = lane == leader;
    }
}

/// MASK: the operand that says which lanes meet.
template <WarpFunction ACT, int MASK>
void meetFor(Thread &thread, const Site &site, const uint64_t *arguments, uint64_t *results) {
  thread.block->meet(thread, site, arguments, results, static_cast<uint32_t>(arguments[MASK]), ACT);
}
} // namespace

std::optional<Operation> findLaneOperation(llvm::StringRef name) {
  using llvm::StringSwitch;
  if (name == "llvm.nvvm.elect.sync")
    return Operation{meetFor<electOne, 0>};
  if (name.consume_front("llvm.nvvm.shfl.sync.")) {
    const auto [kind, type] = name.split('.');
    const int shuffle = StringSwitch<int>(kind)
                            .Case("up", kUp)
                            .Case("down", kDown)
                            .Case("bfly", kButterfly)
                            .Case("idx", kIndex)
                            .Default(-1);
    return shuffle < 0 ? std::nullopt
                       : std::optional(Operation{meetFor<shuffleAll, 0>, {shuffle, type.ends_with("p")}});
  }
  if (name.consume_front("llvm.nvvm.vote.")) {
    const int vote = StringSwitch<int>(name)
                         .Case("all.sync", kAll)
                         .Case("any.sync", kAny)
                         .Case("uni.sync", kUniform)
                         .Case("ballot.sync", kBallot)
                         .Default(-1);
    return vote < 0 ? std::nullopt : std::optional(Operation{meetFor<voteAll, 0>, {vote}});
  }
  if (name.consume_front("llvm.nvvm.redux.sync.")) {
    const int reduce = StringSwitch<int>(name)
                           .Case("add", kAdd)
                           .Case("min", kMin)
                           .Case("max", kMax)
                           .Case("umin", kUnsignedMin)
                           .Case("umax", kUnsignedMax)
                           .Case("and", kAndBits)
                           .Case("or", kOrBits)
                           .Case("xor", kXorBits)
                           .Default(-1);
    return reduce < 0 ? std::nullopt : std::optional(Operation{meetFor<reduceAll, 1>, {reduce}});
  }
  return std::nullopt;
}

} // namespace cnn::cuda::emulator
