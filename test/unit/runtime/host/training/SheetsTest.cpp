//===- SheetsTest.cpp - Looking into a network that learns ----------------===//
//
// Shades of filters and feature maps on their sheets, and which images are the worst.
//
//===----------------------------------------------------------------------===//
#include "runtime/host/training/Sheets.h"

#include "test/unit/runtime/host/HostTest.h"

#include <algorithm>
#include <cmath>
#include <random>

namespace cnn::host {
namespace {

TEST(SheetsTest, FiltersAreScaledOneByOne) {
  // Two filters of 2x2 that differ by a factor: on the sheet they look the same, with zero as middle grey.
  const Tensor weights = Tensor::fromFloats({2, 1, 2, 2}, std::vector<float>{-1, 0, 0.5F, 1, -100, 0, 50, 100});
  Result<Image> sheet = filterSheet("conv1", weights.view());
  ASSERT_OK(sheet);
  // A gap of 8, then each weight 48 pixels wide, then the next filter.
  for (int filter = 0; filter < 2; ++filter) {
    const int left = 8 + filter * (96 + 8);
    EXPECT_EQ(sheet->at(10, left + 2)[0], 0) << filter;
    EXPECT_EQ(sheet->at(10, left + 50)[0], 128) << filter;
    EXPECT_EQ(sheet->at(60, left + 2)[0], 191) << filter;
    EXPECT_EQ(sheet->at(60, left + 50)[0], 255) << filter;
  }
  // Colour filters are one picture each; others a row of channels each.
  EXPECT_EQ(filterSheet("c", Tensor::zeros(DType::F32, {4, 3, 5, 5}).view())->width, 2 * (100 + 8) + 8);
  EXPECT_EQ(filterSheet("c", Tensor::zeros(DType::F32, {4, 5, 3, 3}).view())->width, 5 * (96 + 8) + 8);
  ASSERT_OK(filterSheet("c", Tensor::zeros(DType::F32, {200, 200, 1, 1}).view()));
  EXPECT_EQ(errorOf(filterSheet("fc", Tensor::zeros(DType::F32, {10, 84}).view())),
            "'fc': filters of shape 10x84 are no pictures (expected [O, C, kh, kw])");
}

TEST(SheetsTest, FeatureMapsOfOneImage) {
  std::vector<float> values(2 * 3 * 4, 0);
  values[12 + 4] = 7; // image 1, channel 1, top left
  const Tensor activations = Tensor::fromFloats({2, 3, 2, 2}, values);
  Result<Image> sheet = featureMapSheet("relu1", activations.view(), 1);
  ASSERT_OK(sheet);
  EXPECT_EQ(sheet->at(10, 8 + 104 + 2)[0], 255);
  EXPECT_EQ(sheet->at(10, 8 + 104 + 50)[0], 0);
  EXPECT_EQ(sheet->at(10, 10)[0], 128); // a channel of one value
  EXPECT_EQ(featureMapSheet("relu1", activations.view(), 1, 1)->width, 96 + 16);
  EXPECT_EQ(errorOf(featureMapSheet("relu1", activations.view(), 2)), "'relu1': no image 2 among 2");
  EXPECT_EQ(errorOf(featureMapSheet("fc", Tensor::zeros(DType::F32, {2, 10}).view())),
            "'fc': activations of shape 2x10 are no feature maps (expected [N, C, H, W])");
}

TEST(SheetsTest, KeepsTheWorstInAnyOrder) {
  std::vector<JudgedImage> all;
  const double losses[] = {0.5, 3, NAN, 3, 1, 2, 9};
  for (int64_t i = 0; i < 7; ++i)
    all.push_back({i, losses[i], 1, i == 6 ? 1 : 2, 0.9, Image::filled(4, 4, 1, 100)}); // the last is right
  std::mt19937 random(3);
  for (int round = 0; round < 20; ++round) {
    WorstImages worst(3);
    for (const JudgedImage &judged : all)
      worst.add(judged);
    ASSERT_EQ(worst.images().size(), 3U);
    EXPECT_EQ(worst.images()[0].sample, 2); // no number at all
    EXPECT_EQ(worst.images()[1].sample, 1);
    EXPECT_EQ(worst.images()[2].sample, 3);
    EXPECT_FALSE(worst.wants(2, 5));
    EXPECT_TRUE(worst.wants(3, 0));
    std::shuffle(all.begin(), all.end(), random);
  }
}

TEST(SheetsTest, SheetOfTheWorst) {
  WorstImages worst(4);
  const std::vector<std::string> names = {"cat", "a class with a long name"};
  EXPECT_EQ(errorOf(worst.sheet(names)), "no image was classified wrongly, so there is no sheet of the worst");
  worst.add({0, 2, 0, 1, 0.75, Image::filled(28, 28, 1, 0)});
  worst.add({1, NAN, 1, -1, NAN, Image::filled(28, 28, 3, 0)});
  Result<Image> sheet = worst.sheet(names);
  ASSERT_OK(sheet);
  EXPECT_EQ(sheet->width, 2 * (112 + 8) + 8);
  EXPECT_EQ(sheet->height, 8 + 112 + 8 + 3 * 9 + 3); // three lines below
  // There is text in the third line of the first label only.
  auto dark = [&](int left) {
    int pixels = 0;
    for (int y = 8 + 112 + 3 + 18; y < sheet->height; ++y)
      for (int x = left; x < left + 112; ++x)
        pixels += sheet->at(y, x)[0] < 100;
    return pixels;
  };
  EXPECT_EQ(dark(8), 0);
  EXPECT_GT(dark(8 + 120), 20);
  EXPECT_FALSE(WorstImages(0).wants(1, 1));
}

} // namespace
} // namespace cnn::host
