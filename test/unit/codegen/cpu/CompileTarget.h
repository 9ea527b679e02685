// What Compile.cpp asks of the target that it compiles for. A test's binary links one definition: that of the CPU
// (CompileCpu.cpp), or of the emulated CUDA device.
#pragma once

#include "codegen/PlannedProgram.h"
#include "passes/TargetModel.h"

namespace cnn::testing {

const TargetModel &targetModel();
llvm::FailureOr<Program> lowerForTarget(mlir::ModuleOp module, const ProgramOptions &options);
/// Is called before a run on so many threads: a device has other things that must not matter.
void prepareRun(int threads);

} // namespace cnn::testing
