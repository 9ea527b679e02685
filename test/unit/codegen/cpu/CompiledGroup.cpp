// Kernels of a group compiled into this process; GroupCase.h has the contract.
#include "test/unit/codegen/cpu/GroupCase.h"

#include <cmath>

using namespace mlir;
using namespace cnn::cpu;

namespace cnn::testing {

static ScheduleAttr scheduleOf(MLIRContext *context, KernelKind kind) {
  ConvTile tile;
  tile.unroll = 1;
  return convSchedule(context, algorithmOf(kind), tile);
}

CompiledGroup::CompiledGroup(const std::string &text, Isa isa, KernelKind kind)
    : jit(isa, [&](KernelBuilder &b) {
        OwningOpRef<ModuleOp> module = parseGroup(*b.getContext(), text);
        GroupOp group = groupOf(*module);
        ScheduleAttr schedule = scheduleOf(b.getContext(), kind);
        std::string whyNot;
        if (kernelKindOf(group, whyNot) != kind)
          return;
        if (auto built = buildGroupKernels(b, "group", group, schedule); succeeded(built))
          kernels.assign(built->begin(), built->end());
        auto parts = scratchParts(group, schedule);
        scratch.assign(parts.begin(), parts.end());
      }) {}

void CompiledGroup::run(std::vector<char *> buffers, std::vector<int64_t> imageStrides, int64_t batch,
                        int pieces) const {
  std::vector<Floats> memory;
  for (const ScratchPart &part : scratch) {
    buffers.push_back(memory.emplace_back(batch * part.bytes / 4, NAN).bytes());
    imageStrides.push_back(part.bytes);
  }
  for (const GroupKernel &kernel : kernels) {
    std::vector<char *> own;
    std::vector<int64_t> ownStrides;
    for (int64_t operand : kernel.operands) {
      own.push_back(buffers[operand]);
      ownStrides.push_back(imageStrides[operand]);
    }
    int64_t units = kernel.info.fixedUnits + batch * kernel.info.unitsPerImage;
    Floats thread(std::max<int64_t>(kernel.info.scratchBytes / 4, 1), NAN);
    for (int piece = pieces; piece-- > 0;)
      jit.lookup(kernel.info.symbol)(own.data(), ownStrides.data(), batch, units * piece / pieces,
                                     units * (piece + 1) / pieces, thread.bytes());
  }
}

} // namespace cnn::testing
