// See Chains.h.
#include "codegen/cpu/Chains.h"

#include "ir/CnnOps.h"
#include "runtime/embedded/cnn_abi.h"

#include "llvm/ADT/STLExtras.h"
#include "llvm/Support/MathExtras.h"

#include <algorithm>
#include <set>
#include <tuple>

namespace cnn::cpu {

/// What the images of a chain's turn may take of the second-level cache, and what is read again at each turn.
static constexpr int64_t kTurnBytes = 384 << 10, kSharedBytes = 1 << 20;

static bool canBeChained(const Step &step, const ChainLink &link) {
  return step.isByImage && step.operands.size() <= CNN_CHAIN_OPERANDS && link.sharedBytes <= kSharedBytes &&
         llvm::all_of(step.kernels, [](const KernelUse &use) { return use.fixedUnits == 0; });
}

/// Whether the images of one can overwrite those of the other out of turn.
static bool clash(const Operand &a, const Operand &b) {
  if (a.segment != Segment::Workspace || b.segment != Segment::Workspace)
    return false;
  if (a.offset == b.offset && a.imageStride == b.imageStride)
    return false;
  return a.offset < b.offset + b.imageStride && b.offset < a.offset + a.imageStride;
}

static bool clash(const Step &a, const Step &b) {
  return llvm::any_of(a.operands, [&](const Operand &x) {
    return llvm::any_of(b.operands, [&](const Operand &y) { return clash(x, y); });
  });
}

void chainSteps(Program &program, llvm::ArrayRef<ChainLink> links) {
  // One batch may be written into the kernels.
  if (program.batch != 0)
    return;
  llvm::MutableArrayRef<Step> steps(program.steps);
  for (size_t first = 0, end; first < steps.size(); first = end) {
    end = first + 1;
    if (!canBeChained(steps[first], links[first]))
      continue;
    while (end < steps.size() && canBeChained(steps[end], links[end]) &&
           llvm::none_of(steps.slice(first, end - first), [&](const Step &step) { return clash(step, steps[end]); }))
      ++end;
    if (end - first == 1)
      continue;
    std::set<std::tuple<Segment, int64_t, int64_t>> tensors;
    int64_t imageBytes = 0, grain = 1;
    for (size_t number = first; number < end; ++number) {
      grain = std::max(grain, links[number].grain);
      for (const Operand &operand : steps[number].operands)
        if (tensors.emplace(operand.segment, operand.offset, operand.imageStride).second)
          imageBytes += operand.imageStride;
    }
    int64_t images = std::clamp<int64_t>(kTurnBytes / std::max<int64_t>(imageBytes, 1), 1, 64);
    steps[first].chain = static_cast<int64_t>(end - first);
    steps[first].chainImages = static_cast<int64_t>(llvm::alignTo(images, grain));
  }
}

} // namespace cnn::cpu
