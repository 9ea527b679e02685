// What a training step keeps of the forward pass until the backward pass: the answer to where its memory goes.
#pragma once

#include "ir/CnnOps.h"

#include <string>

namespace cnn {

/// A value, or values that lie in one piece of memory, that the forward pass makes and the backward pass reads.
struct SavedValue {
  mlir::Value value;
  std::string path;  ///< Of the operation that makes it.
  int64_t bytes = 0; ///< As planned: of an image, or of all where it has no batch.
  bool batched = true;
  std::vector<std::string> readers; ///< The paths of the groups of the backward pass that read it, in order.
};

/// The saved values of a planned @run, in order. The backward pass begins with the first group that belongs to a
/// gradient; where there are several minimizations, the values are those of the one that saves most. Parameters,
/// inputs, and what is only a view of these are the caller's memory and do not count; what shares bytes counts once.
std::vector<SavedValue> savedValues(mlir::func::FuncOp run);

/// Their bytes in a step of so many images.
int64_t savedBytes(llvm::ArrayRef<SavedValue> values, int64_t batch);

/// What the backward pass computes again: the paths of the operations of the forward pass, in order, each once.
std::vector<std::string> recomputedPaths(mlir::func::FuncOp run);

/// For people, as comments of the IR: what the gradients in a differentiated @step read of the forward pass, and what
/// they compute again. Prints nothing where there are none.
void printBackward(mlir::func::FuncOp step, llvm::raw_ostream &stream);

} // namespace cnn
