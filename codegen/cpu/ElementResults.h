// The results of a group that are computed element by element (Elements.h): which of them are stored together, and what
// is stored at an index, padding included.
#pragma once

#include "codegen/cpu/Elements.h"

namespace cnn::cpu {

/// Results of one shape.
struct ElementResults {
  mlir::RankedTensorType type; ///< Of the first one.
  bool hasImages = false;      ///< Else one for all images.
  llvm::SmallVector<unsigned> numbers;
  /// With the padding that any of them stores; that of the batch, where there are images, is 0 and has no meaning.
  llvm::SmallVector<int64_t> extents;
};

llvm::SmallVector<ElementResults> elementResults(GroupOp group);

/// Stores the element of each result at an index below `extents`: zero where it is padding of this result's, and
/// nothing where it is padding of another's. All are computed before the first is stored, which may lie over an
/// operand.
void storeElementResults(KernelBuilder &b, Elements &elements, GroupOp group, const ElementResults &results,
                         llvm::ArrayRef<mlir::Value> index);

} // namespace cnn::cpu
