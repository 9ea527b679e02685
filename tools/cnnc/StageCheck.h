// Whether passes keep the meaning of a network: the reference implementation evaluates it after each of them.
#pragma once

#include "tools/cnnc/Compile.h"

#include <string>
#include <vector>

namespace cnn {

/// The largest difference of two tensors as a share of the second one's largest magnitude; infinity where one is NaN or
/// Inf and the other is not the same.
double largestDifference(const host::Tensor &computed, const host::Tensor &expected);

/// Runs the tensor-level pipeline on a copy of `network` and evaluates it after every pass. Returns the pass that
/// changed the meaning and how, or an empty string when none did.
std::string checkStages(mlir::ModuleOp network, const Weights &weights, const std::vector<host::Tensor> &inputs,
                        const CompileOptions &options, unsigned threads);

} // namespace cnn
