// From the reference's doubles to a tensor's bytes and back: rounded once to the element type and stored in the type's
// layout, padded lanes zero; little-endian, as on every target.
#pragma once

#include "ir/CnnOps.h"
#include "ir/reference/Tensor.h"

namespace cnn::reference {

/// The nearest value of the element type, ties to even. Integers saturate; NaN becomes the integer 0. i8, i32 and so on
/// are signed unless they say otherwise (ui8); i1 is 0 or 1.
double roundTo(mlir::Type elementType, double value);

/// Bytes of `tensor` stored as `type`, whose dynamic dimension 0 the tensor fills in.
int64_t storedBytesOf(mlir::RankedTensorType type, const Tensor &tensor);

/// Stores the tensor; `bytes` has storedBytesOf of them.
void materialize(mlir::RankedTensorType type, const Tensor &tensor, llvm::MutableArrayRef<char> bytes,
                 unsigned threads = 0);
std::vector<char> materialize(mlir::RankedTensorType type, const Tensor &tensor, unsigned threads = 0);

/// The tensor of that logical shape from its stored bytes; padded lanes are not looked at.
Tensor load(mlir::RankedTensorType type, llvm::ArrayRef<int64_t> shape, llvm::ArrayRef<char> bytes);

} // namespace cnn::reference
