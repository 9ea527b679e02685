// See Grid.h, and Emulator.h for what is kept between launches.
#include "codegen/cuda/emulator/Grid.h"

#include "llvm/ADT/STLExtras.h"

#include <atomic>
#include <cstring>
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

namespace {
/// The bytes of an operand: as many for each image, `stride` apart.
struct Images {
  uint64_t begin, bytes, stride, count;
  uint64_t end() const { return begin + (count - 1) * stride + bytes; }
};

bool overlap(const Images &a, const Images &b) {
  if (a.begin >= b.end() || b.begin >= a.end())
    return false;
  if (a.stride != b.stride || a.stride == 0)
    return true;
  // Slices of the same images: how far b's begin lies behind an a's.
  const uint64_t behind = (b.begin + a.stride - a.begin % a.stride) % a.stride;
  return behind < a.bytes || behind + b.bytes > a.stride;
}
} // namespace

/// What the kernel promises about its parameters, or where its operands lie; the answer says what is not kept.
static std::string bindOperands(Launch &launch) {
  const Kernel &kernel = *launch.kernel;
  auto word = [&](size_t index) {
    uint64_t value = 0;
    memcpy(&value, launch.parameters[index], std::min<size_t>(sizeof value, kernel.parameters[index].bytes));
    return value;
  };
  for (const auto &[index, parameter] : llvm::enumerate(kernel.parameters))
    if (parameter.isPointer && word(index) % parameter.align != 0)
      return ("parameter " + llvm::Twine(index) + ", 0x" + llvm::Twine::utohexstr(word(index)) +
              ", is not a multiple of " + llvm::Twine(parameter.align))
          .str();
  const size_t count = kernel.operandBytes.size();
  std::vector<Images> images;
  for (size_t i = 0; i < count; ++i) {
    images.push_back({word(i), kernel.operandBytes[i], word(count + i), std::max<uint64_t>(1, word(2 * count))});
    const Parameter &parameter = kernel.parameters[i];
    BoundOperand operand = {{images[i].begin, images[i].end() - images[i].begin, !parameter.isReadOnly}};
    operand.isConstant =
        parameter.isReadOnly && parameter.isNoAlias && llvm::any_of(launch.memory, [&](const Range &range) {
          return range.holds(operand.range.begin, operand.range.bytes);
        });
    launch.operands.push_back(operand);
  }
  for (size_t i = 0; i < count; ++i)
    for (size_t j = 0; j < count; ++j)
      if (i != j && kernel.parameters[i].isNoAlias &&
          (launch.operands[i].range.writable || launch.operands[j].range.writable) && overlap(images[i], images[j]))
        return ("operand " + llvm::Twine(i) + ", which the kernel declares noalias, overlaps operand " + llvm::Twine(j))
            .str();
  return {};
}

CUresult runGrid(Launch launch) {
  if (std::string broken = bindOperands(launch); !broken.empty()) {
    std::lock_guard lock(mutex);
    lastFault = "kernel '" + launch.kernel->name + "': " + broken;
    return CUDA_ERROR_LAUNCH_FAILED;
  }
  std::optional<GlobalHistory> history;
  if (launch.options.checkGlobalRaces)
    launch.history = &history.emplace(launch.memory, launch.kernel->globalGranule);
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
