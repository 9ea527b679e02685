// Barriers of the block and of warps, and the fences and hints that an emulated device, which does everything in order,
// has nothing to do for.
#include "codegen/cuda/emulator/Block.h"

#include "llvm/ADT/StringSwitch.h"

namespace cnn::cuda::emulator {

namespace {
enum Reduction { kNone, kAnd, kOr, kCount };

/// Variant: whether the number of threads is an operand, and what becomes of the predicate, which is the last operand.
void synchronizeBlock(Thread &thread, const Site &site, const uint64_t *arguments, uint64_t *results) {
  const bool counted = site.operation.variant[0];
  const auto reduction = static_cast<Reduction>(site.operation.variant[1]);
  const auto number = static_cast<uint32_t>(arguments[0]);
  const auto count = counted ? static_cast<uint32_t>(arguments[1]) : 0;
  const bool predicate = reduction != kNone && arguments[counted ? 2 : 1] != 0;
  if (counted && count == 0)
    thread.block->fail(thread, site, CUDA_ERROR_LAUNCH_FAILED, "a barrier of 0 threads");
  const uint32_t held = thread.block->barrier(thread, site, number, count, /*waits=*/true, predicate);
  if (reduction != kNone)
    results[0] = reduction == kCount ? held
                 : reduction == kOr  ? held != 0
                                     : held == (count ? count : thread.block->threadCount());
}

void arrive(Thread &thread, const Site &site, const uint64_t *arguments, uint64_t *) {
  if (arguments[1] == 0)
    thread.block->fail(thread, site, CUDA_ERROR_LAUNCH_FAILED, "a barrier of 0 threads");
  thread.block->barrier(thread, site, static_cast<uint32_t>(arguments[0]), static_cast<uint32_t>(arguments[1]),
                        /*waits=*/false);
}

void synchronizeWarp(Thread &thread, const Site &site, const uint64_t *arguments, uint64_t *results) {
  thread.block->meet(
      thread, site, arguments, results, static_cast<uint32_t>(arguments[0]),
      [](Block &block, Thread *const *lanes, uint32_t mask, const Site &) { block.synchronize(lanes, mask); });
}

void fenceProxy(Thread &thread, const Site &, const uint64_t *, uint64_t *) {
  thread.block->asyncProxy().fence(thread);
}

void nothing(Thread &, const Site &, const uint64_t *, uint64_t *) {}
} // namespace

std::optional<Operation> findBarrierOperation(llvm::StringRef name) {
  if (name == "llvm.nvvm.bar.warp.sync")
    return Operation{synchronizeWarp};
  if (name.starts_with("llvm.nvvm.fence.proxy.async") || name.starts_with("llvm.nvvm.fence.mbarrier"))
    return Operation{fenceProxy};
  if (name.starts_with("llvm.nvvm.membar.") || name.starts_with("llvm.nvvm.fence.") ||
      name.starts_with("llvm.nvvm.prefetch") || name == "llvm.nvvm.nanosleep")
    return Operation{nothing};
  if (!name.consume_front("llvm.nvvm.barrier.cta."))
    return std::nullopt;
  const bool counted = name.ends_with("count");
  const llvm::StringRef kind = name.split('.').first;
  if (kind == "arrive" && counted)
    return Operation{arrive};
  if (kind == "sync")
    return Operation{synchronizeBlock, {counted, kNone}};
  if (kind != "red")
    return std::nullopt;
  const Reduction reduction = llvm::StringSwitch<Reduction>(name.split('.').second.split('.').first)
                                  .Case("and", kAnd)
                                  .Case("or", kOr)
                                  .Case("popc", kCount)
                                  .Default(kNone);
  return reduction == kNone ? std::nullopt : std::optional(Operation{synchronizeBlock, {counted, reduction}});
}

} // namespace cnn::cuda::emulator
