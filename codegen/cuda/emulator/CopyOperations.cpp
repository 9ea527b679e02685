// Asynchronous copies to shared memory in groups: PTX ISA, "Data Movement and Conversion Instructions: Asynchronous
// copy", cp.async.
#include "codegen/cuda/emulator/Block.h"

#include "llvm/ADT/StringSwitch.h"

namespace cnn::cuda::emulator {

namespace {
/// Variant: bytes, and whether the last operand says how many of them are read (the rest becomes zero).
void copy(Thread &thread, const Site &site, const uint64_t *arguments, uint64_t *) {
  const auto bytes = static_cast<uint32_t>(site.operation.variant[0]);
  const uint32_t sourceBytes = site.operation.variant[1] ? static_cast<uint32_t>(arguments[2]) : bytes;
  Block &block = *thread.block;
  const uint64_t target = arguments[0], source = arguments[1];
  if (sourceBytes > bytes)
    block.fail(thread, site, CUDA_ERROR_LAUNCH_FAILED,
               "reads " + llvm::Twine(sourceBytes) + " bytes for a copy of " + llvm::Twine(bytes));
  if (block.isShared(source) || !block.isShared(target))
    block.fail(thread, site, CUDA_ERROR_ILLEGAL_ADDRESS, "does not copy from global to shared memory");
  if (source % bytes != 0)
    block.fail(thread, site, CUDA_ERROR_MISALIGNED_ADDRESS,
               "the source 0x" + llvm::Twine::utohexstr(source) + " is not a multiple of " + llvm::Twine(bytes));
  if (sourceBytes)
    block.access(thread, site, source, sourceBytes, 1, /*writes=*/false);
  block.checkShared(thread, site, target, bytes, bytes);
  if (block.countsBankConflicts())
    block.banks().note(site, thread.warp, thread.lane, static_cast<uint32_t>(target), bytes);
  block.startCopy(thread, site,
                  {static_cast<uint32_t>(target - block.sharedBegin()), bytes, sourceBytes,
                   reinterpret_cast<const char *>(source)});
}

void commit(Thread &thread, const Site &, const uint64_t *, uint64_t *) { thread.block->commitCopies(thread); }

void waitForGroups(Thread &thread, const Site &, const uint64_t *arguments, uint64_t *) {
  thread.block->waitForCopies(thread, arguments[0]);
}

void waitForAll(Thread &thread, const Site &, const uint64_t *, uint64_t *) {
  thread.block->commitCopies(thread);
  thread.block->waitForCopies(thread, 0);
}
} // namespace

std::optional<Operation> findCopyOperation(llvm::StringRef name) {
  if (!name.consume_front("llvm.nvvm.cp.async."))
    return std::nullopt;
  if (name == "commit.group")
    return Operation{commit};
  if (name == "wait.group")
    return Operation{waitForGroups};
  if (name == "wait.all")
    return Operation{waitForAll};
  if (!name.consume_front("ca.shared.global.") && !name.consume_front("cg.shared.global."))
    return std::nullopt;
  const bool sized = name.consume_back(".s");
  int64_t bytes = 0;
  if (name.getAsInteger(10, bytes) || (bytes != 4 && bytes != 8 && bytes != 16))
    return std::nullopt;
  return Operation{copy, {bytes, sized}};
}

} // namespace cnn::cuda::emulator
