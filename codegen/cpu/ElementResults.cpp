// See ElementResults.h.
#include "codegen/cpu/ElementResults.h"

#include "codegen/cpu/ElementOps.h"
#include "passes/TargetModel.h"

#include "mlir/Dialect/Arith/IR/Arith.h"

using namespace mlir;

namespace cnn::cpu {

/// The extents of the storage of dimension `dim`.
static int64_t paddedExtent(RankedTensorType type, int64_t dim) {
  LayoutAttr layout = getLayout(type);
  return llvm::alignTo(type.getDimSize(dim), layout ? layout.tileSize(dim) : 1);
}

SmallVector<ElementResults> elementResults(GroupOp group) {
  SmallVector<ElementResults> all;
  for (auto [number, value] : llvm::enumerate(group.getResults())) {
    auto type = cast<RankedTensorType>(value.getType());
    bool hasImages = isPerImage(value);
    auto same = llvm::find_if(all, [&](const ElementResults &known) {
      return known.hasImages == hasImages && known.type.getShape() == type.getShape();
    });
    if (same == all.end())
      same = all.insert(all.end(), ElementResults{type, hasImages, {}, SmallVector<int64_t>(type.getRank(), 0)});
    same->numbers.push_back(number);
    for (int64_t dim = hasImages; dim < type.getRank(); ++dim)
      same->extents[dim] = std::max(same->extents[dim], paddedExtent(type, dim));
  }
  return all;
}

/// Whether the index, which is below `extents`, is below `shape`; null where it is in any case.
static Value isBelow(KernelBuilder &b, ArrayRef<Value> index, ArrayRef<int64_t> shape, ArrayRef<int64_t> extents) {
  Value condition;
  for (size_t dim = 0; dim < shape.size(); ++dim)
    if (!ShapedType::isDynamic(shape[dim]) && shape[dim] < extents[dim]) {
      Value inside = b.lessThan(index[dim], b.index(shape[dim]));
      condition = condition ? arith::AndIOp::create(b, condition, inside).getResult() : inside;
    }
  return condition;
}

void storeElementResults(KernelBuilder &b, Elements &elements, GroupOp group, const ElementResults &results,
                         ArrayRef<Value> index) {
  auto store = [&](unsigned number, Value value) {
    auto type = cast<RankedTensorType>(group.getResult(number).getType());
    storeElements(b, type.getElementType(), value, elements.address(group->getNumOperands() + number, type, index), 0);
  };
  auto values = [&] {
    SmallVector<Value> all;
    for (unsigned number : results.numbers)
      all.push_back(elements.at(group.getYield().getValues()[number], index));
    for (auto [number, value] : llvm::zip_equal(results.numbers, all))
      store(number, value);
  };
  auto zeros = [&] {
    for (unsigned number : results.numbers) {
      auto type = cast<RankedTensorType>(group.getResult(number).getType());
      SmallVector<int64_t> padded(results.extents);
      for (int64_t dim = 0; dim < type.getRank(); ++dim)
        if (!type.isDynamicDim(dim))
          padded[dim] = paddedExtent(type, dim);
      auto zero = [&] { store(number, elementConstant(b, type.getElementType(), 1, 0)); };
      if (Value stored = isBelow(b, index, padded, results.extents))
        b.ifThen(stored, zero);
      else
        zero();
    }
  };
  if (Value exists = isBelow(b, index, results.type.getShape(), results.extents))
    b.ifThen(exists, values, zeros);
  else
    values();
}

} // namespace cnn::cpu
