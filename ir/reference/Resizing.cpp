// Images of another size, and the transpose of that.
#include "ir/Resize.h"
#include "ir/reference/Operations.h"

#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;

namespace cnn::reference {

/// Calls fn(element, output, weight) for each element of an image batch of the shape `image` that an output is made of,
/// in row-major order of the outputs.
template <typename Op, typename Fn>
static void forEachPair(Op op, ArrayRef<int64_t> image, ArrayRef<int64_t> resized, Fn fn) {
  auto [rows, columns] = resizeAxes(op, image, resized);
  auto share = [](const ResizeAxis &axis, int64_t count) { return double(count) / double(axis.unit); };
  int64_t output = 0;
  for (int64_t plane = 0; plane < image[0] * image[1]; ++plane)
    for (int64_t row = 0; row < resized[2]; ++row)
      for (int64_t column = 0; column < resized[3]; ++column, ++output) {
        ResizeAxis::Place y = rows.place(row), x = columns.place(column);
        auto give = [&](int64_t i, int64_t j, double weight) {
          fn((plane * image[2] + i) * image[3] + j, output, weight);
        };
        if (!rows.linear) {
          give(y.low, x.low, 1);
          continue;
        }
        for (int64_t i : {0, 1})
          for (int64_t j : {0, 1})
            give(i ? y.high : y.low, j ? x.high : x.low,
                 share(rows, i ? y.remainder : rows.unit - y.remainder) *
                     share(columns, j ? x.remainder : columns.unit - x.remainder));
      }
}

std::optional<Tensor> evaluateResizing(const Application &at) {
  using Result = std::optional<Tensor>;
  return llvm::TypeSwitch<Operation *, Result>(at.op)
      .Case([&](ResizeOp op) -> Result {
        const Tensor &x = at.operand(0);
        Tensor result(at.shape);
        forEachPair(op, x.shape, at.shape, [&](int64_t element, int64_t output, double weight) {
          result.values[output] += weight * x.values[element];
        });
        return result;
      })
      .Case([&](ResizeGradOp op) -> Result {
        const Tensor &g = at.operand(0);
        Tensor result(at.shape);
        forEachPair(op, at.shape, g.shape, [&](int64_t element, int64_t output, double weight) {
          result.values[element] += weight * g.values[output];
        });
        return result;
      })
      .Default(Result());
}

} // namespace cnn::reference
