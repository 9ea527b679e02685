// See Kernels.h. A work unit is a run of stored elements where no channel matters, else one channel or block of
// channels of an image.
#include "codegen/cpu/Kernels.h"

using namespace mlir;
namespace cnn::cpu {

/// Stored elements of a work unit where a tensor is one long vector.
static constexpr int64_t kRun = 8192;

std::string whyNotElementwise(GroupOp group) {
  if (group.getAnchor())
    return "the group has an anchor";
  return EpilogueEmitter::whyNot(group);
}

namespace {

class ElementwiseBuilder {
public:
  ElementwiseBuilder(KernelBuilder &b, GroupOp group)
      : b(b), full(cast<RankedTensorType>(group.getResult(0).getType())), emitter(group, lanesOf(group)) {
    pixels = 1;
    for (int64_t dim = 2; dim < full.getRank(); ++dim)
      pixels *= full.getDimSize(dim);
  }

  KernelInfo build(StringRef symbol) {
    KernelInfo info;
    info.symbol = symbol.str();
    b.kernel(symbol, emitter.operands(), [&] {
      if (!emitter.usesChannels())
        info.unitsPerImage = buildLinear();
      else if (LayoutAttr layout = getLayout(full); layout && layout.isChannelBlocked())
        info.unitsPerImage = buildBlocks();
      else if (full.getRank() == 2)
        info.unitsPerImage = buildRows();
      else
        info.unitsPerImage = buildPlanes();
    });
    return info;
  }

private:
  static EpilogueEmitter::Lanes lanesOf(GroupOp group) {
    auto type = cast<RankedTensorType>(group.getResult(0).getType());
    LayoutAttr layout = getLayout(type);
    if (layout && layout.isChannelBlocked())
      return EpilogueEmitter::Lanes::Channels;
    // A row of outputs has its channels along the lanes, but only per-channel vectors make that matter.
    EpilogueEmitter elements(group, EpilogueEmitter::Lanes::Elements);
    return type.getRank() == 2 && elements.usesChannels() ? EpilogueEmitter::Lanes::Channels
                                                          : EpilogueEmitter::Lanes::Elements;
  }

  /// Elements [from, to) of the image at `images`, in vectors and, where the count may be odd, one by one.
  void emitRun(ArrayRef<Value> images, Value from, Value to, bool wholeVectors, Value channel) {
    auto at = [&](Value element, int64_t width) {
      EpilogueEmitter::Position position;
      position.images = images;
      position.bytes = b.mul(element, 4);
      position.channel = channel;
      position.width = width;
      return position;
    };
    Value vectorsEnd = wholeVectors ? to : b.add(from, b.mul(b.div(b.sub(to, from), kBlock), kBlock));
    b.forLoop(from, vectorsEnd, kBlock, [&](Value element) { emitter.emitAndStore(b, at(element, kBlock)); });
    if (!wholeVectors)
      b.forLoop(vectorsEnd, to, 1, [&](Value element) { emitter.emitAndStore(b, at(element, 1)); });
  }

  int64_t buildLinear() {
    int64_t count = storedElements(full, /*whole=*/false);
    int64_t units = llvm::divideCeil(count, kRun);
    b.forUnits([&](Value unit) {
      SmallVector<Value> at = b.delinearize(unit, {Value(), b.index(units)});
      Value from = b.mul(at[1], kRun);
      Value to = units == 1 ? b.index(count) : b.min(b.add(from, kRun), count);
      emitRun(emitter.images(b, at[0]), from, to, count % kBlock == 0, nullptr);
    });
    return units;
  }

  int64_t buildBlocks() {
    int64_t blocks = llvm::divideCeil(full.getDimSize(1), kBlock);
    b.forUnits([&](Value unit) {
      SmallVector<Value> at = b.delinearize(unit, {Value(), b.index(blocks)});
      Value from = b.mul(at[1], pixels * kBlock);
      emitRun(emitter.images(b, at[0]), from, b.add(from, pixels * kBlock), /*wholeVectors=*/true,
              b.mul(at[1], kBlock));
    });
    return blocks;
  }

  int64_t buildRows() {
    b.forUnits([&](Value image) {
      SmallVector<Value> images = emitter.images(b, image);
      b.forLoop(0, full.getDimSize(1), kBlock, [&](Value channel) {
        EpilogueEmitter::Position position;
        position.images = images;
        position.bytes = b.mul(channel, 4);
        position.channel = channel;
        emitter.emitAndStore(b, position);
      });
    });
    return 1;
  }

  int64_t buildPlanes() {
    int64_t channels = full.getDimSize(1);
    b.forUnits([&](Value unit) {
      SmallVector<Value> at = b.delinearize(unit, {Value(), b.index(channels)});
      Value from = b.mul(at[1], pixels);
      emitRun(emitter.images(b, at[0]), from, b.add(from, pixels), pixels % kBlock == 0, at[1]);
    });
    return channels;
  }

  KernelBuilder &b;
  RankedTensorType full;
  EpilogueEmitter emitter;
  int64_t pixels;
};

} // namespace

KernelInfo buildElementwiseKernel(KernelBuilder &b, StringRef symbol, GroupOp group) {
  return ElementwiseBuilder(b, group).build(symbol);
}

} // namespace cnn::cpu
