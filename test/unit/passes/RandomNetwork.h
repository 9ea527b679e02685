// Random small networks for properties that every network must have: the shapes and connections that passes look for
// (convolutions with batch norm, residual additions, nested concatenations, several outputs, inputs that are outputs),
// and many that nobody would draw.
#pragma once

#include "ir/CnnOps.h"
#include "ir/reference/Tensor.h"

#include "mlir/IR/OwningOpRef.h"

#include <map>
#include <random>
#include <string>

namespace cnn::test {

struct RandomNetwork {
  explicit RandomNetwork(mlir::MLIRContext &context, unsigned seed);

  mlir::OwningOpRef<mlir::ModuleOp> module;
  /// Values of state by symbol, and of inputs by name; the batch is 2.
  std::map<std::string, reference::TensorRef> state, inputs;
};

} // namespace cnn::test
