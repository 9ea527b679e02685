// From a module of kernels (KernelBuilder.h) to LLVM IR and machine code of one instruction set. The register tiles
// that the kernels were given are kept as they are: what LLVM would do to them (vectorize, rotate loops, reorder before
// register allocation) makes them spill.
#pragma once

#include "codegen/cpu/Isa.h"

#include "mlir/IR/BuiltinOps.h"
#include "llvm/ADT/SmallVector.h"
#include "llvm/IR/LLVMContext.h"
#include "llvm/IR/Module.h"
#include "llvm/Support/Error.h"
#include "llvm/Target/TargetMachine.h"

#include <memory>

namespace cnn::cpu {

/// Lowers `module` (arith, math, vector, scf, func, llvm) in place to the llvm dialect and translates it, every
/// function marked for `isa`. Null after a diagnostic.
std::unique_ptr<llvm::Module> toLLVM(mlir::ModuleOp module, llvm::LLVMContext &context, Isa isa);

/// Code generator for x86-64 Linux, position independent; functions choose their instruction set by attribute.
llvm::Expected<std::unique_ptr<llvm::TargetMachine>> createTargetMachine(Isa isa);

/// Cleans up the IR of kernels without touching their tiles.
void optimizeKernels(llvm::Module &module, llvm::TargetMachine &machine);

/// Machine code or assembly, in the order of instructions that the IR has.
llvm::Expected<llvm::SmallVector<char, 0>> emitCode(llvm::Module &module, llvm::TargetMachine &machine,
                                                    llvm::CodeGenFileType type);

} // namespace cnn::cpu
