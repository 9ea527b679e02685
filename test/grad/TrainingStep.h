// A training step from text: differentiated, and run by the reference implementation with the state between the steps.
#pragma once

#include "test/unit/ir/Support.h"

#include "ir/reference/InitialState.h"
#include "passes/Passes.h"

#include "mlir/Pass/PassManager.h"

#include <map>

namespace cnn::test {

/// A differentiated step and its state, which is all arguments with `cnn.state`.
class TrainingStep {
public:
  explicit TrainingStep(const std::string &text, unsigned seed = 1) : ir(text) {
    if (!ir.module)
      return;
    mlir::PassManager passes(&ir.context);
    passes.addPass(createDifferentiate());
    isRight = succeeded(passes.run(*ir.module));
    if (!isRight)
      return;
    reference::InitialState initial(*ir.module, seed, reference::Start::Training);
    mlir::func::FuncOp train = ir.function("train");
    for (unsigned i = 0; i < train.getNumArguments(); ++i)
      if (auto tie = train.getArgAttrOfType<mlir::FlatSymbolRefAttr>(i, kStateAttr))
        state[tie.getValue().str()] =
            *initial(tie.getValue(), mlir::cast<mlir::RankedTensorType>(train.getArgumentTypes()[i]));
  }

  /// Takes the others by name; gives the outputs by name.
  std::map<std::string, Tensor> run(const std::map<std::string, Tensor> &inputs, unsigned threads = 1) {
    mlir::func::FuncOp train = ir.function("train");
    std::vector<Tensor> arguments;
    for (unsigned i = 0; i < train.getNumArguments(); ++i) {
      if (auto tie = train.getArgAttrOfType<mlir::FlatSymbolRefAttr>(i, kStateAttr))
        arguments.push_back(state.at(tie.getValue().str()));
      else if (auto input = train.getArgAttrOfType<mlir::StringAttr>(i, kInputAttr))
        arguments.push_back(inputs.at(input.str()));
      else
        arguments.push_back(inputs.at(train.getArgAttrOfType<mlir::StringAttr>(i, kHyperAttr).str()));
    }
    reference::EvaluateOptions options;
    options.threads = threads;
    auto results = reference::evaluate(train, share(arguments), options);
    EXPECT_TRUE(succeeded(results)) << ir.messages;
    std::map<std::string, Tensor> outputs;
    for (unsigned i = 0; succeeded(results) && i < train.getNumResults(); ++i) {
      if (auto tie = train.getResultAttrOfType<mlir::FlatSymbolRefAttr>(i, kStateAttr))
        state[tie.getValue().str()] = *(*results)[i];
      else
        outputs[train.getResultAttrOfType<mlir::StringAttr>(i, kOutputAttr).str()] = *(*results)[i];
    }
    return outputs;
  }

  Ir ir;
  bool isRight = false;
  std::map<std::string, Tensor> state;
};

} // namespace cnn::test
