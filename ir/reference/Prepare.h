// Evaluation of @prepare: the packed weights of a library, from a network's parameters and statistics, in double and
// rounded once. The bytes depend on the state alone, not on the machine. Values are computed in the order in which they
// are packed and freed after their last use, so that memory holds a few tensors at a time, however large the network
// is.
#pragma once

#include "ir/reference/Evaluate.h"

namespace cnn::reference {

/// The value of a state variable, of the shape of its type; reports its own errors.
using StateSource = llvm::function_ref<llvm::FailureOr<Tensor>(llvm::StringRef name, mlir::RankedTensorType type)>;

/// Takes packed value `index`, stored in the layout of its type; the bytes are valid during the call.
using PackedSink = llvm::function_ref<llvm::LogicalResult(int64_t index, llvm::ArrayRef<char> bytes)>;

/// Calls `sink` once for each result, by increasing `cnn.packed`, and `source` once for each argument that a result
/// needs, when it is first needed.
llvm::LogicalResult evaluatePrepare(mlir::func::FuncOp prepare, StateSource source, PackedSink sink,
                                    const EvaluateOptions &options = {});

} // namespace cnn::reference
