//===- Tiles.cpp - Images of any size through a network of one size -------===//
#include "runtime/host/Tiles.h"

#include <algorithm>

namespace cnn::host {

int64_t mirrored(int64_t position, int64_t size) {
  if (size == 1)
    return 0;
  const int64_t period = 2 * (size - 1), inside = ((position % period) + period) % period;
  return std::min(inside, period - inside);
}

Result<Tiling> Tiling::create(std::array<int64_t, 2> image, std::array<int64_t, 2> input, std::array<int64_t, 2> output,
                              int64_t overlap) {
  Tiling tiling;
  tiling.image = image, tiling.input = input, tiling.output = output;
  for (size_t axis = 0; axis < 2; ++axis) {
    const int64_t cropped = input[axis] - output[axis];
    if (cropped < 0 || cropped % 2 != 0)
      return makeError("a network that makes {}x{} of {}x{} gives no mask of the middle of its input", output[0],
                       output[1], input[0], input[1]);
    tiling.margin[axis] = std::max(overlap, cropped / 2);
    tiling.keep[axis] = input[axis] - 2 * tiling.margin[axis];
    if (tiling.keep[axis] < 1)
      return makeError("an overlap of {} pixels leaves nothing of tiles of {}x{}", overlap, input[0], input[1]);
    tiling.counts[axis] = (image[axis] + tiling.keep[axis] - 1) / tiling.keep[axis];
  }
  return tiling;
}

void Tiling::cut(const Tensor &image, int64_t tile, std::span<float> into) const {
  const auto [top, left] = origin(tile);
  const std::span<const float> from = image.floats();
  size_t at = 0;
  for (int64_t channel = 0; channel < image.shape[0]; ++channel)
    for (int64_t y = 0; y < input[0]; ++y) {
      const int64_t row = channel * this->image[0] + mirrored(top - margin[0] + y, this->image[0]);
      for (int64_t x = 0; x < input[1]; ++x)
        into[at++] = from[static_cast<size_t>(row * this->image[1] + mirrored(left - margin[1] + x, this->image[1]))];
    }
}

void Tiling::paste(std::span<const float> scores, int64_t tile, Tensor &image) const {
  const auto [top, left] = origin(tile);
  const std::span<float> into = image.floats();
  const int64_t height = std::min(keep[0], this->image[0] - top), width = std::min(keep[1], this->image[1] - left);
  // Where what is kept begins in the network's output.
  const int64_t fromTop = margin[0] - (input[0] - output[0]) / 2, fromLeft = margin[1] - (input[1] - output[1]) / 2;
  for (int64_t channel = 0; channel < image.shape[0]; ++channel)
    for (int64_t y = 0; y < height; ++y) {
      const int64_t from = (channel * output[0] + fromTop + y) * output[1] + fromLeft;
      const int64_t to = (channel * this->image[0] + top + y) * this->image[1] + left;
      std::copy_n(scores.begin() + from, width, into.begin() + to);
    }
}

} // namespace cnn::host
