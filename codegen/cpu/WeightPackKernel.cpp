// Packing of convolution kernels inside a training step (Kernels.h), for forward and data gradient alike: a row-major
// [O, C, kh, kw], perhaps flipped and transposed, goes to the layouts of ConvKernel.h, or to the transformed kernels of
// WinogradKernels.h. Sixteen outputs of one input channel are loaded as rows of taps and transposed in registers.
#include "codegen/cpu/CpuDialect.h"
#include "codegen/cpu/ElementOps.h"
#include "codegen/cpu/Kernels.h"
#include "codegen/cpu/Transpose.h"
#include "codegen/cpu/WinogradKernels.h"
#include "ir/Winograd.h"

using llvm::divideCeil;
using namespace mlir;
namespace cnn::cpu {
namespace {

constexpr int64_t kBlockBytes = kBlock * 4;

RankedTensorType typeOf(Value value) { return cast<RankedTensorType>(value.getType()); }

/// The layout in which a transposed convolution reads its kernels [O, C, kh, kw]: [C/16][O/16][kh][kw][16o][16c].
bool isTransposedLayout(LayoutAttr layout) { return layout && layout == transposedKernelLayout(layout.getContext()); }

/// The operations of a group, each of which takes the one before.
struct Chain {
  FlipKernelsOp flip;
  WinogradWeightsOp winograd;
  RelayoutOp relayout;
  Value source;

  /// False where the group is anything else.
  bool match(GroupOp group) {
    Block &block = group.getBlock();
    if (group->getNumResults() != 1 || group->getNumOperands() != 1)
      return false;
    source = block.getArgument(0);
    Value value = source;
    for (Operation &op : block.without_terminator()) {
      if (op.getNumOperands() != 1 || op.getOperand(0) != value)
        return false;
      if (auto found = dyn_cast<FlipKernelsOp>(op); found && !flip && !winograd && !relayout)
        flip = found;
      else if (auto found = dyn_cast<WinogradWeightsOp>(op); found && !winograd && !relayout)
        winograd = found;
      else if (auto found = dyn_cast<RelayoutOp>(op); found && !relayout)
        relayout = found;
      else
        return false;
      value = op.getResult(0);
    }
    return value != source && value == group.getYield().getValues()[0];
  }
};

class WeightPackBuilder {
public:
  WeightPackBuilder(KernelBuilder &b, GroupOp group) : b(b) {
    chain.match(group);
    RankedTensorType from = typeOf(chain.source);
    sourceChannels = from.getDimSize(1);
    LayoutAttr layout = getLayout(group.getResult(0).getType());
    swapped = chain.flip || isTransposedLayout(layout);
    groups = chain.flip ? int64_t(chain.flip.getGroups()) : 1;
    sourceOutputs = from.getDimSize(0) / groups;
    outputs = swapped ? sourceChannels * groups : from.getDimSize(0);
    channels = swapped ? sourceOutputs : sourceChannels;
    taps = from.getDimSize(2) * from.getDimSize(3);
    channelBlock = layout && layout.getInnerDims().size() == 2 ? kBlock : 1;
    rowMajor = !layout;
  }

  KernelInfo build(StringRef symbol) {
    int64_t blocks = divideCeil(outputs, kBlock), storedChannels = divideCeil(channels, channelBlock) * channelBlock;
    KernelInfo info;
    info.symbol = symbol.str();
    info.unitsPerImage = 0;
    info.fixedUnits = rowMajor ? outputs : blocks;
    b.kernel(symbol, 2, [&] {
      b.forUnits([&](Value unit) {
        if (rowMajor)
          return flipRow(unit);
        b.forLoop(0, channels, 1, [&](Value channel) { packChannel(unit, channel, blocks); });
        b.forLoop(channels, storedChannels, 1, [&](Value channel) {
          for (int64_t tap = 0; tap < taps; ++tap)
            b.storeBlock(b.splat(0.0f), directPlace(unit, channel, tap));
        });
      });
    });
    return info;
  }

private:
  /// The first tap of the kernel from `channel` to `output`.
  Value kernelAt(Value output, Value channel) {
    Value from = b.mul(output, sourceChannels), to = channel;
    if (swapped) {
      from = b.mul(b.add(b.mul(b.div(output, sourceChannels), sourceOutputs), channel), sourceChannels);
      to = b.rem(output, sourceChannels);
    }
    return b.offset(b.buffer(0), b.mul(b.add(from, to), taps * 4));
  }

  void flipRow(Value output) {
    b.forLoop(0, channels, 1, [&](Value channel) {
      Value from = kernelAt(output, channel);
      Value to = b.offset(b.buffer(1), b.mul(b.add(b.mul(output, channels), channel), taps * 4));
      for (int64_t tap = 0; tap < taps; ++tap)
        b.store(b.loadScalar(from, (taps - 1 - tap) * 4), to, tap * 4);
    });
  }

  Value directPlace(Value block, Value channel, int64_t tap) {
    int64_t channelBlocks = divideCeil(channels, channelBlock);
    Value at = b.mul(b.add(b.mul(block, channelBlocks), b.div(channel, channelBlock)), taps);
    at = b.add(b.mul(b.add(at, tap), channelBlock), b.rem(channel, channelBlock));
    return b.offset(b.buffer(1), b.mul(at, kBlockBytes));
  }

  void packChannel(Value block, Value channel, int64_t blocks) {
    SmallVector<Value> kernels, vectors(taps);
    for (int64_t lane = 0; lane < kBlock; ++lane)
      kernels.push_back(kernelAt(b.min(b.add(b.mul(block, kBlock), lane), outputs - 1), channel));
    for (int64_t first = 0; first < taps; first += kBlock) {
      int64_t count = std::min(kBlock, taps - first);
      Value mask = count < kBlock ? lanesBelow(b, b.index(count), kBlock) : Value();
      SmallVector<Value> rows;
      for (Value kernel : kernels)
        rows.push_back(count == 1 ? b.splat(b.loadScalar(kernel, first * 4))
                                  : loadElements(b, b.f32(), kernel, first * 4, kBlock, mask));
      transposeSquare(b, rows);
      for (int64_t tap = 0; tap < count; ++tap)
        vectors[chain.flip ? taps - 1 - first - tap : first + tap] = b.keepChannels(rows[tap], block, outputs);
    }
    if (!chain.winograd) {
      for (int64_t tap = 0; tap < taps; ++tap)
        b.storeBlock(vectors[tap], directPlace(block, channel, tap));
      return;
    }
    SmallVector<Value> transformed = winogradTransformKernel(b, vectors);
    Value to = b.offset(b.buffer(1), b.mul(b.add(b.mul(block, channels), channel), kBlockBytes));
    for (auto [point, value] : llvm::enumerate(transformed))
      b.storeBlock(value, to, int64_t(point) * blocks * channels * kBlockBytes);
  }

  KernelBuilder &b;
  Chain chain;
  int64_t sourceOutputs, sourceChannels; ///< Of the row-major weight, of one group.
  int64_t outputs, channels, taps;       ///< Of the kernels that are packed.
  int64_t groups, channelBlock;
  bool swapped; ///< Outputs and channels change roles.
  bool rowMajor;
};

} // namespace

std::string whyNotWeightPack(GroupOp group) {
  Chain chain;
  if (!chain.match(group))
    return "the group does not only pack kernels";
  RankedTensorType from = typeOf(chain.source);
  if (from.getRank() != 4 || !from.hasStaticShape() || !from.getElementType().isF32() || getLayout(from))
    return "the kernels are no row-major tensor of f32";
  MLIRContext *context = group.getContext();
  LayoutAttr layout = getLayout(group.getResult(0).getType());
  if (chain.winograd)
    return layout == LayoutAttr::tiled(context, 4, {2}, {kBlock})
               ? ""
               : "transformed kernels are packed in blocks of outputs only";
  bool known = layout == LayoutAttr::tiled(context, 4, {0}, {kBlock}) ||
               layout == LayoutAttr::tiled(context, 4, {1, 0}, {kBlock, kBlock}) ||
               (isTransposedLayout(layout) && !chain.flip);
  return known || (!layout && chain.flip && !chain.relayout) ? "" : "no kernel takes this layout";
}

KernelInfo buildWeightPackKernel(KernelBuilder &b, StringRef symbol, GroupOp group) {
  return WeightPackBuilder(b, group).build(symbol);
}

} // namespace cnn::cpu
