// See KernelCalls.h.
#include "codegen/cpu/KernelCalls.h"

#include "mlir/Dialect/LLVMIR/LLVMDialect.h"

using namespace mlir;
namespace cnn::cpu {

KernelCalls::KernelCalls(KernelBuilder &b, int64_t operands) : b(b) {
  table = LLVM::AllocaOp::create(b, b.pointer(), b.pointer(), b.index(operands), /*alignment=*/64);
  // Each call is for one image, so that the distance to the next one has no meaning.
  strides = LLVM::AllocaOp::create(b, b.pointer(), b.i64(), b.index(operands), /*alignment=*/64);
  for (int64_t operand = 0; operand < operands; ++operand)
    b.store(b.index(0), strides, 8 * operand, 8);
}

void KernelCalls::call(const KernelInfo &kernel, ArrayRef<Value> buffers, Value begin, Value end) {
  for (auto [place, buffer] : llvm::enumerate(buffers))
    b.store(buffer, table, 8 * int64_t(place), 8);
  func::CallOp::create(b, kernel.symbol, TypeRange(), ValueRange{table, strides, b.index(1), begin, end, b.scratch()});
}

} // namespace cnn::cpu
