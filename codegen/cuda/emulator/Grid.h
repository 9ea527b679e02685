// Runs all blocks of a launch.
#pragma once

#include "codegen/cuda/emulator/Block.h"

namespace cnn::cuda::emulator {

/// Blocks are handed to the workers that the options name; the first fault ends the launch. Keeps the fault's text and
/// the counts of bank conflicts for those who take them (Emulator.h).
/// What is not set of `launch` (operands, history) is set here.
CUresult runGrid(Launch launch);

} // namespace cnn::cuda::emulator
