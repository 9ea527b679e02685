// Parts of channel-blocked images, and images with zeros around or between their pixels (Kernels.h): slice, unslice and
// pad with zeros. A work unit is a row of a block of channels of the result. Where a channel moves to another lane, two
// blocks of the input are joined in registers.
#include "codegen/cpu/ElementOps.h"
#include "codegen/cpu/Kernels.h"
#include "passes/TargetModel.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"

using namespace mlir;

namespace cnn::cpu {
namespace {

constexpr int64_t kBlockBytes = kBlock * 4;

/// Where the positions of a dimension come from: result[i] = input[start + i * step], or, where the input is spread,
/// result[start + i * step] = input[i] and zero elsewhere.
struct Axis {
  int64_t start = 0, step = 1, from = 0, to = 0; ///< `from` and `to` are the extents of the input and the result.
  bool spreads = false;

  bool isWhole() const { return start == 0 && step == 1 && from == to; }
};

RankedTensorType typeOf(Value value) { return cast<RankedTensorType>(value.getType()); }

/// One axis for each dimension; none where `op` is something else.
SmallVector<Axis> axesOf(Operation *op) {
  SmallVector<Axis> axes;
  auto add = [&](ArrayRef<int64_t> starts, ArrayRef<int64_t> steps, bool spreads) {
    for (auto [dim, start] : llvm::enumerate(starts))
      axes.push_back({start, steps.empty() ? 1 : steps[dim], typeOf(op->getOperand(0)).getDimSize(dim),
                      typeOf(op->getResult(0)).getDimSize(dim), spreads});
  };
  if (auto slice = dyn_cast<SliceOp>(op))
    add(slice.getStarts(), slice.getSteps(), false);
  else if (auto unslice = dyn_cast<UnsliceOp>(op))
    add(unslice.getStarts(), unslice.getSteps(), true);
  else if (auto pad = dyn_cast<PadOp>(op); pad && pad.getMode() == PadMode::Constant && pad.getValue().isZero())
    add(pad.getLow(), {}, true);
  return axes;
}

class MoveBuilder {
public:
  MoveBuilder(KernelBuilder &b, GroupOp group) : b(b) {
    SmallVector<Axis> axes = axesOf(group.getAnchor());
    channels = axes[1], rows = axes[2], columns = axes[3];
    int64_t shift = channels.spreads ? -channels.start : channels.start;
    lane = ((shift % kBlock) + kBlock) % kBlock;
    blockShift = (shift - lane) / kBlock;
    inputBlocks = llvm::divideCeil(channels.from, kBlock);
    isMasked = channels.spreads ? !channels.isWhole() || channels.to % kBlock : lane != 0 || channels.to % kBlock;
  }

  KernelInfo build(StringRef symbol) {
    KernelInfo info;
    info.symbol = symbol.str();
    const int64_t blocks = llvm::divideCeil(channels.to, kBlock);
    info.unitsPerImage = blocks * rows.to;
    b.kernel(symbol, 2, [&] {
      b.forUnits([&](Value unit) {
        SmallVector<Value> at = b.delinearize(unit, {Value(), b.index(blocks), b.index(rows.to)});
        buildRow(at[0], at[1], at[2]);
      });
    });
    return info;
  }

private:
  void buildRow(Value image, Value block, Value row) {
    Value first = b.add(block, blockShift);
    output = b.offset(b.imageOf(1, image), b.mul(b.add(b.mul(block, rows.to), row), columns.to * kBlockBytes));
    if (isMasked)
      mask = maskOf(block, first);
    auto move = [&](Value inputRow) {
      auto rowOf = [&](Value inputBlock) {
        // What lies in a block that does not exist is masked out.
        Value inside = b.min(b.max(inputBlock, 0), inputBlocks - 1);
        return b.offset(b.imageOf(0, image),
                        b.mul(b.add(b.mul(inside, rows.from), inputRow), columns.from * kBlockBytes));
      };
      low = rowOf(first);
      high = lane ? rowOf(b.add(first, 1)) : Value();
      columns.spreads ? spreadRow() : gatherRow();
    };
    if (!rows.spreads)
      return move(b.add(b.mul(row, rows.step), rows.start));
    if (rows.isWhole())
      return move(row);
    // The rows from `start` on, every `step`th.
    Value distance = b.max(b.sub(row, rows.start), 0), number = b.div(distance, rows.step);
    Value isThere = arith::AndIOp::create(
        b, arith::AndIOp::create(b, b.lessThan(b.index(rows.start - 1), row), b.lessThan(number, b.index(rows.from))),
        b.equal(b.mul(number, rows.step), distance));
    b.ifThen(isThere, [&] { move(number); }, [&] { clear(0, columns.to); });
  }

  /// Lanes of the result's block whose channel is in the result and comes from one of the input.
  Value maskOf(Value block, Value first) {
    Value inputChannel = b.add(b.mul(first, kBlock), lane); // Of lane 0.
    Value below = lanesBelow(
        b, b.min(b.sub(b.index(channels.from), inputChannel), b.sub(b.index(channels.to), b.mul(block, kBlock))),
        kBlock);
    Value before = lanesBelow(b, b.sub(b.index(0), inputChannel), kBlock);
    auto all = DenseElementsAttr::get(cast<ShapedType>(before.getType()), true);
    return arith::AndIOp::create(b, below,
                                 arith::XOrIOp::create(b, before, arith::ConstantOp::create(b, all).getResult()));
  }

  Value load(Value column) {
    Value bytes = b.mul(column, kBlockBytes);
    Value value = b.loadBlock(b.offset(low, bytes));
    if (lane) {
      SmallVector<int64_t> lanes;
      for (int64_t k = 0; k < kBlock; ++k)
        lanes.push_back(lane + k);
      value = vector::ShuffleOp::create(b, value, b.loadBlock(b.offset(high, bytes)), lanes);
    }
    return isMasked ? arith::SelectOp::create(b, mask, value, b.splat(0.0f)).getResult() : value;
  }
  void store(Value column, Value value) { b.storeBlock(value, b.offset(output, b.mul(column, kBlockBytes))); }
  void clear(int64_t from, int64_t to) {
    b.forLoop(from, to, 1, [&](Value column) { store(column, b.splat(0.0f)); });
  }

  void gatherRow() {
    b.forLoop(0, columns.to, 1,
              [&](Value column) { store(column, load(b.add(b.mul(column, columns.step), columns.start))); });
  }

  void spreadRow() {
    clear(0, columns.start);
    const int64_t last = columns.from - 1;
    b.forLoop(0, last, 1, [&](Value column) {
      Value to = b.add(b.mul(column, columns.step), columns.start);
      store(to, load(column));
      for (int64_t gap = 1; gap < columns.step; ++gap)
        store(b.add(to, gap), b.splat(0.0f));
    });
    store(b.index(columns.start + last * columns.step), load(b.index(last)));
    clear(columns.start + last * columns.step + 1, columns.to);
  }

  KernelBuilder &b;
  Axis channels, rows, columns;
  int64_t lane, blockShift; ///< Channel 16 k of the result is in lane `lane` of the input's block k + blockShift.
  int64_t inputBlocks;
  bool isMasked;
  Value output, low, high, mask; ///< Of the row: the result's, and the input's blocks.
};

} // namespace

bool movesBlocks(Operation *op) {
  SmallVector<Axis> axes = axesOf(op);
  if (axes.size() != 4 || axes[1].step != 1 || !typeOf(op->getResult(0)).getElementType().isF32())
    return false;
  return axes[0].start == 0 && axes[0].step == 1 && axes[0].from == axes[0].to;
}

std::string whyNotMove(GroupOp group) {
  Operation *anchor = group.getAnchor();
  if (!anchor || !movesBlocks(anchor) || !isa<BlockArgument>(anchor->getOperand(0)))
    return "the anchor moves no blocks of channels of an image";
  if (group->getNumResults() != 1 || !llvm::hasSingleElement(group.getBlock().without_terminator()))
    return "the group does more than move elements";
  for (Type type : {anchor->getOperand(0).getType(), anchor->getResult(0).getType()})
    if (LayoutAttr layout = getLayout(type); !layout || !layout.isChannelBlocked() || layout.tileSize(1) != kBlock)
      return "the input or the result is not in blocks of channels";
  return isPerImage(group.getInputs()[0]) && isPerImage(group.getResult(0)) ? "" : "the operand has no images";
}

KernelInfo buildMoveKernel(KernelBuilder &b, StringRef symbol, GroupOp group) {
  return MoveBuilder(b, group).build(symbol);
}

} // namespace cnn::cpu
