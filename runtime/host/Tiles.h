//===- Tiles.h - Images of any size through a network of one size ---------===//
//
// The overlap-tile strategy of U-Net (Ronneberger, Fischer and Brox 2015, figure 2): a large image is computed tile by
// tile. Neighbouring tiles overlap, and of each only the inner part is kept, which has seen enough of what lies around
// it; beyond the image is its mirror image.
//
//===----------------------------------------------------------------------===//
#ifndef CNN_RUNTIME_HOST_TILES_H
#define CNN_RUNTIME_HOST_TILES_H

#include "runtime/host/Tensor.h"

#include <array>

namespace cnn::host {

/// Where the mirror image of 0 .. size - 1, the edge not repeated, has `position` from, however far outside.
int64_t mirrored(int64_t position, int64_t size);

/// The tiles of an image. A network takes `input` and gives `output`, the same or what lies in its middle (convolutions
/// without padding), height and width each; `overlap` pixels of the input on each side are not kept.
class Tiling {
public:
  /// An error where nothing would be left to keep.
  static Result<Tiling> create(std::array<int64_t, 2> image, std::array<int64_t, 2> input,
                               std::array<int64_t, 2> output, int64_t overlap);

  int64_t count() const { return counts[0] * counts[1]; }
  /// [C, h, w] of an image [C, H, W].
  void cut(const Tensor &image, int64_t tile, std::span<float> into) const;
  std::array<int64_t, 2> outputSize() const { return output; }
  /// Where the tile's input begins in the image: before it, too.
  std::array<int64_t, 2> windowOrigin(int64_t tile) const {
    const auto [top, left] = origin(tile);
    return {top - margin[0], left - margin[1]};
  }
  /// Puts what is kept of the network's scores [K, h, w] for the tile into those of the image, [K, H, W].
  void paste(std::span<const float> scores, int64_t tile, Tensor &image) const;

private:
  std::array<int64_t, 2> image, input, output, counts = {}, keep = {}, margin = {};
  /// The first row and column that the tile keeps.
  std::array<int64_t, 2> origin(int64_t tile) const { return {tile / counts[1] * keep[0], tile % counts[1] * keep[1]}; }
};

} // namespace cnn::host

#endif // CNN_RUNTIME_HOST_TILES_H
