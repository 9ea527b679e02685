// The kernel of last resort (Kernels.h): a scalar loop nest made from the formulas of a group's body (Elements.h). It
// is right for every operation of the dialect and fast for none: a kind of group that takes a noticeable time deserves
// a kernel of its own.
//
// A unit is one index of dimension 0 of the results that are one for all images, or one index of dimension 1 of one
// image of the others, padding included.
#include "codegen/cpu/Kernels.h"

#include "codegen/cpu/ElementOps.h"
#include "codegen/cpu/Elements.h"
#include "passes/TargetModel.h"

#include "mlir/Dialect/Arith/IR/Arith.h"

using namespace mlir;

namespace cnn::cpu {

namespace {

/// Results of one shape, which one loop nest stores.
struct Results {
  RankedTensorType type;
  SmallVector<unsigned> numbers;
  SmallVector<int64_t> extents; ///< With the padding that any of them stores; that of the batch has no meaning.
};

/// The extents of the storage of dimension `dim`.
int64_t paddedExtent(RankedTensorType type, int64_t dim) {
  LayoutAttr layout = getLayout(type);
  return llvm::alignTo(type.getDimSize(dim), layout ? layout.tileSize(dim) : 1);
}

class GenericBuilder {
public:
  GenericBuilder(KernelBuilder &b, GroupOp group) : b(b), group(group), elements(b, group) {
    for (auto [number, value] : llvm::enumerate(group.getResults())) {
      auto type = cast<RankedTensorType>(value.getType());
      SmallVector<Results> &all = isPerImage(value) ? ofImages : fixed;
      auto same = llvm::find_if(all, [&](Results &known) { return known.type.getShape() == type.getShape(); });
      if (same == all.end())
        same = all.insert(all.end(), Results{type, {}, SmallVector<int64_t>(type.getRank(), 0)});
      same->numbers.push_back(number);
      for (int64_t dim = &all == &ofImages; dim < type.getRank(); ++dim)
        same->extents[dim] = std::max(same->extents[dim], paddedExtent(type, dim));
    }
    for (Results &results : fixed)
      fixedUnits = std::max(fixedUnits, outermost(results, 0));
    for (Results &results : ofImages)
      unitsPerImage = std::max(unitsPerImage, outermost(results, 1));
  }

  KernelInfo build(StringRef symbol) {
    b.kernel(symbol, group->getNumOperands() + group->getNumResults(), [&] {
      b.forUnits([&](Value unit) {
        if (ofImages.empty())
          return buildFixed(unit);
        if (fixed.empty())
          return buildImages(unit);
        b.ifThen(
            b.lessThan(unit, b.index(fixedUnits)), [&] { buildFixed(unit); },
            [&] { buildImages(b.sub(unit, fixedUnits)); });
      });
    });
    KernelInfo info;
    info.symbol = symbol.str();
    info.unitsPerImage = unitsPerImage;
    info.fixedUnits = fixedUnits;
    return info;
  }

private:
  static int64_t outermost(const Results &results, size_t dim) {
    return dim < results.extents.size() ? results.extents[dim] : 1;
  }

  void buildFixed(Value unit) {
    for (const Results &results : fixed)
      below(unit, outermost(results, 0), fixedUnits, [&] {
        SmallVector<Value> index;
        if (results.type.getRank() > 0)
          index.push_back(unit);
        nest(results, index);
      });
  }

  void buildImages(Value unit) {
    SmallVector<Value> at = b.delinearize(unit, {Value(), b.index(unitsPerImage)});
    for (const Results &results : ofImages)
      below(at[1], outermost(results, 1), unitsPerImage, [&] {
        SmallVector<Value> index = {at[0]};
        if (results.type.getRank() > 1)
          index.push_back(at[1]);
        nest(results, index);
      });
  }

  /// `body` where `value`, which is below `bound`, is below `extent`.
  void below(Value value, int64_t extent, int64_t bound, llvm::function_ref<void()> body) {
    if (extent == bound)
      return body();
    b.ifThen(b.lessThan(value, b.index(extent)), body);
  }

  void nest(const Results &results, SmallVector<Value> &index) {
    size_t dim = index.size();
    if (dim == results.extents.size())
      return store(results, index);
    b.forLoop(b.index(0), b.index(results.extents[dim]), 1, [&](Value iv) {
      index.push_back(iv);
      nest(results, index);
      index.pop_back();
    });
  }

  /// The element of each result: zero where it is padding of this result's, and nothing where it is padding of
  /// another's. All are computed before the first is stored, which may lie over an operand.
  void store(const Results &results, ArrayRef<Value> index) {
    Value exists = isBelow(index, results.type.getShape(), results.extents);
    auto values = [&] {
      SmallVector<Value> all;
      for (unsigned number : results.numbers)
        all.push_back(elements.at(group.getYield().getValues()[number], index));
      for (auto [number, value] : llvm::zip_equal(results.numbers, all))
        store(number, index, value);
    };
    auto zeros = [&] {
      for (unsigned number : results.numbers) {
        auto type = cast<RankedTensorType>(group.getResult(number).getType());
        SmallVector<int64_t> padded(results.extents);
        for (int64_t dim = 0; dim < type.getRank(); ++dim)
          if (!type.isDynamicDim(dim))
            padded[dim] = paddedExtent(type, dim);
        auto zero = [&] { store(number, index, elementConstant(b, type.getElementType(), 1, 0)); };
        if (Value stored = isBelow(index, padded, results.extents))
          b.ifThen(stored, zero);
        else
          zero();
      }
    };
    if (exists)
      b.ifThen(exists, values, zeros);
    else
      values();
  }

  /// Whether the index, which is below `extents`, is below `shape`; null where it is in any case.
  Value isBelow(ArrayRef<Value> index, ArrayRef<int64_t> shape, ArrayRef<int64_t> extents) {
    Value condition;
    for (size_t dim = 0; dim < shape.size(); ++dim)
      if (!ShapedType::isDynamic(shape[dim]) && shape[dim] < extents[dim]) {
        Value inside = b.lessThan(index[dim], b.index(shape[dim]));
        condition = condition ? arith::AndIOp::create(b, condition, inside).getResult() : inside;
      }
    return condition;
  }

  void store(unsigned number, ArrayRef<Value> index, Value value) {
    auto type = cast<RankedTensorType>(group.getResult(number).getType());
    storeElements(b, type.getElementType(), value, elements.address(group->getNumOperands() + number, type, index), 0);
  }

  KernelBuilder &b;
  GroupOp group;
  Elements elements;
  SmallVector<Results> fixed, ofImages;
  int64_t fixedUnits = 0, unitsPerImage = 0;
};

} // namespace

std::string whyNotGeneric(GroupOp group) {
  for (Operation &op : group.getBlock().without_terminator())
    if (std::string why = Elements::whyNot(&op); !why.empty())
      return why;
  return {};
}

KernelInfo buildGenericKernel(KernelBuilder &b, StringRef symbol, GroupOp group) {
  return GenericBuilder(b, group).build(symbol);
}

} // namespace cnn::cpu
