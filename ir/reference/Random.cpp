// Random draws.
#include "ir/reference/Operations.h"
#include "ir/reference/Philox.h"

using namespace mlir;

namespace cnn::reference {

std::optional<Tensor> evaluateRandom(const Application &at) {
  auto op = dyn_cast<RandomUniformOp>(at.op);
  if (!op)
    return std::nullopt;
  double low = op.getLow().convertToDouble(), high = op.getHigh().convertToDouble();
  auto integer = [&](unsigned index) { return uint64_t(int64_t(at.operand(index).values[0])); };
  Draws draws(integer(0), *op.getPath(), integer(1));
  Tensor result(at.shape);
  for (int64_t i = 0; i < result.elements(); i += 4) {
    PhiloxWords words = draws.words(i / 4);
    for (int64_t k = 0; k < std::min<int64_t>(4, result.elements() - i); ++k)
      result.values[i + k] = low + (high - low) * toUniform(words[k]);
  }
  return result;
}

} // namespace cnn::reference
