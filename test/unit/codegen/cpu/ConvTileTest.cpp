// How axes are cut into tiles, and that the cost model's choice is legal for every shape.
#include "test/unit/codegen/cpu/ConvCase.h"

#include <gtest/gtest.h>

using namespace cnn::cpu;

namespace {

TEST(ConvTileTest, CutsEvenly) {
  using Parts = llvm::SmallVector<std::pair<int64_t, int64_t>, 2>;
  EXPECT_EQ(cutEvenly(56, 14), (Parts{{14, 4}}));
  EXPECT_EQ(cutEvenly(55, 14), (Parts{{14, 3}, {13, 1}}));
  EXPECT_EQ(cutEvenly(49, 6), (Parts{{6, 4}, {5, 5}}));
  EXPECT_EQ(cutEvenly(3, 14), (Parts{{3, 1}}));
}

// A 3x3 kernel with a border of one: the first and the last tile lose a tap of one pixel, those between are alike.
TEST(ConvTileTest, EdgesAreRunsOfTheirOwn) {
  auto runs = cutAxis(56, 14, 56, 3, 1, 1, 1);
  ASSERT_EQ(runs.size(), 3u);
  EXPECT_EQ(runs[0].inside[0], std::pair(int64_t(1), int64_t(14)));
  EXPECT_EQ(runs[1].count, 2);
  EXPECT_EQ(runs[1].inside[0], std::pair(int64_t(0), int64_t(14)));
  EXPECT_EQ(runs[2].inside[2], std::pair(int64_t(0), int64_t(13)));
}

TEST(ConvTileTest, RunsCoverTheAxisAndKnowTheirTaps) {
  for (unsigned seed = 1; seed <= 200; ++seed) {
    std::mt19937 random(seed);
    auto pick = [&](int64_t from, int64_t to) { return std::uniform_int_distribution<int64_t>(from, to)(random); };
    int64_t extent = pick(1, 60), largest = pick(1, 20), input = pick(1, 80), taps = pick(1, 7), stride = pick(1, 3),
            dilation = pick(1, 3), pad = pick(0, 9);
    SCOPED_TRACE("seed " + std::to_string(seed));
    int64_t next = 0;
    for (const TileRun &run : cutAxis(extent, largest, input, taps, stride, dilation, pad)) {
      EXPECT_EQ(run.begin, next);
      EXPECT_LE(run.size, largest);
      for (int64_t tile = 0; tile < run.count; ++tile)
        for (int64_t tap = 0; tap < taps; ++tap)
          for (int64_t element = 0; element < run.size; ++element) {
            int64_t at = (run.begin + tile * run.size + element) * stride + tap * dilation - pad;
            bool isInside = element >= run.inside[tap].first && element < run.inside[tap].second;
            EXPECT_EQ(isInside, at >= 0 && at < input) << "tap " << tap << " of element " << element;
          }
      next = run.end();
    }
    EXPECT_EQ(next, extent);
  }
}

TEST(ConvTileTest, CandidatesFitTheShapeAndTheRegisters) {
  for (unsigned seed = 1; seed <= 50; ++seed) {
    std::mt19937 random(seed);
    ConvProblem p = randomProblem(random);
    for (Isa isa : allIsas()) {
      SCOPED_TRACE("seed " + std::to_string(seed) + ", " + isaInfo(isa).name.str() + ": " + p.str());
      auto tiles = candidateTiles(p, isa);
      ASSERT_FALSE(tiles.empty());
      for (const ConvTile &tile : tiles) {
        EXPECT_LT(tile.rows * tile.columns * tile.blocks * isaInfo(isa).registersPerBlock, isaInfo(isa).registers);
        EXPECT_LE(tile.blocks, blocksOf(p.outputs / p.groups));
        EXPECT_GE(tile.unitTiles, 1);
      }
    }
  }
}

} // namespace
