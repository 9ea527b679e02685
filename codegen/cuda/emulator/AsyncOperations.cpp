// mbarrier, copies of boxes of tensors, and products of warpgroups: what AsyncProxy.h and Warpgroups.h do, by the names
// of LLVM's intrinsics and by the inline assembly that MLIR's nvvm.wgmma.mma_async becomes.
#include "codegen/cuda/emulator/Block.h"

#include "llvm/ADT/StringExtras.h"
#include "llvm/ADT/StringSwitch.h"

#include <algorithm>
#include <cstring>

namespace cnn::cuda::emulator {

namespace {
void initializePhases(Thread &thread, const Site &site, const uint64_t *arguments, uint64_t *) {
  thread.block->asyncProxy().initialize(thread, site, arguments[0], static_cast<uint32_t>(arguments[1]));
}

/// Variant: whether the second operand is a number of bytes.
void arriveInPhase(Thread &thread, const Site &site, const uint64_t *arguments, uint64_t *results) {
  const auto bytes = site.operation.variant[0] ? static_cast<uint32_t>(arguments[1]) : 0;
  thread.block->asyncProxy().arrive(thread, site, arguments[0], bytes);
  // The state that it returns can be waited for by operations that are not emulated.
  results[0] = UINT64_MAX;
}

void waitForPhase(Thread &thread, const Site &site, const uint64_t *arguments, uint64_t *results) {
  thread.block->asyncProxy().wait(thread, site, arguments[0], static_cast<uint32_t>(arguments[1]));
  results[0] = 1;
}

/// Where the 128 bytes are that a thread calls a tensor map: in the device's memory or a parameter of the kernel.
const TensorMap &tensorMapAt(Thread &thread, const Site &site, uint64_t address) {
  Block &block = *thread.block;
  const Launch &launch = block.launch();
  bool isParameter = false;
  for (size_t i = 0; i < launch.kernel->parameters.size(); ++i)
    isParameter |= address == reinterpret_cast<uint64_t>(launch.parameters[i]) &&
                   launch.kernel->parameters[i].bytes >= sizeof(CUtensorMap);
  if (!isParameter)
    block.access(thread, site, address, sizeof(CUtensorMap), 64, /*writes=*/false);
  const auto &map = *reinterpret_cast<const TensorMap *>(address);
  if (map.magic != TensorMap::kMagic)
    block.fail(thread, site, CUDA_ERROR_LAUNCH_FAILED, "what it is given is no tensor map");
  return map;
}

/// Variant: the number of dimensions.
void copyBox(Thread &thread, const Site &site, const uint64_t *arguments, uint64_t *) {
  const auto rank = static_cast<uint32_t>(site.operation.variant[0]);
  const TensorMap &map = tensorMapAt(thread, site, arguments[2]);
  if (map.rank != rank)
    thread.block->fail(thread, site, CUDA_ERROR_LAUNCH_FAILED,
                       "copies a box of " + llvm::Twine(rank) + " dimensions of a tensor of " + llvm::Twine(map.rank));
  std::array<int32_t, 5> coordinates = {};
  for (uint32_t i = 0; i < rank; ++i)
    coordinates[i] = static_cast<int32_t>(arguments[3 + i]);
  thread.block->asyncProxy().copy(thread, site, arguments[0], arguments[1], map, coordinates);
}

/// Calls what a warp does once when all its lanes have come.
template <WarpFunction ACT>
void meetAll(Thread &thread, const Site &site, const uint64_t *arguments, uint64_t *results) {
  thread.block->meet(thread, site, arguments, results, UINT32_MAX, ACT);
}
void fenceWarp(Block &block, Thread *const *lanes, uint32_t, const Site &) { block.warpgroups().fence(lanes[0]->warp); }
void commitProducts(Block &block, Thread *const *lanes, uint32_t, const Site &) {
  block.warpgroups().commit(lanes[0]->warp);
}
void waitForProducts(Block &block, Thread *const *lanes, uint32_t, const Site &site) {
  block.warpgroups().wait(*lanes[0], site, lanes[0]->arguments[0]);
}

/// wgmma.wait_group 0 through which sums go. Variant: their number.
void waitWithSums(Thread &thread, const Site &site, const uint64_t *arguments, uint64_t *results) {
  thread.block->meet(
      thread, site, arguments, results, UINT32_MAX,
      [](Block &block, Thread *const *lanes, uint32_t, const Site &at) { block.warpgroups().wait(*lanes[0], at, 0); });
  std::copy_n(arguments, site.operation.variant[0], results);
}

/// Variant: columns, type.
void multiplyWarpgroup(Thread &thread, const Site &site, const uint64_t *arguments, uint64_t *results) {
  thread.block->meetWarpgroup(
      thread, site, arguments, results, [](Block &block, Thread *const *threads, uint32_t, const Site &at) {
        const WarpgroupShape shape = {static_cast<WarpgroupShape::Type>(at.operation.variant[1]),
                                      at.operation.variant[0]};
        block.warpgroups().multiply(threads, at, shape);
      });
}
} // namespace

std::optional<Operation> findAsyncOperation(llvm::StringRef name) {
  auto async = [](Handler handler, std::array<int64_t, 4> variant = {}) { return Operation{handler, variant, true}; };
  if (name == "llvm.nvvm.mbarrier.init.shared")
    return async(initializePhases);
  if (name == "llvm.nvvm.mbarrier.arrive.shared")
    return async(arriveInPhase, {false});
  if (name == "llvm.nvvm.mbarrier.arrive.expect.tx.scope.cta.space.cta")
    return async(arriveInPhase, {true});
  if (name == "llvm.nvvm.mbarrier.try.wait.parity.scope.cta.space.cta" ||
      name == "llvm.nvvm.mbarrier.try.wait.parity.tl.scope.cta.space.cta")
    return async(waitForPhase);
  if (name == "llvm.nvvm.wgmma.fence.sync.aligned")
    return async(meetAll<fenceWarp>);
  if (name == "llvm.nvvm.wgmma.commit_group.sync.aligned")
    return async(meetAll<commitProducts>);
  if (name == "llvm.nvvm.wgmma.wait_group.sync.aligned")
    return async(meetAll<waitForProducts>);
  if (name.consume_front("llvm.nvvm.cp.async.bulk.tensor.g2s.")) {
    name.consume_front("cta.");
    if (name.consume_front("tile.") && name.size() == 2 && name[0] >= '1' && name[0] <= '5' && name[1] == 'd')
      return async(copyBox, {name[0] - '0'});
  }
  return std::nullopt;
}

// "{ .reg .pred p; setp.ne.b32 p, $E, 0; wgmma.mma_async.sync.aligned.m64nNkK.f32.T.T {$0, ...}, $C, $D, p, $F, $G[,
// $H, $I]; }", whose operands are the sums (twice: as results and as what they begin with), two descriptors, whether
// the sums are added to, two signs and two transpositions.
//
// Or "wgmma.wait_group.sync.aligned 0;", whose operands and results are sums.
std::optional<Operation> findAssembly(llvm::StringRef assembly, int64_t operandCount) {
  if (assembly == "wgmma.wait_group.sync.aligned 0;")
    return Operation{waitWithSums, {operandCount}, true};
  llvm::StringRef text = assembly.split("wgmma.mma_async.sync.aligned.m64n").second;
  const auto [columns, rest] = text.split('k');
  const auto [depth, after] = rest.split(".f32.");
  const auto [types, operands] = after.split(" {");
  int64_t count = 0;
  const int type = llvm::StringSwitch<int>(types)
                       .Case("tf32.tf32", WarpgroupShape::TF32)
                       .Case("f16.f16", WarpgroupShape::F16)
                       .Case("bf16.bf16", WarpgroupShape::BF16)
                       .Default(-1);
  if (type < 0 || columns.getAsInteger(10, count) || count < 8 || count > 256 || count % 8 ||
      depth != (type == WarpgroupShape::TF32 ? "8" : "16"))
    return std::nullopt;
  const std::string scale = "setp.ne.b32 p, $" + std::to_string(count + 2) + ", 0;";
  const std::string descriptors = "}, $" + std::to_string(count) + ", $" + std::to_string(count + 1) + ", p, ";
  if (!assembly.contains(scale) || !operands.contains(descriptors))
    return std::nullopt;
  return Operation{multiplyWarpgroup, {count, type}, true};
}

} // namespace cnn::cuda::emulator
