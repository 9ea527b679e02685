// See AsyncProxy.h.
#include "codegen/cuda/emulator/AsyncProxy.h"

#include "codegen/cuda/emulator/Block.h"

#include <algorithm>
#include <cstring>

using llvm::Twine;

namespace cnn::cuda::emulator {

void AsyncProxy::reset(uint32_t sharedBytes) {
  phases_.clear();
  copies_.clear();
  writers_.assign((sharedBytes + 3) / 4, 0);
  readers_.assign((sharedBytes + 15) / 16, 0);
}

//===-- Phases
//-----------------------------------------------------------------------------------------------------===//

static constexpr uint32_t kPhasesBytes = 8, kMostArrivals = (1 << 20) - 1;

void AsyncProxy::initialize(Thread &thread, const Site &site, uint64_t address, uint32_t count) {
  block_.checkShared(thread, site, address, kPhasesBytes, kPhasesBytes);
  if (count == 0 || count > kMostArrivals)
    block_.fail(thread, site, CUDA_ERROR_LAUNCH_FAILED, "phases of " + Twine(count) + " arrivals");
  block_.access(thread, site, address, kPhasesBytes, kPhasesBytes, /*writes=*/true);
  const auto offset = static_cast<uint32_t>(address - block_.sharedBegin());
  Phases phases;
  phases.count = count;
  phases.known.resize(block_.threadCount());
  phases_[offset] = std::move(phases);
}

AsyncProxy::Phases &AsyncProxy::phasesAt(Thread &thread, const Site &site, uint64_t address) {
  block_.access(thread, site, address, kPhasesBytes, kPhasesBytes, /*writes=*/false);
  const auto found = phases_.find(static_cast<uint32_t>(address - block_.sharedBegin()));
  if (found == phases_.end())
    block_.fail(thread, site, CUDA_ERROR_LAUNCH_FAILED,
                "there is no mbarrier at " + Twine(address - block_.sharedBegin()) + " of shared memory");
  return found->second;
}

void AsyncProxy::learn(Phases &phases, uint16_t thread, uint32_t clock, const Clocks &seen) {
  for (size_t i = 0; i < seen.size(); ++i)
    phases.known[i] = std::max(phases.known[i], seen[i]);
  phases.known[thread] = std::max(phases.known[thread], clock);
}

void AsyncProxy::arrive(Thread &thread, const Site &site, uint64_t address, uint32_t bytes) {
  Phases &phases = phasesAt(thread, site, address);
  if (phases.arrivals == phases.count)
    block_.fail(thread, site, CUDA_ERROR_LAUNCH_FAILED,
                "more than " + Twine(phases.count) + " threads arrive in a phase of the mbarrier");
  phases.bytes += bytes;
  ++phases.arrivals;
  learn(phases, thread.index, thread.clock++, *thread.seen);
  endPhase(static_cast<uint32_t>(address - block_.sharedBegin()), phases);
}

void AsyncProxy::endPhase(uint32_t offset, Phases &phases) {
  if (phases.arrivals != phases.count || phases.bytes != 0)
    return;
  phases.arrivals = 0;
  ++phases.phase;
  phases.ended = std::make_shared<const Clocks>(phases.known);
  for (Copy &copy : copies_)
    if (copy.barrier == offset && copy.isWritten) {
      copy.hasEnded = true;
      if (SharedHistory *history = block_.history())
        history->endCopy(copy.offset, copy.map.boxBytes(), copy.thread, copy.clock);
    }
  llvm::erase_if(copies_, [](const Copy &copy) { return copy.hasEnded; });
  for (Thread *waiter : phases.waiters)
    waiter->waiting = Waiting::No;
  phases.waiters.clear();
}

void AsyncProxy::wait(Thread &thread, const Site &site, uint64_t address, uint32_t parity) {
  if (parity > 1)
    block_.fail(thread, site, CUDA_ERROR_LAUNCH_FAILED, "the parity " + Twine(parity) + " of a phase");
  Phases &phases = phasesAt(thread, site, address);
  // Of the two phases that a parity may mean it is the one that goes on or the last one that has ended.
  while (phases.phase % 2 == parity) {
    phases.waiters.push_back(&thread);
    thread.phases = static_cast<uint32_t>(address - block_.sharedBegin());
    block_.suspend(thread, site, Waiting::Phase);
  }
  if (!phases.ended)
    return;
  auto all = std::make_shared<Clocks>(*thread.seen);
  for (size_t i = 0; i < all->size(); ++i)
    (*all)[i] = std::max((*all)[i], (*phases.ended)[i]);
  thread.seen = std::move(all);
}

std::string AsyncProxy::describe(const Thread &thread) const {
  const Phases &phases = phases_.at(thread.phases);
  return ("waits for a phase of the mbarrier at " + Twine(thread.phases) + ", which lacks " +
          Twine(phases.count - phases.arrivals) + " arrivals and " + Twine(phases.bytes) + " bytes")
      .str();
}

//===-- Copies
//-----------------------------------------------------------------------------------------------------===//

void AsyncProxy::copy(Thread &thread, const Site &site, uint64_t target, uint64_t barrier, const TensorMap &map,
                      const std::array<int32_t, 5> &coordinates) {
  const uint32_t bytes = map.boxBytes();
  block_.checkShared(thread, site, target, bytes, 128);
  phasesAt(thread, site, barrier);
  const auto offset = static_cast<uint32_t>(target - block_.sharedBegin());
  const auto phases = static_cast<uint32_t>(barrier - block_.sharedBegin());
  if (unpublished(phases, kPhasesBytes))
    block_.fail(thread, site, CUDA_ERROR_LAUNCH_FAILED, "there is no fence after the mbarrier's init");
  map.forRows(coordinates, [&](const TensorMap::Row &row) {
    if (row.bytes)
      block_.access(thread, site, row.source, row.bytes, map.elementBytes, /*writes=*/false);
  });
  block_.beginCopy(thread, site, offset, bytes);
  // What the unit writes it sees itself.
  std::fill_n(writers_.begin() + offset / 4, bytes / 4, 0);
  copies_.push_back({&site, offset, phases, thread.index, thread.clock++, thread.seen, map, coordinates});
  if (block_.copiesNow())
    complete(copies_.back());
}

void AsyncProxy::complete(Copy &copy) {
  copy.isWritten = true;
  char *shared = reinterpret_cast<char *>(block_.sharedBegin());
  const uint32_t rowBytes = copy.map.box[0] * copy.map.elementBytes;
  std::vector<char> bytes(rowBytes);
  copy.map.forRows(copy.coordinates, [&](const TensorMap::Row &row) {
    std::fill(bytes.begin(), bytes.end(), 0);
    if (row.bytes)
      memcpy(bytes.data() + row.before, reinterpret_cast<const char *>(row.source), row.bytes);
    for (uint32_t i = 0; i < rowBytes; i += 16)
      memcpy(shared + swizzled(copy.offset + row.offset + i, copy.map.swizzle), bytes.data() + i, 16);
  });
  Phases &phases = phases_.at(copy.barrier);
  phases.bytes -= copy.map.boxBytes();
  learn(phases, copy.thread, copy.clock, *copy.seen);
  endPhase(copy.barrier, phases);
}

// The last one first: copies do not overtake each other by any rule.
bool AsyncProxy::completeOne() {
  for (Copy &copy : llvm::reverse(copies_))
    if (!copy.isWritten) {
      complete(copy);
      return true;
    }
  return false;
}

const Site *AsyncProxy::underWay() const {
  for (const Copy &copy : copies_)
    if (!copy.hasEnded)
      return copy.site;
  return nullptr;
}

//===-- Who sees what
//----------------------------------------------------------------------------------------------===//

void AsyncProxy::beginsToWrite(const Thread &thread, uint32_t offset, uint32_t bytes) {
  if (writers_.empty())
    return;
  for (uint32_t i = offset / 4; i <= (offset + bytes - 1) / 4; ++i)
    writers_[i] = static_cast<uint16_t>(thread.index + 1);
}

void AsyncProxy::wrote(Thread &thread, uint32_t offset, uint32_t bytes) {
  if (writers_.empty())
    return;
  beginsToWrite(thread, offset, bytes);
  thread.unpublished.push_back({offset, bytes});
}

void AsyncProxy::fence(Thread &thread) {
  for (const auto &[offset, bytes] : thread.unpublished)
    for (uint32_t i = offset / 4; i <= (offset + bytes - 1) / 4; ++i)
      if (writers_[i] == thread.index + 1)
        writers_[i] = 0;
  thread.unpublished.clear();
}

std::optional<uint16_t> AsyncProxy::unpublished(uint32_t offset, uint32_t bytes) const {
  for (uint32_t i = offset / 4; i <= (offset + bytes - 1) / 4; ++i)
    if (writers_[i])
      return static_cast<uint16_t>(writers_[i] - 1);
  return std::nullopt;
}

void AsyncProxy::count(uint32_t offset, uint32_t bytes, int32_t by) {
  for (uint32_t i = offset / 16; i <= (offset + bytes - 1) / 16; ++i)
    readers_[i] += by;
}

bool AsyncProxy::isRead(uint32_t offset, uint32_t bytes) const {
  if (readers_.empty())
    return false;
  for (uint32_t i = offset / 16; i <= (offset + bytes - 1) / 16; ++i)
    if (readers_[i])
      return true;
  return false;
}

} // namespace cnn::cuda::emulator
