// The device form of KernelBuilder: the same arithmetic, loops and addresses in a kernel that runs once for each thread
// of a grid of blocks. What is written for KernelBuilder (Elements, EpilogueEmitter, Math) works in it unchanged.
//
// A kernel is `ptx_kernel void NAME(ptr b0, ..., ptr bn-1, i64 s0, ..., i64 sn-1, i64 batch, i64 units)`: the address
// of image 0 of each operand, the bytes from one image of it to the next (0 for what all images share), the batch, and
// the units of work that the step has: fixedUnits + batch * unitsPerImage. The grid is ceil(units / unitsPerBlock) by
// gridY by gridZ blocks of blockThreads by 1 by 1 threads, sharedBytes of dynamic shared memory each (DeviceLaunch).
#pragma once

#include "codegen/Program.h"
#include "codegen/cpu/KernelBuilder.h"
#include "codegen/cuda/Architecture.h"

namespace cnn::cuda {

using cpu::KernelBuilder;

/// What is known of an operand of a kernel.
struct DeviceOperand {
  /// Nothing that the kernel writes overlaps it, unless it is written through this operand itself.
  bool noAlias = false;
  bool readOnly = false;
  /// Of the address of image 0 and of the bytes between images.
  int64_t alignment = 4;
  /// Of one image, or of all of it where images share it; 0: not known. The emulated device holds kernels to it.
  int64_t bytes = 0;

  bool operator==(const DeviceOperand &other) const = default;
};

/// What the step that launches a kernel needs to know about it.
struct DeviceKernel {
  std::string symbol;
  int64_t unitsPerImage = 0;
  int64_t fixedUnits = 0;
  DeviceLaunch launch;
};

/// The dynamic shared memory of every kernel: an external array of no size in address space 3.
constexpr llvm::StringLiteral kSharedSymbol = "cnn_shared";

class DeviceBuilder : public KernelBuilder {
public:
  /// Appends kernels for `architecture` to `module`.
  DeviceBuilder(mlir::ModuleOp module, const Architecture &architecture, mlir::Location loc);

  const Architecture &architecture() const { return architecture_; }

  /// Creates the kernel `symbol` for blocks of `blockThreads` threads; `body` builds its code, in which buffer(),
  /// imageOf(), imageStride() and batch() and the functions below may be used.
  void deviceKernel(llvm::StringRef symbol, llvm::ArrayRef<DeviceOperand> operands, int64_t blockThreads,
                    llvm::function_ref<void()> body);
  /// A kernel of one thread a unit: `body` is given the unit, which is below the number of units.
  DeviceLaunch unitKernel(llvm::StringRef symbol, llvm::ArrayRef<DeviceOperand> operands, int64_t blockThreads,
                          llvm::function_ref<void(Value unit)> body);

  /// In a kernel: builds `body`, which builds one kernel by unitKernel, as a part of this one instead. Its operands are
  /// these of the kernel's, its `units` are computed by the blocks from `firstBlock` on.
  void part(llvm::ArrayRef<int64_t> operands, int64_t firstBlock, int64_t units, llvm::function_ref<void()> body);

  /// What is known of operand `index`.
  const DeviceOperand &operand(int index) const { return operands_[index]; }
  /// All units of the step.
  Value units() const { return units_; }
  /// Index of the thread in its block and of the block in the grid, as i64.
  Value threadIndex();
  Value blockIndex(int axis = 0);

  /// All threads of the block wait for each other, and see what the others wrote before.
  void barrier();
  /// The f32 or i32 of the lane whose index differs by the bits of `mask`; every lane of the warp takes part.
  Value shuffleXor(Value value, int32_t mask);

  /// An address in the block's dynamic shared memory, as !llvm.ptr<3>.
  Value shared(int64_t bytes);

private:
  const Architecture &architecture_;
  llvm::SmallVector<DeviceOperand> operands_;
  Value units_;
  int64_t blockThreads_ = 0;
  std::optional<int64_t> firstBlock_; ///< Of the part under construction.
};

} // namespace cnn::cuda
