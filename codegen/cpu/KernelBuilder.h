// A thin layer over MLIR's builders in which kernels are written: the kernel ABI, loops over work units, i64
// arithmetic, addresses in bytes, and blocks of 16 f32 (`vector<16xf32>` for every instruction set). It adds no meaning
// of its own: whatever is missing here is built with arith, vector, math and scf ops through the same object, which is
// an ImplicitLocOpBuilder.
//
// A kernel is `void kernel(char *const *buffers, const int64_t *image_strides, int64_t batch, int64_t begin, int64_t
// end, char *scratch)` (runtime/embedded/cnn_abi.h). It computes the work units [begin, end) of fixed_units +
// units_per_image * batch; each unit writes outputs of its own. buffers[i] is the address of image 0 of operand i,
// image_strides[i] the bytes from one image to the next (0 for what all images share).
#pragma once

#include "codegen/cpu/Isa.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/ImplicitLocOpBuilder.h"

#include <functional>
#include <string>

namespace cnn::cpu {

/// What the step that launches a kernel needs to know about it.
struct KernelInfo {
  std::string symbol;
  int64_t unitsPerImage = 1; ///< Work units in all are this times the batch, and
  int64_t fixedUnits = 0;    ///< these, of a kernel whose results are one for all images.
  int64_t scratchBytes = 0;  ///< Bytes at `scratch` that a call uses; contents are lost between calls.
};

class KernelBuilder : public mlir::ImplicitLocOpBuilder {
public:
  using Value = mlir::Value;
  using ValueRange = mlir::ValueRange;

  /// Appends kernels to `module`. Kernels of one module may be for one instruction set only.
  KernelBuilder(mlir::ModuleOp module, Isa isa, mlir::Location loc);

  Isa isa() const { return isa_; }
  mlir::ModuleOp module() const { return module_; }

  /// Creates the kernel `symbol` with `operands` buffers; `body` builds its code, in which the functions below may be
  /// used.
  void kernel(llvm::StringRef symbol, int operands, llvm::function_ref<void()> body);

  // The arguments of the kernel under construction.
  Value batch() const { return batch_; }
  Value begin() const { return begin_; }
  Value end() const { return end_; }
  Value scratch() const { return scratch_; }
  /// Address of image 0 of operand `index`.
  Value buffer(int index) const { return buffers_[index]; }
  /// Address of image `image` of operand `index`.
  Value imageOf(int index, Value image);
  /// Bytes from one image of operand `index` to the next; 0 for what all images share.
  Value imageStride(int index) const { return imageStrides_[index]; }

  /// `for unit in [begin, end)`.
  void forUnits(llvm::function_ref<void(Value unit)> body);
  /// Splits `linear` into coordinates of the given extents, outermost first; the outermost extent may be null (unknown,
  /// unchecked).
  llvm::SmallVector<Value> delinearize(Value linear, llvm::ArrayRef<Value> extents);

  // Integers are i64.
  mlir::Type i64() { return getI64Type(); }
  Value index(int64_t value);
  Value add(Value a, Value b);
  Value add(Value a, int64_t b);
  Value sub(Value a, Value b);
  Value sub(Value a, int64_t b);
  Value mul(Value a, Value b);
  Value mul(Value a, int64_t b);
  /// Quotient and remainder of non-negative numbers.
  Value div(Value a, Value b);
  Value div(Value a, int64_t b);
  Value rem(Value a, Value b);
  Value rem(Value a, int64_t b);
  Value min(Value a, Value b);
  Value max(Value a, Value b);
  Value min(Value a, int64_t b) { return min(a, index(b)); }
  Value max(Value a, int64_t b) { return max(a, index(b)); }
  Value lessThan(Value a, Value b); ///< i1, signed
  Value equal(Value a, Value b);    ///< i1
  Value select(Value condition, Value a, Value b);

  // Control flow. The bodies of loops with carried values return the next ones.
  using CarryBody = llvm::function_ref<llvm::SmallVector<Value>(Value iv, ValueRange carried)>;
  void forLoop(Value from, Value to, int64_t step, llvm::function_ref<void(Value iv)> body);
  llvm::SmallVector<Value> forLoop(Value from, Value to, int64_t step, ValueRange init, CarryBody body);
  /// With bounds known now; builds no loop where there is a single iteration, and nothing where there is none.
  void forLoop(int64_t from, int64_t to, int64_t step, llvm::function_ref<void(Value iv)> body);
  llvm::SmallVector<Value> forLoop(int64_t from, int64_t to, int64_t step, ValueRange init, CarryBody body);
  void ifThen(Value condition, llvm::function_ref<void()> then, llvm::function_ref<void()> otherwise = nullptr);

  // Addresses (!llvm.ptr, of any address space), in bytes.
  mlir::Type pointer();
  Value offset(Value address, Value bytes);
  Value offset(Value address, int64_t bytes);
  mlir::Type f32() { return getF32Type(); }
  mlir::VectorType block() { return mlir::VectorType::get({kBlock}, getF32Type()); }

  /// Loads and stores of any type; `align` is the alignment in bytes that is promised.
  Value load(mlir::Type type, Value address, int64_t bytes = 0, unsigned align = 4);
  void store(Value value, Value address, int64_t bytes = 0, unsigned align = 4);
  /// A block at an address that is a multiple of 64 bytes, as every block of a blocked tensor is.
  Value loadBlock(Value address, int64_t bytes = 0) { return load(block(), address, bytes, 64); }
  void storeBlock(Value value, Value address, int64_t bytes = 0) { store(value, address, bytes, 64); }
  Value loadScalar(Value address, int64_t bytes = 0) { return load(f32(), address, bytes, 4); }
  /// Loads one f32 into all lanes.
  Value loadSplat(Value address, int64_t bytes = 0) { return splat(loadScalar(address, bytes)); }
  /// Keeps LLVM from moving loads across this place, at no cost when running: it gathers those of unrolled code in
  /// front, where they take the registers of the sums.
  void keepOrder();
  /// Fetches a cache line for reading into all levels, or into the second-level cache and beyond.
  void prefetch(Value address, int64_t bytes = 0, bool secondLevel = false);

  // Floating point: f32 or vectors of it.
  Value scalar(float value);
  Value splat(float value);
  Value splat(Value scalar);
  /// A block of constants; `values` has 16 elements.
  Value constantBlock(llvm::ArrayRef<float> values);
  /// a * b + c, fused where the instruction set has it.
  Value fma(Value a, Value b, Value c);
  Value addf(Value a, Value b);
  Value subf(Value a, Value b);
  Value mulf(Value a, Value b);
  Value divf(Value a, Value b);
  /// Larger and smaller of two, NaN if either is. With a constant put it first: `maxf(splat(0.0f), x)` is one
  /// instruction.
  Value maxf(Value a, Value b);
  Value minf(Value a, Value b);
  /// Zeroes the lanes from `lanes` on, so that padded lanes of stored blocks stay zero. `lanes` in 1..16; 16 returns
  /// `value`.
  Value keepLanes(Value value, int64_t lanes);
  /// Zeroes the lanes of block `block` of a tensor of `channels` channels that lie beyond them.
  Value keepChannels(Value value, Value block, int64_t channels);

protected:
  /// What the functions above give in a kernel of another ABI: operands, bytes between their images, and the batch.
  /// There are no begin, end and scratch in it.
  void bind(llvm::ArrayRef<Value> buffers, llvm::ArrayRef<Value> imageStrides, Value batch);

private:
  mlir::ModuleOp module_;
  Isa isa_;
  llvm::SmallVector<Value> buffers_, imageStrides_;
  Value batch_, begin_, end_, scratch_;
};

} // namespace cnn::cpu
