// The emulated CUDA device as the target of Compile.h. What is threads on a CPU is the order of the device's threads
// and of its copies here: bits must not depend on either.
#include "codegen/cuda/CudaDialect.h"
#include "codegen/cuda/CudaTargetModel.h"
#include "codegen/cuda/Lower.h"
#include "codegen/cuda/emulator/Emulator.h"
#include "codegen/cuda/library/CudaLibrary.h"
#include "test/unit/codegen/cpu/Compile.h"
#include "test/unit/codegen/cpu/CompileTarget.h"

namespace cnn::testing {

const TargetModel &targetModel() {
  cuda::registerCudaTarget();
  cuda::registerLibraryTargets();
  return *findTargetModel("cuda");
}

llvm::FailureOr<Program> lowerForTarget(mlir::ModuleOp module, const ProgramOptions &options) {
  cuda::LowerOptions lower;
  static_cast<ProgramOptions &>(lower) = options;
  lower.architectures = hostIsas();
  llvm::FailureOr<Program> program = cuda::lowerToProgram(module, lower);
  if (succeeded(program))
    program->target = "cuda-emulated";
  return program;
}

void prepareRun(int threads) {
  cuda::EmulatorOptions options;
  options.order = threads == 1   ? cuda::ThreadOrder::Forward
                  : threads == 2 ? cuda::ThreadOrder::Reverse
                                 : cuda::ThreadOrder::Shuffled;
  options.copies = threads == 1 ? cuda::CopyTime::Early : threads == 2 ? cuda::CopyTime::Late : cuda::CopyTime::Mixed;
  options.seed = threads;
  // Two workers are enough to show what depends on them.
  options.workers = threads > 3 ? 2 : 1;
  cuda::setEmulatorOptions(options);
}

bool hasAlgorithm(const Program &, const std::string &) { return true; }

bool takesAlgorithm(const std::string &algorithm) { return cuda::symbolizeAlgorithm(algorithm).has_value(); }

std::vector<std::string> hostIsas() { return {"sm_80"}; }

} // namespace cnn::testing
