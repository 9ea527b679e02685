// The reference implementation as a target: the network as it was elaborated, in double precision.
#include "tools/cnnc/Target.h"

#include "ir/reference/Evaluate.h"

using namespace mlir;

namespace cnn {
namespace {

class ReferenceTarget : public Target {
public:
  ReferenceTarget(func::FuncOp infer, const Weights &weights, int64_t threads)
      : infer(infer), weights(weights), threads(static_cast<unsigned>(threads)) {}

  std::string describe() const override { return "reference"; }

  host::Result<std::vector<host::Tensor>> run(std::span<const host::Tensor> inputs) override {
    SmallVector<reference::TensorRef> arguments;
    size_t nextInput = 0;
    for (unsigned i = 0; i < infer.getNumArguments(); ++i) {
      if (auto state = infer.getArgAttrOfType<FlatSymbolRefAttr>(i, kStateAttr)) {
        auto value = weights(state.getValue(), cast<RankedTensorType>(infer.getArgumentTypes()[i]));
        if (failed(value))
          return host::makeError("there is no value for '{}'", state.getValue().str());
        arguments.push_back(reference::share(std::move(*value)));
        continue;
      }
      const host::Tensor &input = inputs[nextInput++];
      arguments.push_back(reference::share(reference::Tensor(input.shape, input.view().toDoubles())));
    }
    reference::EvaluateOptions options;
    options.threads = threads;
    auto results = reference::evaluate(infer, arguments, options);
    if (failed(results))
      return host::makeError("the reference implementation cannot evaluate this network");
    std::vector<host::Tensor> outputs;
    for (auto [result, port] : llvm::zip_equal(*results, outputsOf(infer)))
      outputs.push_back(toHost(port.type.getElementType(), *result));
    return outputs;
  }

private:
  func::FuncOp infer;
  const Weights &weights;
  unsigned threads;
};

} // namespace

std::unique_ptr<Target> createReferenceTarget(ModuleOp network, const Weights &weights, int64_t threads) {
  return std::make_unique<ReferenceTarget>(network.lookupSymbol<func::FuncOp>(kInferFunction), weights, threads);
}

} // namespace cnn
