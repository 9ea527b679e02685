// The third part of fusion, for training steps: what is cheaper to compute again than to store and load is computed in
// the groups that read it.
#pragma once

#include "ir/CnnOps.h"

namespace cnn {

/// Clones short chains of additions, multiplications and the like, which begin at stored tensors (other results of a
/// convolution's group included), from groups into all groups that read their results: into reductions as prologues, and into other element-wise groups
/// where that reads no more tensors. So `x - mean` of a batch normalization is never stored, nor are the squares that
/// are summed. Reductions of one tensor over the same dimensions are joined into one pass.
void rematerialize(mlir::Block &body);

} // namespace cnn
