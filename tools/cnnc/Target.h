// A network made ready to compute, whatever computes it: the reference implementation or compiled code.
#pragma once

#include "codegen/cpu/Isa.h"
#include "codegen/package/CodeCache.h"
#include "runtime/host/Tensor.h"
#include "tools/cnnc/Compile.h"
#include "tools/cnnc/Driver.h"
#include "tools/cnnc/Ports.h"
#include "tools/cnnc/Weights.h"

#include <memory>
#include <span>
#include <vector>

namespace cnn {

/// `--target`, `--threads` and what else decides how a network is compiled.
struct TargetOptions {
  std::string target = "cpu";
  int64_t threads = 0; ///< 0: all that this process may use.
  bool exact = false;  ///< No Winograd.

  void declare(CommandLine &line);
};

/// `--precision`, of which `TargetChoice::parse` makes a part of the target.
void declarePrecision(CommandLine &line);

/// What `--target` takes where code is made.
constexpr const char kTargetHelp[] =
    "cpu, cpu:ISA,... (avx512, avx2, sse), cuda, cuda:ARCH,... (sm_90a, sm_80, ...) or cuda-emulated";

/// The user's cache of compiled libraries, unless `--no-cache` was given; null where there is none.
const CodeCache *codeCache();

/// A parsed `--target`.
struct TargetChoice {
  bool isReference = false;
  /// Of the CPU: the best that this machine has when none is named.
  std::vector<cpu::Isa> isas;
  /// Of CUDA, the most capable first: sm_80, whose code runs on all that came later, when none is named.
  std::vector<const cuda::Architecture *> architectures;

  bool isEmulated = false; ///< CUDA on the CPU.
  /// Of CUDA: what contractions multiply in.
  Precision precision = Precision::TF32;
  bool scalesLoss = false; ///< In training steps; for who changes the scale.

  bool isCuda() const { return !architectures.empty(); }
  /// The targets of a library that has several, each by itself.
  std::vector<TargetChoice> parts() const;
  CompileOptions compileOptions(bool exact) const;

  /// `cpu`, `cpu:avx2,sse`, `reference`, `cuda`, `cuda:sm_90a,sm_80`, or `cuda-emulated` likewise. `all`, for
  /// libraries: instead of the best where no instruction set is named, PTX for GPUs to come, and `cpu,cuda:sm_80` for
  /// both.
  static host::Result<TargetChoice> parse(llvm::StringRef text, bool all);
};

class Target {
public:
  virtual ~Target() = default;
  /// "reference", "cpu (avx512)".
  virtual std::string describe() const = 0;
  /// The outputs for one tensor an input, in the order of the network's signature.
  virtual host::Result<std::vector<host::Tensor>> run(std::span<const host::Tensor> inputs) = 0;
};

/// The network, as elaborated, on the target that the options name; it and the weights must outlive the target.
host::Result<std::unique_ptr<Target>> createTarget(mlir::ModuleOp network, const Weights &weights,
                                                   const TargetOptions &options);

std::unique_ptr<Target> createReferenceTarget(mlir::ModuleOp network, const Weights &weights, int64_t threads);
host::Result<std::unique_ptr<Target>> createCompiledTarget(mlir::ModuleOp network, const Weights &weights,
                                                           const TargetChoice &choice, int64_t threads, bool exact);

} // namespace cnn
