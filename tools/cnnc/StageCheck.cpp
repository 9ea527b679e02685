// Evaluates a network after every pass of the pipeline; StageCheck.h has the contract.
#include "tools/cnnc/StageCheck.h"

#include "tools/cnnc/Ports.h"

#include "ir/reference/Evaluate.h"

#include "llvm/ADT/StringMap.h"

#include <cmath>
#include <limits>

using namespace mlir;

namespace cnn {
namespace {

using reference::Tensor;
using reference::TensorRef;

/// What evaluations in double of equal formulas may differ by, of the largest magnitude: passes reassociate (batch norm
/// is folded) and Winograd's transforms round, but nothing is rounded to f32.
constexpr double kSameMeaning = 1e-9;

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

class StageEvaluator {
public:
  StageEvaluator(const Weights &weights, ArrayRef<host::Tensor> inputs, unsigned threads)
      : weights(weights), inputs(inputs) {
    options.threads = threads;
  }

  /// The outputs by name, of @infer or of @prepare and @run, whichever the module has.
  FailureOr<llvm::StringMap<TensorRef>> evaluate(ModuleOp module) {
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
    llvm::StringMap<TensorRef> outputs;
    for (unsigned i = 0; i < function.getNumResults(); ++i)
      if (auto name = function.getResultAttrOfType<StringAttr>(i, kOutputAttr))
        outputs[name] = (*results)[i];
    return outputs;
  }

private:
  FailureOr<SmallVector<TensorRef>> call(func::FuncOp function, ArrayRef<TensorRef> packed) {
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

  const Weights &weights;
  ArrayRef<host::Tensor> inputs;
  reference::EvaluateOptions options;
};

} // namespace

double largestDifference(const host::Tensor &computed, const host::Tensor &expected) {
  std::vector<double> a = computed.view().toDoubles(), b = expected.view().toDoubles();
  return largestDifference(a.data(), b.data(), a.size());
}

std::string checkStages(ModuleOp network, const Weights &weights, const std::vector<host::Tensor> &inputs,
                        const CompileOptions &options, unsigned threads) {
  StageEvaluator evaluator(weights, inputs, threads);
  auto exact = evaluator.evaluate(network);
  if (failed(exact))
    return "the reference implementation cannot evaluate the network";
  std::string changed;
  auto check = [&](StringRef pass, ModuleOp module) -> LogicalResult {
    auto outputs = evaluator.evaluate(module);
    if (failed(outputs)) {
      changed = "after pass '" + pass.str() + "' the reference implementation cannot evaluate the network";
      return failure();
    }
    for (auto &[name, expected] : *exact) {
      TensorRef computed = outputs->lookup(name);
      double difference = computed && computed->shape == expected->shape
                              ? largestDifference(computed->data(), expected->data(), expected->values.size())
                              : std::numeric_limits<double>::infinity();
      if (difference <= kSameMeaning)
        continue;
      changed = fmt::format("pass '{}' changed the meaning: output '{}' differs by {:.3g} of its largest value",
                            pass.str(), name.str(), difference);
      return failure();
    }
    return success();
  };
  if (!runStages(network, "plan", options, check) && changed.empty())
    changed = "the network cannot be compiled";
  return changed;
}

} // namespace cnn
