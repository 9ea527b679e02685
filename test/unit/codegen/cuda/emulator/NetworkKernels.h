// A small network's kernels on the emulated device: what the compiler makes of it, and what that computes of drawn
// inputs.
#pragma once

#include "ir/CnnOps.h"
#include "test/unit/codegen/cuda/emulator/EmulatedProgram.h"

#include "mlir/IR/MLIRContext.h"
#include "mlir/IR/OwningOpRef.h"

namespace cnn::cuda {

class NetworkKernels {
public:
  struct Options {
    int64_t batch = 2;
    Precision precision = Precision::F32;
    double spread = 1; ///< The standard deviation of inputs.
    /// Products of matrices by wgmma, for sm_90a, instead of by what the target chooses for sm_80.
    bool warpgroups = false;
  };
  /// `signature` and `body` are the network's in the language. Fails the test where they are wrong.
  NetworkKernels(const std::string &signature, const std::string &body, const Options &options);

  /// Whether some launch of a kernel has more than one block in a row of its grid.
  bool hasManyBlocks(llvm::StringRef kernel) const;
  /// The kernels, to change or not, as a module of `context`.
  std::unique_ptr<llvm::Module> kernels(llvm::LLVMContext &context) const;
  /// See runEmulated.
  Outcome run(const llvm::Module &kernels, const EmulatorOptions &options,
              std::vector<std::vector<char>> &memory) const;

private:
  mlir::MLIRContext context_{mlir::MLIRContext::Threading::DISABLED};
  mlir::OwningOpRef<mlir::ModuleOp> module_;
  Program program_;
  llvm::SmallVector<char, 0> bitcode_;
  int64_t batch_;
  std::vector<std::vector<char>> inputs_;
};

} // namespace cnn::cuda
