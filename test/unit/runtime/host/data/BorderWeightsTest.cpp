//===- BorderWeightsTest.cpp - How much each pixel of a mask matters ------===//
//
// Components by hand; weights against the formula with distances searched in all pixels, on random masks.
//
//===----------------------------------------------------------------------===//
#include "runtime/host/data/BorderWeights.h"

#include "DataTest.h"

#include <cmath>
#include <random>

namespace cnn::host {
namespace {

TEST(BorderWeightsTest, ComponentsAreFourConnected) {
  EXPECT_EQ(labelComponents(Bytes{255, 0, 255, 255, //
                                  255, 0, 0, 255,   //
                                  0, 255, 0, 7},
                            3, 4),
            (std::vector<int32_t>{1, 0, 2, 2, 1, 0, 0, 2, 0, 3, 0, 4}));
}

TEST(BorderWeightsTest, AGapOfOnePixel) {
  const std::vector<float> weights = borderWeights(Bytes{255, 0, 255}, 1, 3);
  EXPECT_EQ(weights[0], 1);
  EXPECT_NEAR(weights[1], 1 + 10 * std::exp(-4.0 / 50), 1e-6);
  for (const Bytes &lonely : {Bytes{0, 0, 0}, Bytes{0, 255, 0}, Bytes{9, 9, 9}})
    EXPECT_EQ(borderWeights(lonely, 1, 3), (std::vector<float>{1, 1, 1}));
}

TEST(BorderWeightsTest, EqualsTheFormula) {
  const unsigned seed = 3;
  std::mt19937 random(seed);
  for (int round = 0; round < 20; ++round) {
    SCOPED_TRACE(fmt::format("seed {}, round {}", seed, round));
    const int64_t height = 1 + random() % 60, width = 1 + random() % 60;
    Bytes mask(static_cast<size_t>(height * width), 0);
    for (unsigned blob = random() % 6; blob > 0; --blob) {
      const int64_t top = random() % height, left = random() % width, size = 1 + random() % 8;
      for (int64_t y = top; y < std::min(top + size, height); ++y)
        for (int64_t x = left; x < std::min(left + size, width); ++x)
          mask[static_cast<size_t>(y * width + x)] = 255;
    }
    const std::vector<int32_t> components = labelComponents(mask, height, width);
    const std::vector<float> weights = borderWeights(mask, height, width);
    for (int64_t at = 0; at < height * width; ++at) {
      std::vector<double> distances(mask.size() + 1, HUGE_VAL);
      for (int64_t other = 0; other < height * width; ++other)
        if (const int32_t component = components[static_cast<size_t>(other)]) {
          double &distance = distances[static_cast<size_t>(component)];
          distance = std::min(distance, std::hypot(at / width - other / width, at % width - other % width));
        }
      std::partial_sort(distances.begin(), distances.begin() + 2, distances.end());
      const double sum = distances[0] + distances[1];
      const double expected = mask[static_cast<size_t>(at)] ? 1 : 1 + 10 * std::exp(-sum * sum / 50);
      ASSERT_NEAR(weights[static_cast<size_t>(at)], expected, 2e-6) << at;
    }
  }
}

TEST(BorderWeightsTest, ComeWithTheMasks) {
  TemporaryFolder folder;
  Image mask = Image::filled(1, 3, 1, 255);
  mask.pixels[1] = 0;
  Result<Bytes> file = encodePng(mask);
  ASSERT_OK(file);
  put(folder / "images/a.png", png(1, 3, 1, 0));
  put(folder / "masks/a.png", *file);
  const std::vector<float> expected = borderWeights(mask.pixels, 1, 3);
  for (const std::vector<int64_t> &shape : {std::vector<int64_t>{1, 3}, {1, 1, 3}}) {
    Result<Dataset> data = openDataset(folder / "", withFields({{.name = "weights", .shape = shape}}));
    ASSERT_OK(data);
    for (int round = 0; round < 2; ++round)
      EXPECT_EQ(valuesOf<float>(sampleOf(*data, 0)[0]), expected);
  }
  EXPECT_EQ(errorOf(openDataset(folder / "", withFields({{.name = "weights", .shape = {3}}}))),
            "input 'weights': weights of a mask are f32 of a height and a width");
}

} // namespace
} // namespace cnn::host
