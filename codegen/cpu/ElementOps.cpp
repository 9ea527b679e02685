// See ElementOps.h.
#include "codegen/cpu/ElementOps.h"

#include "codegen/cpu/Math.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "llvm/ADT/TypeSwitch.h"
#include "llvm/Support/FormatVariadic.h"

#include <cmath>

using namespace mlir;

namespace cnn::cpu {

Type valueType(Type element, int64_t width) {
  if (auto integer = dyn_cast<IntegerType>(element)) {
    if (integer.getWidth() > 64)
      return {};
    element = IntegerType::get(element.getContext(), integer.getWidth());
  } else if (!element.isF32() && !element.isF64()) {
    return {};
  }
  return width == 1 ? element : VectorType::get({width}, element);
}

/// The type in memory: i1 takes a byte.
static Type memoryType(Type element, int64_t width) {
  if (element.isInteger(1))
    element = IntegerType::get(element.getContext(), 8);
  return valueType(element, width);
}

Value loadElements(KernelBuilder &b, Type element, Value address, int64_t bytes, int64_t width, Value mask,
                   unsigned align) {
  Type type = memoryType(element, width);
  unsigned promised = align ? align : elementBytes(element);
  Value value;
  if (mask) {
    Value zero = elementConstant(b, getElementTypeOrSelf(type), width, 0);
    value = LLVM::MaskedLoadOp::create(b, type, b.offset(address, bytes), mask, zero, promised);
  } else {
    value = b.load(type, address, bytes, promised);
  }
  if (element.isInteger(1))
    value = arith::CmpIOp::create(b, arith::CmpIPredicate::ne, value, integerConstant(b, type, 0));
  return value;
}

void storeElements(KernelBuilder &b, Type element, Value value, Value address, int64_t bytes, Value mask,
                   unsigned align) {
  unsigned promised = align ? align : elementBytes(element);
  if (element.isInteger(1))
    value = arith::ExtUIOp::create(b, withElement(value.getType(), b.getI8Type()), value);
  if (mask)
    LLVM::MaskedStoreOp::create(b, value, b.offset(address, bytes), mask, promised);
  else
    b.store(value, address, bytes, promised);
}

Value splatTo(KernelBuilder &b, Value scalar, int64_t width) {
  if (width == 1)
    return scalar;
  return vector::BroadcastOp::create(b, VectorType::get({width}, scalar.getType()), scalar);
}

Value elementConstant(KernelBuilder &b, Type element, int64_t width, double value) {
  Type type = valueType(element, width);
  if (isa<FloatType>(element))
    return floatConstant(b, type, value);
  return integerConstant(b, type, static_cast<int64_t>(value));
}

Value constantTable(KernelBuilder &b, ConstantOp constant, int64_t count) {
  auto elements = cast<ElementsAttr>(constant.getValue());
  Type element = memoryType(elements.getElementType(), 1);
  SmallVector<Attribute> values;
  bool isFloat = isa<FloatType>(element);
  if (isFloat)
    for (const APFloat &value : elements.getValues<APFloat>())
      values.push_back(FloatAttr::get(element, value));
  else
    for (const APInt &value : elements.getValues<APInt>())
      values.push_back(IntegerAttr::get(element, value.zextOrTrunc(element.getIntOrFloatBitWidth())));
  Attribute zero = isFloat ? Attribute(b.getFloatAttr(element, 0.0)) : b.getIntegerAttr(element, 0);
  values.resize(count, zero);
  auto contents = DenseElementsAttr::get(RankedTensorType::get({count}, element), values);
  // One table for all kernels that need these elements.
  std::string name;
  for (auto global : b.module().getOps<LLVM::GlobalOp>())
    if (global.getValueOrNull() == contents)
      name = global.getSymName();
  if (name.empty()) {
    OpBuilder::InsertionGuard guard(b);
    b.setInsertionPointToStart(b.module().getBody());
    name = "constant_" + std::to_string(llvm::range_size(b.module().getOps<LLVM::GlobalOp>()));
    LLVM::GlobalOp::create(b, LLVM::LLVMArrayType::get(element, count), /*isConstant=*/true, LLVM::Linkage::Private,
                           name, contents, /*alignment=*/64);
  }
  return LLVM::AddressOfOp::create(b, b.pointer(), name);
}

Value lanesBelow(KernelBuilder &b, Value count, int64_t width) {
  auto type = VectorType::get({width}, b.getI32Type());
  SmallVector<int32_t> indices = llvm::to_vector(llvm::seq<int32_t>(0, width));
  Value lanes = arith::ConstantOp::create(b, DenseElementsAttr::get(type, ArrayRef<int32_t>(indices)));
  Value narrow = arith::TruncIOp::create(b, b.getI32Type(), count);
  return arith::CmpIOp::create(b, arith::CmpIPredicate::slt, lanes, splatTo(b, narrow, width));
}

Value joinLanes(KernelBuilder &b, Value value, llvm::function_ref<Value(Value, Value)> join) {
  for (int64_t width = kBlock / 2; width; width /= 2) {
    SmallVector<int64_t> low = llvm::to_vector(llvm::seq<int64_t>(0, width)), high;
    for (int64_t lane : low)
      high.push_back(lane + width);
    value = join(vector::ShuffleOp::create(b, value, value, low), vector::ShuffleOp::create(b, value, value, high));
  }
  return vector::ExtractOp::create(b, value, ArrayRef<int64_t>{0});
}

static bool isUnsigned(Type element) { return element.isUnsignedInteger() || element.isInteger(1); }

std::string whyNoElementOp(Operation *op) {
  SmallVector<Type> types(op->getOperandTypes());
  llvm::append_range(types, op->getResultTypes());
  for (Type type : types)
    if (!valueType(getElementTypeOrSelf(type), 1))
      return llvm::formatv("the CPU target does not compute with {0}", getElementTypeOrSelf(type));
  if (isa<ConvertOp, AddOp, SubOp, MulOp, MaxOp, MinOp>(op))
    return {};
  if (!isa<ReluOp, TanhOp, SigmoidOp, ExpOp, LogOp, SqrtOp, AbsOp, NegOp, ClampOp, DivOp, StepOp, SoftplusOp, EluOp,
           StopGradientOp>(op))
    return llvm::formatv("the CPU target has no code for {0}", op->getName());
  Type element = getElementTypeOrSelf(op->getResult(0).getType());
  if (!isa<FloatType>(element) || (isa<TanhOp, SigmoidOp, ExpOp, LogOp, SoftplusOp, EluOp>(op) && !element.isF32()))
    return llvm::formatv("the CPU target does not compute {0} of {1}", op->getName(), element);
  return {};
}

/// The values of a stored element type, as a conversion sees them.
static Value buildConvert(KernelBuilder &b, Type from, Type to, Value x) {
  Type type = withElement(x.getType(), valueType(to, 1));
  if (from == to)
    return x;
  if (isa<FloatType>(from) && isa<FloatType>(to))
    return from.getIntOrFloatBitWidth() < to.getIntOrFloatBitWidth() ? arith::ExtFOp::create(b, type, x).getResult()
                                                                     : arith::TruncFOp::create(b, type, x).getResult();
  if (isa<FloatType>(to))
    return isUnsigned(from) ? arith::UIToFPOp::create(b, type, x).getResult()
                            : arith::SIToFPOp::create(b, type, x).getResult();
  int64_t bits = to.getIntOrFloatBitWidth();
  if (isa<FloatType>(from)) {
    // Saturated as floats, where the largest value that the type holds exactly decides; NaN becomes 0.
    double low = isUnsigned(to) ? 0.0 : -std::ldexp(1.0, bits - 1);
    double beyond = std::ldexp(1.0, isUnsigned(to) ? bits : bits - 1);
    Value rounded = buildRoundEven(b, x);
    auto constant = [&](double value) { return floatConstant(b, x.getType(), value); };
    auto compare = [&](arith::CmpFPredicate predicate, double value) {
      return arith::CmpFOp::create(b, predicate, rounded, constant(value));
    };
    auto integer = [&](uint64_t value) { return integerConstant(b, type, static_cast<int64_t>(value)); };
    Value above = compare(arith::CmpFPredicate::OGE, beyond);
    Value inside =
        arith::AndIOp::create(b, compare(arith::CmpFPredicate::OGE, low), compare(arith::CmpFPredicate::OLT, beyond));
    Value safe = arith::SelectOp::create(b, inside, rounded, constant(0.0));
    Value result = isUnsigned(to) ? arith::FPToUIOp::create(b, type, safe).getResult()
                                  : arith::FPToSIOp::create(b, type, safe).getResult();
    uint64_t most = (isUnsigned(to) ? ~uint64_t(0) >> (64 - bits) : (uint64_t(1) << (bits - 1)) - 1);
    auto truncated = [&](uint64_t value) { return integer(llvm::SignExtend64(value, bits)); };
    result = arith::SelectOp::create(b, above, truncated(most), result);
    Value below = compare(arith::CmpFPredicate::OLT, low);
    return arith::SelectOp::create(b, below, truncated(isUnsigned(to) ? 0 : uint64_t(1) << (bits - 1)), result);
  }
  // Between integers, by way of 65 bits' worth of cases: widen to i64, clamp, narrow.
  Type wide = withElement(x.getType(), b.getI64Type());
  Value value = x;
  if (getElementTypeOrSelf(x.getType()) != b.getI64Type())
    value = isUnsigned(from) ? arith::ExtUIOp::create(b, wide, x).getResult()
                             : arith::ExtSIOp::create(b, wide, x).getResult();
  auto constant = [&](int64_t v) { return integerConstant(b, wide, v); };
  if (bits < 64) {
    int64_t most = isUnsigned(to) ? (int64_t(1) << bits) - 1 : (int64_t(1) << (bits - 1)) - 1;
    int64_t least = isUnsigned(to) ? 0 : -(int64_t(1) << (bits - 1));
    if (isUnsigned(from)) {
      value = arith::MinUIOp::create(b, value, constant(most));
    } else {
      value = arith::MinSIOp::create(b, value, constant(most));
      value = arith::MaxSIOp::create(b, value, constant(least));
    }
    return arith::TruncIOp::create(b, type, value);
  }
  if (isUnsigned(to) && !isUnsigned(from))
    return arith::MaxSIOp::create(b, value, constant(0));
  if (!isUnsigned(to) && isUnsigned(from))
    return arith::MinUIOp::create(b, value, constant(std::numeric_limits<int64_t>::max()));
  return value;
}

static Value buildInteger(KernelBuilder &b, Operation *op, Value x, Value y, bool isUnsignedElement) {
  return llvm::TypeSwitch<Operation *, Value>(op)
      .Case([&](AddOp) { return arith::AddIOp::create(b, x, y); })
      .Case([&](SubOp) { return arith::SubIOp::create(b, x, y); })
      .Case([&](MulOp) { return arith::MulIOp::create(b, x, y); })
      .Case([&](MaxOp) -> Value {
        if (isUnsignedElement)
          return arith::MaxUIOp::create(b, x, y);
        return arith::MaxSIOp::create(b, x, y);
      })
      .Case([&](MinOp) -> Value {
        if (isUnsignedElement)
          return arith::MinUIOp::create(b, x, y);
        return arith::MinSIOp::create(b, x, y);
      });
}

Value buildElementOp(KernelBuilder &b, Operation *op, ArrayRef<Value> operands) {
  Value x = operands[0], y = operands.size() > 1 ? operands[1] : Value();
  Type element = getElementTypeOrSelf(op->getOperand(0).getType());
  if (auto convert = dyn_cast<ConvertOp>(op))
    return buildConvert(b, element, convert.getTo(), x);
  if (isa<IntegerType>(element))
    return buildInteger(b, op, x, y, isUnsigned(element));
  auto constant = [&](double value) { return floatConstant(b, x.getType(), value); };
  return llvm::TypeSwitch<Operation *, Value>(op)
      .Case([&](ReluOp) { return b.maxf(constant(0.0), x); })
      .Case([&](TanhOp) { return buildTanh(b, x); })
      .Case([&](SigmoidOp) { return buildSigmoid(b, x); })
      .Case([&](ExpOp) { return buildExp(b, x); })
      .Case([&](LogOp) { return buildLog(b, x); })
      .Case([&](SqrtOp) { return buildSqrt(b, x); })
      .Case([&](AbsOp) { return buildAbs(b, x); })
      .Case([&](NegOp) { return arith::NegFOp::create(b, x); })
      .Case([&](ClampOp clamp) {
        return b.minf(constant(clamp.getMax().convertToDouble()),
                      b.maxf(constant(clamp.getMin().convertToDouble()), x));
      })
      .Case([&](StepOp) -> Value {
        Value above = arith::CmpFOp::create(b, arith::CmpFPredicate::OGT, x, constant(0.0));
        return arith::SelectOp::create(b, above, constant(1.0), constant(0.0));
      })
      .Case([&](SoftplusOp) {
        Value tail = buildExp(b, arith::NegFOp::create(b, buildAbs(b, x)));
        return b.addf(b.maxf(constant(0.0), x), buildLog(b, b.addf(constant(1.0), tail)));
      })
      .Case([&](EluOp elu) -> Value {
        Value below = b.subf(buildExp(b, b.minf(constant(0.0), x)), constant(1.0));
        Value above = arith::CmpFOp::create(b, arith::CmpFPredicate::OGT, x, constant(0.0));
        return arith::SelectOp::create(b, above, x, b.mulf(constant(elu.getAlpha().convertToDouble()), below));
      })
      .Case([&](StopGradientOp) { return x; })
      .Case([&](AddOp) { return b.addf(x, y); })
      .Case([&](SubOp) { return b.subf(x, y); })
      .Case([&](MulOp) { return b.mulf(x, y); })
      .Case([&](DivOp) { return b.divf(x, y); })
      .Case([&](MaxOp) { return b.maxf(x, y); })
      .Case([&](MinOp) { return b.minf(x, y); });
}

} // namespace cnn::cpu
