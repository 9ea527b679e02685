// See KernelCalls.h.
#include "codegen/cpu/KernelCalls.h"

#include "mlir/Dialect/LLVMIR/LLVMDialect.h"

using namespace mlir;
namespace cnn::cpu {

KernelCalls::KernelCalls(KernelBuilder &b, int64_t operands)
    : b(b), table(LLVM::AllocaOp::create(b, b.pointer(), b.pointer(), b.index(operands), /*alignment=*/64)),
      strides(LLVM::AllocaOp::create(b, b.pointer(), b.i64(), b.index(operands), /*alignment=*/64)) {}

void KernelCalls::call(const KernelInfo &kernel, ArrayRef<Operand> operands, Value begin, Value end) {
  for (auto [place, operand] : llvm::enumerate(operands)) {
    b.store(operand.address, table, 8 * int64_t(place), 8);
    b.store(operand.stride, strides, 8 * int64_t(place), 8);
  }
  func::CallOp::create(b, kernel.symbol, TypeRange(), ValueRange{table, strides, b.index(1), begin, end, b.scratch()});
}

} // namespace cnn::cpu
