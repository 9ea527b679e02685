// A network from its text, ready to be compiled and verified, for tests of the tools' library.
#pragma once

#include "codegen/cpu/Isa.h"
#include "frontend/Frontend.h"
#include "tools/cnnc/Compile.h"
#include "tools/cnnc/Ports.h"
#include "tools/cnnc/Target.h"

#include "llvm/Support/raw_ostream.h"

#include <gtest/gtest.h>

namespace cnn::test {

struct Network {
  /// Weights and inputs are drawn by seed.
  explicit Network(std::string text, int64_t batch = 1) : batch(batch) {
    Diagnostics diagnostics;
    module = loadNetworkFromText(context, std::move(text), {"test.cnn", "", {}}, diagnostics);
    if (!module) {
      diagnostics.render(llvm::errs(), /*colour=*/false);
      llvm::report_fatal_error("the test's network is wrong");
    }
    WeightOptions options;
    options.seed = 7;
    weights = std::make_unique<Weights>(*Weights::open(*module, options));
    auto infer = module->lookupSymbol<mlir::func::FuncOp>(kInferFunction);
    outputs = outputsOf(infer);
    inputs = randomInputs(inputsOf(infer), batch, /*seed=*/3);
    this->options.isas = {TargetChoice::parse("cpu", /*all=*/false)->isas.front()};
  }

  std::vector<host::Tensor> expected() const {
    return *createReferenceTarget(*module, *weights, /*threads=*/1)->run(inputs);
  }

  mlir::MLIRContext context;
  mlir::OwningOpRef<mlir::ModuleOp> module;
  std::unique_ptr<Weights> weights;
  std::vector<Port> outputs;
  std::vector<host::Tensor> inputs;
  CompileOptions options;
  int64_t batch;
};

} // namespace cnn::test
