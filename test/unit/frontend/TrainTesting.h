// What tests of train blocks share: a text becomes its modules, and steps are taken by the reference implementation.
#pragma once

#include "frontend/Training.h"
#include "ir/CnnOps.h"
#include "ir/reference/Evaluate.h"
#include "ir/reference/InitialState.h"
#include "passes/Passes.h"

#include "mlir/Pass/PassManager.h"
#include "llvm/Support/raw_ostream.h"

#include <gtest/gtest.h>
#include <map>
#include <random>
#include <string>

namespace cnn::testing {

struct LoadedTraining {
  mlir::MLIRContext context;
  Diagnostics diagnostics;
  TrainingProgram program;

  explicit LoadedTraining(std::string text, const TrainingRequest &request = {"test.cnn", "", {}}) {
    program = loadTrainingFromText(context, std::move(text), request, diagnostics);
  }
  explicit LoadedTraining(const TrainingRequest &request) { program = loadTraining(context, request, diagnostics); }

  std::string errors() const {
    std::string text;
    llvm::raw_string_ostream os(text);
    diagnostics.render(os, /*colour=*/false);
    return text;
  }
  std::string firstError() const { return diagnostics.hasErrors() ? diagnostics.all().front().message : ""; }

  static mlir::func::FuncOp functionOf(mlir::ModuleOp module) { return *module.getOps<mlir::func::FuncOp>().begin(); }
  mlir::func::FuncOp step() { return functionOf(*program.step); }

  /// The variables that a module declares, in order.
  static std::vector<std::string> declared(mlir::ModuleOp module) {
    std::vector<std::string> names;
    for (mlir::Operation &op : module.getOps())
      if (isState(&op))
        names.push_back(mlir::SymbolTable::getSymbolName(&op).str());
    return names;
  }
  /// The names of arguments or results with an attribute.
  static std::vector<std::string> named(mlir::func::FuncOp function, llvm::StringRef attribute, bool results = false) {
    std::vector<std::string> names;
    for (unsigned i = 0; i < (results ? function.getNumResults() : function.getNumArguments()); ++i) {
      mlir::Attribute name = results ? function.getResultAttr(i, attribute) : function.getArgAttr(i, attribute);
      if (auto text = llvm::dyn_cast_or_null<mlir::StringAttr>(name))
        names.push_back(text.str());
      else if (auto symbol = llvm::dyn_cast_or_null<mlir::FlatSymbolRefAttr>(name))
        names.push_back(symbol.getValue().str());
    }
    return names;
  }
  template <typename Op> unsigned count(mlir::ModuleOp module) {
    unsigned found = 0;
    module.walk([&](Op) { ++found; });
    return found;
  }
};

using Tensors = std::map<std::string, reference::Tensor>;

/// Runs a module of a train block with the state between the steps.
class TrainingRun {
public:
  explicit TrainingRun(LoadedTraining &loaded, unsigned seed = 1) {
    mlir::PassManager passes(&loaded.context);
    passes.addPass(createDifferentiate());
    isRight = succeeded(passes.run(*loaded.program.step));
    EXPECT_TRUE(isRight) << "the step cannot be differentiated";
    reference::InitialState initial(*loaded.program.step, seed, reference::Start::Training);
    mlir::func::FuncOp function = loaded.step();
    for (unsigned i = 0; isRight && i < function.getNumArguments(); ++i)
      if (auto tie = function.getArgAttrOfType<mlir::FlatSymbolRefAttr>(i, kStateAttr)) {
        auto type = mlir::cast<mlir::RankedTensorType>(function.getArgumentTypes()[i]);
        state.insert({tie.getValue().str(), *initial(tie.getValue(), type)});
      }
  }

  /// Outputs by name.
  Tensors run(mlir::ModuleOp module, const Tensors &inputs) {
    mlir::func::FuncOp function = LoadedTraining::functionOf(module);
    std::vector<reference::TensorRef> arguments;
    Tensors outputs;
    for (unsigned i = 0; i < function.getNumArguments(); ++i) {
      std::string name;
      for (llvm::StringRef attribute : {llvm::StringRef(kInputAttr), llvm::StringRef(kHyperAttr)})
        if (auto given = function.getArgAttrOfType<mlir::StringAttr>(i, attribute))
          name = given.str();
      if (auto tie = function.getArgAttrOfType<mlir::FlatSymbolRefAttr>(i, kStateAttr)) {
        arguments.push_back(reference::share(state.at(tie.getValue().str())));
      } else if (auto found = inputs.find(name); found != inputs.end()) {
        arguments.push_back(reference::share(found->second));
      } else {
        ADD_FAILURE() << "no input " << name;
        return outputs;
      }
    }
    auto results = reference::evaluate(function, arguments);
    EXPECT_TRUE(succeeded(results));
    for (unsigned i = 0; succeeded(results) && i < function.getNumResults(); ++i) {
      if (auto tie = function.getResultAttrOfType<mlir::FlatSymbolRefAttr>(i, kStateAttr))
        state.at(tie.getValue().str()) = *(*results)[i];
      else
        outputs.insert({function.getResultAttrOfType<mlir::StringAttr>(i, kOutputAttr).str(), *(*results)[i]});
    }
    return outputs;
  }

  bool isRight = false;
  Tensors state;
};

} // namespace cnn::testing
