// See SlicedProduct.h.
#include "codegen/cuda/SlicedProduct.h"

#include "mlir/Dialect/Arith/IR/Arith.h"

using namespace mlir;

namespace cnn::cuda {

/// Blocks of threads that keep a GPU busy.
static constexpr int64_t kBlocksWanted = 128;

// The same on every architecture, whatever tile it has: scratch and the number of kernels depend on it. The steps of a
// slice must be worth its sums' way through memory.
int64_t chooseSlices(const MatmulSizes &sizes) {
  constexpr int64_t kTile = 64, kDepthASlice = 256, kMost = 16;
  int64_t blocks = llvm::divideCeil(sizes.rows, kTile) * llvm::divideCeil(sizes.columns, kTile);
  return std::clamp<int64_t>(std::min(kBlocksWanted / blocks, sizes.depth / kDepthASlice), 1, kMost);
}

int64_t slicesScratchBytes(const MatmulSizes &sizes, int64_t slices) {
  return slices > 1 ? slices * sizes.rows * int64_t(llvm::alignTo(sizes.columns, 4)) * 4 : 0;
}

Value SlicedProduct::isCut() {
  Value blocks = b.mul(b.div(b.add(rows(), tile.rows - 1), tile.rows), llvm::divideCeil(sizes.columns, tile.columns));
  return b.lessThan(blocks, b.index(kBlocksWanted));
}

MatmulPart SlicedProduct::part() {
  MatmulPart part;
  part.firstRow = b.mul(b.blockIndex(0), tile.rows);
  part.firstColumn = b.mul(b.blockIndex(1), tile.columns);
  part.depthBegin = b.index(0);
  part.depthEnd = b.index(sizes.depth);
  if (slices == 1)
    return part;
  // Whole steps; slice 0 has all of them where nothing is cut.
  int64_t steps = llvm::divideCeil(sizes.depth, tile.depth);
  Value length = b.select(isCut(), b.index(llvm::divideCeil(steps, slices) * tile.depth), b.index(sizes.depth));
  part.depthBegin = b.min(b.mul(b.blockIndex(2), length), sizes.depth);
  part.depthEnd = b.min(b.add(part.depthBegin, length), sizes.depth);
  return part;
}

Value SlicedProduct::addressOf(Value row, Value column) {
  Value place = b.add(b.mul(b.rem(row, sizes.rows), pitch()), column);
  return b.offset(b.imageOf(scratch, b.div(row, sizes.rows)), b.mul(place, 4));
}

void SlicedProduct::storePart(Value row, ArrayRef<MatmulSums> sums, MatmulStore store) {
  if (slices == 1)
    return store(row, sums);
  Value slice = b.blockIndex(2);
  auto toScratch = [&] {
    b.ifThen(b.lessThan(row, rows()), [&] {
      for (const MatmulSums &four : sums)
        b.ifThen(b.lessThan(four.column, b.index(pitch())), [&] {
          Value address = b.offset(addressOf(row, four.column), b.mul(slice, sliceBytes()));
          b.store(four.values, address, 0, alignment());
        });
    });
  };
  b.ifThen(isCut(), toScratch, [&] { b.ifThen(b.equal(slice, b.index(0)), [&] { store(row, sums); }); });
}

DeviceKernel SlicedProduct::buildJoin(StringRef symbol, ArrayRef<DeviceOperand> known, int64_t threads,
                                      MatmulStore store) {
  DeviceKernel kernel;
  kernel.symbol = symbol.str();
  kernel.unitsPerImage = sizes.rows * pitch() / 4;
  kernel.launch = b.unitKernel(symbol, known, threads, [&](Value unit) {
    b.ifThen(isCut(), [&] {
      Value row = b.div(unit, pitch() / 4), column = b.mul(b.rem(unit, pitch() / 4), 4);
      auto type = VectorType::get({4}, b.f32());
      Value address = addressOf(row, column), zero = arith::ConstantOp::create(b, b.getZeroAttr(type));
      Value sum = b.forLoop(0, slices, 1, ValueRange{zero}, [&](Value slice, ValueRange carried) {
        Value term = b.load(type, b.offset(address, b.mul(slice, sliceBytes())), 0, alignment());
        return SmallVector<Value>{b.addf(carried[0], term)};
      })[0];
      store(row, MatmulSums{column, sum});
    });
  });
  return kernel;
}

GroupKernels slicedKernels(GroupOp group, StringRef symbol, int64_t slices, ArrayRef<DeviceOperand> known,
                           llvm::function_ref<DeviceKernel(StringRef, ArrayRef<DeviceOperand>)> build,
                           llvm::function_ref<DeviceKernel(StringRef, ArrayRef<DeviceOperand>)> join) {
  bool isSliced = slices > 1;
  GroupKernel made;
  made.operands = bodyOperands(group);
  if (isSliced)
    made.operands.push_back(made.operands.size());
  SmallVector<DeviceOperand> operands = knownOf(known, made.operands);
  made.kernel = build((symbol + (isSliced ? "$slices" : "")).str(), operands);
  made.kernel.launch.gridZ = slices;
  GroupKernels kernels = {made};
  if (isSliced) {
    made.kernel = join(symbol, operands);
    kernels.push_back(made);
  }
  return kernels;
}

} // namespace cnn::cuda
