// softmax of row-major tensors (Kernels.h): exp(x - m) / sum of exp(x - m), m the largest. Where the axis is innermost
// the lanes of a vector are 16 positions along it, whose partial results are joined at the end; elsewhere they are 16
// independent softmaxes.
#include "codegen/cpu/ElementOps.h"
#include "codegen/cpu/Kernels.h"
#include "codegen/cpu/Math.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "llvm/Support/FormatVariadic.h"

#include <limits>

using namespace mlir;

namespace cnn::cpu {

static SoftmaxOp softmaxOf(GroupOp group) {
  Block &block = group.getBlock();
  if (group->getNumResults() != 1 || !llvm::hasSingleElement(block.without_terminator()))
    return {};
  auto op = dyn_cast<SoftmaxOp>(block.front());
  return op && group.getYield().getValues()[0] == op.getResult() ? op : SoftmaxOp();
}

std::string whyNotSoftmax(GroupOp group) {
  SoftmaxOp op = softmaxOf(group);
  if (!op)
    return "the group does more than a softmax";
  auto type = cast<RankedTensorType>(op.getInput().getType());
  if (!type.getElementType().isF32())
    return llvm::formatv("softmax computes in f32, not in {0}", type.getElementType());
  if (getLayout(type) || getLayout(op.getResult().getType()))
    return "softmax works on row-major tensors";
  return "";
}

namespace {
/// One softmax, or 16 side by side, of `extent` positions `strideBytes` apart.
struct Column {
  Value from, to;
  int64_t extent, strideBytes;
  Value mask; ///< Lanes that exist; null for all.
};
} // namespace

/// Lanes are softmaxes of their own.
static void buildColumns(KernelBuilder &b, const Column &column) {
  auto each = [&](Value init, llvm::function_ref<Value(Value address, Value to, Value carried)> body) {
    return b.forLoop(0, column.extent, 1, init, [&](Value k, ValueRange carried) {
      Value bytes = b.mul(k, column.strideBytes);
      return SmallVector<Value>{body(b.offset(column.from, bytes), b.offset(column.to, bytes), carried[0])};
    })[0];
  };
  Value largest = each(b.splat(-std::numeric_limits<float>::infinity()), [&](Value from, Value, Value carried) {
    return b.maxf(carried, loadElements(b, b.f32(), from, 0, kBlock, column.mask));
  });
  Value sum = each(b.splat(0.0f), [&](Value from, Value to, Value carried) {
    Value power = buildExp(b, b.subf(loadElements(b, b.f32(), from, 0, kBlock, column.mask), largest));
    storeElements(b, b.f32(), power, to, 0, column.mask);
    return b.addf(carried, power);
  });
  each(sum, [&](Value, Value to, Value carried) {
    storeElements(b, b.f32(), b.divf(loadElements(b, b.f32(), to, 0, kBlock, column.mask), carried), to, 0,
                  column.mask);
    return carried;
  });
}

/// Lanes are positions along the axis, which is contiguous.
static void buildRow(KernelBuilder &b, Value from, Value to, int64_t extent) {
  int64_t whole = extent / kBlock * kBlock;
  Value mask = whole < extent ? lanesBelow(b, b.index(extent - whole), kBlock) : Value();
  auto each = [&](Value init, llvm::function_ref<Value(Value at, Value mask, Value carried)> body) {
    Value result = b.forLoop(0, whole, kBlock, init, [&](Value k, ValueRange carried) {
      return SmallVector<Value>{body(b.mul(k, 4), Value(), carried[0])};
    })[0];
    return mask ? body(b.index(whole * 4), mask, result) : result;
  };
  auto load = [&](Value address, Value at, Value mask) {
    return loadElements(b, b.f32(), b.offset(address, at), 0, kBlock, mask);
  };
  auto orElse = [&](Value mask, Value value, float other) {
    return mask ? arith::SelectOp::create(b, mask, value, b.splat(other)).getResult() : value;
  };
  float lowest = -std::numeric_limits<float>::infinity();
  Value lanes = each(b.splat(lowest), [&](Value at, Value mask, Value carried) {
    return b.maxf(carried, orElse(mask, load(from, at, mask), lowest));
  });
  Value largest = b.splat(joinLanes(b, lanes, [&](Value x, Value y) { return b.maxf(x, y); }));
  lanes = each(b.splat(0.0f), [&](Value at, Value mask, Value carried) {
    Value power = orElse(mask, buildExp(b, b.subf(load(from, at, mask), largest)), 0.0f);
    storeElements(b, b.f32(), power, b.offset(to, at), 0, mask);
    return b.addf(carried, power);
  });
  Value sum = b.splat(joinLanes(b, lanes, [&](Value x, Value y) { return b.addf(x, y); }));
  each(sum, [&](Value at, Value mask, Value carried) {
    storeElements(b, b.f32(), b.divf(load(to, at, mask), carried), b.offset(to, at), 0, mask);
    return carried;
  });
}

KernelInfo buildSoftmaxKernel(KernelBuilder &b, StringRef symbol, GroupOp group) {
  SoftmaxOp op = softmaxOf(group);
  auto type = cast<RankedTensorType>(op.getInput().getType());
  int64_t axis = op.getAxis(), extent = type.getDimSize(axis), outer = 1, inner = 1;
  for (int64_t dim = 1; dim < type.getRank(); ++dim)
    (dim < axis ? outer : inner) *= dim == axis ? 1 : type.getDimSize(dim);

  // A unit is 16 neighbouring softmaxes, or one along the innermost axis.
  int64_t chunks = inner == 1 ? 1 : llvm::divideCeil(inner, kBlock), units = outer * chunks;
  b.kernel(symbol, 2, [&]() {
    b.forUnits([&](Value unit) {
      SmallVector<Value> at = b.delinearize(unit, {Value(), b.index(outer), b.index(chunks)});
      Value bytes = b.add(b.mul(at[1], extent * inner * 4), b.mul(at[2], kBlock * 4));
      Value from = b.offset(b.imageOf(0, at[0]), bytes), to = b.offset(b.imageOf(1, at[0]), bytes);
      if (inner == 1)
        return buildRow(b, from, to, extent);
      Value mask = inner % kBlock ? lanesBelow(b, b.sub(b.index(inner), b.mul(at[2], kBlock)), kBlock) : Value();
      buildColumns(b, {from, to, extent, inner * 4, mask});
    });
  });
  KernelInfo info;
  info.symbol = symbol.str();
  info.unitsPerImage = units;
  return info;
}

} // namespace cnn::cpu
