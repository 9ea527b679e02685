// See Random.h.
#include "codegen/cpu/Random.h"

#include "codegen/cpu/ElementOps.h"
#include "codegen/cpu/Math.h"
#include "ir/reference/Philox.h"

#include "mlir/Dialect/Arith/IR/Arith.h"

using namespace mlir;

namespace cnn::cpu {

namespace {
/// Unsigned words of 32 bits in lanes of i64.
struct Words {
  KernelBuilder &b;
  Type type;

  Value constant(uint64_t value) { return integerConstant(b, type, static_cast<int64_t>(value)); }
  Value low(Value x) { return arith::AndIOp::create(b, x, constant(0xFFFFFFFF)); }
  Value high(Value x) { return arith::ShRUIOp::create(b, x, constant(32)); }
  Value times(Value x, uint64_t y) { return arith::MulIOp::create(b, x, constant(y)); }
  Value exclusiveOr(Value x, Value y) { return arith::XOrIOp::create(b, x, y); }
  Value splat(Value scalar) {
    auto vector = dyn_cast<VectorType>(type);
    return splatTo(b, scalar, vector ? vector.getNumElements() : 1);
  }
};
} // namespace

std::array<Value, 4> buildPhilox(KernelBuilder &b, Value block, Value seed, Value step, StringRef path) {
  Words w{b, block.getType()}, scalar{b, b.getI64Type()};
  uint64_t hash = reference::pathHash(path);
  Value upper = arith::AndIOp::create(b, w.high(block), w.constant(0xFFFF));
  std::array<Value, 4> counter = {w.low(block), arith::OrIOp::create(b, upper, w.constant((hash >> 32 & 0xFFFF) << 16)),
                                  w.splat(scalar.low(step)), w.constant(hash & 0xFFFFFFFF)};
  Value key[2] = {scalar.low(seed), scalar.high(seed)};
  for (int round = 0; round < 10; ++round) {
    Value first = w.times(counter[0], 0xD2511F53), second = w.times(counter[2], 0xCD9E8D57);
    counter = {w.exclusiveOr(w.exclusiveOr(w.high(second), counter[1]), w.splat(key[0])), w.low(second),
               w.exclusiveOr(w.exclusiveOr(w.high(first), counter[3]), w.splat(key[1])), w.low(first)};
    key[0] = scalar.low(b.add(key[0], 0x9E3779B9));
    key[1] = scalar.low(b.add(key[1], 0xBB67AE85));
  }
  return counter;
}

Value buildUniform(KernelBuilder &b, Value word, double low, double high) {
  Words w{b, word.getType()};
  Type type = withElement(word.getType(), b.f32());
  // 24 bits, exact as f32 from a signed i32.
  Value bits = arith::TruncIOp::create(b, withElement(word.getType(), b.getI32Type()),
                                       arith::ShRUIOp::create(b, word, w.constant(8)));
  Value fraction = b.mulf(arith::SIToFPOp::create(b, type, bits), floatConstant(b, type, 0x1p-24));
  return multiplyAdd(b, fraction, floatConstant(b, type, high - low), floatConstant(b, type, low));
}

namespace {
/// toNormal of ir/reference/Philox.h, operation by operation.
struct Quantile {
  KernelBuilder &b;
  Type type, bits;

  Value constant(double value) { return floatConstant(b, type, value); }
  Value select(Value condition, Value x, Value y) { return arith::SelectOp::create(b, condition, x, y); }
  Value compare(arith::CmpFPredicate predicate, Value x, double y) {
    return arith::CmpFOp::create(b, predicate, x, constant(y));
  }
  Value polynomial(Value x, ArrayRef<double> coefficients) {
    Value value = constant(coefficients.front());
    for (double coefficient : coefficients.drop_front())
      value = b.addf(b.mulf(value, x), constant(coefficient));
    return value;
  }
  Value quotient(Value x, ArrayRef<double> above, ArrayRef<double> below) {
    return b.divf(polynomial(x, above), polynomial(x, below));
  }

  /// ln x of a normal number 0 < x < 1.
  Value logarithm(Value x) {
    auto integer = [&](uint64_t value) { return integerConstant(b, bits, static_cast<int64_t>(value)); };
    Value pattern = arith::BitcastOp::create(b, bits, x);
    Value exponent =
        arith::SubIOp::create(b, arith::ShRUIOp::create(b, pattern, integer(52)).getResult(), integer(1022));
    Value fraction = arith::AndIOp::create(b, pattern, integer(0xFFFFFFFFFFFFF));
    Value mantissa =
        arith::BitcastOp::create(b, type, arith::OrIOp::create(b, fraction, integer(0x3FE0000000000000)).getResult());
    Value z = b.divf(b.subf(mantissa, constant(1)), b.addf(mantissa, constant(1)));
    Value square = b.mulf(z, z), sum = constant(0);
    for (int k = 33; k >= 1; k -= 2)
      sum = b.addf(b.mulf(sum, square), constant(1.0 / k));
    // By way of i32, for which every instruction set has a conversion of vectors.
    Value narrow = arith::TruncIOp::create(b, withElement(bits, b.getI32Type()), exponent);
    Value scaled = b.mulf(arith::SIToFPOp::create(b, type, narrow), constant(0.6931471805599453));
    return b.addf(b.mulf(b.mulf(constant(2), z), sum), scaled);
  }

  Value at(Value p) {
    Value q = b.subf(p, constant(0.5)), r = b.subf(constant(0.180625), b.mulf(q, q));
    Value middle = b.mulf(
        q,
        quotient(r,
                 {2.5090809287301226727e3, 3.3430575583588128105e4, 6.7265770927008700853e4, 4.5921953931549871457e4,
                  1.3731693765509461125e4, 1.9715909503065514427e3, 1.3314166789178437745e2, 3.3871328727963666080e0},
                 {5.2264952788528545610e3, 2.8729085735721942674e4, 3.9307895800092710610e4, 2.1213794301586595867e4,
                  5.3941960214247511077e3, 6.8718700749205790830e2, 4.2313330701600911252e1, 1.0}));
    Value isLow = compare(arith::CmpFPredicate::OLT, q, 0);
    Value tail = select(isLow, p, b.subf(constant(1), p));
    r = buildSqrt(b, arith::NegFOp::create(b, logarithm(tail)));
    Value near = quotient(
        b.subf(r, constant(1.6)),
        {7.74545014278341407640e-4, 2.27238449892691845833e-2, 2.41780725177450611770e-1, 1.27045825245236838258e0,
         3.64784832476320460504e0, 5.76949722146069140550e0, 4.63033784615654529590e0, 1.42343711074968357734e0},
        {1.05075007164441684324e-9, 5.47593808499534494600e-4, 1.51986665636164571966e-2, 1.48103976427480074590e-1,
         6.89767334985100004550e-1, 1.67638483018380384940e0, 2.05319162663775882187e0, 1.0});
    Value far = quotient(
        b.subf(r, constant(5)),
        {2.01033439929228813265e-7, 2.71155556874348757815e-5, 1.24266094738807843860e-3, 2.65321895265761230930e-2,
         2.96560571828504891230e-1, 1.78482653991729133580e0, 5.46378491116411436990e0, 6.65790464350110377720e0},
        {2.04426310338993978564e-15, 1.42151175831644588870e-7, 1.84631831751005468180e-5, 7.86869131145613259100e-4,
         1.48753612908506148525e-2, 1.36929880922735805310e-1, 5.99832206555887937690e-1, 1.0});
    Value outer = select(compare(arith::CmpFPredicate::OLE, r, 5), near, far);
    outer = select(isLow, arith::NegFOp::create(b, outer), outer);
    Value isMiddle = arith::AndIOp::create(b, compare(arith::CmpFPredicate::OGE, q, -0.425),
                                           compare(arith::CmpFPredicate::OLE, q, 0.425));
    return select(isMiddle, middle, outer);
  }
};
} // namespace

Value buildNormal(KernelBuilder &b, Value word, double mean, double deviation) {
  Type type = withElement(word.getType(), b.getF64Type());
  Quantile quantile{b, type, word.getType()};
  // A word in the mantissa of 2^52, less 2^52: the conversion of an unsigned number that every instruction set has.
  Value pattern = arith::OrIOp::create(b, word, integerConstant(b, word.getType(), 0x4330000000000000));
  Value number = b.subf(arith::BitcastOp::create(b, type, pattern), quantile.constant(0x1p52));
  Value p = b.mulf(b.addf(number, quantile.constant(0.5)), quantile.constant(0x1p-32));
  Value draw = b.addf(quantile.constant(mean), b.mulf(quantile.constant(deviation), quantile.at(p)));
  return arith::TruncFOp::create(b, withElement(type, b.f32()), draw);
}

} // namespace cnn::cpu
