// An independent check of memory plans.
#pragma once

#include "ir/CnnOps.h"

namespace cnn {

/// Runs @run of a planned module for three images on a memory that remembers who wrote each byte, going by the
/// placements alone: every group finds what it reads as it was written, writes where it may, and each output holds its
/// value in the end. Reports the first violation at its group.
llvm::LogicalResult verifyPlan(mlir::func::FuncOp run);

} // namespace cnn
