// The draws of random operations as code, on one element or on a vector of elements. What the words are and how they
// become numbers is written down in ir/reference/Philox.h.
#pragma once

#include "codegen/cpu/KernelBuilder.h"

#include <array>

namespace cnn::cpu {

/// The four words of a block of the draws of `path`, each in the lower half of an i64 (or of the lanes of a vector,
/// like `block`). `seed` and `step` are scalars.
std::array<mlir::Value, 4> buildPhilox(KernelBuilder &b, mlir::Value block, mlir::Value seed, mlir::Value step,
                                       llvm::StringRef path);
/// low + (high - low) * uniform(word), as f32.
mlir::Value buildUniform(KernelBuilder &b, mlir::Value word, double low, double high);
/// mean + deviation * normal(word), computed in f64 and rounded to f32.
mlir::Value buildNormal(KernelBuilder &b, mlir::Value word, double mean, double deviation);

} // namespace cnn::cpu
