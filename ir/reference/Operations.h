// Private to this folder: one function a family of operations, each in the file of that name.
#pragma once

#include "ir/CnnOps.h"
#include "ir/reference/Tensor.h"

#include <optional>

namespace cnn::reference {

/// One application of an operation of one result.
struct Application {
  mlir::Operation *op;
  llvm::ArrayRef<TensorRef> operands;
  /// The extents of the result, N filled in.
  Shape shape;
  unsigned threads;

  const Tensor &operand(unsigned index) const { return *operands[index]; }
};

/// The result, or nullopt when the operation is none of the family.
std::optional<Tensor> evaluateElementwise(const Application &);
std::optional<Tensor> evaluateShape(const Application &);
std::optional<Tensor> evaluateContraction(const Application &);
std::optional<Tensor> evaluatePooling(const Application &);
std::optional<Tensor> evaluateResizing(const Application &);
std::optional<Tensor> evaluateNormalization(const Application &);
std::optional<Tensor> evaluateRandom(const Application &);
std::optional<Tensor> evaluateResampling(const Application &);

} // namespace cnn::reference
