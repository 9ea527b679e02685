// A program's steps on the emulated device, with nothing of the runtime in between: its kernels, or ones that a test
// has changed.
#pragma once

#include "codegen/Program.h"
#include "test/unit/codegen/cuda/emulator/EmulatedDevice.h"

namespace cnn::cuda {

/// Runs the steps of `program` on variant `variant`, whose kernels are those of `kernels`, for `batch` images. `memory`
/// becomes the outputs and, behind them, the workspace and the fixed part, NaN where nothing was written. Stops at the
/// first step that fails.
Outcome runEmulated(const Program &program, size_t variant, const llvm::Module &kernels, const EmulatorOptions &options,
                    int64_t batch, const std::vector<std::vector<char>> &inputs,
                    std::vector<std::vector<char>> &memory);

} // namespace cnn::cuda
