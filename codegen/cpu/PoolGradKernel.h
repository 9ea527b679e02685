// What memory planning may know of the kernel for gradients of poolings (Kernels.h).
#pragma once

#include "ir/CnnOps.h"

namespace cnn::cpu {

/// Whether it reads nothing of an element of an image after it wrote the result's: windows do not overlap.
bool poolGradMayOverwrite(GroupOp group);

} // namespace cnn::cpu
