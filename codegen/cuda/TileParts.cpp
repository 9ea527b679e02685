// See TileParts.h.
#include "codegen/cuda/TileParts.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/LLVMIR/NVVMDialect.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"

using namespace mlir;

namespace cnn::cuda {

void moveToShared(DeviceBuilder &b, Value target, const MatmulFactor::Place &place, int64_t bytes) {
  Type type = bytes == 4 ? Type(b.f32()) : Type(VectorType::get({bytes / 4}, b.f32()));
  if (!b.architecture().hasAsyncCopies()) {
    Value value;
    if (place.valid) {
      auto read = [&](OpBuilder &, Location) { scf::YieldOp::create(b, b.load(type, place.address, 0, bytes)); };
      auto zero = [&](OpBuilder &, Location) {
        scf::YieldOp::create(b, arith::ConstantOp::create(b, b.getZeroAttr(type)).getResult());
      };
      value = scf::IfOp::create(b, place.valid, read, zero).getResult(0);
    } else {
      value = b.load(type, place.address, 0, bytes);
    }
    b.store(value, target, 0, bytes);
    return;
  }
  // Of what is not read zeros are written.
  Value size;
  if (place.valid)
    size = arith::SelectOp::create(b, place.valid, arith::ConstantOp::create(b, b.getI32IntegerAttr(bytes)),
                                   arith::ConstantOp::create(b, b.getI32IntegerAttr(0)));
  Value source =
      LLVM::AddrSpaceCastOp::create(b, LLVM::LLVMPointerType::get(b.getContext(), kGlobalSpace), place.address);
  NVVM::CpAsyncOp::create(b, target, source, bytes,
                          bytes == 16 ? NVVM::LoadCacheModifierKind::CG : NVVM::LoadCacheModifierKind::CA, size);
}

// Neighbouring lanes have two columns each of the same two rows, and exchange them so that each has four of one.
void storeSums(DeviceBuilder &b, ArrayRef<Value> sums, const WarpSums &where, MatmulStore store) {
  Value lane = b.rem(b.threadIndex(), kThreadsPerWarp), pair = b.rem(lane, 4);
  Value isOdd = b.equal(b.rem(lane, 2), b.index(1));
  Value row = b.add(b.add(where.firstRow, b.div(lane, 4)), b.mul(b.rem(lane, 2), 8));
  Value column = b.add(where.firstColumn, b.mul(b.div(pair, 2), 4));
  for (int64_t i = 0; i < where.down; ++i) {
    SmallVector<MatmulSums> rowSums;
    for (int64_t j = 0; j < where.across; ++j) {
      ArrayRef<Value> four = sums.slice((i * where.across + j) * 4, 4);
      SmallVector<Value> values(4);
      for (int64_t e = 0; e < 2; ++e) {
        Value other = b.shuffleXor(b.select(isOdd, four[e], four[2 + e]), 1);
        values[e] = b.select(isOdd, other, four[e]);
        values[2 + e] = b.select(isOdd, four[2 + e], other);
      }
      Value vector = vector::FromElementsOp::create(b, VectorType::get({4}, b.f32()), values);
      rowSums.push_back({b.add(column, j * 8), vector});
    }
    store(b.add(row, i * 16), rowSums);
  }
}

} // namespace cnn::cuda
