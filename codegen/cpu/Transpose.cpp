// See Transpose.h.
#include "codegen/cpu/Transpose.h"

#include "mlir/Dialect/Vector/IR/VectorOps.h"

using namespace mlir;

// In step s the off-diagonal s x s blocks of each 2s x 2s block change places.
void cnn::cpu::transposeSquare(KernelBuilder &b, SmallVectorImpl<Value> &rows) {
  for (int64_t step = 1; step < kBlock; step *= 2) {
    SmallVector<int64_t> low, high;
    for (int64_t lane = 0; lane < kBlock; ++lane) {
      bool second = lane & step;
      low.push_back(second ? kBlock + lane - step : lane);
      high.push_back(second ? kBlock + lane : lane + step);
    }
    for (int64_t row = 0; row < kBlock; ++row)
      if (!(row & step)) {
        Value first = rows[row], second = rows[row + step];
        rows[row] = vector::ShuffleOp::create(b, first, second, low);
        rows[row + step] = vector::ShuffleOp::create(b, first, second, high);
      }
  }
}
