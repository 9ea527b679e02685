// See Kernels.h. A work unit is a run of stored elements where no channel matters, else one channel or block of
// channels of an image. What is one for all images (the update of a parameter and its optimizer's variables) is one
// long vector.
#include "codegen/cpu/Kernels.h"

#include "passes/TargetModel.h"

using namespace mlir;
namespace cnn::cpu {

/// Stored elements of a work unit where a tensor is one long vector.
static constexpr int64_t kRun = 8192;

/// The same of results that are one for all images.
static constexpr int64_t kFixedRun = 4096;

/// Whether elements lie in row-major order without gaps; a vector may be padded at its end.
static bool isFlat(RankedTensorType type) { return !getLayout(type) || type.getRank() == 1; }

static std::string whyNotFlat(GroupOp group) {
  auto full = cast<RankedTensorType>(group.getResult(0).getType());
  for (Value result : group.getResults()) {
    auto type = cast<RankedTensorType>(result.getType());
    if (isPerImage(result))
      return "a result is one for all images, another is not";
    if (type.getShape() != full.getShape() || !isFlat(type))
      return "a result has another shape or is not row-major";
  }
  for (Operation &op : group.getBlock().without_terminator()) {
    if (std::string why = EpilogueEmitter::whyNot(&op, full); !why.empty())
      return why;
    for (Value operand : op.getOperands())
      if (!isFlat(cast<RankedTensorType>(operand.getType())))
        return "an operand is not row-major";
  }
  if (EpilogueEmitter(group, EpilogueEmitter::Lanes::Elements).usesChannels())
    return "only scalars are broadcast to what is one for all images";
  return {};
}

std::string whyNotElementwise(GroupOp group) {
  if (group.getAnchor())
    return "the group has an anchor";
  if (llvm::all_of(group.getResults(), isPerImage))
    return EpilogueEmitter::whyNot(group);
  return whyNotFlat(group);
}

namespace {

class ElementwiseBuilder {
public:
  ElementwiseBuilder(KernelBuilder &b, GroupOp group)
      : b(b), group(group), full(cast<RankedTensorType>(group.getResult(0).getType())),
        isFixed(!isPerImage(group.getResult(0))), emitter(group, lanesOf(group)) {
    pixels = 1;
    for (int64_t dim = 2; dim < full.getRank(); ++dim)
      pixels *= full.getDimSize(dim);
  }

  KernelInfo build(StringRef symbol) {
    KernelInfo info;
    info.symbol = symbol.str();
    b.kernel(symbol, emitter.operands(), [&] {
      if (isFixed) {
        info.unitsPerImage = 0;
        info.fixedUnits = buildFixed();
      } else if (!emitter.usesChannels())
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
    if (!isPerImage(group.getResult(0)))
      return EpilogueEmitter::Lanes::Elements;
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

  int64_t buildFixed() {
    int64_t count = full.getNumElements(), units = llvm::divideCeil(count, kFixedRun);
    b.forUnits([&](Value unit) {
      Value from = b.mul(unit, kFixedRun);
      Value to = units == 1 ? b.index(count) : b.min(b.add(from, kFixedRun), count);
      emitRun(emitter.images(b, b.index(0)), from, to, count % kBlock == 0, nullptr);
      if (count % kBlock != 0)
        b.ifThen(b.equal(to, b.index(count)), [&] { storePadding(count); });
    });
    return units;
  }

  /// Zeros after the elements of vectors in whole blocks.
  void storePadding(int64_t count) {
    for (auto [number, result] : llvm::enumerate(group.getResults())) {
      auto type = cast<RankedTensorType>(result.getType());
      int64_t bytes = elementBytes(type.getElementType());
      for (int64_t at = count; at < storedElements(type, /*whole=*/true); ++at)
        storeElements(b, type.getElementType(), elementConstant(b, type.getElementType(), 1, 0),
                      b.buffer(emitter.inputs() + number), at * bytes);
    }
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
  GroupOp group;
  RankedTensorType full;
  bool isFixed;
  EpilogueEmitter emitter;
  int64_t pixels;
};

} // namespace

KernelInfo buildElementwiseKernel(KernelBuilder &b, StringRef symbol, GroupOp group) {
  return ElementwiseBuilder(b, group).build(symbol);
}

} // namespace cnn::cpu
