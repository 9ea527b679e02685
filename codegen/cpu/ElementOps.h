// The element-wise operations of the `cnn` dialect on one element or on a vector of elements, and how elements of every
// stored type are loaded, stored and converted. All kernels take the meaning of these operations from here.
#pragma once

#include "codegen/cpu/KernelBuilder.h"
#include "ir/CnnOps.h"

namespace cnn::cpu {

/// The type in a kernel of elements stored as `element`: signless, a vector where `width` > 1. Null for types that
/// kernels do not compute with (they compute with f32, f64 and integers up to 64 bits).
mlir::Type valueType(mlir::Type element, int64_t width);

/// Loads `width` elements of the tensor element type `element`. With `mask` (a vector of i1) the lanes it excludes are
/// not read and are zero.
mlir::Value loadElements(KernelBuilder &b, mlir::Type element, mlir::Value address, int64_t bytes, int64_t width,
                         mlir::Value mask = nullptr, unsigned align = 0);
void storeElements(KernelBuilder &b, mlir::Type element, mlir::Value value, mlir::Value address, int64_t bytes,
                   mlir::Value mask = nullptr, unsigned align = 0);

/// Repeats a scalar over `width` lanes.
mlir::Value splatTo(KernelBuilder &b, mlir::Value scalar, int64_t width);
/// A constant of the tensor element type `element`; integers are given by their value.
mlir::Value elementConstant(KernelBuilder &b, mlir::Type element, int64_t width, double value);
/// The address of the row-major elements of `constant` in read-only data of the kernels' module, followed by zeros up
/// to `count` elements, at a multiple of 64 bytes.
mlir::Value constantTable(KernelBuilder &b, ConstantOp constant, int64_t count);
/// The lanes whose index is below `count` (an i64).
mlir::Value lanesBelow(KernelBuilder &b, mlir::Value count, int64_t width);

/// Joins the 16 lanes of a block by halves, into a scalar.
mlir::Value joinLanes(KernelBuilder &b, mlir::Value value,
                      llvm::function_ref<mlir::Value(mlir::Value, mlir::Value)> join);

/// Why kernels cannot compute the element-wise `op`; empty when they can.
std::string whyNoElementOp(mlir::Operation *op);
/// Computes the element-wise `op`, for which whyNoElementOp is empty, on values of valueType.
mlir::Value buildElementOp(KernelBuilder &b, mlir::Operation *op, llvm::ArrayRef<mlir::Value> operands);

} // namespace cnn::cpu
