// Calls of kernels by a kernel of the same module, for one image at a time.
#pragma once

#include "codegen/cpu/KernelBuilder.h"

namespace cnn::cpu {

class KernelCalls {
public:
  /// For kernels of up to `operands` operands; to be made before any loop of the calling kernel.
  KernelCalls(KernelBuilder &b, int64_t operands);

  /// Where an operand of one image lies, and bytes to the next image of it.
  struct Operand {
    mlir::Value address, stride;
  };
  /// Image `image` of an operand of the calling kernel.
  Operand image(int operand, mlir::Value image) { return {b.imageOf(operand, image), b.imageStride(operand)}; }
  /// What all images share.
  Operand shared(mlir::Value address) { return {address, b.index(0)}; }

  /// Calls units [begin, end) of `kernel` on one image.
  void call(const KernelInfo &kernel, llvm::ArrayRef<Operand> operands, mlir::Value begin, mlir::Value end);
  /// All units of the image.
  void call(const KernelInfo &kernel, llvm::ArrayRef<Operand> operands) {
    call(kernel, operands, b.index(0), b.index(kernel.unitsPerImage));
  }

private:
  KernelBuilder &b;
  mlir::Value table, strides;
};

} // namespace cnn::cpu
