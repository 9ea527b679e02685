// The formulas of operations, element by element: what the generic kernel is made of, whatever the operations and the
// layouts are.
//
// An element of a value is asked for by its logical index, one i64 a dimension; what lies outside a window or a border
// is asked for at a place inside and then not used, so that every address is valid. Sums run in row-major order of
// their indices, with a partial sum for each index of the first where that is said.
#pragma once

#include "codegen/cpu/KernelBuilder.h"
#include "ir/CnnOps.h"

#include <map>
#include <tuple>
#include <vector>

namespace cnn::cpu {

class Elements {
public:
  using Value = mlir::Value;

  Elements(KernelBuilder &b, GroupOp group) : b(b), group(group) {}

  /// Why there is no formula for `op`; empty when there is one.
  static std::string whyNot(mlir::Operation *op);

  /// The element of `value` at `index`, of type valueType(element type, 1).
  Value at(Value value, llvm::ArrayRef<Value> index);
  /// The address of the element at `index` of operand `operand` of the kernel: the group's inputs, then its results.
  Value address(unsigned operand, mlir::RankedTensorType type, llvm::ArrayRef<Value> index);

private:
  using Index = llvm::SmallVector<Value>;
  using Term = llvm::function_ref<Value(llvm::ArrayRef<Value> at, Value accumulator)>;
  /// A place, clamped to where there is something, and whether it needed no clamping.
  struct Place {
    Value position, valid;
  };

  Value extent(Value value, int64_t dim);
  Value isInside(Value position, Value extent);
  Value clampInside(Value position, Value extent);
  Value both(Value x, Value y);
  Value rowMajor(mlir::RankedTensorType type, llvm::ArrayRef<Value> index);
  Value number(double value);
  /// accumulator = term(indices, accumulator) over all indices below `extents`, in row-major order.
  Value fold(llvm::ArrayRef<Value> extents, Value init, Term term);
  /// As fold from 0, where the terms of each index of the first extent are summed by themselves: a sum over the batch
  /// loses no more than the sum of its images' sums.
  Value sum(llvm::ArrayRef<Value> extents, Term term);
  /// The output of a window that sees `position` at distance `tap` from its beginning, output * stride - before.
  Place windowOf(Value position, Value tap, int64_t stride, int64_t before, Value outputs);

  // Elements.cpp
  Value compute(mlir::Operation *op, llvm::ArrayRef<Value> index);
  Value constant(ConstantOp op, llvm::ArrayRef<Value> index);
  Value reshape(ReshapeOp op, llvm::ArrayRef<Value> index);
  Value pad(PadOp op, llvm::ArrayRef<Value> index);
  Value padGrad(PadGradOp op, llvm::ArrayRef<Value> index);
  Value concat(ConcatOp op, llvm::ArrayRef<Value> index);
  Value flipKernels(FlipKernelsOp op, llvm::ArrayRef<Value> index);
  Value unslice(UnsliceOp op, llvm::ArrayRef<Value> index);
  template <typename Op> Value draw(Op op, llvm::ArrayRef<Value> index);
  // ElementSums.cpp
  Value conv(Conv2dOp op, llvm::ArrayRef<Value> index);
  Value convTranspose(Conv2dTransposeOp op, llvm::ArrayRef<Value> index);
  Value convWeightGrad(Conv2dWeightGradOp op, llvm::ArrayRef<Value> index);
  Value dense(DenseOp op, llvm::ArrayRef<Value> index);
  Value matmul(MatmulOp op, llvm::ArrayRef<Value> index);
  Value batchNorm(BatchNormOp op, llvm::ArrayRef<Value> index);
  Value reduce(ReduceOp op, llvm::ArrayRef<Value> index);
  Value softmax(SoftmaxOp op, llvm::ArrayRef<Value> index);
  // ElementPools.cpp
  Value maxPool(MaxPoolOp op, llvm::ArrayRef<Value> index);
  Value avgPool(AvgPoolOp op, llvm::ArrayRef<Value> index);
  Value maxPoolGrad(MaxPoolGradOp op, llvm::ArrayRef<Value> index);
  Value maxPoolPick(MaxPoolPickOp op, llvm::ArrayRef<Value> index);
  Value avgPoolGrad(AvgPoolGradOp op, llvm::ArrayRef<Value> index);
  Value resize(ResizeOp op, llvm::ArrayRef<Value> index);
  Value resizeGrad(ResizeGradOp op, llvm::ArrayRef<Value> index);
  Value warp(WarpOp op, llvm::ArrayRef<Value> index);
  /// The row-major place in its plane of the largest element of the window of output [n, c, y, x]; -1 without elements.
  template <typename Op> Value largest(Op op, llvm::ArrayRef<Value> output);
  /// The number of positions of that window that an average counts, as f32.
  template <typename Op> Value counted(Op op, Value image, llvm::ArrayRef<Value> output);

  KernelBuilder &b;
  GroupOp group;
  /// Elements of element-wise operations, by operation, block of code and index: a value that is read twice is
  /// computed once.
  std::map<std::tuple<mlir::Operation *, mlir::Block *, std::vector<void *>>, Value> known;
};

} // namespace cnn::cpu
