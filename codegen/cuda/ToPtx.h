// From a module of kernels (DeviceBuilder.h) to LLVM IR of one architecture, and from there to PTX text, in process.
#pragma once

#include "codegen/cuda/Architecture.h"

#include "mlir/IR/BuiltinOps.h"
#include "llvm/IR/LLVMContext.h"
#include "llvm/IR/Module.h"
#include "llvm/Support/Error.h"

#include <memory>
#include <string>

namespace cnn::cuda {

/// Lowers `module` (arith, vector, scf, nvvm, llvm) in place to the llvm dialect and translates it, for NVIDIA's
/// triple, every function marked for `architecture`. Null after a diagnostic.
std::unique_ptr<llvm::Module> toLLVM(mlir::ModuleOp module, llvm::LLVMContext &context,
                                     const Architecture &architecture);

/// The kernels of `module` as PTX of the lowest version that knows the architecture. An error where they call a
/// function that they do not define.
llvm::Expected<std::string> toPtx(const llvm::Module &module, const Architecture &architecture);

} // namespace cnn::cuda
