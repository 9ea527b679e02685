// See Gradients.h.
#include "test/grad/Gradients.h"

#include "mlir/IR/Verifier.h"

namespace cnn::test {

using namespace mlir;

static RankedTensorType typeOf(const Argument &argument, Builder &b) {
  Shape shape = argument.shape;
  if (argument.batched)
    shape[0] = ShapedType::kDynamic;
  return RankedTensorType::get(shape, b.getF32Type());
}

/// Adds a function of the arguments whose results `body` gives.
static void addFunction(ModuleOp module, StringRef name, const std::vector<Argument> &arguments,
                        llvm::function_ref<std::vector<Value>(TensorBuilder &, ValueRange)> body) {
  OpBuilder b = OpBuilder::atBlockEnd(module.getBody());
  std::vector<Type> inputs;
  for (const Argument &argument : arguments)
    inputs.push_back(typeOf(argument, b));
  auto function = func::FuncOp::create(b, module.getLoc(), name, b.getFunctionType(inputs, {}));
  Block *block = function.addEntryBlock();
  b.setInsertionPointToStart(block);
  TensorBuilder builder(b, module.getLoc(), "f");
  std::vector<Value> results = body(builder, block->getArguments());
  func::ReturnOp::create(b, module.getLoc(), results);
  function.setType(b.getFunctionType(inputs, TypeRange(ValueRange(results))));
}

static std::vector<Value> wantedOf(const std::vector<Argument> &arguments, ValueRange values) {
  std::vector<Value> wanted;
  for (auto [argument, value] : llvm::zip(arguments, values))
    if (argument.wanted)
      wanted.push_back(value);
  return wanted;
}

Differentiated::Differentiated(std::vector<Argument> given, const Formula &formula)
    : ir("module {}"), arguments(std::move(given)) {
  addFunction(*ir.module, "value", arguments,
              [&](TensorBuilder &b, ValueRange values) { return std::vector<Value>{formula(b, values)}; });
  addFunction(*ir.module, "gradients", arguments, [&](TensorBuilder &b, ValueRange values) {
    auto gradients = buildGradients(b.builder(), formula(b, values), wantedOf(arguments, values));
    return succeeded(gradients) ? std::vector<Value>(gradients->begin(), gradients->end()) : std::vector<Value>();
  });
  EXPECT_TRUE(succeeded(mlir::verify(*ir.module))) << ir.messages;
}

static std::vector<Tensor> run(Ir &ir, StringRef name, const std::vector<Tensor> &arguments) {
  reference::EvaluateOptions options;
  options.threads = 1; // The tensors are too small for more.
  auto results = reference::evaluate(ir.function(name), share(arguments), options);
  std::vector<Tensor> tensors;
  if (succeeded(results))
    for (const TensorRef &result : *results)
      tensors.push_back(*result);
  return tensors;
}

double Differentiated::value(const std::vector<Tensor> &arguments) {
  std::vector<Tensor> results = run(ir, "value", arguments);
  return results.empty() ? std::nan("") : results[0].values[0];
}

std::vector<Tensor> Differentiated::gradients(const std::vector<Tensor> &arguments) {
  return run(ir, "gradients", arguments);
}

void expectGradients(Random &random, const std::string &what, const std::vector<Argument> &arguments,
                     const Formula &formula) {
  std::vector<Tensor> tensors;
  std::string configuration = what + " of";
  for (const Argument &argument : arguments) {
    tensors.push_back(random.tensor(argument.shape, argument.low, argument.high));
    configuration += " " + list(argument.shape) + (argument.batched ? " (batched)" : "");
  }
  Differentiated f(arguments, formula);
  std::vector<Tensor> gradients = f.gradients(tensors);
  ASSERT_EQ(f.messages(), "") << configuration;
  // The error of a central difference is about h^2 from the third derivative and 2^-53 / h from rounding.
  constexpr double h = 1e-5;
  size_t place = 0;
  for (size_t argument = 0; argument < arguments.size(); ++argument) {
    if (!arguments[argument].wanted)
      continue;
    ASSERT_LT(place, gradients.size()) << configuration;
    const Tensor &gradient = gradients[place++];
    ASSERT_EQ(gradient.shape, tensors[argument].shape) << configuration << ", argument " << argument;
    for (int64_t i = 0; i < gradient.elements(); ++i) {
      auto at = [&](double delta) {
        std::vector<Tensor> moved = tensors;
        moved[argument].values[i] += delta;
        return f.value(moved);
      };
      double expected = (at(h) - at(-h)) / (2 * h);
      if (!(std::fabs(gradient.values[i] - expected) <= 1e-6 * (1 + std::fabs(expected)))) {
        ADD_FAILURE() << configuration << ": element " << i << " of the gradient by argument " << argument << " is "
                      << gradient.values[i] << ", the difference " << expected << "; the argument is "
                      << tensors[argument].values[i];
        return;
      }
    }
  }
}

void expectSecondGradients(Random &random, const std::string &what, const std::vector<Argument> &arguments,
                           const Formula &formula) {
  expectGradients(random, what, arguments, formula);
  expectGradients(random, "the gradient of " + what, arguments, [&](TensorBuilder &b, ValueRange values) {
    auto gradients = buildGradients(b.builder(), formula(b, values), wantedOf(arguments, values));
    if (failed(gradients))
      return b.scalar(0, values[0]);
    Value sum;
    for (Value gradient : *gradients)
      sum = sum ? b.add(sum, weigh(b, gradient)) : weigh(b, gradient);
    return sum;
  });
}

Value weigh(TensorBuilder &b, Value x) {
  RankedTensorType type = TensorBuilder::typeOf(x);
  Value weights = b.filled(0.375, x);
  if (type.getRank() > 0) {
    // Multiples of 1/8 in no simple order, one an element of an image.
    SmallVector<int64_t> shape(type.getShape()), dims;
    if (type.isDynamicDim(0))
      shape[0] = 1;
    std::vector<Attribute> numbers;
    for (int64_t i = 0; i < reference::elementCount(shape); ++i)
      numbers.push_back(b.builder().getFloatAttr(type.getElementType(), double((i * 7 + 3) % 13 - 6) / 8));
    auto dense = DenseElementsAttr::get(RankedTensorType::get(shape, type.getElementType()), numbers);
    weights = b.broadcast(ConstantOp::create(b.builder(), b.loc(), dense), TensorBuilder::allDims(x), x);
  }
  return b.add(b.sum(b.mul(b.stopGradient(weights), x)), b.mul(b.sum(b.square(x)), 0.5));
}

} // namespace cnn::test
