// Builds formulas of `cnn` operations at one place, with one path: what gradients, losses and optimizers are written
// in. Numbers beside tensors stand for constants of the tensor's shape and element type; result types are inferred, and
// operands must satisfy the constraints of the operations (a builder has no one to report an error to).
#pragma once

#include "ir/CnnOps.h"

#include "mlir/IR/Builders.h"

namespace cnn {

class TensorBuilder {
public:
  using Value = mlir::Value;
  using Dims = llvm::ArrayRef<int64_t>;

  TensorBuilder(mlir::OpBuilder &builder, mlir::Location location, llvm::StringRef path)
      : b(builder), location(location), path(path) {}

  static mlir::RankedTensorType typeOf(Value value) { return mlir::cast<mlir::RankedTensorType>(value.getType()); }
  /// The extents as the attributes `shape` and `sizes` have them: -1 for the batch.
  static llvm::SmallVector<int64_t> extentsOf(Value value);
  static llvm::SmallVector<int64_t> allDims(Value value);

  /// Any operation, by its operands and attributes.
  template <typename Op>
  Value make(mlir::ValueRange operands, llvm::SmallVector<mlir::NamedAttribute> attributes = {}) {
    attributes.push_back(text("path", path));
    // An operation's own builder from a list of attributes leaves out the defaults, which the shape rules read.
    typename Op::Properties properties;
    mlir::OperationName(Op::getOperationName(), b.getContext()).populateDefaultProperties(&properties);
    [[maybe_unused]] auto known = Op::setPropertiesFromAttr(properties, b.getDictionaryAttr(attributes), nullptr);
    assert(mlir::succeeded(known) && "an attribute of another type");
    return Op::create(b, location, operands, properties);
  }
  mlir::NamedAttribute ints(llvm::StringRef name, Dims values) {
    return b.getNamedAttr(name, b.getDenseI64ArrayAttr(values));
  }
  mlir::NamedAttribute integer(llvm::StringRef name, int64_t value) {
    return b.getNamedAttr(name, b.getI64IntegerAttr(value));
  }
  mlir::NamedAttribute number(llvm::StringRef name, double value) {
    return b.getNamedAttr(name, b.getF64FloatAttr(value));
  }
  mlir::NamedAttribute flag(llvm::StringRef name, bool value) { return b.getNamedAttr(name, b.getBoolAttr(value)); }
  mlir::NamedAttribute text(llvm::StringRef name, llvm::StringRef value) {
    return b.getNamedAttr(name, b.getStringAttr(value));
  }

  /// A scalar of the element type of `like`.
  Value scalar(double value, Value like);
  /// `value` everywhere, of the shape and element type of `like`.
  Value filled(double value, Value like);
  /// 0, 1, ..., count - 1 of the element type of `like`.
  Value iota(int64_t count, Value like);

  Value neg(Value x) { return make<NegOp>(x); }
  Value abs(Value x) { return make<AbsOp>(x); }
  Value exp(Value x) { return make<ExpOp>(x); }
  Value log(Value x) { return make<LogOp>(x); }
  Value sqrt(Value x) { return make<SqrtOp>(x); }
  Value relu(Value x) { return make<ReluOp>(x); }
  Value tanh(Value x) { return make<TanhOp>(x); }
  Value step(Value x) { return make<StepOp>(x); }
  Value sigmoid(Value x) { return make<SigmoidOp>(x); }
  Value softplus(Value x) { return make<SoftplusOp>(x); }
  Value stopGradient(Value x) { return make<StopGradientOp>(x); }
  Value square(Value x) { return mul(x, x); }
  Value clamp(Value x, double low, double high) { return make<ClampOp>(x, {number("min", low), number("max", high)}); }
  Value convert(Value x, mlir::Type element);

  Value add(Value x, Value y) { return make<AddOp>({x, y}); }
  Value sub(Value x, Value y) { return make<SubOp>({x, y}); }
  Value mul(Value x, Value y) { return make<MulOp>({x, y}); }
  Value div(Value x, Value y) { return make<DivOp>({x, y}); }
  Value max(Value x, Value y) { return make<MaxOp>({x, y}); }
  Value min(Value x, Value y) { return make<MinOp>({x, y}); }
  Value add(Value x, double y) { return y == 0 ? x : add(x, filled(y, x)); }
  Value mul(Value x, double y) { return y == 1 ? x : mul(x, filled(y, x)); }
  Value max(Value x, double y) { return max(x, filled(y, x)); }
  Value min(Value x, double y) { return min(x, filled(y, x)); }
  /// y - x
  Value subFrom(double y, Value x) { return sub(filled(y, x), x); }
  /// y / x
  Value divide(double y, Value x) { return div(filled(y, x), x); }

  /// result[i] = x[i at dims] with the shape of `like`.
  Value broadcast(Value x, Dims dims, Value like);
  /// A vector with an element a channel (dimension 1), or a scalar.
  Value broadcastChannels(Value x, Value like) { return broadcast(x, {1}, like); }
  Value broadcastScalar(Value x, Value like) { return broadcast(x, {}, like); }
  /// What a reduction of `like` over `dims` gave, repeated over them.
  Value broadcastReduced(Value x, Dims dims, Value like);
  Value reshape(Value x, Dims shape) { return make<ReshapeOp>(x, {ints("shape", shape)}); }

  Value reduce(ReduceKind kind, Value x, Dims dims);
  Value sum(Value x, Dims dims) { return reduce(ReduceKind::Sum, x, dims); }
  Value mean(Value x, Dims dims) { return reduce(ReduceKind::Mean, x, dims); }
  Value sum(Value x) { return sum(x, allDims(x)); }
  Value mean(Value x) { return mean(x, allDims(x)); }
  /// The number of elements along `dims` as a scalar.
  Value count(Value x, Dims dims);

  Value matmul(Value x, Value y, bool transposeX = false, bool transposeY = false) {
    return make<MatmulOp>({x, y}, {flag("transpose_lhs", transposeX), flag("transpose_rhs", transposeY)});
  }

  mlir::OpBuilder &builder() { return b; }
  mlir::Location loc() const { return location; }

private:
  mlir::OpBuilder &b;
  mlir::Location location;
  std::string path;
};

} // namespace cnn
