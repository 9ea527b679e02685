// Element-wise operations (Kernels.h). A thread computes four consecutive stored elements, which are loaded and stored
// as 16 bytes where the operands' alignment allows it.
#include "codegen/cuda/Kernels.h"

#include "codegen/cpu/Epilogue.h"
#include "codegen/cpu/Kernels.h"
#include "passes/TargetModel.h"

using namespace mlir;

namespace cnn::cuda {

using cpu::EpilogueEmitter;
using cpu::kBlock;

static constexpr int64_t kWidth = 4;

static RankedTensorType fullOf(GroupOp group) { return cast<RankedTensorType>(group.getResult(0).getType()); }

static bool isBlocked(GroupOp group) {
  LayoutAttr layout = getLayout(fullOf(group));
  return layout && layout.isChannelBlocked();
}

static EpilogueEmitter::Lanes lanesOf(GroupOp group) {
  return isPerImage(group.getResult(0)) && isBlocked(group) ? EpilogueEmitter::Lanes::Channels
                                                            : EpilogueEmitter::Lanes::Elements;
}

/// Positions of one channel of an image, which follow each other where it is row-major.
static int64_t pixelsOf(RankedTensorType full) {
  int64_t pixels = 1;
  for (int64_t dim = 2; dim < full.getRank(); ++dim)
    pixels *= full.getDimSize(dim);
  return pixels;
}

std::string whyNotChain(GroupOp group) {
  if (std::string why = cpu::whyNotElementwise(group); !why.empty())
    return why;
  RankedTensorType full = fullOf(group);
  LayoutAttr layout = getLayout(full);
  if (!isPerImage(group.getResult(0)))
    return "";
  if (layout && (!isBlocked(group) || layout.tileSize(1) != kBlock))
    return "the layout is neither row-major nor in blocks of channels";
  if (storedElements(full, /*whole=*/false) % kWidth)
    return "the elements of an image are no multiple of four";
  if (!layout && EpilogueEmitter(group, lanesOf(group)).usesChannels() && pixelsOf(full) % kWidth)
    return "the positions of a channel are no multiple of four";
  return "";
}

namespace {

class ChainBuilder {
public:
  ChainBuilder(DeviceBuilder &b, GroupOp group, ArrayRef<DeviceOperand> known)
      : b(b), group(group), full(fullOf(group)),
        known(known.take_front(group->getNumOperands() + group->getNumResults())), emitter(group, lanesOf(group)) {
    SmallVector<Type> types(group->getOperandTypes());
    llvm::append_range(types, group->getResultTypes());
    bool isAligned = true;
    for (auto [type, operand] : llvm::zip_equal(types, this->known)) {
      auto tensor = cast<RankedTensorType>(type);
      bool isVector = tensor.getRank() > 0 && (!tensor.hasStaticShape() || storedElements(tensor, /*whole=*/true) != 1);
      isAligned &= !isVector || operand.alignment % (kWidth * elementBytes(tensor.getElementType())) == 0;
    }
    multiple = isAligned ? kWidth : 1;
  }

  DeviceKernel build(StringRef symbol, int64_t threads) {
    DeviceKernel kernel;
    kernel.symbol = symbol.str();
    bool hasImages = isPerImage(group.getResult(0));
    int64_t elements = hasImages ? storedElements(full, /*whole=*/false) : full.getNumElements();
    int64_t units = llvm::divideCeil(elements, kWidth);
    (hasImages ? kernel.unitsPerImage : kernel.fixedUnits) = units;
    kernel.launch = b.unitKernel(symbol, known, threads, [&](Value unit) {
      if (hasImages)
        emit(b.div(unit, units), b.mul(b.rem(unit, units), kWidth), kWidth);
      else if (elements % kWidth == 0)
        emit(b.index(0), b.mul(unit, kWidth), kWidth);
      else
        b.ifThen(
            b.lessThan(unit, b.index(elements / kWidth)), [&] { emit(b.index(0), b.mul(unit, kWidth), kWidth); },
            [&] { emitEnd(elements); });
      // What ends with the last whole vector may still be padded.
      bool isPadded = !hasImages && llvm::any_of(group.getResultTypes(), [&](Type type) {
        return storedElements(cast<RankedTensorType>(type), /*whole=*/true) > elements;
      });
      if (elements % kWidth == 0 && isPadded)
        b.ifThen(b.equal(unit, b.index(units - 1)), [&] { storePadding(elements); });
    });
    return kernel;
  }

private:
  void emit(Value image, Value element, int64_t width) {
    EpilogueEmitter::Position position;
    SmallVector<Value> images = emitter.images(b, image);
    position.images = images;
    position.bytes = b.mul(element, 4);
    position.width = width;
    position.multiple = width == kWidth ? multiple : 1;
    int64_t pixels = pixelsOf(full);
    if (emitter.usesChannels() && isBlocked(group))
      position.channel = b.add(b.mul(b.div(element, pixels * kBlock), kBlock), b.rem(element, kBlock));
    else if (emitter.usesChannels())
      position.channel = b.div(element, pixels);
    emitter.emitAndStore(b, position);
  }

  /// The last elements of what is one for all images, one by one.
  void emitEnd(int64_t elements) {
    for (int64_t element = elements / kWidth * kWidth; element < elements; ++element)
      emit(b.index(0), b.index(element), 1);
    storePadding(elements);
  }

  /// Zeros after the elements of vectors in whole blocks.
  void storePadding(int64_t elements) {
    for (auto [number, result] : llvm::enumerate(group.getResults())) {
      auto type = cast<RankedTensorType>(result.getType());
      int64_t bytes = elementBytes(type.getElementType());
      for (int64_t at = elements; at < storedElements(type, /*whole=*/true); ++at)
        cpu::storeElements(b, type.getElementType(), cpu::elementConstant(b, type.getElementType(), 1, 0),
                           b.buffer(emitter.inputs() + number), at * bytes);
    }
  }

  DeviceBuilder &b;
  GroupOp group;
  RankedTensorType full;
  ArrayRef<DeviceOperand> known;
  EpilogueEmitter emitter;
  int64_t multiple = 1;
};

} // namespace

int64_t chainPartUnits(GroupOp group) {
  return isPerImage(group.getResult(0)) ? 0 : llvm::divideCeil(fullOf(group).getNumElements(), kWidth);
}

GroupKernels buildChainKernel(DeviceBuilder &b, StringRef symbol, GroupOp group, int64_t threads,
                              ArrayRef<DeviceOperand> known) {
  GroupKernel made;
  made.operands = bodyOperands(group);
  made.kernel = ChainBuilder(b, group, known).build(symbol, threads);
  return {made};
}

} // namespace cnn::cuda
