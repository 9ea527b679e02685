// See KernelBuilder.h.
#include "codegen/cpu/KernelBuilder.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "mlir/IR/Matchers.h"

using namespace mlir;
namespace cnn::cpu {

KernelBuilder::KernelBuilder(ModuleOp module, Isa isa, Location loc)
    : ImplicitLocOpBuilder(loc, module.getContext()), module_(module), isa_(isa) {
  module.getContext()
      ->loadDialect<arith::ArithDialect, func::FuncDialect, LLVM::LLVMDialect, scf::SCFDialect,
                    vector::VectorDialect>();
}

void KernelBuilder::kernel(StringRef symbol, int operands, llvm::function_ref<void()> body) {
  InsertionGuard guard(*this);
  setInsertionPointToEnd(module_.getBody());
  Type ptr = pointer(), i = i64();
  auto function = func::FuncOp::create(*this, symbol, getFunctionType({ptr, ptr, i, i, i, ptr}, {}));
  Block *entry = function.addEntryBlock();
  setInsertionPointToStart(entry);
  Value table = entry->getArgument(0), strides = entry->getArgument(1);
  batch_ = entry->getArgument(2);
  begin_ = entry->getArgument(3);
  end_ = entry->getArgument(4);
  scratch_ = entry->getArgument(5);
  buffers_.clear();
  imageStrides_.clear();
  for (int operand = 0; operand < operands; ++operand) {
    buffers_.push_back(load(ptr, table, 8 * operand, 8));
    imageStrides_.push_back(load(i, strides, 8 * operand, 8));
  }
  body();
  func::ReturnOp::create(*this);
}

void KernelBuilder::bind(ArrayRef<Value> buffers, ArrayRef<Value> imageStrides, Value batch) {
  buffers_.assign(buffers.begin(), buffers.end());
  imageStrides_.assign(imageStrides.begin(), imageStrides.end());
  batch_ = batch;
  begin_ = end_ = scratch_ = Value();
}

Value KernelBuilder::imageOf(int index, Value image) { return offset(buffers_[index], mul(image, imageStride(index))); }

void KernelBuilder::forUnits(llvm::function_ref<void(Value)> body) { forLoop(begin_, end_, 1, body); }

SmallVector<Value> KernelBuilder::delinearize(Value linear, ArrayRef<Value> extents) {
  SmallVector<Value> coordinates(extents.size());
  for (size_t i = extents.size(); i-- > 1;) {
    coordinates[i] = rem(linear, extents[i]);
    linear = div(linear, extents[i]);
  }
  coordinates[0] = linear;
  return coordinates;
}

Value KernelBuilder::index(int64_t value) { return arith::ConstantOp::create(*this, getI64IntegerAttr(value)); }

static std::optional<int64_t> constantOf(Value value) {
  APInt constant;
  if (matchPattern(value, m_ConstantInt(&constant)))
    return constant.getSExtValue();
  return std::nullopt;
}

Value KernelBuilder::add(Value a, Value b) {
  if (auto constant = constantOf(b))
    return add(a, *constant);
  return arith::AddIOp::create(*this, a, b);
}
Value KernelBuilder::add(Value a, int64_t b) {
  if (auto constant = constantOf(a))
    return index(*constant + b);
  return b == 0 ? a : arith::AddIOp::create(*this, a, index(b)).getResult();
}
Value KernelBuilder::sub(Value a, Value b) {
  if (auto constant = constantOf(b))
    return sub(a, *constant);
  return arith::SubIOp::create(*this, a, b);
}
Value KernelBuilder::sub(Value a, int64_t b) { return add(a, -b); }
Value KernelBuilder::mul(Value a, Value b) {
  if (auto constant = constantOf(b))
    return mul(a, *constant);
  return arith::MulIOp::create(*this, a, b);
}
Value KernelBuilder::mul(Value a, int64_t b) {
  if (auto constant = constantOf(a))
    return index(*constant * b);
  return b == 1 ? a : arith::MulIOp::create(*this, a, index(b)).getResult();
}
// Unsigned, so that a constant divisor that is a power of two becomes a single shift or mask.
Value KernelBuilder::div(Value a, Value b) {
  if (auto constant = constantOf(b))
    return div(a, *constant);
  return arith::DivUIOp::create(*this, a, b);
}
Value KernelBuilder::div(Value a, int64_t b) {
  if (auto constant = constantOf(a))
    return index(*constant / b);
  return b == 1 ? a : arith::DivUIOp::create(*this, a, index(b)).getResult();
}
Value KernelBuilder::rem(Value a, Value b) {
  if (auto constant = constantOf(b))
    return rem(a, *constant);
  return arith::RemUIOp::create(*this, a, b);
}
Value KernelBuilder::rem(Value a, int64_t b) {
  if (auto constant = constantOf(a))
    return index(*constant % b);
  return b == 1 ? index(0) : arith::RemUIOp::create(*this, a, index(b)).getResult();
}
Value KernelBuilder::min(Value a, Value b) { return arith::MinSIOp::create(*this, a, b); }
Value KernelBuilder::max(Value a, Value b) { return arith::MaxSIOp::create(*this, a, b); }
Value KernelBuilder::lessThan(Value a, Value b) {
  return arith::CmpIOp::create(*this, arith::CmpIPredicate::slt, a, b);
}
Value KernelBuilder::equal(Value a, Value b) { return arith::CmpIOp::create(*this, arith::CmpIPredicate::eq, a, b); }
Value KernelBuilder::select(Value condition, Value a, Value b) {
  return arith::SelectOp::create(*this, condition, a, b);
}

SmallVector<Value> KernelBuilder::forLoop(Value from, Value to, int64_t step, ValueRange init, CarryBody body) {
  auto loop = scf::ForOp::create(*this, from, to, index(step), init);
  {
    InsertionGuard guard(*this);
    setInsertionPointToStart(loop.getBody());
    SmallVector<Value> next = body(loop.getInductionVar(), loop.getRegionIterArgs());
    // Without carried values the loop was created with its terminator.
    if (!init.empty())
      scf::YieldOp::create(*this, next);
  }
  return SmallVector<Value>(loop.getResults());
}

void KernelBuilder::forLoop(Value from, Value to, int64_t step, llvm::function_ref<void(Value)> body) {
  forLoop(from, to, step, ValueRange(), [&](Value iv, ValueRange) {
    body(iv);
    return SmallVector<Value>();
  });
}

SmallVector<Value> KernelBuilder::forLoop(int64_t from, int64_t to, int64_t step, ValueRange init, CarryBody body) {
  if (from >= to)
    return SmallVector<Value>(init);
  if (from + step >= to)
    return body(index(from), init);
  return forLoop(index(from), index(to), step, init, body);
}

void KernelBuilder::forLoop(int64_t from, int64_t to, int64_t step, llvm::function_ref<void(Value)> body) {
  forLoop(from, to, step, ValueRange(), [&](Value iv, ValueRange) {
    body(iv);
    return SmallVector<Value>();
  });
}

void KernelBuilder::ifThen(Value condition, llvm::function_ref<void()> then, llvm::function_ref<void()> otherwise) {
  auto branch = scf::IfOp::create(*this, condition, /*withElseRegion=*/static_cast<bool>(otherwise));
  InsertionGuard guard(*this);
  setInsertionPointToStart(branch.thenBlock());
  then();
  if (otherwise) {
    setInsertionPointToStart(branch.elseBlock());
    otherwise();
  }
}

Type KernelBuilder::pointer() { return LLVM::LLVMPointerType::get(getContext()); }

Value KernelBuilder::offset(Value address, Value bytes) {
  if (auto constant = constantOf(bytes))
    return offset(address, *constant);
  return LLVM::GEPOp::create(*this, address.getType(), getI8Type(), address, ArrayRef<LLVM::GEPArg>{bytes});
}

Value KernelBuilder::offset(Value address, int64_t bytes) {
  if (bytes == 0)
    return address;
  // A constant index of a GEP has 32 bits; beyond that it is a value.
  if (bytes != static_cast<int32_t>(bytes))
    return LLVM::GEPOp::create(*this, address.getType(), getI8Type(), address, ArrayRef<LLVM::GEPArg>{index(bytes)});
  return LLVM::GEPOp::create(*this, address.getType(), getI8Type(), address,
                             ArrayRef<LLVM::GEPArg>{static_cast<int32_t>(bytes)});
}

Value KernelBuilder::load(Type type, Value address, int64_t bytes, unsigned align) {
  return LLVM::LoadOp::create(*this, type, offset(address, bytes), align);
}

void KernelBuilder::store(Value value, Value address, int64_t bytes, unsigned align) {
  LLVM::StoreOp::create(*this, value, offset(address, bytes), align);
}

void KernelBuilder::keepOrder() { LLVM::FenceOp::create(*this, LLVM::AtomicOrdering::seq_cst, "singlethread"); }

void KernelBuilder::prefetch(Value address, int64_t bytes, bool secondLevel) {
  LLVM::Prefetch::create(*this, offset(address, bytes), /*rw=*/0, /*hint=*/secondLevel ? 2 : 3, /*cache=*/1);
}

Value KernelBuilder::scalar(float value) { return arith::ConstantOp::create(*this, getF32FloatAttr(value)); }
Value KernelBuilder::splat(float value) {
  return arith::ConstantOp::create(*this, DenseElementsAttr::get(block(), value));
}
Value KernelBuilder::splat(Value scalar) { return vector::BroadcastOp::create(*this, block(), scalar); }
Value KernelBuilder::constantBlock(ArrayRef<float> values) {
  return arith::ConstantOp::create(*this, DenseElementsAttr::get(block(), values));
}
Value KernelBuilder::fma(Value a, Value b, Value c) {
  // vector.fma takes no scalars.
  if (isa<VectorType>(a.getType()))
    return vector::FMAOp::create(*this, a, b, c);
  return LLVM::FMAOp::create(*this, a, b, c);
}
Value KernelBuilder::addf(Value a, Value b) { return arith::AddFOp::create(*this, a, b); }
Value KernelBuilder::subf(Value a, Value b) { return arith::SubFOp::create(*this, a, b); }
Value KernelBuilder::mulf(Value a, Value b) { return arith::MulFOp::create(*this, a, b); }
Value KernelBuilder::divf(Value a, Value b) { return arith::DivFOp::create(*this, a, b); }

// Not arith.maximumf: it becomes five instructions on x86, of which two order the signs of zeros. maxps gives its
// second operand where either is NaN, so that one comparison that prefers `a` when `a` is NaN is enough.
static Value pick(KernelBuilder &b, arith::CmpFPredicate predicate, Value x, Value y) {
  Value ordered = arith::SelectOp::create(b, arith::CmpFOp::create(b, predicate, x, y), x, y);
  Value isNan = arith::CmpFOp::create(b, arith::CmpFPredicate::UNO, x, x);
  return arith::SelectOp::create(b, isNan, x, ordered);
}
Value KernelBuilder::maxf(Value a, Value b) { return pick(*this, arith::CmpFPredicate::OGT, a, b); }
Value KernelBuilder::minf(Value a, Value b) { return pick(*this, arith::CmpFPredicate::OLT, a, b); }

Value KernelBuilder::keepLanes(Value value, int64_t lanes) {
  if (lanes >= kBlock)
    return value;
  auto maskType = VectorType::get({kBlock}, getI1Type());
  SmallVector<bool> keep(kBlock, false);
  std::fill_n(keep.begin(), lanes, true);
  Value mask = arith::ConstantOp::create(*this, DenseElementsAttr::get(maskType, ArrayRef<bool>(keep)));
  return arith::SelectOp::create(*this, mask, value, splat(0.0f));
}

Value KernelBuilder::keepChannels(Value value, Value block, int64_t channels) {
  if (channels % kBlock == 0)
    return value;
  Value full = lessThan(block, index(channels / kBlock));
  return arith::SelectOp::create(*this, full, value, keepLanes(value, channels % kBlock));
}

} // namespace cnn::cpu
