// What the tests of ir/ share: IR from text, its evaluation, and random tensors.
#pragma once

#include "ir/CnnOps.h"
#include "ir/reference/Evaluate.h"

#include "mlir/IR/Diagnostics.h"
#include "mlir/Parser/Parser.h"

#include <gtest/gtest.h>

#include <random>

namespace cnn::test {

using reference::Shape;
using reference::share;
using reference::Tensor;
using reference::TensorRef;

/// A module parsed from text, in a context of its own; keeps the diagnostics.
class Ir {
public:
  explicit Ir(const std::string &text)
      : handler(&context, [this](mlir::Diagnostic &diagnostic) {
          messages += diagnostic.str() + "\n";
          return mlir::success();
        }) {
    context.loadDialect<CnnDialect, mlir::func::FuncDialect>();
    module = mlir::parseSourceString<mlir::ModuleOp>(text, &context);
  }

  mlir::func::FuncOp function(llvm::StringRef name = "f") { return module->lookupSymbol<mlir::func::FuncOp>(name); }

  /// The first operation of type Op.
  template <typename Op> Op first() {
    Op found;
    module->walk([&](Op op) {
      found = op;
      return mlir::WalkResult::interrupt();
    });
    return found;
  }

  mlir::MLIRContext context;
  std::string messages;
  mlir::ScopedDiagnosticHandler handler;
  mlir::OwningOpRef<mlir::ModuleOp> module;
};

inline std::vector<TensorRef> share(std::vector<Tensor> tensors) {
  std::vector<TensorRef> shared;
  for (Tensor &tensor : tensors)
    shared.push_back(reference::share(std::move(tensor)));
  return shared;
}

/// The results of @f of a module; none, with a failed expectation, when it does not parse or evaluate.
inline std::vector<Tensor> evaluateText(const std::string &text, std::vector<Tensor> arguments) {
  Ir ir(text);
  std::vector<Tensor> tensors;
  if (ir.module) {
    auto results = reference::evaluate(ir.function(), share(std::move(arguments)));
    if (succeeded(results))
      for (const TensorRef &result : *results)
        tensors.push_back(*result);
  }
  EXPECT_EQ(ir.messages, "") << text;
  return tensors;
}

/// `name`({attributes}) of the arguments, whose types follow from their shapes, with a result of shape `result`.
inline Tensor apply(const std::string &name, const std::string &attributes, std::vector<Tensor> arguments,
                    const Shape &result, const std::string &keywordOfThird = "") {
  auto type = [](const Shape &shape) {
    std::string text = "tensor<";
    for (int64_t extent : shape)
      text += std::to_string(extent) + "x";
    return text + "f32>";
  };
  std::string parameters, operands, types;
  for (size_t i = 0; i < arguments.size(); ++i) {
    std::string separator = i ? ", " : "";
    parameters += separator + "%a" + std::to_string(i) + ": " + type(arguments[i].shape);
    operands += (i == 2 && !keywordOfThird.empty() ? " " + keywordOfThird + " " : separator) + "%a" + std::to_string(i);
    types += separator + type(arguments[i].shape);
  }
  std::vector<Tensor> results = evaluateText("func.func @f(" + parameters + ") -> " + type(result) + " {\n  %r = cnn." +
                                                 name + " " + operands + " {" + attributes + "} : " + types + " -> " +
                                                 type(result) + "\n  return %r : " + type(result) + "\n}",
                                             std::move(arguments));
  return results.empty() ? Tensor::filled(result, std::nan("")) : results[0];
}

/// A source of small random configurations; every test prints its seed when it fails.
class Random {
public:
  explicit Random(unsigned seed) : engine(seed) {}
  int64_t integer(int64_t low, int64_t high) { return std::uniform_int_distribution<int64_t>(low, high)(engine); }
  double uniform(double low = -1, double high = 1) { return std::uniform_real_distribution<double>(low, high)(engine); }
  /// Values of f32.
  Tensor tensor(const Shape &shape, double low = -1, double high = 1) {
    Tensor result(shape);
    for (double &value : result.values)
      value = float(uniform(low, high));
    return result;
  }

private:
  std::mt19937 engine;
};

inline void expectNear(const Tensor &actual, const Tensor &expected, double tolerance, const std::string &what = "") {
  ASSERT_EQ(std::vector<int64_t>(actual.shape.begin(), actual.shape.end()),
            std::vector<int64_t>(expected.shape.begin(), expected.shape.end()))
      << what;
  for (int64_t i = 0; i < expected.elements(); ++i)
    if (!(std::fabs(actual.values[i] - expected.values[i]) <= tolerance) &&
        !(std::isnan(actual.values[i]) && std::isnan(expected.values[i])) && actual.values[i] != expected.values[i]) {
      ADD_FAILURE() << "element " << i << " is " << actual.values[i] << ", expected " << expected.values[i] << "\n"
                    << what;
      return;
    }
}

inline std::string list(llvm::ArrayRef<int64_t> values) {
  std::string text = "array<i64: ";
  for (auto [i, value] : llvm::enumerate(values))
    text += (i ? ", " : "") + std::to_string(value);
  return text + ">";
}

} // namespace cnn::test
