// What happens beside the threads of a block: barriers of phases (mbarrier), copies of boxes of tensors that complete
// them, and what the unit that does such copies and the products of warpgroups (Warpgroups.h) sees of shared memory: it
// sees what threads wrote there by ordinary means only after the writer's fence.proxy.async. PTX ISA, "mbarrier",
// "Proxies", "cp.async.bulk.tensor".
//
// PTX lets the fence stand with the reader too; the emulator wants it with the writer, before it lets others know.
#pragma once

#include "codegen/cuda/emulator/Races.h"
#include "codegen/cuda/emulator/TensorMap.h"

#include <map>
#include <optional>
#include <vector>

namespace cnn::cuda::emulator {

class Block;
struct Site;
struct Thread;

class AsyncProxy {
public:
  explicit AsyncProxy(Block &block) : block_(block) {}

  /// Forgets everything, for a block with so much shared memory.
  void reset(uint32_t sharedBytes);

  //===-- Phases
  void initialize(Thread &thread, const Site &site, uint64_t address, uint32_t count);
  /// A thread's arrival, after which `bytes` more of copies are waited for in this phase.
  void arrive(Thread &thread, const Site &site, uint64_t address, uint32_t bytes);
  /// Waits for the end of the phase of that parity.
  void wait(Thread &thread, const Site &site, uint64_t address, uint32_t parity);
  /// What a thread that waits for a phase waits for.
  std::string describe(const Thread &thread) const;

  //===-- Copies
  void copy(Thread &thread, const Site &site, uint64_t target, uint64_t barrier, const TensorMap &map,
            const std::array<int32_t, 5> &coordinates);
  /// Does one that no thread can go on without; false when there is none.
  bool completeOne();
  /// A copy that is under way.
  const Site *underWay() const;

  //===-- Who sees what
  /// A thread wrote to shared memory.
  void wrote(Thread &thread, uint32_t offset, uint32_t bytes);
  /// A thread's copy of cp.async has begun; it is wrote() when it is waited for.
  void beginsToWrite(const Thread &thread, uint32_t offset, uint32_t bytes);
  void fence(Thread &thread);
  /// A thread that wrote some of these bytes with no fence since.
  std::optional<uint16_t> unpublished(uint32_t offset, uint32_t bytes) const;
  void beginRead(uint32_t offset, uint32_t bytes) { count(offset, bytes, 1); }
  void endRead(uint32_t offset, uint32_t bytes) { count(offset, bytes, -1); }
  /// Whether a product that is under way reads some of these bytes.
  bool isRead(uint32_t offset, uint32_t bytes) const;

private:
  struct Phases {
    uint32_t count = 0, arrivals = 0; ///< Of a phase, and in this one.
    int64_t bytes = 0;                ///< That are still to come.
    uint32_t phase = 0;
    std::shared_ptr<const Clocks> ended; ///< What is known after the last phase.
    Clocks known;
    std::vector<Thread *> waiters;
  };
  struct Copy {
    const Site *site;
    uint32_t offset, barrier;
    uint16_t thread;
    uint32_t clock;
    std::shared_ptr<const Clocks> seen;
    TensorMap map;
    std::array<int32_t, 5> coordinates;
    bool isWritten = false, hasEnded = false;
  };
  Phases &phasesAt(Thread &thread, const Site &site, uint64_t address);
  void learn(Phases &phases, uint16_t thread, uint32_t clock, const Clocks &seen);
  void endPhase(uint32_t offset, Phases &phases);
  void write(Copy &copy);
  void complete(Copy &copy);
  void count(uint32_t offset, uint32_t bytes, int32_t by);

  Block &block_;
  std::map<uint32_t, Phases> phases_;
  std::vector<Copy> copies_;
  std::vector<uint16_t> writers_; ///< Of each 4 bytes: the thread that wrote without a fence, counted from 1.
  std::vector<int32_t> readers_;  ///< Of each 16 bytes: products under way.
};

} // namespace cnn::cuda::emulator
