// The small programs of test/unit/codegen/package with kernels for a GPU, a thread a unit.
#pragma once

#include "test/unit/codegen/package/TinyProgram.h"

namespace cnn::tiny {

/// options.isas are architectures; `target` is "cuda" or "cuda-emulated".
Program makeDeviceProgram(const Options &options, const std::string &target);

} // namespace cnn::tiny
