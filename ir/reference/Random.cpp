// Random draws.
#include "ir/reference/Operations.h"
#include "ir/reference/Philox.h"

using namespace mlir;

namespace cnn::reference {

/// result[i] = number(word of element i)
template <typename Op, typename Fn> static Tensor draw(Op op, const Application &at, Fn number) {
  auto integer = [&](unsigned index) { return uint64_t(int64_t(at.operand(index).values[0])); };
  Draws draws(integer(0), *op.getPath(), integer(1));
  Tensor result(at.shape);
  for (int64_t i = 0; i < result.elements(); i += 4) {
    PhiloxWords words = draws.words(i / 4);
    for (int64_t k = 0; k < std::min<int64_t>(4, result.elements() - i); ++k)
      result.values[i + k] = number(words[k]);
  }
  return result;
}

std::optional<Tensor> evaluateRandom(const Application &at) {
  if (auto op = dyn_cast<RandomUniformOp>(at.op)) {
    double low = op.getLow().convertToDouble(), high = op.getHigh().convertToDouble();
    return draw(op, at, [=](uint32_t word) { return low + (high - low) * toUniform(word); });
  }
  if (auto op = dyn_cast<RandomNormalOp>(at.op)) {
    double mean = op.getMean().convertToDouble(), deviation = op.getDeviation().convertToDouble();
    return draw(op, at, [=](uint32_t word) { return mean + deviation * toNormal(word); });
  }
  return std::nullopt;
}

} // namespace cnn::reference
