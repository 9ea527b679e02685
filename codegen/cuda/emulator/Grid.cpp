// See Grid.h, and Emulator.h for what is kept between launches.
#include "codegen/cuda/emulator/Grid.h"

#include <atomic>
#include <mutex>
#include <thread>

namespace cnn::cuda {

namespace {
std::mutex mutex;
EmulatorOptions currentOptions;
std::string lastFault;
// By kernel and the number of the site in its module.
std::map<std::pair<std::string, uint32_t>, BankCount> bankCounts;
} // namespace

void setEmulatorOptions(const EmulatorOptions &options) {
  std::lock_guard lock(mutex);
  currentOptions = options;
}

EmulatorOptions emulatorOptions() {
  std::lock_guard lock(mutex);
  return currentOptions;
}

std::vector<BankCount> takeBankCounts() {
  std::lock_guard lock(mutex);
  std::vector<BankCount> result;
  for (auto &[key, count] : bankCounts)
    result.push_back(std::move(count));
  bankCounts.clear();
  return result;
}

std::string takeEmulatorFault() {
  std::lock_guard lock(mutex);
  return std::exchange(lastFault, {});
}

namespace emulator {

static void keep(const BankCounter &banks) {
  std::lock_guard lock(mutex);
  for (const auto &[site, count] : banks.counts()) {
    BankCount &sum = bankCounts[{site->kernel, site->number}];
    sum.kernel = site->kernel;
    sum.instruction = site->text;
    sum.accesses += count.accesses;
    sum.extra += count.extra;
  }
}

CUresult runGrid(const Launch &launch) {
  const uint64_t blocks = uint64_t(launch.grid.x) * launch.grid.y * launch.grid.z;
  const bool reverse = launch.options.order == ThreadOrder::Reverse;
  std::atomic<uint64_t> next = 0;
  std::mutex faultMutex;
  uint64_t faultyBlock = blocks;
  Fault fault;
  auto work = [&] {
    Block block(launch);
    for (uint64_t turn = next++; turn < blocks; turn = next++) {
      const uint64_t number = reverse ? blocks - 1 - turn : turn;
      const Dim3 at = {static_cast<uint32_t>(number % launch.grid.x),
                       static_cast<uint32_t>(number / launch.grid.x % launch.grid.y),
                       static_cast<uint32_t>(number / launch.grid.x / launch.grid.y)};
      Fault found = block.run(at);
      if (found.code != CUDA_SUCCESS) {
        next = blocks;
        // Of several workers' faults the one that a single worker would have met.
        std::lock_guard lock(faultMutex);
        if (fault.code == CUDA_SUCCESS || (number < faultyBlock) != reverse) {
          fault = std::move(found);
          faultyBlock = number;
        }
      }
    }
    if (launch.options.countBankConflicts)
      keep(block.banks());
  };
  const uint64_t wanted =
      launch.options.workers > 0 ? launch.options.workers : std::max(1u, std::thread::hardware_concurrency());
  std::vector<std::thread> workers;
  for (uint64_t i = 1; i < std::min(wanted, blocks); ++i)
    workers.emplace_back(work);
  work();
  for (std::thread &worker : workers)
    worker.join();
  if (fault.code != CUDA_SUCCESS) {
    std::lock_guard lock(mutex);
    lastFault = fault.text;
  }
  return fault.code;
}

} // namespace emulator
} // namespace cnn::cuda
