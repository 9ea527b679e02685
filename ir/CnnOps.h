// The `cnn` dialect: types of this project's IR and the small questions that every pass asks of it.
#pragma once

#include "mlir/Bytecode/BytecodeOpInterface.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/BuiltinTypes.h"
#include "mlir/IR/Dialect.h"
#include "mlir/IR/OpDefinition.h"
#include "mlir/IR/OpImplementation.h"
#include "mlir/IR/RegionKindInterface.h"
#include "mlir/IR/SymbolTable.h"
#include "mlir/IR/TensorEncoding.h"
#include "mlir/Interfaces/ControlFlowInterfaces.h"
#include "mlir/Interfaces/InferTypeOpInterface.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"

namespace cnn {
/// An operation that computes each element of its result from the elements at the same index of its operands.
template <typename ConcreteType> class Elementwise : public mlir::OpTrait::TraitBase<ConcreteType, Elementwise> {};

/// True when the types have pairwise the same shape and element type; encodings may differ.
bool agreeButForLayout(mlir::TypeRange a, mlir::TypeRange b);
} // namespace cnn

#include "ir/CnnEnums.h.inc"

#include "ir/CnnDialect.h.inc"

#include "ir/CnnAttrInterfaces.h.inc"

#define GET_ATTRDEF_CLASSES
#include "ir/CnnAttrs.h.inc"

#define GET_OP_CLASSES
#include "ir/CnnOps.h.inc"

namespace cnn {
inline bool isElementwise(mlir::Operation *op) { return op->hasTrait<Elementwise>(); }

/// cnn.param, cnn.statistic, cnn.slot or cnn.counter.
bool isState(mlir::Operation *op);

/// An operation whose value depends on its path: `random_uniform` and `random_normal`.
bool isDraw(mlir::Operation *op);

/// The op's `path`, or an empty string.
llvm::StringRef getPath(mlir::Operation *op);
void setPath(mlir::Operation *op, llvm::StringRef path);

/// The layout of a tensor type; null when it is row-major.
LayoutAttr getLayout(mlir::Type type);
/// The same shape and element type in `layout` (null: row-major).
mlir::RankedTensorType withLayout(mlir::Type type, LayoutAttr layout);

/// Stored elements of one image (dimension 0 is the batch, or the tensor has no batch: all of it when `whole`), padding
/// included.
int64_t storedElements(mlir::RankedTensorType type, bool whole);
/// Bytes that go with storedElements.
int64_t storedBytes(mlir::RankedTensorType type, bool whole);
/// Bytes of an element (1 for i1).
int64_t elementBytes(mlir::Type elementType);

/// Calls fn(storageIndex, logicalIndex) for each stored element of a static tensor in storage order; logicalIndex is
/// the row-major index of the element, or -1 for a padded lane.
void forEachStored(mlir::RankedTensorType type,
                   llvm::function_ref<void(int64_t storageIndex, int64_t logicalIndex)> fn);

/// Extent of a convolution's or pooling's output along an axis, or nullopt when the window does not fit.
std::optional<int64_t> windowedExtent(int64_t extent, int64_t before, int64_t after, int64_t kernel, int64_t stride,
                                      int64_t dilation, bool ceil = false);

/// Multiply-adds of one image, counted by the direct method (0 for what is no contraction).
int64_t multiplyAdds(mlir::Operation *op);

/// Names of function argument and result attributes.
inline constexpr llvm::StringLiteral kInputAttr = "cnn.input", kOutputAttr = "cnn.output", kStateAttr = "cnn.state",
                                     kPackedAttr = "cnn.packed", kPreprocessAttr = "cnn.preprocess",
                                     kHyperAttr = "cnn.hyper", kClassesAttr = "cnn.classes";
/// Names of the functions: the network as written, a training step (or an evaluation, which has the form of one) as
/// written, what depends on state alone, the rest.
inline constexpr llvm::StringLiteral kInferFunction = "infer", kStepFunction = "step", kPrepareFunction = "prepare",
                                     kRunFunction = "run";
} // namespace cnn
