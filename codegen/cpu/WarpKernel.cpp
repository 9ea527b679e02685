// warp of row-major images (Kernels.h). A unit is one row of the result, of all channels: the places of 16 of its
// positions are computed at a time, and their pixels gathered. Indices are kept within the image, so that whatever the
// matrix holds, nothing else is read.
#include "codegen/cpu/ElementOps.h"
#include "codegen/cpu/Kernels.h"
#include "codegen/cpu/Math.h"
#include "codegen/cpu/Warping.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "llvm/Support/FormatVariadic.h"

#include <array>

using namespace mlir;

namespace cnn::cpu {

static WarpOp warpOf(GroupOp group) {
  Block &block = group.getBlock();
  if (group->getNumResults() != 1 || !llvm::hasSingleElement(block.without_terminator()))
    return {};
  auto op = dyn_cast<WarpOp>(block.front());
  return op && group.getYield().getValues()[0] == op.getResult() ? op : WarpOp();
}

std::string whyNotWarp(GroupOp group) {
  WarpOp op = warpOf(group);
  if (!op)
    return "the group does more than a warp";
  auto image = cast<RankedTensorType>(op.getImage().getType());
  if (!image.getElementType().isF32())
    return llvm::formatv("warp computes in f32, not in {0}", image.getElementType());
  for (Type type : {op.getImage().getType(), op.getMatrix().getType(), op.getResult().getType()})
    if (getLayout(type))
      return "warp works on row-major tensors";
  if (op.getDisplacement() && getLayout(op.getDisplacement().getType()))
    return "warp works on row-major tensors";
  // Indices have 32 bits.
  if (image.getDimSize(2) * image.getDimSize(3) >= int64_t(1) << 29)
    return "an image has 2^29 pixels and more";
  return "";
}

namespace {

class WarpBuilder {
public:
  WarpBuilder(KernelBuilder &b, WarpOp op)
      : b(b), op(op), image(cast<RankedTensorType>(op.getImage().getType())), h(op.getSize()[0]), w(op.getSize()[1]),
        extents{image.getDimSize(2), image.getDimSize(3)}, isZero(op.getBorder() == WarpBorder::Zero),
        integers(VectorType::get({kBlock}, b.getI32Type())), result(op.getDisplacement() ? 3 : 2) {}

  KernelInfo build(StringRef symbol) {
    b.kernel(symbol, result + 1, [&] {
      b.forUnits([&](Value unit) {
        SmallVector<Value> at = b.delinearize(unit, {Value(), b.index(h)});
        buildRow(at[0], at[1]);
      });
    });
    KernelInfo info;
    info.symbol = symbol.str();
    info.unitsPerImage = h;
    return info;
  }

private:
  static int number(Value operand) { return cast<BlockArgument>(operand).getArgNumber(); }
  Value integer(int64_t value) { return integerConstant(b, integers, value); }

  Value pixel(Value plane, const WarpTaps &row, int i, const WarpTaps &column, int j) {
    Value index =
        arith::AddIOp::create(b, arith::MulIOp::create(b, row.pixels[i], integer(extents[1])), column.pixels[j]);
    auto addresses =
        LLVM::GEPOp::create(b, VectorType::get({kBlock}, b.pointer()), b.f32(), plane, ArrayRef<LLVM::GEPArg>{index});
    auto maskType = VectorType::get({kBlock}, b.getI1Type());
    Value all = arith::ConstantOp::create(b, DenseElementsAttr::get(maskType, true));
    Value value = LLVM::masked_gather::create(b, b.block(), addresses, all, ValueRange{b.splat(0.0f)}, /*alignment=*/4);
    if (!isZero)
      return value;
    return b.select(arith::AndIOp::create(b, row.inside[i], column.inside[j]), value, b.splat(0.0f));
  }

  void buildRow(Value n, Value y) {
    std::array<std::array<Value, 3>, 2> m;
    Value map = b.imageOf(number(op.getMatrix()), n);
    for (int axis = 0; axis < 2; ++axis)
      for (int k = 0; k < 3; ++k)
        m[axis][k] = b.loadSplat(map, (axis * 3 + k) * 4);
    Value rowNumber = b.splat(arith::SIToFPOp::create(b, b.f32(), y).getResult());
    std::array<Value, 2> atRow;
    for (int axis = 0; axis < 2; ++axis)
      atRow[axis] = b.fma(m[axis][0], rowNumber, m[axis][2]);
    SmallVector<float> lanes;
    for (int64_t lane = 0; lane < kBlock; ++lane)
      lanes.push_back(static_cast<float>(lane));

    auto chunk = [&](Value x, Value mask) {
      Value columns = b.addf(b.splat(arith::SIToFPOp::create(b, b.f32(), x).getResult()), b.constantBlock(lanes));
      std::array<WarpTaps, 2> axes;
      for (int axis = 0; axis < 2; ++axis) {
        Value place = b.fma(m[axis][1], columns, atRow[axis]);
        if (Value displacement = op.getDisplacement()) {
          Value bytes = b.mul(b.add(b.mul(b.add(y, axis * h), w), x), 4);
          Value from = b.offset(b.imageOf(number(displacement), n), bytes);
          place = b.addf(place, loadElements(b, b.f32(), from, 0, kBlock, mask));
        }
        axes[axis] = buildWarpTaps(b, op, place, extents[axis]);
      }
      b.forLoop(0, image.getDimSize(1), 1, [&](Value c) {
        Value plane = b.offset(b.imageOf(number(op.getImage()), n), b.mul(c, extents[0] * extents[1] * 4));
        Value value = pixel(plane, axes[0], 0, axes[1], 0);
        if (op.getFilter() == WarpFilter::Bilinear) {
          auto between = [&](Value from, Value to, Value weight) { return b.fma(weight, b.subf(to, from), from); };
          Value above = between(value, pixel(plane, axes[0], 0, axes[1], 1), axes[1].weight);
          Value below =
              between(pixel(plane, axes[0], 1, axes[1], 0), pixel(plane, axes[0], 1, axes[1], 1), axes[1].weight);
          value = between(above, below, axes[0].weight);
        }
        Value bytes = b.mul(b.add(b.mul(b.add(b.mul(c, h), y), w), x), 4);
        storeElements(b, b.f32(), value, b.offset(b.imageOf(result, n), bytes), 0, mask);
      });
    };
    int64_t whole = w / kBlock * kBlock;
    b.forLoop(0, whole, kBlock, [&](Value x) { chunk(x, Value()); });
    if (whole < w)
      chunk(b.index(whole), lanesBelow(b, b.index(w - whole), kBlock));
  }

  KernelBuilder &b;
  WarpOp op;
  RankedTensorType image;
  int64_t h, w;
  std::array<int64_t, 2> extents;
  bool isZero;
  VectorType integers;
  int result;
};

} // namespace

KernelInfo buildWarpKernel(KernelBuilder &b, StringRef symbol, GroupOp group) {
  return WarpBuilder(b, warpOf(group)).build(symbol);
}

} // namespace cnn::cpu
