// See Resizing.h.
#include "codegen/cpu/Resizing.h"

#include "mlir/Dialect/Arith/IR/Arith.h"

using namespace mlir;

namespace cnn::cpu {

/// A share of whole numbers, rounded once.
static Value share(KernelBuilder &b, const ResizeAxis &axis, Value count) {
  Value whole = b.scalar(static_cast<float>(axis.unit));
  return b.divf(arith::SIToFPOp::create(b, b.f32(), count), whole);
}

ResizeTaps buildTaps(KernelBuilder &b, const ResizeAxis &axis, Value output) {
  Value distance = b.add(b.mul(output, axis.step), axis.first);
  if (axis.first < 0)
    distance = b.max(distance, 0);
  ResizeTaps taps;
  taps.low = b.div(distance, axis.unit);
  if (!axis.linear)
    return taps;
  taps.high = b.min(b.add(taps.low, 1), axis.from - 1);
  Value remainder = b.sub(distance, b.mul(taps.low, axis.unit));
  taps.highWeight = share(b, axis, remainder);
  taps.lowWeight = share(b, axis, b.sub(b.index(axis.unit), remainder));
  return taps;
}

/// The first output whose lower element is `place` or one after it.
static Value firstReaching(KernelBuilder &b, const ResizeAxis &axis, Value place) {
  Value reached = b.index(axis.to);
  if (axis.step > 0) {
    Value distance = b.max(b.add(b.mul(place, axis.unit), axis.step - 1 - axis.first), 0);
    reached = b.min(b.div(distance, axis.step), axis.to);
  }
  return b.select(b.lessThan(b.index(0), place), reached, b.index(0));
}

ResizeOutputs buildOutputs(KernelBuilder &b, const ResizeAxis &axis, Value place) {
  return {firstReaching(b, axis, axis.linear ? b.sub(place, 1) : place), firstReaching(b, axis, b.add(place, 1))};
}

Value buildShare(KernelBuilder &b, const ResizeAxis &axis, Value place, Value output) {
  if (!axis.linear)
    return {};
  ResizeTaps taps = buildTaps(b, axis, output);
  Value none = b.scalar(0.0f);
  return b.addf(b.select(b.equal(taps.low, place), taps.lowWeight, none),
                b.select(b.equal(taps.high, place), taps.highWeight, none));
}

} // namespace cnn::cpu
