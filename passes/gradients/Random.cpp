// Draws depend on no tensor but by its extents.
#include "passes/gradients/Rule.h"

namespace cnn::gradients {

bool random(Rule &r) { return mlir::isa<RandomUniformOp, RandomNormalOp>(r.op); }

} // namespace cnn::gradients
