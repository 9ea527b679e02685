// Packing inside a training step (Kernels.h): what is one for all images goes from one layout to another. Elements are
// stored in the order of the result's memory; padded lanes are stored as zeros.
#include "codegen/cpu/ElementOps.h"
#include "codegen/cpu/Kernels.h"
#include "passes/TargetModel.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "llvm/Support/FormatVariadic.h"

using namespace mlir;

namespace cnn::cpu {

static RankedTensorType typeOf(Value value) { return cast<RankedTensorType>(value.getType()); }

/// The relayout that is all of the group, or null.
static RelayoutOp relayoutOf(GroupOp group) {
  Block &block = group.getBlock();
  if (group->getNumResults() != 1 || !llvm::hasSingleElement(block.without_terminator()))
    return nullptr;
  auto relayout = dyn_cast<RelayoutOp>(block.front());
  bool isAll =
      relayout && isa<BlockArgument>(relayout.getInput()) && group.getYield().getValues()[0] == relayout.getResult();
  return isAll ? relayout : nullptr;
}

std::string whyNotPack(GroupOp group) {
  RelayoutOp relayout = relayoutOf(group);
  if (!relayout || isPerImage(group.getResult(0)))
    return "the group does not only store what is one for all images in another layout";
  if (!typeOf(relayout).hasStaticShape() || typeOf(relayout).getRank() < 1)
    return "a scalar has no layout";
  if (!relayout.getType().getElementType().isF32())
    return llvm::formatv("only f32 is packed, not {0}", typeOf(relayout).getElementType());
  return {};
}

namespace {
/// The dimensions of a tensor's storage, outermost first, and what a step along each means.
struct Storage {
  explicit Storage(RankedTensorType type) : shape(type.getShape()) {
    LayoutAttr layout = getLayout(type);
    if (!layout)
      layout = LayoutAttr::tiled(type.getContext(), type.getRank(), {}, {});
    extents = layout.storageShape(shape);
    for (int64_t dim : layout.getOuter()) {
      dims.push_back(dim);
      steps.push_back(layout.tileSize(dim));
    }
    for (int64_t dim : layout.getInnerDims()) {
      dims.push_back(dim);
      steps.push_back(1);
    }
  }

  ArrayRef<int64_t> shape;
  SmallVector<int64_t> extents, dims, steps; ///< The logical dimension and how far it moves along it.
};
} // namespace

/// A unit is an index of the outermost dimension of the result's storage.
KernelInfo buildPackKernel(KernelBuilder &b, StringRef symbol, GroupOp group) {
  RelayoutOp relayout = relayoutOf(group);
  Storage from(typeOf(relayout.getInput())), to(typeOf(relayout.getResult()));
  int64_t rank = to.shape.size();

  b.kernel(symbol, 2, [&]() {
    /// The place of a logical index in the source, in elements.
    auto source = [&](ArrayRef<Value> index) {
      Value linear = b.index(0);
      for (auto [place, dim] : llvm::enumerate(from.dims)) {
        bool isOuter = place < size_t(rank);
        int64_t tile = from.steps[isOuter ? place : llvm::find(from.dims, dim) - from.dims.begin()];
        Value at = isOuter ? b.div(index[dim], tile) : b.rem(index[dim], tile);
        linear = b.add(b.mul(linear, from.extents[place]), at);
      }
      return b.offset(b.buffer(0), b.mul(linear, 4));
    };
    b.forUnits([&](Value unit) {
      SmallVector<Value> coordinates = {unit};
      std::function<void(Value)> nest = [&](Value linear) {
        size_t place = coordinates.size();
        if (place < to.extents.size()) {
          b.forLoop(b.index(0), b.index(to.extents[place]), 1, [&](Value iv) {
            coordinates.push_back(iv);
            nest(b.add(b.mul(linear, to.extents[place]), iv));
            coordinates.pop_back();
          });
          return;
        }
        SmallVector<Value> index(rank, b.index(0));
        for (auto [k, dim] : llvm::enumerate(to.dims))
          index[dim] = b.add(index[dim], b.mul(coordinates[k], to.steps[k]));
        Value exists;
        for (int64_t dim = 0; dim < rank; ++dim) {
          bool isPadded = false;
          for (auto [k, each] : llvm::enumerate(to.dims))
            isPadded |= each == dim && int64_t(k) < rank && to.shape[dim] % to.steps[k] != 0;
          if (!isPadded)
            continue;
          Value below = b.lessThan(index[dim], b.index(to.shape[dim]));
          exists = exists ? arith::AndIOp::create(b, exists, below).getResult() : below;
          index[dim] = b.min(index[dim], to.shape[dim] - 1);
        }
        Value value = b.loadScalar(source(index));
        if (exists)
          value = b.select(exists, value, b.scalar(0.0f));
        b.store(value, b.offset(b.buffer(1), b.mul(linear, 4)));
      };
      nest(unit);
    });
  });
  KernelInfo info;
  info.symbol = symbol.str();
  info.unitsPerImage = 0;
  info.fixedUnits = to.extents[0];
  return info;
}

} // namespace cnn::cpu
