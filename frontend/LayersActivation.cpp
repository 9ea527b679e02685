// Element-wise layers: activations, functions of one tensor, minima and maxima, conversion.
#include "frontend/LayerCall.h"

#include <cmath>

namespace cnn {
namespace {

template <typename Op> Value unary(LayerCall &call) {
  mlir::Value x = call.input();
  return x ? call.result(call.make<Op>(x)) : Value();
}

Value clampBetween(LayerCall &call, double low, double high) {
  mlir::Value x = call.input();
  if (!x || call.failed)
    return {};
  return call.result(call.make<ClampOp>(x, llvm::APFloat(low), llvm::APFloat(high)));
}

Value relu6(LayerCall &call) { return clampBetween(call, 0, 6); }

Value clamp(LayerCall &call) {
  double low = call.number("low", 0), high = call.number("high", 0);
  if (!call.failed && !(low <= high))
    return call.error("'low' is " + numberText(low) + " and 'high' " + numberText(high));
  return clampBetween(call, low, high);
}

/// max(x, slope * x)
Value leakyRelu(LayerCall &call) {
  double slope = call.number("slope", 0.01);
  if (!(slope >= 0 && slope <= 1))
    return call.error(call.rangeOf("slope"), "'slope' is " + numberText(slope) + "; it is between 0 and 1");
  mlir::Value x = call.input();
  if (!x || call.failed)
    return {};
  Value scaled =
      call.elaborator.binary("mul", call.result(x), Value(slope, call.rangeOf("slope")), call.range, call.path);
  return call.elaborator.binary("max", call.result(x), scaled, call.range, call.path);
}

/// x where x > 0, else alpha * (exp(x) - 1)
Value elu(LayerCall &call) {
  double alpha = call.number("alpha", 1);
  mlir::Value x = call.input();
  if (!x || call.failed)
    return {};
  return call.result(call.make<EluOp>(x, llvm::APFloat(alpha)));
}

template <bool Largest> Value extremum(LayerCall &call) {
  Value best = call.inputs[0].value;
  bool numbers = llvm::all_of(call.inputs, [](const CallArgument &input) { return input.value.isNumber(); });
  for (size_t i = 1; i < call.inputs.size() && !best.isPoison(); ++i) {
    const Value &next = call.inputs[i].value;
    if (!numbers)
      best = call.elaborator.binary(Largest ? "max" : "min", best, next, call.range, call.path);
    else if (Largest ? next.number() > best.number() : next.number() < best.number())
      best = next;
  }
  if (!numbers && !best.isPoison() && !best.isTensor())
    return call.error("expected tensors or numbers, met " + call.elaborator.describe(best));
  return best;
}

Value convert(LayerCall &call) {
  call.word("to", {"f32"}, "f32"); // the only one there is; others are reported
  const CallArgument &argument = call.inputs[0];
  mlir::Value x = call.elaborator.toTensor(argument.value, argument.range, "convert: the input");
  if (!x || call.failed)
    return {};
  mlir::Type f32 = call.elaborator.builder.getF32Type();
  if (call.typeOf(x).getElementType() == f32)
    return Value(x, argument.value.origin);
  return call.result(call.make<ConvertOp>(x, mlir::TypeAttr::get(f32)));
}

double logOf(double x) { return std::log(x); }
double sqrtOf(double x) { return std::sqrt(x); }
double expOf(double x) { return std::exp(x); }
double absOf(double x) { return std::fabs(x); }

} // namespace

llvm::ArrayRef<LayerInfo> activationLayers() {
  static const std::vector<LayerInfo> layers = {
      {"relu", 1, 1, {}, unary<ReluOp>},
      {"relu6", 1, 1, {}, relu6},
      {"leaky_relu", 1, 1, {{"slope"}}, leakyRelu},
      {"elu", 1, 1, {{"alpha"}}, elu},
      {"softplus", 1, 1, {}, unary<SoftplusOp>},
      {"tanh", 1, 1, {}, unary<TanhOp>},
      {"sigmoid", 1, 1, {}, unary<SigmoidOp>},
      {"clamp", 1, 1, {{"low", true}, {"high", true}}, clamp},
      {"abs", 1, 1, {}, unary<AbsOp>, absOf},
      {"exp", 1, 1, {}, unary<ExpOp>, expOf},
      {"log", 1, 1, {}, unary<LogOp>, logOf},
      {"sqrt", 1, 1, {}, unary<SqrtOp>, sqrtOf},
      {"neg", 1, 1, {}, unary<NegOp>},
      {"min", 2, kAnyNumber, {}, extremum<false>},
      {"max", 2, kAnyNumber, {}, extremum<true>},
      {"convert", 1, 1, {{"to", true}}, convert},
  };
  return layers;
}

} // namespace cnn
