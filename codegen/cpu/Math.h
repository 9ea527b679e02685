// Transcendental functions as vector code, since an emitted library has neither libm nor compiler-rt. Each function
// takes and gives an f32 or a vector of any number of f32, is right for NaN, infinities and signed zeros, and takes and
// gives denormals as the floating-point environment of the caller treats them. Errors are bounds over all floats,
// measured in test/unit/codegen/cpu.
#pragma once

#include "codegen/cpu/KernelBuilder.h"

namespace cnn::cpu {

/// exp(x), 2 ULP.
mlir::Value buildExp(KernelBuilder &b, mlir::Value x);
/// The natural logarithm, 2 ULP; -infinity at zero, NaN below.
mlir::Value buildLog(KernelBuilder &b, mlir::Value x);
/// tanh(x), 4 ULP.
mlir::Value buildTanh(KernelBuilder &b, mlir::Value x);
/// 1 / (1 + exp(-x)), 4 ULP, also where the result is denormal.
mlir::Value buildSigmoid(KernelBuilder &b, mlir::Value x);
/// The correctly rounded square root.
mlir::Value buildSqrt(KernelBuilder &b, mlir::Value x);
mlir::Value buildAbs(KernelBuilder &b, mlir::Value x);
/// The nearest integer, halves to even.
mlir::Value buildRoundEven(KernelBuilder &b, mlir::Value x);

/// A constant of the float type or vector type `type`.
mlir::Value floatConstant(KernelBuilder &b, mlir::Type type, double value);
/// A constant of the integer type or vector type `type`.
mlir::Value integerConstant(KernelBuilder &b, mlir::Type type, int64_t value);
/// `type` with `element` in the place of its element type; a scalar type becomes `element`.
mlir::Type withElement(mlir::Type type, mlir::Type element);
/// a * b + c, fused where the instruction set has it, on scalars and vectors.
mlir::Value multiplyAdd(KernelBuilder &b, mlir::Value x, mlir::Value y, mlir::Value z);

} // namespace cnn::cpu
