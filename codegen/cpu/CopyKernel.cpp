// Groups that move values and compute nothing (Kernels.h). Between row-major and channel-blocked, tiles of 16 channels
// by 16 pixels are transposed in registers; everything else is contiguous runs of bytes.
#include "codegen/cpu/ElementOps.h"
#include "codegen/cpu/Kernels.h"
#include "codegen/cpu/Transpose.h"

#include "llvm/Support/FormatVariadic.h"

using namespace mlir;

namespace cnn::cpu {

static RankedTensorType typeOf(Value value) { return cast<RankedTensorType>(value.getType()); }

static bool isBlocked(RankedTensorType type) {
  LayoutAttr layout = getLayout(type);
  return layout && layout.isChannelBlocked() && layout.tileSize(1) == kBlock;
}

/// The only operation of a group that yields its result, or null.
static Operation *onlyOperation(GroupOp group) {
  Block &block = group.getBlock();
  if (group->getNumResults() != 1 || !llvm::hasSingleElement(block.without_terminator()))
    return nullptr;
  Operation *op = &block.front();
  return group.getYield().getValues()[0] == op->getResult(0) ? op : nullptr;
}

/// Elements of an image below dimension 1.
static int64_t pixelsOf(RankedTensorType type) {
  int64_t pixels = 1;
  for (int64_t extent : type.getShape().drop_front(2))
    pixels *= extent;
  return pixels;
}

std::string whyNotCopy(GroupOp group) {
  Operation *op = onlyOperation(group);
  if (!op || !isa<RelayoutOp, ReshapeOp, ConcatOp>(op))
    return "the group does more than copy";
  RankedTensorType to = typeOf(op->getResult(0));
  for (Value operand : op->getOperands()) {
    RankedTensorType from = typeOf(operand);
    if (!isa<BlockArgument>(operand) || from.getRank() < 1 || to.getRank() < 1)
      return "an operand is not a tensor with images";
    if ((getLayout(from) && !isBlocked(from)) || (getLayout(to) && !isBlocked(to)))
      return "a layout is neither row-major nor in blocks of 16 channels";
  }
  if (isa<ReshapeOp>(op))
    return getLayout(to) || getLayout(op->getOperand(0).getType()) ? "a reshape of a blocked tensor moves every element"
                                                                   : "";
  if (auto concat = dyn_cast<ConcatOp>(op)) {
    if (concat.getAxis() != 1)
      return "a concatenation is contiguous along axis 1 only";
    for (Value input : concat.getInputs())
      if (getLayout(input.getType()) != getLayout(to))
        return "an operand has another layout";
    for (Value input : concat.getInputs().drop_back())
      if (isBlocked(to) && typeOf(input).getDimSize(1) % kBlock)
        return "an operand before the last does not end with a whole block of channels";
    return "";
  }
  if (getLayout(to) != getLayout(op->getOperand(0).getType()) && (to.getRank() < 2 || !to.getElementType().isF32()))
    return llvm::formatv("only f32 is transposed, not {0}", to.getElementType());
  return "";
}

/// Copies `bytes` bytes, known now, by vectors and then by ever smaller pieces.
static void copyBytes(KernelBuilder &b, Value to, Value from, int64_t bytes) {
  auto piece = [&](int64_t width) { return VectorType::get({width}, b.getI8Type()); };
  int64_t whole = bytes / 64 * 64;
  b.forLoop(0, whole, 64,
            [&](Value at) { b.store(b.load(piece(64), b.offset(from, at), 0, 1), b.offset(to, at), 0, 1); });
  for (int64_t width = 32; width; width /= 2)
    if ((bytes - whole) & width) {
      b.store(b.load(piece(width), from, whole, 1), to, whole, 1);
      whole += width;
    }
}

/// A tile of `channels` x `pixels`, each at most 16, between row-major rows `planeBytes` apart and blocks; in blocks
/// the lanes from `channels` on are zero.
static void moveTile(KernelBuilder &b, bool toBlocks, Value planar, int64_t planeBytes, Value blocks, int64_t channels,
                     int64_t pixels) {
  Value mask = pixels < kBlock ? lanesBelow(b, b.index(pixels), kBlock) : Value();
  SmallVector<Value> rows;
  for (int64_t row = 0; row < kBlock; ++row) {
    bool exists = row < (toBlocks ? channels : pixels);
    if (!exists)
      rows.push_back(b.splat(0.0f));
    else if (toBlocks)
      rows.push_back(loadElements(b, b.f32(), planar, row * planeBytes, kBlock, mask));
    else
      rows.push_back(b.loadBlock(blocks, row * kBlock * 4));
  }
  transposeSquare(b, rows);
  for (int64_t row = 0; row < (toBlocks ? pixels : channels); ++row) {
    if (toBlocks)
      b.storeBlock(rows[row], blocks, row * kBlock * 4);
    else
      storeElements(b, b.f32(), rows[row], planar, row * planeBytes, mask);
  }
}

/// A unit is a block of channels of one image.
static KernelInfo buildRelayout(KernelBuilder &b, StringRef symbol, RankedTensorType type, bool toBlocks) {
  int64_t channels = type.getDimSize(1), pixels = pixelsOf(type), planeBytes = pixels * 4;
  int64_t units = llvm::divideCeil(channels, kBlock);
  b.kernel(symbol, 2, [&]() {
    b.forUnits([&](Value unit) {
      SmallVector<Value> at = b.delinearize(unit, {Value(), b.index(units)});
      Value planar = b.offset(b.imageOf(toBlocks ? 0 : 1, at[0]), b.mul(at[1], kBlock * planeBytes));
      Value blocks = b.offset(b.imageOf(toBlocks ? 1 : 0, at[0]), b.mul(at[1], pixels * kBlock * 4));
      auto block = [&](int64_t count) {
        auto tile = [&](Value pixel, int64_t width) {
          moveTile(b, toBlocks, b.offset(planar, b.mul(pixel, 4)), planeBytes,
                   b.offset(blocks, b.mul(pixel, kBlock * 4)), count, width);
        };
        int64_t whole = pixels / kBlock * kBlock;
        b.forLoop(0, whole, kBlock, [&](Value pixel) { tile(pixel, kBlock); });
        if (whole < pixels)
          tile(b.index(whole), pixels - whole);
      };
      int64_t rest = channels % kBlock;
      if (!rest)
        block(kBlock);
      else if (units == 1)
        block(rest);
      else
        b.ifThen(b.lessThan(at[1], b.index(units - 1)), [&]() { block(kBlock); }, [&]() { block(rest); });
    });
  });
  KernelInfo info;
  info.symbol = symbol.str();
  info.unitsPerImage = units;
  return info;
}

/// A unit is a channel, or a block of channels, of one image.
static KernelInfo buildConcat(KernelBuilder &b, StringRef symbol, GroupOp group, ConcatOp op) {
  RankedTensorType to = typeOf(op.getResult());
  int64_t rowBytes = pixelsOf(to) * (isBlocked(to) ? kBlock : 1) * elementBytes(to.getElementType());
  auto rowsOf = [&](Value value) { return llvm::divideCeil(typeOf(value).getDimSize(1), isBlocked(to) ? kBlock : 1); };
  int64_t units = rowsOf(op.getResult());
  // An operand that is joined several times is one operand of the group.
  int output = group->getNumOperands();
  b.kernel(symbol, output + 1, [&]() {
    b.forUnits([&](Value unit) {
      SmallVector<Value> at = b.delinearize(unit, {Value(), b.index(units)});
      Value target = b.offset(b.imageOf(output, at[0]), b.mul(at[1], rowBytes));
      // Parts are told apart from the last to the first, so that one comparison each is enough.
      std::function<void(int, int64_t)> part = [&](int index, int64_t end) {
        int64_t first = end - int64_t(rowsOf(op.getInputs()[index]));
        int operand = cast<BlockArgument>(op.getInputs()[index]).getArgNumber();
        auto copy = [&]() {
          copyBytes(b, target, b.offset(b.imageOf(operand, at[0]), b.mul(b.sub(at[1], first), rowBytes)), rowBytes);
        };
        if (index == 0)
          copy();
        else
          b.ifThen(b.lessThan(at[1], b.index(first)), [&]() { part(index - 1, first); }, copy);
      };
      part(op.getInputs().size() - 1, units);
    });
  });
  KernelInfo info;
  info.symbol = symbol.str();
  info.unitsPerImage = units;
  return info;
}

KernelInfo buildCopyKernel(KernelBuilder &b, StringRef symbol, GroupOp group) {
  Operation *op = onlyOperation(group);
  if (auto concat = dyn_cast<ConcatOp>(op))
    return buildConcat(b, symbol, group, concat);
  RankedTensorType from = typeOf(op->getOperand(0)), to = typeOf(op->getResult(0));
  if (isBlocked(from) != isBlocked(to))
    return buildRelayout(b, symbol, to, isBlocked(to));
  // The same bytes: a unit is an image.
  b.kernel(symbol, 2, [&]() {
    b.forUnits(
        [&](Value image) { copyBytes(b, b.imageOf(1, image), b.imageOf(0, image), storedBytes(to, /*whole=*/false)); });
  });
  KernelInfo info;
  info.symbol = symbol.str();
  return info;
}

} // namespace cnn::cpu
