// Calls of kernels by a kernel of the same module, for one image at a time.
#pragma once

#include "codegen/cpu/KernelBuilder.h"

namespace cnn::cpu {

class KernelCalls {
public:
  /// For kernels of up to `operands` operands; to be made before any loop of the calling kernel.
  KernelCalls(KernelBuilder &b, int64_t operands);

  /// Calls units [begin, end) of `kernel` on one image, whose operands lie at `buffers`.
  void call(const KernelInfo &kernel, llvm::ArrayRef<mlir::Value> buffers, mlir::Value begin, mlir::Value end);
  /// All units of the image.
  void call(const KernelInfo &kernel, llvm::ArrayRef<mlir::Value> buffers) {
    call(kernel, buffers, b.index(0), b.index(kernel.unitsPerImage));
  }

private:
  KernelBuilder &b;
  mlir::Value table, strides;
};

} // namespace cnn::cpu
