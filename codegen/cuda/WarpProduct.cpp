// See WarpProduct.h.
#include "codegen/cuda/WarpProduct.h"

#include "codegen/cuda/MatmulTile.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"

using namespace mlir;

namespace cnn::cuda {

static constexpr int64_t kDown = MatmulTile::kWarpRows / 16, kAcross = MatmulTile::kWarpColumns / 8;

WarpProduct::WarpProduct(DeviceBuilder &b, Precision precision, const SharedTile &lhs, const SharedTile &rhs,
                         int64_t columns)
    : b(b), precision(precision), lhs(lhs), rhs(rhs) {
  Value thread = b.threadIndex(), warp = b.div(thread, kThreadsPerWarp);
  int64_t warpsAcross = columns / MatmulTile::kWarpColumns;
  lane = b.rem(thread, kThreadsPerWarp);
  group = b.div(lane, 4);
  pair = b.rem(lane, 4);
  rowBase = b.mul(b.div(warp, warpsAcross), MatmulTile::kWarpRows);
  columnBase = b.mul(b.rem(warp, warpsAcross), MatmulTile::kWarpColumns);
}

WarpProduct::Values WarpProduct::zeros() { return Values(kDown * kAcross * 4, b.scalar(0.0f)); }

WarpProduct::Values WarpProduct::multiply(Value lhsAddress, Value rhsAddress, ValueRange before) {
  Values sums(before);
  if (precision == Precision::F32)
    multiplyByThreads(lhsAddress, rhsAddress, sums);
  else
    multiplyOnTensorCores(lhsAddress, rhsAddress, sums);
  return sums;
}

//===-- Fragments
//--------------------------------------------------------------------------------------------------===//

Value WarpProduct::loadElement(const SharedTile &tile, Value address, Value line, Value k) {
  return b.loadScalar(b.offset(address, tile.offsetOf(b, line, k)));
}

/// The results of an intrinsic that gives `count` values of `type`.
static SmallVector<Value> callIntrinsic(DeviceBuilder &b, StringRef name, Type type, int64_t count,
                                        ArrayRef<Value> arguments) {
  Type result = count == 1 ? type : LLVM::LLVMStructType::getLiteral(b.getContext(), SmallVector<Type>(count, type));
  Value called = LLVM::CallIntrinsicOp::create(b, result, b.getStringAttr(name), arguments).getResult(0);
  if (count == 1)
    return {called};
  SmallVector<Value> values;
  for (int64_t i = 0; i < count; ++i)
    values.push_back(LLVM::ExtractValueOp::create(b, called, i));
  return values;
}

// ldmatrix moves matrices of eight rows of 16 bytes, lane (g, t) getting four bytes of row g: an f32 is as good as two
// f16 there.
WarpProduct::Values WarpProduct::loadMatrices(const SharedTile &tile, Value address, Value line, Value k) {
  Values words = callIntrinsic(b, "llvm.nvvm.ldmatrix.sync.aligned.m8n8.x4.b16", b.getI32Type(), 4,
                               {b.offset(address, tile.offsetOf(b, line, k))});
  for (Value &word : words)
    word = arith::BitcastOp::create(b, b.f32(), word);
  return words;
}

WarpProduct::Values WarpProduct::lhsFragment(Value address, int64_t part, int64_t k) {
  Value first = b.add(rowBase, part * 16);
  if (lhs.alongDepth) {
    // Lanes 8q to 8q + 7 give the rows of matrix q: rows from 8 * (q % 2), columns from 4 * (q / 2).
    Value row = b.add(first, b.rem(lane, 16));
    return loadMatrices(lhs, address, row, b.add(b.mul(b.div(lane, 16), 4), k));
  }
  Values values;
  for (int64_t i = 0; i < 4; ++i)
    values.push_back(loadElement(lhs, address, b.add(b.add(first, group), i % 2 * 8), b.add(pair, k + i / 2 * 4)));
  return values;
}

std::pair<WarpProduct::Values, WarpProduct::Values> WarpProduct::rhsFragments(Value address, int64_t part, int64_t k) {
  Value first = b.add(columnBase, part * 8);
  if (rhs.alongDepth) {
    // Matrix q has columns from 8 * (q / 2) and k from 4 * (q % 2).
    Value column = b.add(b.add(first, b.rem(lane, 8)), b.mul(b.div(lane, 16), 8));
    Values four = loadMatrices(rhs, address, column, b.add(b.mul(b.rem(b.div(lane, 8), 2), 4), k));
    return {{four[0], four[1]}, {four[2], four[3]}};
  }
  std::pair<Values, Values> values;
  for (int64_t i = 0; i < 2; ++i) {
    Value at = b.add(pair, k + i * 4);
    values.first.push_back(loadElement(rhs, address, b.add(first, group), at));
    values.second.push_back(loadElement(rhs, address, b.add(b.add(first, group), 8), at));
  }
  return values;
}

//===-- Tensor cores
//-----------------------------------------------------------------------------------------------===//

// A register of two halves takes k = t and k = t + 4 of a fragment, where mma speaks of neighbours: both factors are
// permuted alike, and the order of k does not matter to a product.
WarpProduct::Values WarpProduct::round(ArrayRef<Values> fragments) {
  Values registers;
  if (precision == Precision::TF32) {
    for (Value value : fragments[0])
      registers.push_back(callIntrinsic(b, "llvm.nvvm.f2tf32.rna", b.getI32Type(), 1, {value})[0]);
    return registers;
  }
  bool isF16 = precision == Precision::F16;
  auto halves = VectorType::get({2}, isF16 ? b.getF16Type() : b.getBF16Type());
  for (const Values &fragment : fragments)
    for (size_t i = 0, half = fragment.size() / 2; i < half; ++i) {
      Value packed = callIntrinsic(b, isF16 ? "llvm.nvvm.ff2f16x2.rn" : "llvm.nvvm.ff2bf16x2.rn", halves, 1,
                                   {fragment[half + i], fragment[i]})[0];
      registers.push_back(isF16 ? packed : LLVM::BitcastOp::create(b, b.getI32Type(), packed).getResult());
    }
  return registers;
}

WarpProduct::Values WarpProduct::mma(ArrayRef<Value> a, ArrayRef<Value> c, ArrayRef<Value> sums) {
  StringRef name = precision == Precision::TF32  ? "llvm.nvvm.mma.m16n8k8.row.col.tf32"
                   : precision == Precision::F16 ? "llvm.nvvm.mma.m16n8k16.row.col.f32.f32"
                                                 : "llvm.nvvm.mma.m16n8k16.row.col.bf16";
  SmallVector<Value> arguments(a);
  llvm::append_range(arguments, c);
  llvm::append_range(arguments, sums);
  return callIntrinsic(b, name, b.f32(), 4, arguments);
}

void WarpProduct::multiplyOnTensorCores(Value lhsAddress, Value rhsAddress, Values &sums) {
  int64_t step = precision == Precision::TF32 ? 8 : 16;
  for (int64_t k = 0; k < lhs.depth; k += step) {
    SmallVector<Values> rows, columns;
    for (int64_t i = 0; i < kDown; ++i) {
      SmallVector<Values> fragments;
      for (int64_t eight = 0; eight < step; eight += 8)
        fragments.push_back(lhsFragment(lhsAddress, i, k + eight));
      rows.push_back(round(fragments));
    }
    for (int64_t j = 0; j < kAcross; j += 2) {
      SmallVector<Values> first, second;
      for (int64_t eight = 0; eight < step; eight += 8) {
        auto [one, other] = rhsFragments(rhsAddress, j, k + eight);
        first.push_back(one);
        second.push_back(other);
      }
      columns.push_back(round(first));
      columns.push_back(round(second));
    }
    for (int64_t i = 0; i < kDown; ++i)
      for (int64_t j = 0; j < kAcross; ++j) {
        auto four = MutableArrayRef(sums).slice((i * kAcross + j) * 4, 4);
        llvm::copy(mma(rows[i], columns[j], four), four.begin());
      }
  }
}

//===-- Fused multiply-adds
//----------------------------------------------------------------------------------------===//

// Four k at a time: what lies along k is loaded as 16 bytes, of which half a warp's lanes want the same.
void WarpProduct::multiplyByThreads(Value lhsAddress, Value rhsAddress, Values &sums) {
  constexpr int64_t kFour = 4;
  auto vector = VectorType::get({kFour}, b.f32());
  auto loadFour = [&](const SharedTile &tile, Value address, Value line, int64_t k) {
    Values values;
    if (tile.alongDepth) {
      Value loaded = b.load(vector, b.offset(address, tile.offsetOf(b, line, b.index(k))), 0, 16);
      for (int64_t i = 0; i < kFour; ++i)
        values.push_back(vector::ExtractOp::create(b, loaded, i));
    } else {
      for (int64_t i = 0; i < kFour; ++i)
        values.push_back(loadElement(tile, address, line, b.index(k + i)));
    }
    return values;
  };
  for (int64_t k = 0; k < lhs.depth; k += kFour) {
    SmallVector<Values> rows, columns;
    for (int64_t i = 0; i < 2 * kDown; ++i)
      rows.push_back(loadFour(lhs, lhsAddress, b.add(b.add(rowBase, group), i * 8), k));
    for (int64_t j = 0; j < 2 * kAcross; ++j)
      columns.push_back(loadFour(rhs, rhsAddress, b.add(b.add(columnBase, b.mul(pair, 2)), j / 2 * 8 + j % 2), k));
    for (int64_t four = 0; four < kFour; ++four)
      for (int64_t i = 0; i < 2 * kDown; ++i)
        for (int64_t j = 0; j < 2 * kAcross; ++j) {
          Value &sum = sums[((i / 2) * kAcross + j / 2) * 4 + i % 2 * 2 + j % 2];
          sum = b.fma(rows[i][four], columns[j][four], sum);
        }
  }
}

} // namespace cnn::cuda
