// Attributes of the dialect: the layout's text, meaning and arithmetic.
#include "ir/CnnOps.h"

#include "mlir/IR/DialectImplementation.h"

using namespace mlir;
using namespace cnn;

#include "ir/CnnEnums.cpp.inc"

#include "ir/CnnAttrInterfaces.cpp.inc"

#define GET_ATTRDEF_CLASSES
#include "ir/CnnAttrs.cpp.inc"

void CnnDialect::registerAttributes() {
  addAttributes<
#define GET_ATTRDEF_LIST
#include "ir/CnnAttrs.cpp.inc"
      >();
}

// `<outer = [0, 1, 2, 3], inner = [1 : 16, 0 : 16]>`
Attribute LayoutAttr::parse(AsmParser &parser, Type) {
  SmallVector<int64_t> outer, dims, sizes;
  auto number = [&](SmallVectorImpl<int64_t> &to) { return parser.parseInteger(to.emplace_back()); };
  auto tile = [&]() -> ParseResult { return failure(number(dims) || parser.parseColon() || number(sizes)); };
  if (parser.parseLess() || parser.parseKeyword("outer") || parser.parseEqual() ||
      parser.parseCommaSeparatedList(AsmParser::Delimiter::Square, [&]() { return number(outer); }))
    return {};
  if (succeeded(parser.parseOptionalComma()) && (parser.parseKeyword("inner") || parser.parseEqual() ||
                                                 parser.parseCommaSeparatedList(AsmParser::Delimiter::Square, tile)))
    return {};
  if (parser.parseGreater())
    return {};
  return parser.getChecked<LayoutAttr>(parser.getContext(), outer, dims, sizes);
}

void LayoutAttr::print(AsmPrinter &printer) const {
  printer << "<outer = [";
  llvm::interleaveComma(getOuter(), printer);
  printer << "]";
  if (!getInnerDims().empty()) {
    printer << ", inner = [";
    llvm::interleaveComma(llvm::zip(getInnerDims(), getInnerSizes()), printer,
                          [&](auto tile) { printer << std::get<0>(tile) << " : " << std::get<1>(tile); });
    printer << "]";
  }
  printer << ">";
}

LogicalResult LayoutAttr::verify(function_ref<InFlightDiagnostic()> emitError, ArrayRef<int64_t> outer,
                                 ArrayRef<int64_t> innerDims, ArrayRef<int64_t> innerSizes) {
  SmallVector<bool> seen(outer.size(), false);
  for (int64_t dim : outer) {
    if (dim < 0 || dim >= int64_t(outer.size()) || seen[dim])
      return emitError() << "layout_c1: 'outer' must be a permutation of the dimensions";
    seen[dim] = true;
  }
  if (innerDims.size() != innerSizes.size())
    return emitError() << "layout_c2: every inner tile has a dimension and a size";
  SmallVector<bool> tiled(outer.size(), false);
  for (auto [dim, size] : llvm::zip(innerDims, innerSizes)) {
    if (dim < 0 || dim >= int64_t(outer.size()) || tiled[dim])
      return emitError() << "layout_c3: 'inner' must tile dimensions below " << outer.size() << ", each once";
    if (size < 1)
      return emitError() << "layout_c4: a tile's size must be positive";
    tiled[dim] = true;
  }
  return success();
}

LogicalResult LayoutAttr::verifyEncoding(ArrayRef<int64_t> shape, Type,
                                         function_ref<InFlightDiagnostic()> emitError) const {
  if (shape.size() != getOuter().size())
    return emitError() << "layout_c5: a layout of " << getOuter().size() << " dimensions on a tensor of rank "
                       << shape.size();
  return success();
}

int64_t LayoutAttr::tileSize(int64_t dim) const {
  for (auto [tiled, size] : llvm::zip(getInnerDims(), getInnerSizes()))
    if (tiled == dim)
      return size;
  return 1;
}

SmallVector<int64_t> LayoutAttr::storageShape(ArrayRef<int64_t> shape) const {
  SmallVector<int64_t> storage;
  for (int64_t dim : getOuter())
    storage.push_back(ShapedType::isDynamic(shape[dim]) ? shape[dim] : llvm::divideCeil(shape[dim], tileSize(dim)));
  llvm::append_range(storage, getInnerSizes());
  return storage;
}

LayoutAttr LayoutAttr::tiled(MLIRContext *context, int64_t rank, ArrayRef<int64_t> dims, ArrayRef<int64_t> sizes) {
  return get(context, llvm::to_vector(llvm::seq<int64_t>(0, rank)), dims, sizes);
}

LayoutAttr LayoutAttr::channelBlocked(MLIRContext *context, int64_t rank, int64_t block) {
  return tiled(context, rank, {1}, {block});
}

bool LayoutAttr::isChannelBlocked() const {
  return getInnerDims() == ArrayRef<int64_t>{1} && llvm::equal(getOuter(), llvm::seq<int64_t>(0, getOuter().size()));
}

namespace cnn {

LayoutAttr getLayout(Type type) {
  auto tensor = dyn_cast<RankedTensorType>(type);
  return tensor ? dyn_cast_or_null<LayoutAttr>(tensor.getEncoding()) : LayoutAttr();
}

RankedTensorType withLayout(Type type, LayoutAttr layout) {
  auto tensor = cast<RankedTensorType>(type);
  return RankedTensorType::get(tensor.getShape(), tensor.getElementType(), layout);
}

int64_t elementBytes(Type elementType) { return llvm::divideCeil(elementType.getIntOrFloatBitWidth(), 8); }

int64_t storedElements(RankedTensorType type, bool whole) {
  assert((!whole || type.getRank() == 0 || !type.isDynamicDim(0)) && "the batch is only known where the network runs");
  SmallVector<int64_t> shape(type.getShape());
  if (!whole && !shape.empty())
    shape[0] = 1;
  if (LayoutAttr layout = getLayout(type))
    shape = layout.storageShape(shape);
  int64_t count = 1;
  for (int64_t extent : shape)
    count *= extent;
  return count;
}

int64_t storedBytes(RankedTensorType type, bool whole) {
  return storedElements(type, whole) * elementBytes(type.getElementType());
}

void forEachStored(RankedTensorType type, function_ref<void(int64_t, int64_t)> fn) {
  ArrayRef<int64_t> shape = type.getShape();
  int64_t rank = type.getRank();
  LayoutAttr layout = getLayout(type);
  if (!layout)
    layout = LayoutAttr::tiled(type.getContext(), rank, {}, {});
  SmallVector<int64_t> storage = layout.storageShape(shape), rowMajor(rank, 1);
  for (int64_t dim = rank - 2; dim >= 0; --dim)
    rowMajor[dim] = rowMajor[dim + 1] * shape[dim + 1];
  // A storage dimension moves its logical dimension by the tile's size outside, by one inside.
  SmallVector<int64_t> dimOf(layout.getOuter()), step;
  for (int64_t dim : layout.getOuter())
    step.push_back(layout.tileSize(dim));
  llvm::append_range(dimOf, layout.getInnerDims());
  step.resize(dimOf.size(), 1);

  int64_t total = 1;
  for (int64_t extent : storage)
    total *= extent;
  SmallVector<int64_t> index(storage.size(), 0), logical(rank, 0);
  for (int64_t at = 0; at < total; ++at) {
    int64_t row = 0;
    for (int64_t dim = 0; dim < rank && row >= 0; ++dim)
      row = logical[dim] < shape[dim] ? row + logical[dim] * rowMajor[dim] : -1;
    fn(at, row);
    for (int64_t k = storage.size() - 1; k >= 0; --k) {
      logical[dimOf[k]] += step[k];
      if (++index[k] < storage[k])
        break;
      logical[dimOf[k]] -= step[k] * storage[k];
      index[k] = 0;
    }
  }
}

} // namespace cnn
