// See Warping.h.
#include "codegen/cpu/Warping.h"

#include "codegen/cpu/Math.h"

#include "mlir/Dialect/Arith/IR/Arith.h"

using namespace mlir;

namespace cnn::cpu {

namespace {
struct WarpBuilder {
  KernelBuilder &b;
  WarpOp op;
  Type floats;
  Type integers = withElement(floats, b.getI32Type());

  Value compare(arith::CmpFPredicate predicate, Value x, Value y) { return arith::CmpFOp::create(b, predicate, x, y); }
  Value compare(arith::CmpIPredicate predicate, Value x, Value y) { return arith::CmpIOp::create(b, predicate, x, y); }
  Value number(double value) { return floatConstant(b, floats, value); }
  Value integer(int64_t value) { return integerConstant(b, integers, value); }
  Value toFloat(Value x) { return arith::SIToFPOp::create(b, floats, x); }
  /// x within the limits, `low` where it is NaN.
  Value limit(Value x, double low, double high) {
    x = b.select(compare(arith::CmpFPredicate::OGE, x, number(low)), x, number(low));
    return b.select(compare(arith::CmpFPredicate::OLE, x, number(high)), x, number(high));
  }
  /// The largest integer up to x, which is within the range of 32 bits.
  Value floor(Value x) {
    Value towardsZero = arith::FPToSIOp::create(b, integers, x);
    Value above = compare(arith::CmpFPredicate::OGT, toFloat(towardsZero), x);
    return b.select(above, arith::SubIOp::create(b, towardsZero, integer(1)), towardsZero);
  }

  /// As WarpAxis::settle of the reference.
  Value settle(Value place, int64_t extent) {
    if (op.getBorder() == WarpBorder::Zero)
      return limit(place, -1, static_cast<double>(extent));
    if (op.getBorder() == WarpBorder::Reflect) {
      place = b.select(compare(arith::CmpFPredicate::ORD, place, place), place, number(-1));
      Value period = number(static_cast<double>(std::max<int64_t>(2 * (extent - 1), 1)));
      place = limit(place, -0x1p30, 0x1p30);
      place = b.subf(place, b.mulf(period, toFloat(floor(b.divf(place, period)))));
      Value back = b.subf(period, place);
      place = b.select(compare(arith::CmpFPredicate::OLE, place, back), place, back);
    }
    return limit(place, 0, static_cast<double>(extent - 1));
  }

  WarpTaps taps(Value place, int64_t extent) {
    WarpTaps taps;
    place = settle(place, extent);
    bool isNearest = op.getFilter() == WarpFilter::Nearest;
    Value first = floor(isNearest ? b.addf(place, number(0.5)) : place);
    taps.weight = b.subf(place, toFloat(first));
    for (int k = 0; k < (isNearest ? 1 : 2); ++k) {
      Value pixel = arith::AddIOp::create(b, first, integer(k)), last = integer(extent - 1);
      if (op.getBorder() == WarpBorder::Zero)
        taps.inside[k] = compare(arith::CmpIPredicate::ule, pixel, last);
      pixel = b.select(compare(arith::CmpIPredicate::slt, pixel, integer(0)), integer(0), pixel);
      taps.pixels[k] = b.select(compare(arith::CmpIPredicate::sgt, pixel, last), last, pixel);
    }
    return taps;
  }
};
} // namespace

WarpTaps buildWarpTaps(KernelBuilder &b, WarpOp op, Value place, int64_t extent) {
  return WarpBuilder{b, op, place.getType()}.taps(place, extent);
}

} // namespace cnn::cpu
