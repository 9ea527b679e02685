// See LaunchOperands.h.
#include "codegen/cuda/LaunchOperands.h"

#include "passes/TargetModel.h"
#include "runtime/cuda/cnn_cuda_abi.h"

#include <numeric>

using namespace mlir;

namespace cnn::cuda {

/// What is known of an operand's alignment, whatever the batch is: buffers of a session begin at multiples of 64 bytes,
/// inputs and outputs at multiples of 16, without gaps between images (runtime/cuda/cnn_cuda_abi.h).
static int64_t alignmentOf(const Operand &place) {
  bool isCallers = place.segment == Segment::Input || place.segment == Segment::Output;
  // offset * batch is a multiple of the offset.
  int64_t begin = isCallers ? CNN_CUDA_TENSOR_ALIGNMENT : std::gcd(int64_t(CNN_ALIGNMENT), place.offset);
  return std::gcd(begin, std::gcd(place.slice, place.imageStride));
}

static bool overlap(const LaunchOperand &x, const LaunchOperand &y) {
  const Operand &a = x.place, &b = y.place;
  // A caller may have a network write over what it reads.
  auto isCallers = [](const Operand &place) {
    return place.segment == Segment::Input || place.segment == Segment::Output;
  };
  if (isCallers(a) && isCallers(b))
    return a.segment != b.segment || a.offset == b.offset;
  // Buffers that are alive together lie apart; parts of one share its offset.
  return a.segment == b.segment && a.offset == b.offset && a.slice < b.slice + y.bytes && b.slice < a.slice + x.bytes;
}

LaunchOperands launchOperands(const PlannedGroup &planned, int64_t scratchBytes) {
  LaunchOperands all;
  GroupOp group = planned.group;
  size_t inputs = group->getNumOperands();
  for (auto [number, place] : llvm::enumerate(planned.operands)) {
    Value value = number < inputs ? group.getInputs()[number] : group.getResult(number - inputs);
    auto type = cast<RankedTensorType>(value.getType());
    all.push_back({place, storedBytes(type, /*whole=*/place.imageStride == 0), number >= inputs});
  }
  if (planned.scratch)
    all.push_back({*planned.scratch, scratchBytes, /*isWritten=*/true});
  return all;
}

SmallVector<DeviceOperand> knownOf(ArrayRef<LaunchOperand> operands) {
  SmallVector<DeviceOperand> known;
  for (auto [i, operand] : llvm::enumerate(operands)) {
    bool isShared = false;
    for (auto [j, other] : llvm::enumerate(operands))
      if (i != j && (operand.isWritten || other.isWritten))
        isShared |= overlap(operand, other);
    DeviceOperand &made = known.emplace_back();
    made.noAlias = !isShared;
    made.readOnly = !isShared && !operand.isWritten;
    made.alignment = alignmentOf(operand.place);
    made.bytes = operand.bytes;
  }
  return known;
}

/// As overlap, of buffers that need not be alive together: what one group leaves, another may take.
static bool mayOverlap(const LaunchOperand &x, const LaunchOperand &y) {
  if (x.place.segment != y.place.segment)
    return overlap(x, y);
  switch (x.place.segment) {
  case Segment::Fixed:
  case Segment::State:
  case Segment::Weights: {
    int64_t a = x.place.offset + x.place.slice, b = y.place.offset + y.place.slice;
    return a < b + y.bytes && b < a + x.bytes;
  }
  case Segment::Workspace:
    // Offsets are of one image, all images lie together.
    return true;
  default:
    return overlap(x, y);
  }
}

bool areIndependent(ArrayRef<LaunchOperand> a, ArrayRef<LaunchOperand> b) {
  for (const LaunchOperand &x : a)
    for (const LaunchOperand &y : b)
      if ((x.isWritten || y.isWritten) && mayOverlap(x, y))
        return false;
  return true;
}

bool JoinedGroups::take(ArrayRef<LaunchOperand> group) {
  // A kernel's parameters have 4 KiB, an operand has an address and a stride.
  constexpr size_t kMostOperands = 240;
  for (const LaunchOperands &other : groups)
    if (!areIndependent(other, group))
      return false;
  LaunchOperands all = operands;
  SmallVector<int64_t> part;
  for (const LaunchOperand &operand : group) {
    auto same = llvm::find_if(all, [&](const LaunchOperand &other) {
      const Operand &a = operand.place, &b = other.place;
      return a.segment == b.segment && a.offset == b.offset && a.slice == b.slice && a.imageStride == b.imageStride;
    });
    part.push_back(same - all.begin());
    if (same == all.end()) {
      all.push_back(operand);
    } else {
      same->bytes = std::max(same->bytes, operand.bytes);
      same->isWritten |= operand.isWritten;
    }
  }
  if (all.size() > kMostOperands)
    return false;
  operands = std::move(all);
  parts.push_back(std::move(part));
  groups.emplace_back(group.begin(), group.end());
  return true;
}

} // namespace cnn::cuda
