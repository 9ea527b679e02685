// See VerifyPlan.h. Memory is a set of spaces (the workspace, the part that does not depend on the batch, the state,
// each output), each a map from intervals of bytes to the mark of who wrote them.
#include "passes/VerifyPlan.h"

#include "passes/StatePlan.h"
#include "passes/TargetModel.h"

#include "llvm/Support/FormatVariadic.h"

#include <map>

using namespace mlir;

namespace cnn {
namespace {

constexpr int64_t kImages = 3;
/// Spaces: these, and kFirstOutput + k for output k.
constexpr int64_t kWorkspace = 0, kFixed = 1, kState = 2, kFirstOutput = 3;

struct Interval {
  int64_t space, begin, end;
  bool overlaps(const Interval &other) const { return space == other.space && begin < other.end && other.begin < end; }
  bool operator==(const Interval &other) const = default;
};

/// Who wrote what: the marks of the bytes of one space.
class Space {
public:
  void write(int64_t begin, int64_t end, int64_t mark) {
    cut(begin);
    cut(end);
    marks.erase(marks.lower_bound(begin), marks.lower_bound(end));
    marks[begin] = {end, mark};
  }
  bool holds(int64_t begin, int64_t end, int64_t mark) const {
    auto at = marks.upper_bound(begin);
    if (at == marks.begin())
      return false;
    for (--at; begin < end; ++at) {
      if (at == marks.end() || at->first > begin || at->second.first <= begin || at->second.second != mark)
        return false;
      begin = at->second.first;
    }
    return true;
  }

private:
  /// Makes `at` a border between intervals.
  void cut(int64_t at) {
    auto above = marks.lower_bound(at);
    if (above == marks.begin())
      return;
    auto [end, mark] = std::prev(above)->second;
    if (end <= at)
      return;
    std::prev(above)->second.first = at;
    marks[at] = {end, mark};
  }

  std::map<int64_t, std::pair<int64_t, int64_t>> marks; ///< begin -> (end, mark)
};

/// Where the images of a value lie, one interval each, and what is expected there.
struct Contents {
  SmallVector<Interval> images;
  SmallVector<std::pair<Interval, int64_t>> marks;
};

class Simulation {
public:
  explicit Simulation(func::FuncOp run) : run(run) {}

  LogicalResult simulate() {
    auto workspace = run->getAttrOfType<IntegerAttr>("cnn.workspace_bytes"),
         fixed = run->getAttrOfType<IntegerAttr>("cnn.fixed_bytes");
    if (!workspace || !fixed)
      return run.emitError() << "a planned @" << kRunFunction << " has cnn.workspace_bytes and cnn.fixed_bytes";
    workspaceBytes = workspace.getInt();
    fixedBytes = fixed.getInt();
    beginState();
    for (GroupOp group : run.getBody().front().getOps<GroupOp>())
      if (failed(group.getElided() ? view(group) : execute(group)))
        return failure();
    int64_t outputs = 0;
    for (auto [index, value] : llvm::enumerate(run.getBody().front().getTerminator()->getOperands())) {
      Attribute state = run.getResultAttr(index, kStateAttr);
      int64_t space = state ? kState : kFirstOutput + outputs++, begin = state ? stateOffset.lookup(state) : 0;
      auto contents = values.find(value);
      if (contents == values.end() || contents->second.images.front().space != space ||
          contents->second.images.front().begin != begin)
        return run.emitError() << "result " << index << " is not written to its place";
      if (!isIntact(contents->second))
        return run.emitError() << "result " << index << " is overwritten";
    }
    return success();
  }

private:
  /// The variables of a step hold their values from before it.
  void beginState() {
    stateOffset = stateOffsets(run);
    for (BlockArgument argument : run.getArguments())
      if (Attribute state = run.getArgAttr(argument.getArgNumber(), kStateAttr)) {
        int64_t begin = stateOffset.lookup(state);
        Interval place{kState, begin, begin + storedBytes(cast<RankedTensorType>(argument.getType()), /*whole=*/true)};
        spaces[kState].write(place.begin, place.end, ++lastMark);
        values[argument] = {{place}, {{place, lastMark}}};
      }
  }

  FailureOr<SmallVector<Interval>> locate(GroupOp group, PlacementAttr place, int64_t imageBytes, int64_t allBytes) {
    int64_t slice = place.getSlice(), stride = place.getImageStride();
    auto refuse = [&](const Twine &what) -> InFlightDiagnostic { return group.emitError() << what << ": " << place; };
    if (place.getOffset() < 0 || slice < 0)
      return refuse("a place before its segment");
    switch (place.getSegment()) {
    case Segment::State: {
      SmallVector<Interval> images = {{kState, place.getOffset(), place.getOffset() + allBytes}};
      if (slice != 0 ||
          llvm::none_of(stateOffset, [&](const auto &entry) { return entry.second == place.getOffset(); }))
        return refuse("no variable lies there");
      return images;
    }
    case Segment::Workspace:
    case Segment::Output: {
      bool isOutput = place.getSegment() == Segment::Output;
      if (isOutput && allBytes) // It has no batch.
        return SmallVector<Interval>{{kFirstOutput + place.getOffset(), slice, slice + allBytes}};
      if (slice + imageBytes > stride)
        return refuse("an image of " + Twine(imageBytes) + " bytes leaves its place");
      if (!isOutput && (place.getOffset() % 64 || stride % 64 || place.getOffset() + stride > workspaceBytes))
        return refuse("a place that is not aligned or leaves the workspace");
      if (isOutput && place.getOffset() >= run.getNumResults())
        return refuse("there is no such output");
      SmallVector<Interval> images;
      for (int64_t image = 0; image < kImages; ++image) {
        int64_t begin = (isOutput ? 0 : place.getOffset() * kImages) + slice + image * stride;
        images.push_back({isOutput ? kFirstOutput + place.getOffset() : kWorkspace, begin, begin + imageBytes});
      }
      return images;
    }
    case Segment::Fixed:
      if (place.getOffset() % 64 || place.getOffset() + slice + allBytes > fixedBytes)
        return refuse("a place that is not aligned or leaves the fixed segment");
      return SmallVector<Interval>{{kFixed, place.getOffset() + slice, place.getOffset() + slice + allBytes}};
    default:
      return refuse("groups write to the workspace, the fixed segment, state and outputs only");
    }
  }

  FailureOr<SmallVector<Interval>> locate(GroupOp group, unsigned result) {
    auto type = cast<RankedTensorType>(group.getResult(result).getType());
    ArrayAttr places = group.getPlacementsAttr();
    auto place = places && result < places.size() ? dyn_cast<PlacementAttr>(places[result]) : PlacementAttr();
    if (!place)
      return group.emitError() << "result " << result << " has no place";
    bool whole = !isPerImage(group.getResult(result));
    if ((place.getSegment() == Segment::Fixed || place.getSegment() == Segment::State) && !whole)
      return group.emitError() << "result " << result
                               << " depends on the batch and does not lie where there are images";
    return locate(group, place, storedBytes(type, /*whole=*/false), whole ? storedBytes(type, /*whole=*/true) : 0);
  }

  bool isIntact(const Contents &contents) const {
    return llvm::all_of(contents.marks, [&](const auto &expected) {
      auto space = spaces.find(expected.first.space);
      return space != spaces.end() && space->second.holds(expected.first.begin, expected.first.end, expected.second);
    });
  }

  LogicalResult verifyReads(GroupOp group) {
    for (auto [index, operand] : llvm::enumerate(group.getInputs())) {
      auto contents = values.find(operand);
      if (contents != values.end() && !isIntact(contents->second))
        return group.emitError() << "operand " << index << " is overwritten before it is read";
      if (contents == values.end() && operand.getDefiningOp() && !viewsOfArguments.contains(operand))
        return group.emitError() << "operand " << index << " is not written before it is read";
    }
    return success();
  }

  /// A group that runs: it reads its operands, then writes.
  LogicalResult execute(GroupOp group) {
    if (failed(verifyReads(group)))
      return failure();
    SmallVector<Interval> written;
    SmallVector<Contents> results;
    auto write = [&](ArrayRef<Interval> images) -> LogicalResult {
      for (const Interval &image : images)
        for (const Interval &other : written)
          if (image.overlaps(other))
            return group.emitError() << "what the group writes overlaps";
      llvm::append_range(written, images);
      return success();
    };
    for (unsigned index = 0; index < group->getNumResults(); ++index) {
      FailureOr<SmallVector<Interval>> images = locate(group, index);
      if (failed(images) || failed(write(*images)) || failed(verifyInPlace(group, index, *images)))
        return failure();
      results.push_back({*images, {}});
    }
    if (ArrayAttr places = group.getPlacementsAttr(); places && places.size() > group->getNumResults()) {
      auto place = dyn_cast<PlacementAttr>(places[group->getNumResults()]);
      if (!place || (place.getSegment() != Segment::Workspace && place.getSegment() != Segment::Fixed))
        return group.emitError() << "scratch lies in the workspace or in the fixed segment";
      int64_t bytes = 0;
      if (auto schedules = group.getSchedules())
        for (NamedAttribute entry : *schedules)
          bytes = std::max(bytes, cast<ScheduleAttrInterface>(entry.getValue()).scratchBytes(group));
      FailureOr<SmallVector<Interval>> images = locate(group, place, place.getImageStride(), bytes);
      if (failed(images) || failed(write(*images)))
        return failure();
      for (const Interval &image : *images)
        if (overlapsOperand(group, image))
          return group.emitError() << "the scratch overlaps an operand";
    }
    for (const Interval &image : written)
      spaces[image.space].write(image.begin, image.end, ++lastMark);
    // In the order in which they were written, before the scratch.
    int64_t mark = lastMark - static_cast<int64_t>(written.size());
    for (auto [result, contents] : llvm::zip(group.getResults(), results)) {
      for (const Interval &image : contents.images)
        contents.marks.push_back({image, ++mark});
      values[result] = contents;
    }
    return success();
  }

  bool overlapsOperand(GroupOp group, const Interval &image) {
    return llvm::any_of(group.getInputs(), [&](Value operand) {
      auto contents = values.find(operand);
      return contents != values.end() &&
             llvm::any_of(contents->second.images, [&](const Interval &read) { return read.overlaps(image); });
    });
  }

  /// A group may write what it reads only where each element goes over itself.
  LogicalResult verifyInPlace(GroupOp group, unsigned result, ArrayRef<Interval> images) {
    for (auto [index, operand] : llvm::enumerate(group.getInputs())) {
      auto contents = values.find(operand);
      if (contents == values.end())
        continue;
      bool overlaps = llvm::any_of(contents->second.images, [&](const Interval &read) {
        return llvm::any_of(images, [&](const Interval &image) { return image.overlaps(read); });
      });
      if (overlaps && (!mayOverwrite(group) || ArrayRef<Interval>(contents->second.images) != images ||
                       operand.getType() != group.getResult(result).getType()))
        return group.emitError() << "result " << result << " overwrites operand " << index << " while it is read";
    }
    return success();
  }

  /// A group that does nothing: its operands already lie where its result is, one after the other.
  LogicalResult view(GroupOp group) {
    if (failed(verifyReads(group)))
      return failure();
    Operation *only = &group.getBlock().front();
    if (group->getNumResults() != 1 || !isa<ReshapeOp, RelayoutOp, ConcatOp>(only) ||
        only->getNextNode() != group.getYield())
      return group.emitError() << "only a reshape, relayout or concatenation can be elided";
    if (!isa<ConcatOp>(only) && !values.count(group.getInputs()[0])) {
      viewsOfArguments.insert(group.getResult(0));
      return success();
    }
    FailureOr<SmallVector<Interval>> images = locate(group, 0);
    if (failed(images))
      return failure();
    Contents contents{*images, {}};
    SmallVector<int64_t> at;
    for (const Interval &image : *images)
      at.push_back(image.begin);
    for (Value argument : only->getOperands()) {
      auto part = values.find(group.getInputs()[cast<BlockArgument>(argument).getArgNumber()]);
      if (part == values.end() || part->second.images.size() != images->size())
        return group.emitError() << "an operand of an elided group lies elsewhere";
      for (auto [image, begin] : llvm::zip(part->second.images, at)) {
        if (image.space != images->front().space || image.begin != begin)
          return group.emitError() << "an operand of an elided group is not in its place";
        begin = image.end;
      }
      llvm::append_range(contents.marks, part->second.marks);
    }
    for (auto [image, end] : llvm::zip(*images, at))
      if (image.end != end)
        return group.emitError() << "the operands of an elided group don't fill its result";
    values[group.getResult(0)] = contents;
    return success();
  }

  func::FuncOp run;
  int64_t workspaceBytes = 0, fixedBytes = 0, lastMark = 0;
  std::map<int64_t, Space> spaces;
  llvm::MapVector<Attribute, int64_t> stateOffset;
  llvm::DenseMap<Value, Contents> values;
  llvm::DenseSet<Value> viewsOfArguments;
};

} // namespace

LogicalResult verifyPlan(func::FuncOp run) { return Simulation(run).simulate(); }

} // namespace cnn
