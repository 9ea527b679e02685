//===- TilesTest.cpp - Images of any size through a network of one size ---===//
#include "runtime/host/Tiles.h"
#include "HostTest.h"

#include <numeric>

namespace cnn::host {
namespace {

TEST(TilesTest, MirroredWithoutRepeatingTheEdge) {
  const int64_t expected[] = {2, 1, 0, 1, 2, 1, 0, 1, 2};
  for (int64_t position = -2; position < 7; ++position)
    EXPECT_EQ(mirrored(position, 3), expected[position + 2]) << position;
  EXPECT_EQ(mirrored(-5, 1), 0);
}

/// What a network does that shifts nothing: each tile's own pixels come back, plus those of a border that is wrong.
void expectIdentity(std::array<int64_t, 2> size, std::array<int64_t, 2> input, int64_t cropped, int64_t overlap) {
  Tensor image = Tensor::zeros(DType::F32, {2, size[0], size[1]}), result = image;
  std::span<float> pixels = image.floats();
  std::iota(pixels.begin(), pixels.end(), 1.0F);
  const std::array<int64_t, 2> output = {input[0] - 2 * cropped, input[1] - 2 * cropped};
  Result<Tiling> tiling = Tiling::create(size, input, output, overlap);
  ASSERT_OK(tiling);
  std::vector<float> tile(static_cast<size_t>(2 * input[0] * input[1])), scores;
  for (int64_t i = 0; i < tiling->count(); ++i) {
    tiling->cut(image, i, tile);
    scores.clear();
    const int64_t wrong = std::max<int64_t>(overlap - cropped, 0);
    for (int64_t c = 0; c < 2; ++c)
      for (int64_t y = 0; y < output[0]; ++y)
        for (int64_t x = 0; x < output[1]; ++x) {
          const bool isBorder = std::min({y, x, output[0] - 1 - y, output[1] - 1 - x}) < wrong;
          scores.push_back(isBorder ? -1
                                    : tile[static_cast<size_t>((c * input[0] + cropped + y) * input[1] + cropped + x)]);
        }
    tiling->paste(scores, i, result);
  }
  EXPECT_EQ(result.bytes, image.bytes) << size[0] << "x" << size[1] << ", overlap " << overlap;
}

TEST(TilesTest, TilesJoinToTheImage) {
  expectIdentity({8, 8}, {8, 8}, 0, 0);
  expectIdentity({21, 13}, {8, 8}, 0, 2);
  expectIdentity({21, 13}, {8, 10}, 2, 0);
  expectIdentity({21, 13}, {8, 10}, 1, 3);
  expectIdentity({3, 2}, {8, 8}, 0, 3);
}

TEST(TilesTest, NothingLeftIsAnError) {
  EXPECT_EQ(errorOf(Tiling::create({20, 20}, {8, 8}, {8, 8}, 4)),
            "an overlap of 4 pixels leaves nothing of tiles of 8x8");
  EXPECT_EQ(errorOf(Tiling::create({20, 20}, {8, 8}, {5, 8}, 0)),
            "a network that makes 5x8 of 8x8 gives no mask of the middle of its input");
}

} // namespace
} // namespace cnn::host
