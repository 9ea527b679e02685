// Folders: what a canonicalizer may do without asking anyone.
#include "ir/CnnOps.h"

using namespace mlir;
using namespace cnn;

OpFoldResult ConstantOp::fold(FoldAdaptor) { return getValue(); }

/// The splat value of a constant of floats, if it is one.
static std::optional<double> splatOf(Attribute attribute) {
  auto dense = dyn_cast_or_null<DenseFPElementsAttr>(attribute);
  if (!dense || !dense.isSplat())
    return std::nullopt;
  return dense.getSplatValue<APFloat>().convertToDouble();
}

/// `value` when it may stand for the result: the same type, layout included.
static OpFoldResult replaceBy(Value value, Value result) {
  return value.getType() == result.getType() ? OpFoldResult(value) : OpFoldResult();
}

// x + 0 is x but for the sign of zero: -0 + 0 is +0, which no later operation of the dialect but a division tells
// apart; adding -0 is exact.
OpFoldResult AddOp::fold(FoldAdaptor adaptor) {
  if (auto zero = splatOf(adaptor.getRhs()); zero && *zero == 0 && std::signbit(*zero))
    return replaceBy(getLhs(), getResult());
  return {};
}

OpFoldResult SubOp::fold(FoldAdaptor adaptor) {
  if (auto zero = splatOf(adaptor.getRhs()); zero && *zero == 0 && !std::signbit(*zero))
    return replaceBy(getLhs(), getResult());
  return {};
}

OpFoldResult MulOp::fold(FoldAdaptor adaptor) {
  return splatOf(adaptor.getRhs()) == 1.0 ? replaceBy(getLhs(), getResult()) : OpFoldResult();
}

OpFoldResult DivOp::fold(FoldAdaptor adaptor) {
  return splatOf(adaptor.getRhs()) == 1.0 ? replaceBy(getLhs(), getResult()) : OpFoldResult();
}

OpFoldResult ConvertOp::fold(FoldAdaptor) { return replaceBy(getInput(), getResult()); }
OpFoldResult ReshapeOp::fold(FoldAdaptor) { return replaceBy(getInput(), getResult()); }
OpFoldResult RelayoutOp::fold(FoldAdaptor) { return replaceBy(getInput(), getResult()); }

OpFoldResult BroadcastOp::fold(FoldAdaptor adaptor) {
  auto dense = dyn_cast_or_null<DenseElementsAttr>(adaptor.getInput());
  auto type = cast<RankedTensorType>(getResult().getType());
  if (dense && dense.isSplat() && type.hasStaticShape())
    return dense.resizeSplat(type);
  return replaceBy(getInput(), getResult());
}

OpFoldResult TransposeOp::fold(FoldAdaptor) {
  return llvm::is_sorted(getPermutation()) ? replaceBy(getInput(), getResult()) : OpFoldResult();
}

OpFoldResult ResizeOp::fold(FoldAdaptor) { return replaceBy(getInput(), getResult()); }
OpFoldResult SliceOp::fold(FoldAdaptor) { return replaceBy(getInput(), getResult()); }
