// Gives the results of groups their places (Passes.td). Runs last, as schedules say how much scratch a group needs.
//
// Values that share memory on purpose (views, operands of a concatenation in place, a result over an operand) are first
// joined into buffers; then buffers whose lives don't overlap are packed into the workspace. A buffer is described for
// one image; it begins at offset * batch and its images are a multiple of 64 bytes apart.
#include "passes/Passes.h"
#include "passes/StatePlan.h"
#include "passes/TargetModel.h"

#include "llvm/Support/FormatVariadic.h"

#include <numeric>

using namespace mlir;

namespace cnn {
#define GEN_PASS_DEF_PLANMEMORY
#include "passes/Passes.h.inc"

namespace {

constexpr int64_t kAlignment = 64;

/// A value's place in a buffer.
struct Part {
  int buffer = -1;
  int64_t slice = 0;               ///< Bytes from the begin of an image.
  int64_t bytes = 0;               ///< Of one image.
  int definition = 0, lastUse = 0; ///< Indices of groups; the return comes after the last.
};

/// Memory that values share; bytes are of one image, or of all where it has no batch.
struct Buffer {
  int64_t bytes = 0;
  bool batched = true;
  int output = -1;    ///< Lies in this output of @run.
  int64_t state = -1; ///< Lies at this offset in the state of a step, where nothing else comes to lie.
  SmallVector<Value> members;
  int64_t offset = 0;
  int first = 0, last = 0; ///< Life, filled in before allocation.
};

class Planner {
public:
  Planner(func::FuncOp run, bool keepBuffers) : run(run), keepBuffers(keepBuffers) {}
  void plan();

private:
  void collect();
  bool isAlive(int buffer) const { return !buffers[buffer].members.empty(); }
  void join(int from, int into, int64_t slice);
  void placeView(GroupOp group);
  void placeConcat(GroupOp group);
  void placeInPlace(GroupOp group, int index);
  bool overlapsLater(const Part &part, int index) const;
  int64_t allocate(ArrayRef<int> order);
  void write();
  void note(GroupOp group, const Twine &text);

  func::FuncOp run;
  bool keepBuffers;
  SmallVector<GroupOp> groups;
  std::vector<Buffer> buffers;
  llvm::DenseMap<Value, Part> parts;
  llvm::DenseMap<Operation *, int> scratch; ///< The buffer of a group's scratch.
};

RankedTensorType typeOf(Value value) { return cast<RankedTensorType>(value.getType()); }

/// The operation of a group that does nothing else, or null.
Operation *onlyOperation(GroupOp group) {
  Block &block = group.getBlock();
  if (group->getNumResults() != 1 || !llvm::hasSingleElement(block.without_terminator()))
    return nullptr;
  return group.getYield().getValues()[0].getDefiningOp() == &block.front() ? &block.front() : nullptr;
}

/// Whether the storage of `from` read as `to` is the same tensor: a reshape of row-major data, or a relayout of single
/// pixels in whole blocks.
bool isView(Operation *op) {
  if (!op || !isa<ReshapeOp, RelayoutOp>(op))
    return false;
  RankedTensorType from = typeOf(op->getOperand(0)), to = typeOf(op->getResult(0));
  if (isa<ReshapeOp>(op))
    return !getLayout(from) && !getLayout(to);
  if (getLayout(from) == getLayout(to))
    return true;
  // Channels are contiguous in both when all other extents are 1 and no lane is padding.
  for (RankedTensorType type : {from, to}) {
    LayoutAttr layout = getLayout(type);
    if (layout && (!layout.isChannelBlocked() || type.getDimSize(1) % layout.tileSize(1)))
      return false;
    for (int64_t dim = 2; dim < type.getRank(); ++dim)
      if (type.getDimSize(dim) != 1)
        return false;
  }
  return true;
}

} // namespace

void Planner::note(GroupOp group, const Twine &text) {
  SmallVector<Attribute> notes;
  if (ArrayAttr old = group.getNotesAttr())
    llvm::append_range(notes, old);
  notes.push_back(StringAttr::get(group.getContext(), text));
  group.setNotesAttr(ArrayAttr::get(group.getContext(), notes));
}

/// One buffer a result, with its life; the results that @run returns lie in outputs.
void Planner::collect() {
  llvm::append_range(groups, run.getBody().front().getOps<GroupOp>());
  llvm::DenseMap<Operation *, int> indices;
  for (auto [index, group] : llvm::enumerate(groups))
    indices[group] = index;
  Operation *terminator = run.getBody().front().getTerminator();
  indices[terminator] = groups.size();

  for (auto [index, group] : llvm::enumerate(groups)) {
    for (Value result : group.getResults()) {
      bool batched = isPerImage(result);
      Part part;
      part.buffer = buffers.size();
      part.bytes = llvm::alignTo(storedBytes(typeOf(result), /*whole=*/!batched), kAlignment);
      part.definition = part.lastUse = index;
      for (Operation *user : result.getUsers())
        part.lastUse = std::max(part.lastUse, indices.lookup(user));
      parts[result] = part;
      Buffer buffer;
      buffer.bytes = part.bytes;
      buffer.batched = batched;
      buffer.members = {result};
      buffers.push_back(buffer);
    }
  }
  // The caller's memory is aligned to elements only, so that what lies there must be row-major.
  llvm::MapVector<Attribute, int64_t> offsets = stateOffsets(run);
  int outputs = 0;
  for (auto [number, value] : llvm::enumerate(terminator->getOperands())) {
    Attribute state = run.getResultAttr(number, kStateAttr);
    auto part = parts.find(value);
    if (part != parts.end() && state)
      buffers[part->second.buffer].state = offsets.lookup(state);
    else if (part != parts.end() && buffers[part->second.buffer].output < 0)
      buffers[part->second.buffer].output = outputs;
    outputs += !state;
  }
}

/// All members of `from` become members of `into`, `slice` bytes from its begin.
void Planner::join(int from, int into, int64_t slice) {
  for (Value member : buffers[from].members) {
    Part &part = parts[member];
    part.buffer = into;
    part.slice += slice;
    buffers[into].members.push_back(member);
  }
  buffers[from].members.clear();
  if (buffers[from].output >= 0)
    buffers[into].output = buffers[from].output;
}

static bool hasLayout(const Buffer &buffer) {
  return llvm::any_of(buffer.members, [](Value member) { return bool(getLayout(member.getType())); });
}

/// A reshape or relayout that moves no byte.
void Planner::placeView(GroupOp group) {
  if (!isView(onlyOperation(group)))
    return;
  Part &result = parts[group.getResult(0)];
  auto operand = parts.find(group.getInputs()[0]);
  if (operand == parts.end()) {
    // A view of an input is read where the input lies, unless it is returned, or needs the alignment of blocks.
    bool isReturned = buffers[result.buffer].output >= 0 || buffers[result.buffer].state >= 0;
    if (!isReturned && !getLayout(group.getResult(0).getType()) && !isPacked(group.getInputs()[0])) {
      group.setElided(true);
      buffers[result.buffer].members.clear();
      parts.erase(group.getResult(0));
    }
    return;
  }
  Buffer &from = buffers[operand->second.buffer], &to = buffers[result.buffer];
  bool inOutput = from.output >= 0 || to.output >= 0;
  if (from.state >= 0 || to.state >= 0)
    return;
  if (from.batched != to.batched || operand->second.bytes != result.bytes || (from.output >= 0 && to.output >= 0) ||
      (inOutput && (hasLayout(from) || hasLayout(to))))
    return;
  // Where the operand is a part of a larger buffer that buffer can't become an output, and images are not contiguous.
  bool isWhole = operand->second.slice == 0 && operand->second.bytes == from.bytes;
  if (to.output >= 0 && !isWhole)
    return;
  join(result.buffer, operand->second.buffer, operand->second.slice);
  group.setElided(true);
}

/// The operands are written into the result by their producers.
void Planner::placeConcat(GroupOp group) {
  auto concat = dyn_cast_or_null<ConcatOp>(onlyOperation(group));
  if (!concat)
    return;
  auto refuse = [&](const Twine &why) { note(group, "not in place: " + why); };
  RankedTensorType type = typeOf(group.getResult(0));
  LayoutAttr layout = getLayout(type);
  Part result = parts[group.getResult(0)];
  if (buffers[result.buffer].state >= 0)
    return refuse("the result is the state of a step");
  if (concat.getAxis() != 1 || !buffers[result.buffer].batched)
    return refuse("only parts along axis 1 are contiguous in an image");
  if (layout && !layout.isChannelBlocked())
    return refuse("the layout does not keep channels together");
  if (buffers[result.buffer].output >= 0 && layout)
    return refuse("an output of the network is row-major");

  int64_t slice = 0, stored = 0;
  SmallVector<std::pair<int, int64_t>> joins;
  for (auto [number, argument] : llvm::enumerate(concat.getInputs())) {
    Value operand = group.getInputs()[cast<BlockArgument>(argument).getArgNumber()];
    RankedTensorType part = typeOf(operand);
    std::string name = llvm::formatv("operand {0}", number);
    auto place = parts.find(operand);
    if (place == parts.end())
      return refuse(name + " is an input of the network");
    const Buffer &buffer = buffers[place->second.buffer];
    stored = storedBytes(part, /*whole=*/false);
    bool last = number + 1 == concat.getInputs().size();
    if (getLayout(part) != layout)
      return refuse(name + " has another layout");
    if (layout && !last && part.getDimSize(1) % layout.tileSize(1))
      return refuse(llvm::formatv("{0} has {1} channels, which is no multiple of {2}", name, part.getDimSize(1),
                                  layout.tileSize(1)));
    if (buffer.output >= 0 || buffer.state >= 0)
      return refuse(name + " is an output of the network");
    if (place->second.slice != 0 || place->second.bytes != buffer.bytes)
      return refuse(name + " is already a part of another tensor");
    if (llvm::is_contained(llvm::make_first_range(joins), place->second.buffer))
      return refuse(name + " stands there twice");
    joins.emplace_back(place->second.buffer, slice);
    slice += stored;
  }
  if (slice != storedBytes(type, /*whole=*/false))
    return refuse("the parts do not fill whole blocks");
  for (auto [buffer, at] : joins)
    join(buffer, result.buffer, result.slice + at);
  group.setElided(true);
}

/// Whether another value than `part` itself that shares its bytes is still read after group `index`.
bool Planner::overlapsLater(const Part &part, int index) const {
  return llvm::any_of(buffers[part.buffer].members, [&](Value member) {
    const Part &other = parts.at(member);
    return other.slice < part.slice + part.bytes && part.slice < other.slice + other.bytes && other.lastUse > index;
  });
}

/// A result over an operand that is not read again.
void Planner::placeInPlace(GroupOp group, int index) {
  if (group.getElided() || !mayOverwrite(group))
    return;
  llvm::SmallDenseSet<Value> taken;
  for (Value result : group.getResults()) {
    for (Value operand : group.getInputs()) {
      auto place = parts.find(operand);
      if (place == parts.end() || taken.contains(operand) || operand.getType() != result.getType())
        continue;
      Part from = place->second, to = parts[result];
      if (from.buffer == to.buffer || overlapsLater(from, index) || from.bytes != to.bytes)
        continue;
      const Buffer &source = buffers[from.buffer], &target = buffers[to.buffer];
      if (source.output >= 0 || source.batched != target.batched || source.state >= 0 || target.state >= 0)
        continue;
      bool sourceIsWhole = from.slice == 0 && from.bytes == source.bytes;
      bool targetIsWhole = to.slice == 0 && to.bytes == target.bytes;
      // The result moves to the operand; or the operand, a buffer of its own that ends here, to the result, whose bytes
      // nothing else uses before.
      if (targetIsWhole && target.output < 0 && target.members.size() == 1) {
        join(to.buffer, from.buffer, from.slice);
      } else if (sourceIsWhole && !(target.output >= 0 && hasLayout(source)) &&
                 llvm::all_of(source.members, [&](Value member) { return parts.at(member).lastUse <= index; }) &&
                 llvm::all_of(target.members, [&](Value member) {
                   const Part &other = parts.at(member);
                   bool overlaps = other.slice < to.slice + to.bytes && to.slice < other.slice + other.bytes;
                   return !overlaps || other.definition >= index;
                 })) {
        join(from.buffer, to.buffer, to.slice);
      } else {
        continue;
      }
      taken.insert(operand);
      break;
    }
  }
  if (taken.empty())
    note(group, "not in place: no operand of the result's type is read here for the last time");
}

/// Packs the buffers, the largest first, each into the smallest gap between those it lives with; returns the bytes
/// needed.
int64_t Planner::allocate(ArrayRef<int> order) {
  int64_t total = 0;
  SmallVector<int> placed;
  for (int index : order) {
    Buffer &buffer = buffers[index];
    SmallVector<std::pair<int64_t, int64_t>> taken;
    for (int other : placed)
      if (keepBuffers || (buffers[other].first <= buffer.last && buffer.first <= buffers[other].last))
        taken.emplace_back(buffers[other].offset, buffers[other].offset + buffers[other].bytes);
    llvm::sort(taken);
    int64_t best = -1, bestGap = 0, end = 0;
    for (auto [from, to] : taken) {
      int64_t gap = from - end;
      if (gap >= buffer.bytes && (best < 0 || gap < bestGap)) {
        best = end;
        bestGap = gap;
      }
      end = std::max(end, to);
    }
    buffer.offset = best < 0 ? end : best;
    total = std::max(total, buffer.offset + buffer.bytes);
    placed.push_back(index);
  }
  return total;
}

void Planner::write() {
  MLIRContext *context = run.getContext();
  for (GroupOp group : groups) {
    SmallVector<Attribute> placements;
    // A view of an input has no place of its own.
    if (group.getElided() && !parts.contains(group.getResult(0)))
      continue;
    for (Value result : group.getResults()) {
      const Part &part = parts[result];
      const Buffer &buffer = buffers[part.buffer];
      if (buffer.output >= 0)
        placements.push_back(PlacementAttr::get(context, Segment::Output, buffer.output, part.slice, buffer.bytes));
      else if (buffer.state >= 0)
        placements.push_back(PlacementAttr::get(context, Segment::State, buffer.state, 0, 0));
      else if (buffer.batched)
        placements.push_back(PlacementAttr::get(context, Segment::Workspace, buffer.offset, part.slice, buffer.bytes));
      else
        placements.push_back(PlacementAttr::get(context, Segment::Fixed, buffer.offset, part.slice, 0));
    }
    if (auto own = scratch.find(group); own != scratch.end()) {
      const Buffer &buffer = buffers[own->second];
      placements.push_back(PlacementAttr::get(context, buffer.batched ? Segment::Workspace : Segment::Fixed,
                                              buffer.offset, 0, buffer.batched ? buffer.bytes : 0));
    }
    group.setPlacementsAttr(ArrayAttr::get(context, placements));
  }
}

void Planner::plan() {
  collect();
  if (!keepBuffers) {
    for (GroupOp group : groups)
      placeView(group);
    // From the last to the first, so that a concatenation of concatenations is joined from the outside.
    for (GroupOp group : llvm::reverse(groups))
      placeConcat(group);
    for (auto [index, group] : llvm::enumerate(groups))
      placeInPlace(group, index);
  }
  for (auto [index, group] : llvm::enumerate(groups)) {
    int64_t perImage = 0, whole = 0;
    if (auto schedules = group.getSchedules())
      for (NamedAttribute entry : *schedules) {
        auto schedule = cast<ScheduleAttrInterface>(entry.getValue());
        perImage = std::max(perImage, schedule.scratchBytesPerImage(group));
        whole = std::max(whole, schedule.scratchBytes(group));
      }
    int64_t bytes = std::max(perImage, whole);
    if (bytes == 0)
      continue;
    scratch[group] = buffers.size();
    Buffer buffer;
    buffer.bytes = llvm::alignTo(bytes, kAlignment);
    buffer.batched = perImage != 0;
    buffer.first = buffer.last = index;
    buffers.push_back(buffer);
  }

  SmallVector<int> batched, fixed;
  for (auto [index, buffer] : llvm::enumerate(buffers)) {
    bool isScratch = llvm::is_contained(llvm::make_second_range(scratch), static_cast<int>(index));
    if ((buffer.members.empty() && !isScratch) || buffer.output >= 0 || buffer.state >= 0)
      continue;
    if (!isScratch) {
      buffer.first = groups.size();
      buffer.last = 0;
      for (Value member : buffer.members) {
        buffer.first = std::min(buffer.first, parts[member].definition);
        buffer.last = std::max(buffer.last, parts[member].lastUse);
      }
    }
    (buffer.batched ? batched : fixed).push_back(index);
  }
  for (SmallVector<int> *order : {&batched, &fixed})
    llvm::sort(*order, [&](int a, int b) { return std::pair(-buffers[a].bytes, a) < std::pair(-buffers[b].bytes, b); });
  int64_t workspace = allocate(batched), rest = allocate(fixed);
  write();
  Builder builder(run.getContext());
  run->setAttr("cnn.workspace_bytes", builder.getI64IntegerAttr(workspace));
  run->setAttr("cnn.fixed_bytes", builder.getI64IntegerAttr(rest));
}

namespace {
struct PlanMemory : impl::PlanMemoryBase<PlanMemory> {
  using PlanMemoryBase::PlanMemoryBase;

  void runOnOperation() override {
    auto run = getOperation().lookupSymbol<func::FuncOp>(kRunFunction);
    if (!run) {
      getOperation().emitError() << "there is no function '" << kRunFunction << "' to plan: hoist makes it";
      return signalPassFailure();
    }
    Planner(run, keepBuffers).plan();
  }
};
} // namespace

} // namespace cnn
