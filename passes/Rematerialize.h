// The third part of fusion, for training steps: what is cheaper to compute again than to store and load is computed in
// the groups that read it.
#pragma once

#include "ir/CnnOps.h"

namespace cnn {

class TargetModel;

/// Clones short chains of additions, multiplications and the like, which begin at stored tensors, other results of the
/// same group included, from groups into all groups that read their results: into reductions as prologues, and into
/// other element-wise groups and epilogues of the backward pass where that reads no more tensors. So `x - mean` of a
/// batch normalization is never stored, nor are the squares that are summed, and the gradient of a convolution stores
/// one tensor where a batch normalization before it takes products with it too. Reductions of one tensor over the same
/// dimensions are joined into one pass.
///
/// What the forward pass computes so from one tensor that is kept for the backward pass anyway, as the result of a
/// batch normalization and its relu are from what is normalized, is not kept beside that: the backward pass computes it
/// again, in the groups that take chains, or in one of its own, named `PATH.again`.
void rematerialize(mlir::Block &body, const TargetModel &model);

} // namespace cnn
