// Where a kernel takes the pixels of a warped image from: WarpAxis of ir/reference in the kernel's own arithmetic, on
// one place or on a vector of places.
#pragma once

#include "codegen/cpu/KernelBuilder.h"
#include "ir/CnnOps.h"

namespace cnn::cpu {

/// One axis: two neighbouring pixels as i32, kept within the image (one where the nearest is taken), how near the
/// second one is as f32, and whether each is in the image (null: it is).
struct WarpTaps {
  mlir::Value pixels[2], weight, inside[2];
};
WarpTaps buildWarpTaps(KernelBuilder &b, WarpOp op, mlir::Value place, int64_t extent);

} // namespace cnn::cpu
