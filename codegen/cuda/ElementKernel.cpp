// The kernels of last resort (Kernels.h): a thread computes the results' elements at one index from the formulas of the
// group's body. Neighbouring threads store neighbouring elements, in the order of the first result's storage.
#include "codegen/cuda/Kernels.h"

#include "codegen/cpu/ElementResults.h"

using namespace mlir;

namespace cnn::cuda {

namespace {

/// An order of indices: that of the storage of results of one shape, padding included, of one image where there are
/// images.
struct StorageOrder {
  LayoutAttr layout;
  SmallVector<int64_t> dims;    ///< The outer dimensions, outermost first.
  SmallVector<int64_t> extents; ///< Of these and of the inner tiles.
  int64_t count = 1;

  explicit StorageOrder(const cpu::ElementResults &results) : layout(getLayout(results.type)) {
    int64_t rank = results.type.getRank();
    if (!layout)
      layout = LayoutAttr::tiled(results.type.getContext(), rank, {}, {});
    for (int64_t dim : layout.getOuter())
      if (dim != 0 || !results.hasImages) {
        dims.push_back(dim);
        extents.push_back(llvm::divideCeil(results.extents[dim], layout.tileSize(dim)));
      }
    llvm::append_range(extents, layout.getInnerSizes());
    for (int64_t extent : extents)
      count *= extent;
  }

  /// The logical index at place `linear`, in an image `image` where there are images.
  SmallVector<Value> indexAt(KernelBuilder &b, Value linear, Value image) const {
    SmallVector<Value> bounds, index(layout.getOuter().size(), image);
    for (int64_t extent : extents)
      bounds.push_back(b.index(extent));
    if (bounds.empty())
      return index;
    SmallVector<Value> at = b.delinearize(linear, bounds);
    for (auto [place, dim] : llvm::enumerate(dims))
      index[dim] = b.mul(at[place], layout.tileSize(dim));
    for (auto [place, dim] : llvm::enumerate(layout.getInnerDims()))
      index[dim] = b.add(index[dim], at[dims.size() + place]);
    return index;
  }
};

} // namespace

int64_t elementPartUnits(GroupOp group) {
  SmallVector<cpu::ElementResults> all = cpu::elementResults(group);
  return all.size() == 1 && !all[0].hasImages ? StorageOrder(all[0]).count : 0;
}

GroupKernels buildElementKernels(DeviceBuilder &b, StringRef symbol, GroupOp group, int64_t threads,
                                 ArrayRef<DeviceOperand> known) {
  GroupKernels kernels;
  size_t operands = group->getNumOperands() + group->getNumResults();
  for (const cpu::ElementResults &results : cpu::elementResults(group)) {
    StorageOrder order(results);
    GroupKernel &made = kernels.emplace_back();
    made.operands = llvm::to_vector(llvm::seq<int64_t>(0, operands));
    made.kernel.symbol = symbol.str();
    if (kernels.size() > 1)
      made.kernel.symbol += "$" + std::to_string(kernels.size() - 1);
    (results.hasImages ? made.kernel.unitsPerImage : made.kernel.fixedUnits) = order.count;
    made.kernel.launch = b.unitKernel(made.kernel.symbol, known.take_front(operands), threads, [&](Value unit) {
      cpu::Elements elements(b, group);
      Value image = results.hasImages ? b.div(unit, order.count) : Value();
      Value place = results.hasImages ? b.rem(unit, order.count) : unit;
      cpu::storeElementResults(b, elements, group, results, order.indexAt(b, place, image));
    });
  }
  return kernels;
}

} // namespace cnn::cuda
