// See SavedValues.h.
#include "passes/SavedValues.h"

#include "ir/Recompute.h"
#include "passes/TargetModel.h"

#include "llvm/ADT/MapVector.h"
#include "llvm/ADT/SetVector.h"

using namespace mlir;

namespace cnn {
namespace {

/// Bytes of a segment that a value lies in; of an image where the value is batched.
struct Piece {
  std::pair<int64_t, int64_t> memory; ///< Which segment, and which output.
  int64_t begin = 0, end = 0;
};

std::optional<Piece> pieceOf(OpResult value) {
  auto group = cast<GroupOp>(value.getOwner());
  ArrayAttr placements = group.getPlacementsAttr();
  if (!placements || value.getResultNumber() >= placements.size())
    return std::nullopt;
  auto place = cast<PlacementAttr>(placements[value.getResultNumber()]);
  if (place.getSegment() == Segment::State || place.getSegment() == Segment::Input)
    return std::nullopt;
  bool isOutput = place.getSegment() == Segment::Output;
  Piece piece;
  piece.memory = {static_cast<int64_t>(place.getSegment()), isOutput ? place.getOffset() : 0};
  piece.begin = (isOutput ? 0 : place.getOffset()) + place.getSlice();
  piece.end = piece.begin + storedBytes(cast<RankedTensorType>(value.getType()), /*whole=*/!isPerImage(value));
  return piece;
}

/// The operation of the body that makes the value has the path that people know it by.
std::string nameOf(OpResult value) {
  auto group = cast<GroupOp>(value.getOwner());
  Operation *op = group.getYield().getValues()[value.getResultNumber()].getDefiningOp();
  return (op && !getPath(op).empty() ? getPath(op) : group.getPath()).str();
}

/// The values of `forward` that one of `backward` reads.
std::vector<SavedValue> savedBetween(ArrayRef<GroupOp> forward, ArrayRef<GroupOp> backward) {
  llvm::DenseSet<Operation *> after(backward.begin(), backward.end());
  std::vector<SavedValue> saved;
  llvm::MapVector<std::pair<int64_t, int64_t>, std::vector<std::pair<int64_t, int64_t>>> taken;
  for (GroupOp group : forward)
    for (OpResult result : group->getResults()) {
      std::optional<Piece> piece = pieceOf(result);
      if (!piece || isBackwardPath(group.getPath()))
        continue;
      llvm::SetVector<Operation *> readers;
      for (Operation *user : result.getUsers())
        if (after.contains(user))
          readers.insert(user);
      if (readers.empty())
        continue;
      // Bytes that another saved value covers count with that one.
      int64_t bytes = piece->end - piece->begin;
      for (auto [begin, end] : taken[piece->memory])
        bytes -= std::max<int64_t>(0, std::min(end, piece->end) - std::max(begin, piece->begin));
      if (bytes <= 0)
        continue;
      taken[piece->memory].emplace_back(piece->begin, piece->end);
      SavedValue value;
      value.value = result;
      value.path = nameOf(result);
      value.bytes = bytes;
      value.batched = isPerImage(result);
      SmallVector<Operation *> inOrder = readers.takeVector();
      llvm::sort(inOrder, [](Operation *a, Operation *b) { return a->isBeforeInBlock(b); });
      for (Operation *reader : inOrder)
        value.readers.push_back(cast<GroupOp>(reader).getPath().str());
      saved.push_back(std::move(value));
    }
  return saved;
}

} // namespace

int64_t savedBytes(ArrayRef<SavedValue> values, int64_t batch) {
  int64_t bytes = 0;
  for (const SavedValue &value : values)
    bytes += value.bytes * (value.batched ? batch : 1);
  return bytes;
}

std::vector<SavedValue> savedValues(func::FuncOp run) {
  SmallVector<GroupOp> groups(run.getBody().front().getOps<GroupOp>());
  std::vector<SavedValue> most;
  for (size_t index = 1; index < groups.size(); ++index) {
    if (!isBackwardPath(groups[index].getPath()) || isBackwardPath(groups[index - 1].getPath()))
      continue;
    std::vector<SavedValue> here = savedBetween(ArrayRef(groups).take_front(index), ArrayRef(groups).drop_front(index));
    if (savedBytes(here, 1) > savedBytes(most, 1))
      most = std::move(here);
  }
  return most;
}

std::vector<std::string> recomputedPaths(func::FuncOp run) {
  llvm::SetVector<StringRef> paths;
  run.walk([&](Operation *op) {
    StringRef path = getPath(op);
    bool isCopy = path.consume_back(kAgainSuffix) || op->hasAttr(kRecomputedAttr);
    if (isCopy && !path.empty())
      paths.insert(path);
  });
  std::vector<std::string> result;
  for (StringRef path : paths)
    result.push_back(path.str());
  return result;
}

void printBackward(func::FuncOp step, llvm::raw_ostream &stream) {
  auto isBackward = [](Operation *op) { return isBackwardPath(getPath(op)) || isRecomputed(op); };
  std::string saved, again;
  for (Operation &op : step.getBody().front()) {
    std::string name = getPath(&op).str() + " (" + op.getName().stripDialect().str() + ")";
    if (isRecomputed(&op)) {
      if (!isa<BroadcastOp, ConstantOp>(op))
        again += "//   " + name + "\n";
      continue;
    }
    if (isBackward(&op) || getPath(&op).empty() || isa<BroadcastOp, ConstantOp>(op))
      continue;
    llvm::SetVector<StringRef> readers;
    for (Operation *user : op.getUsers())
      if (isBackward(user))
        readers.insert(getPath(user));
    if (readers.empty())
      continue;
    llvm::raw_string_ostream line(saved);
    line << "//   " << name << ": " << op.getResult(0).getType() << ", by " << llvm::join(readers, ", ") << "\n";
  }
  if (!saved.empty())
    stream << "// What the backward pass reads of the forward pass:\n" << saved;
  if (!again.empty())
    stream << "// What it computes again:\n" << again;
}

} // namespace cnn
