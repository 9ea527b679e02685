// Operations that compute each element from the elements at the same index.
#include "ir/reference/Materialize.h"
#include "ir/reference/Operations.h"

#include "llvm/ADT/TypeSwitch.h"

#include <cmath>

using namespace mlir;

namespace cnn::reference {

// A comparison with NaN is false: each of these then returns its NaN.
static double larger(double x, double y) { return x > y || std::isnan(x) ? x : y; }
static double smaller(double x, double y) { return x < y || std::isnan(x) ? x : y; }

static double softplus(double x) { return std::isnan(x) ? x : std::max(x, 0.0) + std::log1p(std::exp(-std::fabs(x))); }

template <typename Fn> static Tensor map(const Application &at, Fn fn) {
  Tensor result(at.shape);
  const Tensor &x = at.operand(0);
  for (int64_t i = 0; i < result.elements(); ++i)
    result.values[i] = fn(x.values[i]);
  return result;
}

template <typename Fn> static Tensor zip(const Application &at, Fn fn) {
  Tensor result(at.shape);
  const Tensor &x = at.operand(0), &y = at.operand(1);
  for (int64_t i = 0; i < result.elements(); ++i)
    result.values[i] = fn(x.values[i], y.values[i]);
  return result;
}

std::optional<Tensor> evaluateElementwise(const Application &at) {
  if (!isElementwise(at.op))
    return std::nullopt;
  Type element = cast<RankedTensorType>(at.op->getResult(0).getType()).getElementType();
  using Result = std::optional<Tensor>;
  return llvm::TypeSwitch<Operation *, Result>(at.op)
      .Case([&](ReluOp) -> Result { return map(at, [](double x) { return x < 0 ? 0 : x; }); })
      .Case([&](TanhOp) -> Result { return map(at, [](double x) { return std::tanh(x); }); })
      .Case([&](SigmoidOp) -> Result { return map(at, [](double x) { return 1 / (1 + std::exp(-x)); }); })
      .Case([&](ExpOp) -> Result { return map(at, [](double x) { return std::exp(x); }); })
      .Case([&](LogOp) -> Result { return map(at, [](double x) { return std::log(x); }); })
      .Case([&](SqrtOp) -> Result { return map(at, [](double x) { return std::sqrt(x); }); })
      .Case([&](AbsOp) -> Result { return map(at, [](double x) { return std::fabs(x); }); })
      .Case([&](NegOp) -> Result { return map(at, [](double x) { return -x; }); })
      .Case([&](ClampOp op) -> Result {
        double low = op.getMin().convertToDouble(), high = op.getMax().convertToDouble();
        return map(at, [=](double x) { return x < low ? low : x > high ? high : x; });
      })
      .Case([&](StepOp) -> Result { return map(at, [](double x) { return x > 0 ? 1 : 0; }); })
      .Case([&](SoftplusOp) -> Result { return map(at, softplus); })
      .Case([&](EluOp op) -> Result {
        double alpha = op.getAlpha().convertToDouble();
        return map(at, [=](double x) { return x > 0 ? x : alpha * std::expm1(x); });
      })
      .Case([&](StopGradientOp) -> Result { return at.operand(0); })
      .Case([&](ConvertOp) -> Result { return map(at, [=](double x) { return roundTo(element, x); }); })
      .Case([&](AddOp) -> Result { return zip(at, [](double x, double y) { return x + y; }); })
      .Case([&](SubOp) -> Result { return zip(at, [](double x, double y) { return x - y; }); })
      .Case([&](MulOp) -> Result { return zip(at, [](double x, double y) { return x * y; }); })
      .Case([&](DivOp) -> Result {
        // A quotient of integers is rounded towards zero.
        if (isa<IntegerType>(element))
          return zip(at, [](double x, double y) { return std::trunc(x / y); });
        return zip(at, [](double x, double y) { return x / y; });
      })
      .Case([&](MaxOp) -> Result { return zip(at, larger); })
      .Case([&](MinOp) -> Result { return zip(at, smaller); })
      .Default(Result());
}

} // namespace cnn::reference
