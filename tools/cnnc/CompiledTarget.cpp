// Compiled code as a target: the library that `build` would write, loaded into this process.
#include "codegen/package/Loaded.h"
#include "tools/cnnc/Compile.h"
#include "tools/cnnc/Target.h"

using namespace mlir;

namespace cnn {
namespace {

class CompiledTarget : public Target {
public:
  CompiledTarget(std::unique_ptr<Compiled> compiled, std::unique_ptr<Loaded> loaded, int64_t threads)
      : compiled(std::move(compiled)), loaded(std::move(loaded)), threads(threads) {}

  std::string describe() const override { return describeTarget(*loaded); }

  host::Result<std::vector<host::Tensor>> run(std::span<const host::Tensor> inputs) override {
    const Program &program = compiled->program;
    int64_t batch = 1;
    for (auto [info, input] : llvm::zip_equal(program.inputs, inputs))
      if (info.batched)
        batch = input.shape.front();
    if (llvm::Error error = loaded->openSession(batch, static_cast<int>(threads)))
      return toError(std::move(error));
    std::vector<const void *> inputData;
    for (const host::Tensor &input : inputs)
      inputData.push_back(input.bytes.data());
    std::vector<host::Tensor> outputs;
    std::vector<void *> outputData;
    for (const TensorInfo &info : program.outputs) {
      std::vector<int64_t> shape = info.shape;
      if (info.batched)
        shape.insert(shape.begin(), batch);
      outputs.push_back(host::Tensor::zeros(info.dtype, shape));
      outputData.push_back(outputs.back().bytes.data());
    }
    if (llvm::Error error = loaded->run(batch, inputData, outputData))
      return toError(std::move(error));
    return outputs;
  }

private:
  std::unique_ptr<Compiled> compiled;
  std::unique_ptr<Loaded> loaded;
  int64_t threads;
};

} // namespace

host::Result<std::unique_ptr<Target>> createCompiledTarget(ModuleOp network, const Weights &weights,
                                                           const TargetChoice &choice, int64_t threads, bool exact) {
  auto compiled = compile(network, &weights, choice.compileOptions(exact));
  if (!compiled)
    return compiled.error();
  auto loaded = Loaded::create((*compiled)->program, /*isa=*/{}, codeCache());
  if (!loaded)
    return toError(loaded.takeError());
  return std::unique_ptr<Target>(new CompiledTarget(std::move(*compiled), std::move(*loaded), threads));
}

} // namespace cnn
