// The passes, one file each; passes/Passes.td describes them, passes/Pipeline.h strings them together.
#pragma once

#include "ir/CnnOps.h"
#include "passes/TargetModel.h"

#include "mlir/Pass/Pass.h"

namespace cnn {

#define GEN_PASS_DECL
#include "passes/Passes.h.inc"

#define GEN_PASS_REGISTRATION
#include "passes/Passes.h.inc"

/// Registers every pass for the command line.
inline void registerPasses() { registerCnnPasses(); }

} // namespace cnn
