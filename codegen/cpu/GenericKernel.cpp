// The kernel of last resort (Kernels.h): a scalar loop nest made from the formulas of a group's body (Elements.h). It
// is right for every operation of the dialect and fast for none: a kind of group that takes a noticeable time deserves
// a kernel of its own.
//
// A unit is one index of dimension 0 of the results that are one for all images, or one index of dimension 1 of one
// image of the others, padding included.
#include "codegen/cpu/Kernels.h"

#include "codegen/cpu/ElementResults.h"

using namespace mlir;

namespace cnn::cpu {

namespace {

class GenericBuilder {
public:
  GenericBuilder(KernelBuilder &b, GroupOp group) : b(b), group(group), elements(b, group) {
    for (ElementResults &results : elementResults(group))
      (results.hasImages ? ofImages : fixed).push_back(std::move(results));
    for (ElementResults &results : fixed)
      fixedUnits = std::max(fixedUnits, outermost(results, 0));
    for (ElementResults &results : ofImages)
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
  static int64_t outermost(const ElementResults &results, size_t dim) {
    return dim < results.extents.size() ? results.extents[dim] : 1;
  }

  void buildFixed(Value unit) {
    for (const ElementResults &results : fixed)
      below(unit, outermost(results, 0), fixedUnits, [&] {
        SmallVector<Value> index;
        if (results.type.getRank() > 0)
          index.push_back(unit);
        nest(results, index);
      });
  }

  void buildImages(Value unit) {
    SmallVector<Value> at = b.delinearize(unit, {Value(), b.index(unitsPerImage)});
    for (const ElementResults &results : ofImages)
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

  void nest(const ElementResults &results, SmallVector<Value> &index) {
    size_t dim = index.size();
    if (dim == results.extents.size())
      return storeElementResults(b, elements, group, results, index);
    b.forLoop(b.index(0), b.index(results.extents[dim]), 1, [&](Value iv) {
      index.push_back(iv);
      nest(results, index);
      index.pop_back();
    });
  }

  KernelBuilder &b;
  GroupOp group;
  Elements elements;
  SmallVector<ElementResults> fixed, ofImages;
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
