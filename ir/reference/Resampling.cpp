// Images resampled.
#include "ir/reference/Resampling.h"
#include "ir/reference/Operations.h"

using namespace mlir;

namespace cnn::reference {

static Tensor warp(WarpOp op, const Application &at) {
  const Tensor &image = at.operand(0);
  int64_t channels = image.shape[1];
  WarpAxis rows{image.shape[2], op.getBorder()}, columns{image.shape[3], op.getBorder()};
  Tensor result(at.shape);
  int64_t plane = at.shape[2] * at.shape[3];
  const Tensor *displacement = op.getDisplacement() ? &at.operand(2) : nullptr;
  forEachPlace(at.shape, at.operand(1), displacement, [&](int64_t n, int64_t y, int64_t x, double v, double u) {
    v = rows.settle(v);
    u = columns.settle(u);
    for (int64_t c = 0; c < channels; ++c) {
      const double *from = image.data() + (n * channels + c) * rows.extent * columns.extent;
      auto pixel = [&](int64_t row, int64_t column) {
        std::optional<int64_t> i = rows.pixel(row), j = columns.pixel(column);
        return i && j ? from[*i * columns.extent + *j] : 0.0;
      };
      double &to = result.values[(n * channels + c) * plane + y * at.shape[3] + x];
      if (op.getFilter() == WarpFilter::Nearest) {
        to = pixel(int64_t(std::floor(v + 0.5)), int64_t(std::floor(u + 0.5)));
        continue;
      }
      auto row = int64_t(std::floor(v)), column = int64_t(std::floor(u));
      auto along = [&](int64_t row) {
        double left = pixel(row, column), right = pixel(row, column + 1);
        return left + (u - double(column)) * (right - left);
      };
      double above = along(row), below = along(row + 1);
      to = above + (v - double(row)) * (below - above);
    }
  });
  return result;
}

std::optional<Tensor> evaluateResampling(const Application &at) {
  if (auto op = dyn_cast<WarpOp>(at.op))
    return warp(op, at);
  return std::nullopt;
}

} // namespace cnn::reference
