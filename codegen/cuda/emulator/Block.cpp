// See Block.h.
#include "codegen/cuda/emulator/Block.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <numeric>
#include <sys/mman.h>

using llvm::Twine;

namespace cnn::cuda::emulator {

static thread_local Thread *running = nullptr;

// Not inlined: a fibre always runs on the same thread of the operating system, but the compiler may not assume that an
// address of `running` that it has computed stays right over a switch of another thread's fibres.
[[gnu::noinline]] Thread *currentThread() { return running; }

static std::string triple(const uint32_t *at) {
  return ("(" + Twine(at[0]) + ", " + Twine(at[1]) + ", " + Twine(at[2]) + ")").str();
}

std::string Thread::position() const { return "block " + triple(ctaid) + ", thread " + triple(tid); }

Block::Block(const Launch &launch) : launch_(launch), random_(launch.options.seed) {
  // Twice the window, so that a multiple of its size lies inside.
  void *window = mmap(nullptr, 2 * kSharedWindow, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (window == MAP_FAILED)
    return;
  shared_ = static_cast<char *>(window);
  sharedBegin_ = (reinterpret_cast<uint64_t>(window) + kSharedWindow - 1) / kSharedWindow * kSharedWindow;
  const size_t count = size_t(launch.block.x) * launch.block.y * launch.block.z;
  if (mprotect(reinterpret_cast<void *>(sharedBegin_), (launch.sharedBytes + 4095) / 4096 * 4096 + 4096,
               PROT_READ | PROT_WRITE) != 0 ||
      !stacks_.reserve(count)) {
    munmap(shared_, 2 * kSharedWindow);
    shared_ = nullptr;
    return;
  }
  threads_.resize(count);
  warps_ = static_cast<uint32_t>((count + 31) / 32);
  warpOrder_.resize(warps_);
  laneOrder_.resize(32);
  std::iota(warpOrder_.begin(), warpOrder_.end(), 0);
  std::iota(laneOrder_.begin(), laneOrder_.end(), 0);
  if (launch.options.order == ThreadOrder::Reverse) {
    std::reverse(warpOrder_.begin(), warpOrder_.end());
    std::reverse(laneOrder_.begin(), laneOrder_.end());
  }
}

Block::~Block() {
  if (shared_)
    munmap(shared_, 2 * kSharedWindow);
}

void Block::enter() {
  Thread &thread = *running;
  enterFibre(thread.block->scheduler_);
  thread.block->launch_.kernel->entry(thread.block->launch_.parameters);
  thread.waiting = Waiting::Ended;
  endFibre(thread.fibre, thread.block->scheduler_);
}

Fault Block::run(Dim3 number) {
  if (!shared_)
    return {CUDA_ERROR_OUT_OF_MEMORY, "there is no memory for the stacks of the emulated threads"};
  fault_ = {};
  const Dim3 &extent = launch_.block;
  number_ = (number.z * launch_.grid.y + number.y) * launch_.grid.x + number.x;
  // NaN, whatever is read from it.
  memset(reinterpret_cast<void *>(sharedBegin_), 0xff, launch_.sharedBytes);
  if (launch_.options.checkRaces)
    history_.reset(launch_.sharedBytes, launch_.kernel->sharedGranule);
  for (Barrier &barrier : barriers_)
    barrier = {};
  asyncProxy_.reset(launch_.kernel->usesAsyncProxy ? launch_.sharedBytes : 0);
  warpgroups_.reset(warps_);
  auto nothingSeen = std::make_shared<const Clocks>(threads_.size());
  for (size_t i = 0; i < threads_.size(); ++i) {
    Thread &thread = threads_[i];
    const uint32_t tid[3] = {uint32_t(i % extent.x), uint32_t(i / extent.x % extent.y),
                             uint32_t(i / extent.x / extent.y)};
    const uint32_t ctaid[3] = {number.x, number.y, number.z}, ntid[3] = {extent.x, extent.y, extent.z};
    const uint32_t nctaid[3] = {launch_.grid.x, launch_.grid.y, launch_.grid.z};
    std::copy_n(tid, 3, thread.tid);
    std::copy_n(ctaid, 3, thread.ctaid);
    std::copy_n(ntid, 3, thread.ntid);
    std::copy_n(nctaid, 3, thread.nctaid);
    thread.lane = i % 32;
    thread.warp = static_cast<uint32_t>(i / 32);
    thread.shared = reinterpret_cast<char *>(sharedBegin_);
    thread.block = this;
    thread.index = static_cast<uint16_t>(i);
    thread.stack = stacks_.begin(i);
    thread.recent = {};
    thread.waiting = Waiting::No;
    thread.clock = 1;
    thread.seen = nothingSeen;
    thread.openCopies.clear();
    thread.copyGroups.clear();
    thread.unpublished.clear();
    thread.sums.clear();
    thread.nextSum = 0;
    prepareFibre(thread.fibre, thread.stack, i, enter);
  }
  // Each warp runs as far as it can before the next one does.
  bool progress = true;
  while (progress && fault_.code == CUDA_SUCCESS) {
    progress = false;
    if (launch_.options.order == ThreadOrder::Shuffled) {
      std::shuffle(warpOrder_.begin(), warpOrder_.end(), random_);
      std::shuffle(laneOrder_.begin(), laneOrder_.end(), random_);
    }
    for (uint32_t warp : warpOrder_)
      progress |= runWarp(warp);
    auto waits = [](const Thread &thread) { return thread.waiting == Waiting::Phase; };
    if (!progress && fault_.code == CUDA_SUCCESS && std::any_of(threads_.begin(), threads_.end(), waits))
      progress = asyncProxy_.completeOne();
  }
  if (fault_.code == CUDA_SUCCESS &&
      !std::all_of(threads_.begin(), threads_.end(), [](const Thread &t) { return t.waiting == Waiting::Ended; }))
    describeStandstill();
  if (const Site *site = asyncProxy_.underWay(); site && fault_.code == CUDA_SUCCESS)
    fault_ = {CUDA_ERROR_LAUNCH_FAILED, "kernel '" + launch_.kernel->name + "', " + threads_[0].position() + ", " +
                                            site->text + ": the block ends while the copy is under way"};
  stacks_.abandon();
  if (launch_.options.countBankConflicts)
    banks_.endBlock();
  return std::move(fault_);
}

bool Block::runWarp(uint32_t warp) {
  bool any = false, again = true;
  while (again) {
    again = false;
    for (uint32_t lane : laneOrder_) {
      const size_t index = warp * 32 + lane;
      if (fault_.code != CUDA_SUCCESS)
        return true;
      if (index >= threads_.size() || threads_[index].waiting != Waiting::No)
        continue;
      running = &threads_[index];
      switchFibre(scheduler_, threads_[index].fibre);
      any = again = true;
    }
  }
  return any;
}

void Block::suspend(Thread &thread, const Site &site, Waiting why) {
  thread.site = &site;
  thread.waiting = why;
  switchFibre(thread.fibre, scheduler_);
}

void Block::fail(const Thread &thread, const Site &site, CUresult code, const Twine &what) {
  // Nothing that owns memory may be alive when the fibre is left for good.
  {
    const std::string position = thread.position();
    fault_ = {code, ("kernel '" + launch_.kernel->name + "', " + position + ", " + site.text + ": " + what).str()};
  }
  endFibre(running->fibre, scheduler_);
}

const std::string &Block::describeRace(const Race &race) {
  static const char *const kinds[] = {"was read by", "was written by", "is being copied to by"};
  race_ = (Twine(kinds[race.kind]) + " thread " + triple(threads_[race.thread].tid)).str();
  return race_;
}

bool Block::checkGlobal(Thread &thread, const Site &site, uint64_t address, uint64_t bytes, bool writes) {
  const auto stack = reinterpret_cast<uint64_t>(thread.stack);
  if (site.space == Space::Generic && Range{stack, Stacks::kBytes}.holds(address, bytes))
    return false;
  auto after = std::upper_bound(launch_.memory.begin(), launch_.memory.end(), address,
                                [](uint64_t value, const Range &range) { return value < range.begin; });
  const Range *range = after == launch_.memory.begin() ? nullptr : &*std::prev(after);
  if (range && range->holds(address, bytes)) {
    if (writes && !range->writable)
      fail(thread, site, CUDA_ERROR_ILLEGAL_ADDRESS, "writes to a constant");
    thread.recent = *range;
    thread.recentNumber = range - launch_.memory.data();
    return true;
  }
  if (range && address - range->begin < range->bytes + (uint64_t(16) << 20))
    fail(thread, site, CUDA_ERROR_ILLEGAL_ADDRESS,
         Twine(bytes) + " bytes at " + Twine(address - range->begin) + " of an allocation of " + Twine(range->bytes) +
             " bytes");
  fail(thread, site, CUDA_ERROR_ILLEGAL_ADDRESS,
       Twine(bytes) + " bytes at 0x" + Twine::utohexstr(address) + ", which is not memory of the device");
}

void Block::checkOperand(const Thread &thread, const Site &site, uint64_t address, uint64_t bytes, bool writes) {
  const size_t number = site.operand;
  if (writes && launch_.kernel->parameters[number].isReadOnly)
    fail(thread, site, CUDA_ERROR_ILLEGAL_ADDRESS,
         "writes through parameter " + Twine(number) + ", which the kernel declares readonly");
  if (number >= launch_.operands.size() || launch_.operands[number].range.holds(address, bytes))
    return;
  fail(thread, site, CUDA_ERROR_ILLEGAL_ADDRESS,
       Twine(bytes) + " bytes at " + Twine(static_cast<int64_t>(address - launch_.operands[number].range.begin)) +
           " of operand " + Twine(number) + ", which has " + Twine(launch_.operands[number].range.bytes) + " bytes");
}

void Block::noteGlobal(const Thread &thread, const Site &site, uint64_t address, uint64_t bytes, bool writes) {
  std::optional<GlobalHistory::Earlier> earlier =
      writes ? launch_.history->write(thread.recentNumber, address, bytes, number_, thread.observer())
             : launch_.history->read(thread.recentNumber, address, bytes, number_, thread.observer());
  if (!earlier)
    return;
  const char *did = earlier->wrote ? "was written" : "was read";
  if (earlier->severalBlocks)
    fail(thread, site, CUDA_ERROR_LAUNCH_FAILED,
         "race in global memory: what it " + Twine(writes ? "writes" : "reads") + " at " +
             Twine(address - thread.recent.begin) + " of an allocation " + did + " by several blocks");
  fail(thread, site, CUDA_ERROR_LAUNCH_FAILED,
       "race in global memory: what it " + Twine(writes ? "writes" : "reads") + " at " +
           Twine(address - thread.recent.begin) + " of an allocation " + did + " by thread " + Twine(earlier->thread) +
           " of block " + Twine(earlier->block) + ", with no barrier between");
}

void Block::checkShared(const Thread &thread, const Site &site, uint64_t address, uint64_t bytes, uint64_t align) {
  if (address % align != 0)
    fail(thread, site, CUDA_ERROR_MISALIGNED_ADDRESS,
         "the address 0x" + Twine::utohexstr(address) + " is not a multiple of " + Twine(align));
  if (!isShared(address))
    fail(thread, site, CUDA_ERROR_ILLEGAL_ADDRESS, "the address is not one of shared memory");
  const uint64_t offset = address - sharedBegin_;
  if (offset + bytes > launch_.sharedBytes)
    fail(thread, site, CUDA_ERROR_ILLEGAL_ADDRESS,
         Twine(bytes) + " bytes at " + Twine(offset) + " of " + Twine(launch_.sharedBytes) + " bytes of shared memory");
}

void Block::access(Thread &thread, const Site &site, uint64_t address, uint64_t bytes, uint64_t align, bool writes,
                   bool atomic) {
  // Most accesses: factors, inputs of element-wise operations.
  if (!writes && static_cast<size_t>(site.operand) < launch_.operands.size() && address % align == 0)
    if (const BoundOperand &operand = launch_.operands[site.operand];
        operand.isConstant && operand.range.holds(address, bytes))
      return;
  if (!isShared(address)) {
    if (site.space == Space::Shared)
      fail(thread, site, CUDA_ERROR_ILLEGAL_ADDRESS, "the address is not one of shared memory");
    if (address % align != 0)
      fail(thread, site, CUDA_ERROR_MISALIGNED_ADDRESS,
           "the address 0x" + Twine::utohexstr(address) + " is not a multiple of " + Twine(align));
    if (site.operand >= 0)
      checkOperand(thread, site, address, bytes, writes);
    const bool known = thread.recent.holds(address, bytes) && (!writes || thread.recent.writable);
    if ((known || checkGlobal(thread, site, address, bytes, writes)) && launch_.history && !atomic)
      noteGlobal(thread, site, address, bytes, writes);
    return;
  }
  if (site.space == Space::Global)
    fail(thread, site, CUDA_ERROR_ILLEGAL_ADDRESS, "the address is one of shared memory");
  checkShared(thread, site, address, bytes, align);
  const uint64_t offset = address - sharedBegin_;
  if (launch_.options.countBankConflicts && !site.operation.handler)
    banks_.note(site, thread.warp, thread.lane, static_cast<uint32_t>(offset), static_cast<uint32_t>(bytes));
  if (writes && launch_.kernel->usesAsyncProxy) {
    if (asyncProxy_.isRead(offset, bytes))
      fail(thread, site, CUDA_ERROR_LAUNCH_FAILED,
           "race in shared memory: what it writes at " + Twine(offset) + " is read by a product under way");
    asyncProxy_.wrote(thread, offset, bytes);
  }
  if (!launch_.options.checkRaces)
    return;
  const Observer observer = thread.observer();
  std::optional<Race> race =
      writes ? history_.write(offset, bytes, observer, atomic) : history_.read(offset, bytes, observer);
  if (race)
    fail(thread, site, CUDA_ERROR_LAUNCH_FAILED,
         "race in shared memory: what it " + Twine(writes ? "writes" : "reads") + " at " + Twine(offset) + " " +
             describeRace(*race) + ", with no barrier between");
}

void Block::meet(Thread &thread, const Site &site, const uint64_t *arguments, uint64_t *results, uint32_t mask,
                 WarpFunction act) {
  if (!(mask >> thread.lane & 1))
    fail(thread, site, CUDA_ERROR_LAUNCH_FAILED, "the thread is not in its own mask of lanes");
  thread.site = &site;
  thread.arguments = arguments;
  thread.results = results;
  thread.mask = mask;
  Thread *lanes[32] = {};
  // Lanes come in order, from one end or the other: mostly one look says that some are missing.
  for (const uint32_t lane : {uint32_t(std::countr_zero(mask)), uint32_t(31 - std::countl_zero(mask))}) {
    const size_t index = thread.warp * 32 + lane;
    if (index < threads_.size() && &threads_[index] != &thread && threads_[index].waiting != Waiting::Lanes) {
      suspend(thread, site, Waiting::Lanes);
      return;
    }
  }
  for (uint32_t lane = 0; lane < 32; ++lane) {
    const size_t index = thread.warp * 32 + lane;
    if (!(mask >> lane & 1))
      continue;
    if (index >= threads_.size())
      fail(thread, site, CUDA_ERROR_LAUNCH_FAILED, "lane " + Twine(lane) + " does not exist");
    Thread &other = threads_[index];
    if (&other != &thread && (other.waiting != Waiting::Lanes || other.site != &site || other.mask != mask)) {
      suspend(thread, site, Waiting::Lanes);
      return;
    }
    lanes[lane] = &other;
  }
  act(*this, lanes, mask, site);
  for (Thread *lane : lanes)
    if (lane)
      lane->waiting = Waiting::No;
}

void Block::meetWarpgroup(Thread &thread, const Site &site, const uint64_t *arguments, uint64_t *results,
                          WarpFunction act) {
  constexpr uint32_t kThreads = WarpgroupShape::kThreads;
  const size_t begin = thread.index / kThreads * kThreads;
  if (begin + kThreads > threads_.size())
    fail(thread, site, CUDA_ERROR_LAUNCH_FAILED, "the warpgroup is not whole");
  thread.arguments = arguments;
  thread.results = results;
  Thread *all[kThreads];
  for (size_t i = 0; i < kThreads; ++i) {
    all[i] = &threads_[begin + i];
    if (all[i] != &thread && (all[i]->waiting != Waiting::Warpgroup || all[i]->site != &site)) {
      suspend(thread, site, Waiting::Warpgroup);
      return;
    }
  }
  act(*this, all, UINT32_MAX, site);
  for (Thread *other : all)
    other->waiting = Waiting::No;
}

/// Threads that passed a barrier together share what they have seen: `last` is what was joined before.
static void joinInto(Clocks &all, const Clocks &seen, const Clocks *&last) {
  if (&seen == last)
    return;
  last = &seen;
  for (size_t i = 0; i < all.size(); ++i)
    all[i] = std::max(all[i], seen[i]);
}

void Block::synchronize(Thread *const *lanes, uint32_t mask) {
  if (!launch_.options.checkRaces && !launch_.history)
    return;
  std::shared_ptr<Clocks> all = std::make_shared<Clocks>(threads_.size());
  const Clocks *last = nullptr;
  for (uint32_t lane = 0; lane < 32; ++lane)
    if (mask >> lane & 1)
      joinInto(*all, *lanes[lane]->seen, last);
  for (uint32_t lane = 0; lane < 32; ++lane)
    if (mask >> lane & 1)
      (*all)[lanes[lane]->index] = lanes[lane]->clock++;
  for (uint32_t lane = 0; lane < 32; ++lane)
    if (mask >> lane & 1)
      lanes[lane]->seen = all;
}

uint32_t Block::barrier(Thread &thread, const Site &site, uint32_t number, uint32_t count, bool waits, bool predicate) {
  if (number >= std::size(barriers_))
    fail(thread, site, CUDA_ERROR_LAUNCH_FAILED, "there is no barrier " + Twine(number));
  if (count % 32 != 0 || count > 32 * warps_)
    fail(thread, site, CUDA_ERROR_LAUNCH_FAILED,
         "a barrier of " + Twine(count) + " threads; the block has " + Twine(threads_.size()));
  Barrier &barrier = barriers_[number];
  const uint32_t expected = count ? std::min<uint32_t>(count, threads_.size()) : static_cast<uint32_t>(threads_.size());
  if (barrier.arrivals.empty()) {
    barrier.expected = expected;
    barrier.ofAll = count == 0;
    barrier.warpSites.assign(warps_, nullptr);
  } else if (barrier.expected != expected) {
    fail(thread, site, CUDA_ERROR_LAUNCH_FAILED,
         "divergent barrier " + Twine(number) + ": of " + Twine(expected) + " threads here, of " +
             Twine(barrier.expected) + " where others wait");
  }
  // The lanes of a warp come by the same instruction, and where the whole block meets all threads do.
  for (uint32_t warp = 0; warp < warps_; ++warp)
    if (const Site *other = barrier.warpSites[warp]; other && other != &site && (barrier.ofAll || warp == thread.warp))
      fail(thread, site, CUDA_ERROR_LAUNCH_FAILED,
           "divergent barrier " + Twine(number) + ": others wait at " + other->text);
  barrier.warpSites[thread.warp] = &site;
  barrier.arrivals.push_back({thread.index, thread.clock, thread.seen});
  barrier.predicates += predicate;
  if (!waits)
    ++thread.clock;
  else
    barrier.waiters.push_back(&thread);
  if (barrier.arrivals.size() == barrier.expected) {
    complete(barrier);
    return thread.predicates;
  }
  if (waits) {
    suspend(thread, site, Waiting::Barrier);
    return thread.predicates;
  }
  return 0;
}

void Block::complete(Barrier &barrier) {
  std::shared_ptr<Clocks> all;
  if (launch_.options.checkRaces || launch_.history) {
    all = std::make_shared<Clocks>(threads_.size());
    const Clocks *last = nullptr;
    for (const Arrival &arrival : barrier.arrivals)
      joinInto(*all, *arrival.seen, last);
    for (const Arrival &arrival : barrier.arrivals)
      (*all)[arrival.thread] = std::max((*all)[arrival.thread], arrival.clock);
  }
  for (Thread *waiter : barrier.waiters) {
    waiter->waiting = Waiting::No;
    waiter->predicates = barrier.predicates;
    ++waiter->clock;
    if (all)
      waiter->seen = all;
  }
  barrier.arrivals.clear();
  barrier.waiters.clear();
  barrier.predicates = 0;
}

void Block::describeStandstill() {
  // One that waits, and one that should have come and did not.
  const Thread *waiter = nullptr, *other = nullptr;
  size_t ended = 0;
  for (const Thread &thread : threads_) {
    ended += thread.waiting == Waiting::Ended;
    if (!waiter && thread.waiting != Waiting::Ended)
      waiter = &thread;
  }
  if (waiter->waiting == Waiting::Phase) {
    fault_ = {CUDA_ERROR_LAUNCH_TIMEOUT, "kernel '" + launch_.kernel->name + "', " + waiter->position() + ", " +
                                             waiter->site->text + ": " + asyncProxy_.describe(*waiter)};
    return;
  }
  const bool lanes = waiter->waiting == Waiting::Lanes, isGroup = waiter->waiting == Waiting::Warpgroup;
  for (const Thread &thread : threads_)
    if (!other && &thread != waiter &&
        (lanes ? thread.warp == waiter->warp && waiter->mask >> thread.lane & 1 &&
                     (thread.waiting == Waiting::Ended || thread.site != waiter->site)
               : thread.waiting == Waiting::Ended || thread.site != waiter->site))
      other = &thread;
  std::string text = "kernel '" + launch_.kernel->name + "', " + waiter->position() + ", " + waiter->site->text + ": ";
  text += lanes     ? "waits for lanes of its warp that do not come"
          : isGroup ? "waits for threads of its warpgroup that do not come"
                    : "divergent barrier, or one of too many threads";
  if (other && other->waiting == Waiting::Ended)
    text += (": thread " + triple(other->tid) + " and " + Twine(ended - 1) + " more have returned").str();
  else if (other)
    text += ": thread " + triple(other->tid) + " waits at " + other->site->text;
  fault_ = {CUDA_ERROR_LAUNCH_TIMEOUT, text};
}

void Block::beginCopy(Thread &thread, const Site &site, uint32_t offset, uint32_t bytes) {
  if (asyncProxy_.isRead(offset, bytes))
    fail(thread, site, CUDA_ERROR_LAUNCH_FAILED,
         "race in shared memory: what it copies to " + Twine(offset) + " is read by a product under way");
  if (launch_.options.checkRaces)
    if (std::optional<Race> race = history_.beginCopy(offset, bytes, thread.observer()))
      fail(thread, site, CUDA_ERROR_LAUNCH_FAILED,
           "race in shared memory: what it copies to " + Twine(offset) + " " + describeRace(*race) +
               ", with no barrier between");
}

bool Block::copiesNow() {
  const CopyTime time = launch_.options.copies;
  return time == CopyTime::Early || (time == CopyTime::Mixed && random_() % 2);
}

void Block::startCopy(Thread &thread, const Site &site, const PendingCopy &copy) {
  beginCopy(thread, site, copy.offset, copy.bytes);
  asyncProxy_.beginsToWrite(thread, copy.offset, copy.bytes);
  thread.openCopies.push_back(copy);
  if (copiesNow())
    perform(thread.openCopies.back());
}

void Block::perform(PendingCopy &copy) {
  if (copy.isDone)
    return;
  char *target = reinterpret_cast<char *>(sharedBegin_) + copy.offset;
  memcpy(target, copy.source, copy.sourceBytes);
  memset(target + copy.sourceBytes, 0, copy.bytes - copy.sourceBytes);
  copy.isDone = true;
}

void Block::finish(Thread &thread, std::vector<PendingCopy> &copies) {
  for (PendingCopy &copy : copies) {
    perform(copy);
    if (launch_.options.checkRaces)
      history_.endCopy(copy.offset, copy.bytes, thread.index, thread.clock);
    asyncProxy_.wrote(thread, copy.offset, copy.bytes);
  }
}

void Block::commitCopies(Thread &thread) {
  thread.copyGroups.push_back(std::move(thread.openCopies));
  thread.openCopies.clear();
}

void Block::waitForCopies(Thread &thread, size_t pending) {
  while (thread.copyGroups.size() > pending) {
    finish(thread, thread.copyGroups.front());
    thread.copyGroups.pop_front();
  }
}

} // namespace cnn::cuda::emulator
