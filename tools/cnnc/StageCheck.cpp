// Evaluates a network after every pass of the pipeline; StageCheck.h has the contract.
#include "tools/cnnc/StageCheck.h"

#include "tools/cnnc/Ports.h"

#include <cmath>
#include <limits>

using namespace mlir;

namespace cnn {
namespace {

using reference::Tensor;
using reference::TensorRef;

/// What evaluations in double of equal formulas may differ by, of the largest magnitude: passes reassociate (batch norm
/// is folded), Winograd's transforms round, and constants that passes write, such as batch norm's epsilon, are f32.
constexpr double kSameMeaning = 1e-7;

double largestDifference(const double *computed, const double *expected, size_t count) {
  double largest = 0, difference = 0;
  for (size_t i = 0; i < count; ++i) {
    if (computed[i] == expected[i] || (std::isnan(computed[i]) && std::isnan(expected[i])))
      ;
    else if (std::isfinite(computed[i]) && std::isfinite(expected[i]))
      difference = std::max(difference, std::fabs(computed[i] - expected[i]));
    else
      return std::numeric_limits<double>::infinity();
    if (std::isfinite(expected[i]))
      largest = std::max(largest, std::fabs(expected[i]));
  }
  return difference == 0 ? 0 : difference / std::max(largest, std::numeric_limits<double>::min());
}

} // namespace

double largestDifference(const host::Tensor &computed, const host::Tensor &expected) {
  std::vector<double> a = computed.view().toDoubles(), b = expected.view().toDoubles();
  return largestDifference(a.data(), b.data(), a.size());
}

FailureOr<SmallVector<TensorRef>> StageCheck::call(func::FuncOp function, ArrayRef<TensorRef> packed) {
  SmallVector<TensorRef> arguments;
  size_t nextInput = 0;
  for (unsigned i = 0; i < function.getNumArguments(); ++i) {
    if (auto state = function.getArgAttrOfType<FlatSymbolRefAttr>(i, kStateAttr)) {
      auto value = weights(state.getValue(), cast<RankedTensorType>(function.getArgumentTypes()[i]));
      if (failed(value))
        return failure();
      arguments.push_back(reference::share(std::move(*value)));
    } else if (auto index = function.getArgAttrOfType<IntegerAttr>(i, kPackedAttr)) {
      arguments.push_back(packed[static_cast<size_t>(index.getInt())]);
    } else {
      const host::Tensor &input = inputs[nextInput++];
      arguments.push_back(reference::share(Tensor(input.shape, input.view().toDoubles())));
    }
  }
  return reference::evaluate(function, arguments, options);
}

FailureOr<StageCheck::Outputs> StageCheck::evaluate(ModuleOp module) {
  SmallVector<TensorRef> packed;
  if (auto prepare = module.lookupSymbol<func::FuncOp>(kPrepareFunction)) {
    auto results = call(prepare, {});
    if (failed(results))
      return failure();
    packed = std::move(*results);
  }
  auto function = module.lookupSymbol<func::FuncOp>(packed.empty() ? kInferFunction : kRunFunction);
  if (!function)
    function = module.lookupSymbol<func::FuncOp>(kRunFunction);
  auto results = call(function, packed);
  if (failed(results))
    return failure();
  Outputs outputs;
  for (unsigned i = 0; i < function.getNumResults(); ++i)
    if (auto name = function.getResultAttrOfType<StringAttr>(i, kOutputAttr))
      outputs[name] = (*results)[i];
  return outputs;
}

LogicalResult StageCheck::begin(ModuleOp network) {
  auto outputs = evaluate(network);
  if (failed(outputs)) {
    problem = "the reference implementation cannot evaluate the network";
    return failure();
  }
  exact = std::move(*outputs);
  return success();
}

LogicalResult StageCheck::after(StringRef pass, ModuleOp module) {
  auto outputs = evaluate(module);
  if (failed(outputs)) {
    problem = "after pass '" + pass.str() + "' the reference implementation cannot evaluate the network";
    return failure();
  }
  for (auto &[name, expected] : exact) {
    TensorRef computed = outputs->lookup(name);
    double difference = computed && computed->shape == expected->shape
                            ? largestDifference(computed->data(), expected->data(), expected->values.size())
                            : std::numeric_limits<double>::infinity();
    if (difference <= kSameMeaning)
      continue;
    problem = fmt::format("pass '{}' changed the meaning: output '{}' differs by {:.3g} of its largest value",
                          pass.str(), name.str(), difference);
    return failure();
  }
  return success();
}

std::string checkStages(ModuleOp network, const Weights &weights, const std::vector<host::Tensor> &inputs,
                        const CompileOptions &options, unsigned threads) {
  StageCheck check(weights, inputs, threads);
  if (failed(check.begin(network)))
    return check.problem;
  auto after = [&](StringRef pass, ModuleOp module) { return check.after(pass, module); };
  if (!runStages(network, "plan", options, after) && check.problem.empty())
    return "the network cannot be compiled";
  return check.problem;
}

} // namespace cnn
