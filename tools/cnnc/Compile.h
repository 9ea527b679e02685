// From an elaborated network to a compiled one: the pipeline and the targets behind one call, for every subcommand.
#pragma once

#include "codegen/Program.h"
#include "codegen/cpu/Isa.h"
#include "codegen/package/Loaded.h"
#include "tools/cnnc/Weights.h"

#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/OwningOpRef.h"

#include <functional>
#include <memory>
#include <string>

namespace cnn {

namespace cuda {
struct Architecture;
}

struct CompileOptions {
  llvm::SmallVector<cpu::Isa> isas;
  bool exact = false;
  /// A memory plan that gives every result memory of its own.
  bool keepBuffers = false;
  /// Is shown the kernels of each instruction set or architecture before they become LLVM IR (codegen/cpu/Lower.h); may
  /// be null.
  std::function<void(mlir::ModuleOp kernels)> onKernels = nullptr;
  /// Of the target "cuda", which is meant where there are any.
  llvm::SmallVector<const cuda::Architecture *> architectures = {};
  /// The GPU is emulated.
  bool isEmulated = false;
  /// What contractions multiply in there.
  Precision precision = Precision::TF32;
  /// Of training steps: see kLossScalingAttr (passes/Gradients.h).
  bool scalesLoss = false;
};

/// A network after the last pass and what it was lowered to.
struct Compiled {
  mlir::OwningOpRef<mlir::ModuleOp> module;
  Program program;
  double seconds = 0;

  /// The groups of @run that run code, in order: those of program.groups.
  llvm::SmallVector<GroupOp> groups();
};

/// Compiles a copy of `network`, which is as elaborated. The program asks `weights` for values whenever its weights are
/// streamed, so they must outlive it; without any (null) it cannot be run or packaged.
host::Result<std::unique_ptr<Compiled>> compile(mlir::ModuleOp network, const Weights *weights,
                                                const CompileOptions &options);

/// A copy of `network` after the stages up to `stage` (passes/Pipeline.h); `afterPass` sees it after each pass, whose
/// flag it is given, and ends the pipeline by failing. Null after a message.
mlir::OwningOpRef<mlir::ModuleOp>
runStages(mlir::ModuleOp network, llvm::StringRef stage, const CompileOptions &options,
          std::function<llvm::LogicalResult(llvm::StringRef pass, mlir::ModuleOp)> afterPass = nullptr);

/// The memory that a session needs beside inputs, outputs and weights, for a batch of `batch`. `network` is left as it
/// was.
host::Result<int64_t> workspaceBytes(mlir::ModuleOp network, int64_t batch);

/// "cpu (avx512)": the target and which of its instruction sets or architectures runs.
std::string describeTarget(const Loaded &loaded);

/// An error of LLVM as one of ours.
host::Error toError(llvm::Error error);

} // namespace cnn
