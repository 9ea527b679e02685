// What the frontend's tests share: a text goes in, a module and the rendered diagnostics come out.
#pragma once

#include "frontend/Frontend.h"
#include "ir/CnnOps.h"

#include "llvm/Support/raw_ostream.h"

#include <map>
#include <string>

namespace cnn::testing {

struct Loaded {
  mlir::MLIRContext context;
  Diagnostics diagnostics;
  mlir::OwningOpRef<mlir::ModuleOp> module;

  explicit Loaded(std::string text, const NetworkRequest &request = {"test.cnn", "", {}}) {
    module = loadNetworkFromText(context, std::move(text), request, diagnostics);
  }

  std::string errors() const {
    std::string text;
    llvm::raw_string_ostream os(text);
    diagnostics.render(os, /*colour=*/false);
    return text;
  }
  std::string firstError() const { return diagnostics.hasErrors() ? diagnostics.all().front().message : ""; }

  mlir::func::FuncOp infer() { return module->lookupSymbol<mlir::func::FuncOp>(kInferFunction); }

  /// The shapes of the state variables by path.
  std::map<std::string, std::vector<int64_t>> states() {
    std::map<std::string, std::vector<int64_t>> shapes;
    for (mlir::Operation &op : *module->getBody())
      if (isState(&op)) {
        auto type = llvm::cast<mlir::RankedTensorType>(op.getAttrOfType<mlir::TypeAttr>("type").getValue());
        shapes[mlir::SymbolTable::getSymbolName(&op).str()] = type.getShape().vec();
      }
    return shapes;
  }
  /// The number of parameters, as `summary` counts them.
  int64_t parameters() {
    int64_t count = 0;
    for (ParamOp param : module->getOps<ParamOp>())
      count += llvm::cast<mlir::RankedTensorType>(param.getType()).getNumElements();
    return count;
  }
  /// Names and paths of the operations in order: `conv2d c1, relu relu_0`.
  std::string operations() {
    std::string text;
    for (mlir::Operation &op : infer().getBody().front())
      if (!getPath(&op).empty())
        text += (text.empty() ? "" : ", ") + op.getName().stripDialect().str() + " " + getPath(&op).str();
    return text;
  }
  /// The shape of the result with this index; the batch is -1.
  std::vector<int64_t> result(unsigned index = 0) {
    auto shape = llvm::cast<mlir::RankedTensorType>(infer().getResultTypes()[index]).getShape().vec();
    if (!shape.empty() && mlir::ShapedType::isDynamic(shape[0]))
      shape[0] = -1;
    return shape;
  }
};

/// A network on a small picture with the given body.
inline std::string onPicture(const std::string &body, const std::string &before = "") {
  return before + "\nnetwork net(x: f32[N, 4, 8, 8]) {\n" + body + "\n}\n";
}

} // namespace cnn::testing
