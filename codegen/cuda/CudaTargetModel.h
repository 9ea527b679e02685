// What the passes ask of NVIDIA GPUs (passes/TargetModel.h), under the name "cuda".
#pragma once

namespace cnn::cuda {

/// Makes the model known to the passes; may be called more than once.
void registerCudaTarget();

} // namespace cnn::cuda
