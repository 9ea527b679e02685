// One block of a launch: its threads as fibres, its shared memory, who waits for whom. A Block belongs to one thread of
// the operating system and runs the blocks that it is given one after the other.
//
// A thread that does something wrong ends the block: the fault is noted and none of the block's threads goes on.
#pragma once

#include "codegen/cuda/emulator/AsyncProxy.h"
#include "codegen/cuda/emulator/Banks.h"
#include "codegen/cuda/emulator/DeviceMemory.h"
#include "codegen/cuda/emulator/Emulator.h"
#include "codegen/cuda/emulator/Fibres.h"
#include "codegen/cuda/emulator/GlobalRaces.h"
#include "codegen/cuda/emulator/Races.h"
#include "codegen/cuda/emulator/Sites.h"
#include "codegen/cuda/emulator/Warpgroups.h"
#include "runtime/cuda/cnn_cuda_driver.h"

#include "llvm/ADT/Twine.h"

#include <deque>
#include <random>

namespace cnn::cuda::emulator {

class Block;

struct Dim3 {
  uint32_t x = 1, y = 1, z = 1;
};

struct Fault {
  CUresult code = CUDA_SUCCESS;
  std::string text;
};

/// An asynchronous copy to shared memory that its thread has not waited for.
struct PendingCopy {
  uint32_t offset = 0; ///< In shared memory.
  uint32_t bytes = 0, sourceBytes = 0;
  const char *source = nullptr;
  bool isDone = false;
};

enum class Waiting : uint8_t { No, Lanes, Warpgroup, Barrier, Phase, Ended };

/// A device thread. Generated code reads the first members.
struct Thread {
  uint32_t tid[3] = {}, ctaid[3] = {}, ntid[3] = {}, nctaid[3] = {};
  uint32_t lane = 0, warp = 0;
  char *shared = nullptr; ///< Shared memory lies at a multiple of 4 GiB: its addresses' low 32 bits are offsets.

  Block *block = nullptr;
  uint16_t index = 0;
  Fibre fibre;
  char *stack = nullptr;
  Range recent; ///< The range that global memory was last accessed in, and its number.
  size_t recentNumber = 0;

  Waiting waiting = Waiting::No;
  const Site *site = nullptr; ///< Where it waits, with what it brings.
  const uint64_t *arguments = nullptr;
  uint64_t *results = nullptr;
  uint32_t mask = 0;
  uint32_t predicates = 0; ///< For how many threads of the barrier that it has passed the predicate held.

  uint32_t clock = 1;
  std::shared_ptr<const Clocks> seen;

  std::vector<PendingCopy> openCopies;
  std::deque<std::vector<PendingCopy>> copyGroups;

  /// What it wrote to shared memory with no fence.proxy.async since.
  std::vector<std::pair<uint32_t, uint32_t>> unpublished;
  uint32_t phases = 0; ///< The mbarrier that it waits at.
  std::vector<WarpgroupSum> sums;
  uint32_t nextSum = 0;

  Observer observer() const { return {index, clock, seen->data()}; }
  std::string position() const;
};

/// What may be accessed through an operand of a kernel.
struct BoundOperand {
  Range range;
  bool isConstant = false; ///< Memory of the device that nothing in the launch writes to.
};

struct Launch {
  const Kernel *kernel = nullptr;
  Dim3 grid, block;
  uint32_t sharedBytes = 0; ///< All of it: the kernel's own and what the launch adds.
  void **parameters = nullptr;
  std::vector<Range> memory;          ///< What kernels may access, in order of address.
  std::vector<BoundOperand> operands; ///< Empty: not known.
  GlobalHistory *history = nullptr;   ///< Of accesses to `memory`; null: not kept.
  EmulatorOptions options;
};

/// Does for all lanes of `mask` what they met for. lanes[i] is lane i of the warp.
using WarpFunction = void (*)(Block &block, Thread *const *lanes, uint32_t mask, const Site &site);

class Block {
public:
  explicit Block(const Launch &launch);
  ~Block();

  /// Runs the block with that number in the grid.
  Fault run(Dim3 number);
  BankCounter &banks() { return banks_; }

  // For operations, on the fibre of the thread that they name.

  /// Ends the block.
  [[noreturn]] void fail(const Thread &thread, const Site &site, CUresult code, const llvm::Twine &what);
  /// Checks an access of a thread and notes it.
  void access(Thread &thread, const Site &site, uint64_t address, uint64_t bytes, uint64_t align, bool writes,
              bool atomic = false);
  /// Checks that these bytes are of shared memory and aligned, and notes nothing.
  void checkShared(const Thread &thread, const Site &site, uint64_t address, uint64_t bytes, uint64_t align);
  /// Waits until all lanes of `mask` have come to this place; the last one acts for all.
  void meet(Thread &thread, const Site &site, const uint64_t *arguments, uint64_t *results, uint32_t mask,
            WarpFunction act);
  /// Waits until all threads of the warpgroup have come to this place; the last one acts for all.
  void meetWarpgroup(Thread &thread, const Site &site, const uint64_t *arguments, uint64_t *results, WarpFunction act);
  /// Arrives at barrier `number` of `count` threads (0: all of the block), and waits there if `waits`. The predicate
  /// of every thread that comes is counted; returns for how many it held.
  uint32_t barrier(Thread &thread, const Site &site, uint32_t number, uint32_t count, bool waits,
                   bool predicate = false);
  /// Orders what the lanes did before after what they do from now on.
  void synchronize(Thread *const *lanes, uint32_t mask);

  void startCopy(Thread &thread, const Site &site, const PendingCopy &copy);
  void commitCopies(Thread &thread);
  /// Completes all groups of copies but the last `pending`.
  void waitForCopies(Thread &thread, size_t pending);

  /// Notes that an asynchronous copy to shared memory begins.
  void beginCopy(Thread &thread, const Site &site, uint32_t offset, uint32_t bytes);
  /// Whether what may happen now or later is to happen now.
  bool copiesNow();
  /// Lets others go on until one of them lets this thread.
  void suspend(Thread &thread, const Site &site, Waiting why);

  AsyncProxy &asyncProxy() { return asyncProxy_; }
  Warpgroups &warpgroups() { return warpgroups_; }
  /// Null when races are not looked for.
  SharedHistory *history() { return launch_.options.checkRaces ? &history_ : nullptr; }
  const Launch &launch() const { return launch_; }
  bool countsBankConflicts() const { return launch_.options.countBankConflicts; }
  bool isShared(uint64_t address) const { return address - sharedBegin_ < kSharedWindow; }
  uint64_t sharedBegin() const { return sharedBegin_; }
  uint32_t threadCount() const { return static_cast<uint32_t>(threads_.size()); }

private:
  static constexpr uint64_t kSharedWindow = uint64_t(1) << 32;
  struct Arrival {
    uint16_t thread;
    uint32_t clock;
    std::shared_ptr<const Clocks> seen;
  };
  struct Barrier {
    uint32_t expected = 0;
    bool ofAll = false;
    std::vector<Arrival> arrivals;
    std::vector<Thread *> waiters;
    std::vector<const Site *> warpSites;
    uint32_t predicates = 0;
  };
  static void enter();
  bool runWarp(uint32_t warp);
  void complete(Barrier &barrier);
  void perform(PendingCopy &copy);
  void finish(Thread &thread, std::vector<PendingCopy> &copies);
  /// Whether the address is one of global memory, not of the thread's own stack.
  bool checkGlobal(Thread &thread, const Site &site, uint64_t address, uint64_t bytes, bool writes);
  void checkOperand(const Thread &thread, const Site &site, uint64_t address, uint64_t bytes, bool writes);
  void noteGlobal(const Thread &thread, const Site &site, uint64_t address, uint64_t bytes, bool writes);
  void describeStandstill();
  const std::string &describeRace(const Race &race);

  const Launch &launch_;
  char *shared_ = nullptr;
  uint64_t sharedBegin_ = 0;
  Stacks stacks_;
  std::vector<Thread> threads_;
  uint32_t warps_ = 0;
  uint32_t number_ = 0; ///< Of the block in the grid.
  std::vector<uint32_t> warpOrder_, laneOrder_;
  Barrier barriers_[16];
  SharedHistory history_;
  BankCounter banks_;
  AsyncProxy asyncProxy_{*this};
  Warpgroups warpgroups_{*this};
  Fibre scheduler_;
  Fault fault_;
  std::mt19937_64 random_;
  std::string race_; ///< Not on the stack of a fibre, which does not return.
};

/// The device thread that runs on this thread of the operating system.
Thread *currentThread();

} // namespace cnn::cuda::emulator
