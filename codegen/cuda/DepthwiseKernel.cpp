// Depthwise convolutions and transposed ones (Kernels.h). Image and result are in blocks of 16 channels, the weights
// [C/16][kh][kw][16]. A thread computes four channels of some neighbouring positions of a row: four threads share a
// pixel's 64 bytes, and a column of the input is loaded once a kernel row for all positions and taps that read it.
//
// Which tap of which position reads which column is known when the kernel is built. So it is for transposed
// convolutions, whose groups of positions begin where a tap meets the input's grid: they are cut into whole strides.
#include "codegen/cuda/Convolution.h"
#include "codegen/cuda/Kernels.h"

#include "codegen/cpu/CpuDialect.h"
#include "codegen/cpu/Epilogue.h"
#include "passes/TargetModel.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/SCF/IR/SCF.h"

#include <map>

using namespace mlir;

namespace cnn::cuda {

using cpu::EpilogueEmitter;
using cpu::kBlock;

static constexpr int64_t kWidth = 4;
/// Taps of a row, whose weights are in registers.
static constexpr int64_t kMostTaps = 16;

LayoutAttr depthwiseWeightLayout(MLIRContext *context) { return LayoutAttr::tiled(context, 4, {0}, {kBlock}); }

bool isDepthwise(GroupOp group) {
  Operation *anchor = group.getAnchor();
  return isa_and_nonnull<Conv2dOp, Conv2dTransposeOp, Conv2dWeightGradOp>(anchor) && Convolution(anchor).isDepthwise();
}

std::string whyNotDepthwise(GroupOp group) {
  if (!isDepthwise(group) || isa<Conv2dWeightGradOp>(group.getAnchor()))
    return "the anchor is no depthwise convolution";
  if (std::string why = whyNotRead(group); !why.empty())
    return why;
  Convolution conv(group.getAnchor());
  if (!cpu::isChannelBlocked(conv.input.getType()) || !cpu::isChannelBlocked(group.getAnchor()->getResult(0).getType()))
    return "the images are not in blocks of channels";
  if (getLayout(conv.weight.getType()) != depthwiseWeightLayout(group.getContext()))
    return "the weights are not in blocks of channels";
  if (conv.x.taps > kMostTaps)
    return "a row of the kernel has too many taps";
  return EpilogueEmitter::whyNot(group);
}

namespace {

/// How a row of the result is cut into groups of positions, one a thread.
struct RowCut {
  int64_t positions; ///< Of a group.
  int64_t groups;
  int64_t before = 0; ///< Positions that the first group has in front of the row.
  /// By the column of the input, from that of the group on: the positions and the taps that read it.
  std::map<int64_t, SmallVector<std::pair<int64_t, int64_t>>> reads;

  RowCut(const Convolution &conv, int64_t wanted) : positions(wanted) {
    const Axis &axis = conv.x;
    if (conv.isTransposed) {
      positions = llvm::alignTo(wanted, axis.stride);
      before = axis.pad % axis.stride;
    }
    groups = llvm::divideCeil(axis.output + before, positions);
    for (int64_t position = 0; position < positions; ++position)
      for (int64_t tap = 0; tap < axis.taps; ++tap) {
        int64_t distance =
            conv.isTransposed ? position - tap * axis.dilation : position * axis.stride + tap * axis.dilation;
        if (!conv.isTransposed)
          reads[distance].emplace_back(position, tap);
        else if (distance % axis.stride == 0)
          reads[distance / axis.stride].emplace_back(position, tap);
      }
  }

  /// The column of the input that the reads of a group count from.
  Value firstColumn(DeviceBuilder &b, const Axis &axis, Value group, bool isTransposed) const {
    return isTransposed ? b.add(b.mul(group, positions / axis.stride), axis.pad / axis.stride)
                        : b.sub(b.mul(group, positions * axis.stride), axis.pad);
  }
  int64_t columnOf(const Axis &axis, int64_t group, bool isTransposed) const {
    return isTransposed ? group * positions / axis.stride + axis.pad / axis.stride
                        : group * positions * axis.stride - axis.pad;
  }
  Value firstPosition(DeviceBuilder &b, Value group) const { return b.sub(b.mul(group, positions), before); }
};

class DepthwiseBuilder {
public:
  DepthwiseBuilder(DeviceBuilder &b, GroupOp group, int64_t positions)
      : b(b), conv(group.getAnchor()), cut(conv, positions), emitter(group), type(VectorType::get({kWidth}, b.f32())) {
    input = cast<BlockArgument>(conv.input).getArgNumber();
    weights = cast<BlockArgument>(conv.weight).getArgNumber();
  }

  DeviceKernel build(StringRef symbol, ArrayRef<DeviceOperand> known, int64_t threads) {
    int64_t blocks = llvm::divideCeil(conv.outputs, kBlock);
    DeviceKernel kernel;
    kernel.symbol = symbol.str();
    kernel.unitsPerImage = blocks * conv.y.output * cut.groups * (kBlock / kWidth);
    kernel.launch = b.unitKernel(symbol, known, threads, [&](Value unit) {
      SmallVector<Value> at = b.delinearize(
          unit, {Value(), b.index(blocks), b.index(conv.y.output), b.index(cut.groups), b.index(kBlock / kWidth)});
      buildGroup(emitter.images(b, at[0]), at[1], at[2], at[3], b.mul(at[4], kWidth));
    });
    return kernel;
  }

private:
  /// Four elements of operand `operand`.
  Value load(Value address, int64_t operand) {
    return b.load(type, address, 0, b.operand(operand).alignment % (kWidth * 4) ? 4 : kWidth * 4);
  }

  void buildGroup(ArrayRef<Value> images, Value block, Value row, Value group, Value lane) {
    Value plane = b.offset(images[input], b.mul(b.add(b.mul(block, conv.y.input * conv.x.input * kBlock), lane), 4));
    Value kernels = b.offset(b.buffer(weights), b.mul(b.add(b.mul(block, conv.taps() * kBlock), lane), 4));
    Value start = conv.startOf(b, conv.y, row), first = cut.firstColumn(b, conv.x, group, conv.isTransposed);
    Value zero = arith::ConstantOp::create(b, b.getZeroAttr(type));
    SmallVector<Value> sums(cut.positions, zero);
    sums = b.forLoop(0, conv.y.taps, 1, sums, [&](Value tap, ValueRange carried) {
      auto [position, valid] = conv.positionOf(b, conv.y, start, tap);
      auto add = [&](OpBuilder &, Location) {
        Value line = b.offset(plane, b.mul(position, conv.x.input * kBlock * 4));
        scf::YieldOp::create(b, addRow(line, first, b.offset(kernels, b.mul(tap, conv.x.taps * kBlock * 4)), carried));
      };
      auto keep = [&](OpBuilder &, Location) { scf::YieldOp::create(b, carried); };
      return SmallVector<Value>(scf::IfOp::create(b, valid, add, keep).getResults());
    });
    Value begin = cut.firstPosition(b, group);
    for (auto [number, sum] : llvm::enumerate(sums)) {
      Value column = b.add(begin, int64_t(number));
      auto store = [&] {
        Value pixel = b.add(b.mul(b.add(b.mul(block, conv.y.output), row), conv.x.output), column);
        EpilogueEmitter::Position at;
        at.images = images;
        at.bytes = b.mul(b.add(b.mul(pixel, kBlock), lane), 4);
        at.channel = b.add(b.mul(block, kBlock), lane);
        at.width = kWidth;
        emitter.emitAndStore(b, at, sum);
      };
      if (cut.groups * cut.positions == conv.x.output)
        store();
      else
        b.ifThen(isInside(b, column, conv.x.output), store);
    }
  }

  /// Adds the products of one kernel row; columns beside the image are read at its border and not used.
  SmallVector<Value> addRow(Value line, Value first, Value kernels, ValueRange carried) {
    SmallVector<Value> sums(carried), taps;
    for (int64_t tap = 0; tap < conv.x.taps; ++tap)
      taps.push_back(load(b.offset(kernels, tap * kBlock * 4), weights));
    Value zero = arith::ConstantOp::create(b, b.getZeroAttr(type));
    for (const auto &[distance, reads] : cut.reads) {
      int64_t lowest = cut.columnOf(conv.x, 0, conv.isTransposed) + distance;
      int64_t highest = cut.columnOf(conv.x, cut.groups - 1, conv.isTransposed) + distance;
      auto [column, valid] = clipInside(b, b.add(first, distance), lowest, highest, conv.x.input);
      Value value = load(b.offset(line, b.mul(column, kBlock * 4)), input);
      if (valid)
        value = b.select(valid, value, zero);
      for (auto [position, tap] : reads)
        sums[position] = b.fma(value, taps[tap], sums[position]);
    }
    return sums;
  }

  DeviceBuilder &b;
  Convolution conv;
  RowCut cut;
  EpilogueEmitter emitter;
  VectorType type;
  int64_t input, weights;
};

} // namespace

// More positions a thread load each column less often; fewer of them make more threads.
int64_t depthwisePositions(GroupOp group) {
  constexpr int64_t kThreadsWanted = 1 << 15;
  Convolution conv(group.getAnchor());
  int64_t best = 1, leastLoads = 0;
  for (int64_t positions : {1, 2, 4, 8}) {
    RowCut cut(conv, positions);
    int64_t threads = llvm::divideCeil(conv.outputs, kWidth) * conv.y.output * cut.groups;
    int64_t loads = cut.groups * (static_cast<int64_t>(cut.reads.size()) + conv.x.taps);
    if (positions == 1 || (threads >= kThreadsWanted && loads < leastLoads)) {
      best = positions;
      leastLoads = loads;
    }
  }
  return best;
}

GroupKernels buildDepthwiseKernel(DeviceBuilder &b, StringRef symbol, GroupOp group, int64_t positions, int64_t threads,
                                  ArrayRef<DeviceOperand> known) {
  GroupKernel made;
  made.operands = bodyOperands(group);
  made.kernel = DepthwiseBuilder(b, group, positions).build(symbol, knownOf(known, made.operands), threads);
  return {made};
}

} // namespace cnn::cuda
