// See WarpgroupProduct.h.
#include "codegen/cuda/WarpgroupProduct.h"

#include "codegen/cuda/MatmulTile.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/LLVMIR/NVVMDialect.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"

using namespace mlir;

namespace cnn::cuda {

static Value call(DeviceBuilder &b, StringRef name, Type type, ArrayRef<Value> arguments) {
  return LLVM::CallIntrinsicOp::create(b, type, b.getStringAttr(name), arguments).getResult(0);
}

Value roundForTensorCores(DeviceBuilder &b, Value values, Precision precision) {
  SmallVector<Value> elements;
  auto vector = dyn_cast<VectorType>(values.getType());
  if (vector)
    for (int64_t i = 0; i < vector.getNumElements(); ++i)
      elements.push_back(vector::ExtractOp::create(b, values, i));
  else
    elements.push_back(values);
  if (precision == Precision::TF32) {
    for (Value &element : elements)
      element = arith::BitcastOp::create(b, b.f32(), call(b, "llvm.nvvm.f2tf32.rna", b.getI32Type(), {element}));
    return vector ? vector::FromElementsOp::create(b, vector, elements).getResult() : elements[0];
  }
  bool isF16 = precision == Precision::F16;
  Type half = isF16 ? Type(b.getF16Type()) : b.getBF16Type();
  auto pair = [&](Value low, Value high) {
    return call(b, isF16 ? "llvm.nvvm.ff2f16x2.rn" : "llvm.nvvm.ff2bf16x2.rn", VectorType::get({2}, half), {high, low});
  };
  if (!vector)
    return vector::ExtractOp::create(b, pair(elements[0], b.scalar(0.0f)), int64_t(0));
  SmallVector<Value> words;
  for (size_t i = 0; i < elements.size(); i += 2)
    words.push_back(LLVM::BitcastOp::create(b, b.getI32Type(), pair(elements[i], elements[i + 1])));
  return vector::FromElementsOp::create(b, VectorType::get({2}, b.getI32Type()), words);
}

// PTX ISA, "Matrix Descriptor Format": the address at bit 0 and from one group of eight rows to the next at bit 32,
// both in units of 16 bytes; how rows are swizzled at bit 62 (1: over 128 bytes, 2: over 64). What the bits from 16 on
// say, the distance of matrices along k, swizzled rows that long have not; 1 is written there.
WarpgroupProduct::WarpgroupProduct(DeviceBuilder &b, Precision precision, int64_t columns)
    : b(b), precision(precision), columns(columns) {
  bool isTf32 = precision == Precision::TF32;
  uint64_t stride = 8 * MatmulTile::kWarpgroupDepth * (isTf32 ? 4 : 2) / 16;
  uint64_t bits = uint64_t(isTf32 ? 1 : 2) << 62 | stride << 32 | uint64_t(1) << 16;
  constexpr int64_t kAddresses = (1 << 18) - 1;
  Value address = LLVM::PtrToIntOp::create(b, b.i64(), b.shared(0));
  address = arith::AndIOp::create(b, address, b.index(kAddresses));
  base = arith::OrIOp::create(b, b.div(address, 16), b.index(static_cast<int64_t>(bits)));
}

Value WarpgroupProduct::descriptor(Value begin) { return b.add(base, b.div(begin, 16)); }

void WarpgroupProduct::publish() {
  NVVM::FenceProxyOp::create(b, NVVM::ProxyKindAttr::get(b.getContext(), NVVM::ProxyKind::async_shared),
                             NVVM::SharedSpaceAttr::get(b.getContext(), NVVM::SharedSpace::shared_cta));
}

WarpgroupProduct::Values WarpgroupProduct::multiply(Value lhs, Value rhs, ValueRange sums) {
  MLIRContext *context = b.getContext();
  constexpr int64_t kStepBytes = 32;
  int64_t step = precision == Precision::TF32 ? 8 : 16;
  Type type = LLVM::LLVMStructType::getLiteral(context, SmallVector<Type>(sums.size(), b.f32()));
  Value all = LLVM::UndefOp::create(b, type);
  for (auto [i, sum] : llvm::enumerate(sums))
    all = LLVM::InsertValueOp::create(b, all, sum, i);
  Value lhsDescriptor = descriptor(lhs), rhsDescriptor = descriptor(rhs);
  NVVM::WGMMATypes factors = precision == Precision::TF32  ? NVVM::WGMMATypes::tf32
                             : precision == Precision::F16 ? NVVM::WGMMATypes::f16
                                                           : NVVM::WGMMATypes::bf16;
  auto factor = NVVM::WGMMATypesAttr::get(context, factors);
  auto sign = NVVM::WGMMAScaleInAttr::get(context, NVVM::WGMMAScaleIn::one);
  NVVM::WgmmaFenceAlignedOp::create(b);
  for (int64_t k = 0; k < MatmulTile::kWarpgroupDepth; k += step) {
    int64_t further = k / step * kStepBytes / 16;
    all = NVVM::WgmmaMmaAsyncOp::create(
        b, type, all, b.add(lhsDescriptor, further), b.add(rhsDescriptor, further),
        NVVM::MMAShapeAttr::get(context, static_cast<int>(kRows), static_cast<int>(columns), static_cast<int>(step)),
        factor, factor, NVVM::WGMMATypesAttr::get(context, NVVM::WGMMATypes::f32),
        NVVM::WGMMAScaleOutAttr::get(context, NVVM::WGMMAScaleOut::one), sign, sign,
        NVVM::MMALayoutAttr::get(context, NVVM::MMALayout::row),
        NVVM::MMALayoutAttr::get(context, NVVM::MMALayout::col), NVVM::MMAIntOverflowAttr());
  }
  NVVM::WgmmaGroupSyncAlignedOp::create(b);
  NVVM::WgmmaWaitGroupSyncOp::create(b, 1);
  Values result;
  for (size_t i = 0; i < sums.size(); ++i)
    result.push_back(LLVM::ExtractValueOp::create(b, all, i));
  return result;
}

// The sums are operands and results, so that nothing that uses them can come before the wait.
WarpgroupProduct::Values WarpgroupProduct::finish(ValueRange sums) {
  std::string constraints;
  for (size_t i = 0; i < sums.size(); ++i)
    constraints += "=f,";
  for (size_t i = 0; i < sums.size(); ++i)
    constraints += std::to_string(i) + (i + 1 < sums.size() ? "," : "");
  Type type = LLVM::LLVMStructType::getLiteral(b.getContext(), SmallVector<Type>(sums.size(), b.f32()));
  Value all = LLVM::InlineAsmOp::create(b, type, sums, "wgmma.wait_group.sync.aligned 0;", constraints,
                                        /*has_side_effects=*/true, /*is_align_stack=*/false, LLVM::TailCallKind::None,
                                        LLVM::AsmDialectAttr(), ArrayAttr())
                  .getResult(0);
  Values result;
  for (size_t i = 0; i < sums.size(); ++i)
    result.push_back(LLVM::ExtractValueOp::create(b, all, i));
  return result;
}

} // namespace cnn::cuda
