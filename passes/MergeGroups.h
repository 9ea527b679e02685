// The second half of fusion: groups of element-wise operations that stand beside each other become one.
#pragma once

#include "ir/CnnOps.h"

namespace cnn {

/// Joins groups without an anchor that have results of one shape, where one reads the other's results or both read a
/// tensor of that shape: the update of a parameter with its optimizer's variables becomes one pass over memory. A group
/// moves down to a later one where nothing between reads it, or a later one up where its operands are known. What is
/// read elsewhere, too, stays a result.
void mergeElementwiseGroups(mlir::Block &body);

/// A group that does nothing but element-wise operations and, last, reductions over the same dimensions.
bool isReductionGroup(GroupOp group);

/// Joins such groups where both read a tensor of the shape that is reduced, by the same rule.
void mergeReductionGroups(mlir::Block &body);

} // namespace cnn
