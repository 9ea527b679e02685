// Runs the project's passes, each by its own flag, on textual IR, so that lit can test them alone.
#include "codegen/cpu/CpuDialect.h"
#include "codegen/cuda/CudaDialect.h"
#include "codegen/cuda/CudaTargetModel.h"
#include "ir/CnnOps.h"
#include "passes/Passes.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/LLVMIR/NVVMDialect.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "mlir/Tools/mlir-opt/MlirOptMain.h"
#include "mlir/Transforms/Passes.h"

int main(int argc, char **argv) {
  mlir::DialectRegistry registry;
  registry.insert<cnn::CnnDialect, cnn::cpu::CpuDialect, cnn::cuda::CudaDialect, mlir::arith::ArithDialect,
                  mlir::func::FuncDialect, mlir::scf::SCFDialect>();
  // What kernels consist of besides (`cnnc emit --stage lower`).
  registry
      .insert<mlir::LLVM::LLVMDialect, mlir::NVVM::NVVMDialect, mlir::math::MathDialect, mlir::vector::VectorDialect>();
  cnn::cuda::registerCudaTarget();
  cnn::registerPasses();
  mlir::registerTransformsPasses();
  return mlir::asMainReturnCode(mlir::MlirOptMain(argc, argv, "cnn-opt: runs passes on networks as text\n", registry));
}
