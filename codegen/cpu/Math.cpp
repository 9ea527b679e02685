// The polynomials are those of Cephes (Moshier 1989), single precision. Arguments are reduced with a two-part ln 2
// whose upper part has few bits, so that the reduction is exact with and without fused multiply-add.
#include "codegen/cpu/Math.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"

#include <limits>

using namespace mlir;
using arith::CmpFPredicate;

namespace cnn::cpu {

Type withElement(Type type, Type element) {
  if (auto vector = dyn_cast<VectorType>(type))
    return VectorType::get(vector.getShape(), element);
  return element;
}

static Value constantOf(KernelBuilder &b, Type type, Attribute scalar) {
  if (auto vector = dyn_cast<VectorType>(type))
    return arith::ConstantOp::create(b, DenseElementsAttr::get(vector, scalar));
  return arith::ConstantOp::create(b, cast<TypedAttr>(scalar));
}

Value floatConstant(KernelBuilder &b, Type type, double value) {
  return constantOf(b, type, b.getFloatAttr(getElementTypeOrSelf(type), value));
}

Value integerConstant(KernelBuilder &b, Type type, int64_t value) {
  return constantOf(b, type, b.getIntegerAttr(getElementTypeOrSelf(type), value));
}

Value multiplyAdd(KernelBuilder &b, Value x, Value y, Value z) { return LLVM::FMulAddOp::create(b, x, y, z); }

namespace {

constexpr double kLog2E = 1.44269504088896341;
constexpr double kLn2High = 0.693359375, kLn2Low = -2.12194440e-4;

/// Operations on values of one type, scalar or vector.
struct Arithmetic {
  KernelBuilder &b;
  Type type;
  Type bits = withElement(type, b.getI32Type());

  Value constant(double value) { return floatConstant(b, type, value); }
  Value integer(int64_t value) { return integerConstant(b, bits, value); }
  Value fma(Value x, Value y, Value z) { return multiplyAdd(b, x, y, z); }
  Value fma(Value x, double y, Value z) { return fma(x, constant(y), z); }
  Value compare(CmpFPredicate predicate, Value x, double y) {
    return arith::CmpFOp::create(b, predicate, x, constant(y));
  }
  Value select(Value condition, Value x, Value y) { return arith::SelectOp::create(b, condition, x, y); }
  Value toBits(Value x) { return arith::BitcastOp::create(b, bits, x); }
  Value toFloat(Value x) { return arith::BitcastOp::create(b, type, x); }

  /// Horner's rule, the coefficient of the highest power first.
  Value polynomial(Value x, ArrayRef<double> coefficients) {
    Value sum = constant(coefficients.front());
    for (double coefficient : coefficients.drop_front())
      sum = fma(sum, x, constant(coefficient));
    return sum;
  }

  /// 2^n of integers in [-126, 127].
  Value powerOfTwo(Value n) {
    return toFloat(arith::ShLIOp::create(b, arith::AddIOp::create(b, n, integer(127)), integer(23)));
  }

  /// exp(x) = 2^n * exp(r), |r| <= ln 2 / 2, for x in [-104, 89] or NaN. `normal`: the result is known to be a normal
  /// number.
  Value exp(Value x, bool normal) {
    // The sum with 1.5 * 2^23 has the nearest integer in its low bits.
    Value shifted = fma(x, kLog2E, constant(12582912.0));
    Value n = b.subf(shifted, constant(12582912.0));
    Value r = fma(n, -kLn2Low, fma(n, -kLn2High, x));
    Value p = polynomial(
        r, {1.9875691500e-4, 1.3981999507e-3, 8.3334519073e-3, 4.1665795894e-2, 1.6666665459e-1, 5.0000001201e-1});
    p = b.addf(fma(b.mulf(r, r), p, r), constant(1.0));
    Value exponent = arith::SubIOp::create(b, toBits(shifted), integer(0x4b400000));
    if (normal)
      return b.mulf(p, powerOfTwo(exponent));
    // In two steps, so that a result below the normal numbers is rounded once and one above becomes infinite.
    Value half = arith::ShRSIOp::create(b, exponent, integer(1));
    Value rest = arith::SubIOp::create(b, exponent, half);
    return b.mulf(b.mulf(p, powerOfTwo(half)), powerOfTwo(rest));
  }
};

} // namespace

Value buildExp(KernelBuilder &b, Value x) {
  Arithmetic a{b, x.getType()};
  // Comparisons with NaN are false and keep it.
  Value low = a.select(a.compare(CmpFPredicate::OLT, x, -104.0), a.constant(-104.0), x);
  Value inside = a.select(a.compare(CmpFPredicate::OGT, low, 89.0), a.constant(89.0), low);
  return a.exp(inside, /*normal=*/false);
}

Value buildLog(KernelBuilder &b, Value x) {
  Arithmetic a{b, x.getType()};
  // x = 2^e * m with m in [sqrt(1/2), sqrt(2)); denormals are scaled first.
  Value small = a.compare(CmpFPredicate::OLT, x, std::numeric_limits<float>::min());
  Value scaled = a.select(small, b.mulf(x, a.constant(8388608.0)), x);
  Value bits = a.toBits(scaled);
  Value exponent = arith::ShRUIOp::create(b, bits, a.integer(23));
  Value bias = a.select(small, a.integer(126 + 23), a.integer(126));
  Value e = arith::SIToFPOp::create(b, a.type, arith::SubIOp::create(b, exponent, bias));
  Value m =
      a.toFloat(arith::OrIOp::create(b, arith::AndIOp::create(b, bits, a.integer(0x007fffff)), a.integer(0x3f000000)));
  Value low = a.compare(CmpFPredicate::OLT, m, 0.70710678118654752);
  e = b.subf(e, a.select(low, a.constant(1.0), a.constant(0.0)));
  Value f = b.subf(b.addf(m, a.select(low, m, a.constant(0.0))), a.constant(1.0));
  Value z = b.mulf(f, f);
  Value p = a.polynomial(f, {7.0376836292e-2, -1.1514610310e-1, 1.1676998740e-1, -1.2420140846e-1, 1.4249322787e-1,
                             -1.6668057665e-1, 2.0000714765e-1, -2.4999993993e-1, 3.3333331174e-1});
  Value y = a.fma(e, kLn2Low, b.mulf(b.mulf(p, f), z));
  y = b.addf(f, a.fma(z, -0.5, y));
  y = a.fma(e, kLn2High, y);
  constexpr double infinity = std::numeric_limits<double>::infinity();
  y = a.select(a.compare(CmpFPredicate::OEQ, x, infinity), x, y);
  y = a.select(a.compare(CmpFPredicate::OEQ, x, 0.0), a.constant(-infinity), y);
  y = a.select(a.compare(CmpFPredicate::OLT, x, 0.0), a.constant(std::numeric_limits<double>::quiet_NaN()), y);
  return a.select(arith::CmpFOp::create(b, CmpFPredicate::UNO, x, x), x, y);
}

Value buildTanh(KernelBuilder &b, Value x) {
  Arithmetic a{b, x.getType()};
  // Near zero by an odd polynomial; elsewhere 1 - 2 / (exp(2|x|) + 1) with the sign of x, which is 1 from 9.02 on.
  Value z = b.mulf(x, x);
  Value p =
      a.polynomial(z, {-5.70498872745e-3, 2.06390887954e-2, -5.37397155531e-2, 1.33314422036e-1, -3.33332819422e-1});
  Value near = a.fma(b.mulf(p, z), x, x);
  Value magnitude = buildAbs(b, x);
  Value inside = a.select(a.compare(CmpFPredicate::OGT, magnitude, 10.0), a.constant(10.0), magnitude);
  Value e = a.exp(b.addf(inside, inside), /*normal=*/true);
  Value far = b.subf(a.constant(1.0), b.divf(a.constant(2.0), b.addf(e, a.constant(1.0))));
  Value sign = arith::AndIOp::create(b, a.toBits(x), a.integer(std::numeric_limits<int32_t>::min()));
  far = a.toFloat(arith::OrIOp::create(b, a.toBits(far), sign));
  return a.select(a.compare(CmpFPredicate::OLT, magnitude, 0.625), near, far);
}

Value buildSigmoid(KernelBuilder &b, Value x) {
  Arithmetic a{b, x.getType()};
  // With t = exp(-|x|), which never overflows: 1 / (1 + t) for x >= 0 and t / (1 + t) below.
  Value t = buildExp(b, arith::NegFOp::create(b, buildAbs(b, x)));
  Value numerator = a.select(a.compare(CmpFPredicate::OLT, x, 0.0), t, a.constant(1.0));
  return b.divf(numerator, b.addf(t, a.constant(1.0)));
}

Value buildSqrt(KernelBuilder &b, Value x) { return LLVM::SqrtOp::create(b, x); }
Value buildAbs(KernelBuilder &b, Value x) { return LLVM::FAbsOp::create(b, x); }
Value buildRoundEven(KernelBuilder &b, Value x) { return LLVM::RoundEvenOp::create(b, x.getType(), x); }

} // namespace cnn::cpu
