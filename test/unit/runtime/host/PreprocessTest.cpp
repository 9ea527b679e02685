//===- PreprocessTest.cpp - From a picture to a network's input -----------===//
//
// Resizing against pictures that Pillow made (test/data/host/make_vectors.py), the other steps against their formulas.
//
//===----------------------------------------------------------------------===//
#include "runtime/host/Preprocess.h"

#include "HostTest.h"

#include <algorithm>
#include <random>

namespace cnn::host {
namespace {

using Steps = std::vector<PreprocessStep>;

int largestDifference(const Image &a, const Image &b) {
  EXPECT_EQ(a.pixels.size(), b.pixels.size());
  int largest = 0;
  for (size_t i = 0; i < std::min(a.pixels.size(), b.pixels.size()); ++i)
    largest = std::max(largest, std::abs(a.pixels[i] - b.pixels[i]));
  return largest;
}

/// Pixel (y, x) of channel c is 20 y + 3 x + 7 c.
Image ramp(int height, int width, int channels = 3) {
  Image image = Image::filled(height, width, channels, 0);
  for (int y = 0; y < height; ++y)
    for (int x = 0; x < width; ++x)
      for (int c = 0; c < channels; ++c)
        image.at(y, x)[c] = static_cast<uint8_t>(20 * y + 3 * x + 7 * c);
  return image;
}

std::vector<float> floatsOf(const Result<Tensor> &tensor) {
  EXPECT_OK(tensor);
  return tensor ? tensor->view().toFloats() : std::vector<float>();
}

TEST(ResizeTest, EqualsPillow) {
  Result<Image> source = readImage(dataPath("resize/source.png"));
  ASSERT_OK(source);
  const std::pair<const char *, ResizeFilter> filters[] = {
      {"bilinear", ResizeFilter::Bilinear}, {"bicubic", ResizeFilter::Bicubic}, {"nearest", ResizeFilter::Nearest}};
  for (const auto &[name, filter] : filters)
    for (const auto &[height, width] : {std::pair(11, 16), {40, 60}, {23, 20}, {9, 37}, {5, 90}}) {
      Result<Image> expected = readImage(dataPath(fmt::format("resize/{}_{}x{}.png", name, height, width)));
      ASSERT_OK(expected);
      Result<Image> resized = resizeImage(*source, height, width, filter, true);
      ASSERT_OK(resized);
      EXPECT_EQ(resized->height, height);
      EXPECT_EQ(resized->width, width);
      EXPECT_EQ(largestDifference(*resized, *expected), 0) << name << " to " << height << "x" << width;
    }
}

TEST(ResizeTest, WithoutAntialiasingInterpolatesNeighbours) {
  // The course's example: half-pixel centres, here rounded.
  Image image{2, 2, 1, {10, 20, 30, 40}};
  Result<Image> larger = resizeImage(image, 4, 4, ResizeFilter::Bilinear, false);
  ASSERT_OK(larger);
  EXPECT_EQ(larger->pixels, (std::vector<uint8_t>{10, 13, 18, 20, 15, 18, 23, 25, 25, 28, 33, 35, 30, 33, 38, 40}));
  // One in three pixels of a row survives where nothing is averaged; the mean of three where it is.
  Image row{1, 9, 1, {0, 90, 0, 0, 60, 0, 0, 30, 0}};
  EXPECT_EQ(resizeImage(row, 1, 3, ResizeFilter::Bilinear, false)->pixels, (std::vector<uint8_t>{90, 60, 30}));
  EXPECT_EQ(resizeImage(row, 1, 3, ResizeFilter::Nearest, false)->pixels, (std::vector<uint8_t>{90, 60, 30}));
  EXPECT_LT(resizeImage(row, 1, 3, ResizeFilter::Bilinear, true)->pixels[0], 60);
}

TEST(ResizeTest, KeepsFlatPicturesFlatAndSizesAlone) {
  std::mt19937 random(6);
  for (int i = 0; i < 60; ++i) {
    const int height = 1 + random() % 20, width = 1 + random() % 20, newHeight = 1 + random() % 50,
              newWidth = 1 + random() % 50;
    const auto filter = static_cast<ResizeFilter>(random() % 3);
    const bool antialias = random() % 2;
    SCOPED_TRACE(fmt::format("seed 6, try {}: {}x{} to {}x{}, filter {}, antialias {}", i, height, width, newHeight,
                             newWidth, static_cast<int>(filter), antialias));
    const auto value = static_cast<uint8_t>(random());
    Result<Image> flat = resizeImage(Image::filled(height, width, 3, value), newHeight, newWidth, filter, antialias);
    ASSERT_OK(flat);
    EXPECT_TRUE(std::all_of(flat->pixels.begin(), flat->pixels.end(), [&](uint8_t pixel) { return pixel == value; }));
    const Image image = ramp(height, width);
    EXPECT_EQ(resizeImage(image, height, width, filter, antialias)->pixels, image.pixels);
  }
}

TEST(ResizeTest, RefusesImpossibleSizes) {
  EXPECT_EQ(errorOf(resizeImage(ramp(2, 2), 0, 4, ResizeFilter::Bilinear, true)),
            "resize to 0x4: a size has at least one pixel");
  EXPECT_EQ(errorOf(resizeImage(ramp(2, 2), 1 << 20, 1 << 20, ResizeFilter::Bilinear, true)),
            "resize of 2x2 to 1048576x1048576: more than 268435456 pixels");
  EXPECT_NE(errorOf(resizeImage(ramp(2, 2), INT64_MAX, INT64_MAX, ResizeFilter::Nearest, true)), "no error");
  EXPECT_NE(errorOf(resizeImage(ramp(300, 2), 1, 1 << 20, ResizeFilter::Bilinear, true)), "no error");
}

TEST(PreprocessTest, SidesRoundLikeTorchvision) {
  auto sizeAfter = [](int height, int width, ResizeStep::Side side, int64_t size) {
    Result<Tensor> tensor = preprocess(ramp(height, width), Steps{ResizeStep{side, {size, 0}}});
    EXPECT_OK(tensor);
    return tensor ? shapeText(tensor->shape) : std::string();
  };
  using Side = ResizeStep::Side;
  EXPECT_EQ(sizeAfter(50, 33, Side::Shorter, 16), "3x24x16"); // 24.24
  EXPECT_EQ(sizeAfter(33, 50, Side::Shorter, 16), "3x16x24");
  EXPECT_EQ(sizeAfter(33, 50, Side::Longer, 16), "3x10x16"); // 10.56
  EXPECT_EQ(sizeAfter(50, 33, Side::Longer, 16), "3x16x10");
  EXPECT_EQ(sizeAfter(20, 20, Side::Shorter, 7), "3x7x7");
  EXPECT_EQ(sizeAfter(1, 50, Side::Longer, 10), "3x1x10"); // never below one pixel
  EXPECT_NE(errorOf(preprocess(ramp(1, 50), Steps{ResizeStep{Side::Shorter, {int64_t(1) << 40, 0}}})), "no error");
  EXPECT_NE(errorOf(preprocess(ramp(1, 50), Steps{ResizeStep{Side::Shorter, {maximumPixels, 0}}})), "no error");
}

TEST(PreprocessTest, CropsWhereTorchvisionCrops) {
  // round(0.5) = 0, round(1.5) = 2, round(2.5) = 2.
  for (const auto &[size, offset] : {std::pair(10, 0), {9, 0}, {8, 1}, {7, 2}, {6, 2}, {5, 2}, {4, 3}, {3, 4}}) {
    const std::vector<float> rows =
        floatsOf(preprocess(ramp(10, 1), Steps{CropStep{{size, 1}, CropStep::Position::Centre}}));
    ASSERT_EQ(rows.size(), 3u * size);
    EXPECT_EQ(rows[0], 20 * offset) << size;
    const std::vector<float> columns =
        floatsOf(preprocess(ramp(1, 10), Steps{CropStep{{1, size}, CropStep::Position::Centre}}));
    EXPECT_EQ(columns[0], 3 * offset) << size;
  }
  EXPECT_EQ(floatsOf(preprocess(ramp(3, 3), Steps{CropStep{{1, 2}, CropStep::Position::TopLeft}})),
            (std::vector<float>{0, 3, 7, 10, 14, 17}));
  EXPECT_EQ(errorOf(preprocess(ramp(10, 8), Steps{CropStep{{10, 9}}})),
            "preprocess: crop to 10x9 of a picture that has 10x8 pixels here");
  EXPECT_EQ(errorOf(preprocess(ramp(10, 8), Steps{CropStep{{0, 9}}})),
            "preprocess: crop to 0x9: a size has at least one pixel");
}

TEST(PreprocessTest, OrdersChannels) {
  const Image image{1, 2, 3, {10, 20, 30, 40, 50, 255}};
  using Order = ChannelsStep::Order;
  EXPECT_EQ(floatsOf(preprocess(image, Steps{})), (std::vector<float>{10, 40, 20, 50, 30, 255}));
  EXPECT_EQ(floatsOf(preprocess(image, Steps{ChannelsStep{Order::Bgr}})),
            (std::vector<float>{30, 255, 20, 50, 10, 40}));
  EXPECT_EQ(floatsOf(preprocess(image, Steps{ChannelsStep{Order::Bgr}, ChannelsStep{Order::Rgb}})),
            (std::vector<float>{10, 40, 20, 50, 30, 255}));
  // 0.299 R + 0.587 G + 0.114 B = 18.15 and 70.38, from either order.
  EXPECT_EQ(floatsOf(preprocess(image, Steps{ChannelsStep{Order::Grey}})), (std::vector<float>{18, 70}));
  EXPECT_EQ(floatsOf(preprocess(image, Steps{ChannelsStep{Order::Bgr}, ChannelsStep{Order::Grey}})),
            (std::vector<float>{18, 70}));
  EXPECT_EQ(errorOf(preprocess(image, Steps{ChannelsStep{Order::Grey}, ChannelsStep{Order::Bgr}})),
            "preprocess: channels: the picture is grey here and has no colours to put in order");
  // A grey picture is RGB with three equal channels, and comes back exactly.
  const Image grey{1, 3, 1, {0, 77, 255}};
  EXPECT_EQ(floatsOf(preprocess(grey, Steps{})), (std::vector<float>{0, 77, 255, 0, 77, 255, 0, 77, 255}));
  EXPECT_EQ(floatsOf(preprocess(grey, Steps{ChannelsStep{Order::Grey}})), (std::vector<float>{0, 77, 255}));
}

TEST(PreprocessTest, ComputesInF32InTheDeclaredOrder) {
  const Image image{1, 1, 3, {10, 20, 30}};
  EXPECT_EQ(floatsOf(preprocess(image, Steps{ChannelsStep{ChannelsStep::Order::Bgr}, SubtractStep{{104, 117, 123}}})),
            (std::vector<float>{30 - 104, 20 - 117, 10 - 123}));
  const std::vector<double> mean = {0.485, 0.456, 0.406}, deviation = {0.229, 0.224, 0.225};
  const std::vector<float> normalized =
      floatsOf(preprocess(image, Steps{DivideStep{{255}}, NormalizeStep{mean, deviation}}));
  ASSERT_EQ(normalized.size(), 3u);
  for (int c = 0; c < 3; ++c) {
    float expected = image.pixels[c] / 255.0f;
    expected -= static_cast<float>(mean[c]);
    expected /= static_cast<float>(deviation[c]);
    EXPECT_EQ(normalized[c], expected);
  }
  EXPECT_EQ(floatsOf(preprocess(image, Steps{ScaleStep{{2}}, SubtractStep{{1}}})), (std::vector<float>{19, 39, 59}));
  EXPECT_EQ(floatsOf(preprocess(image, Steps{SubtractStep{{1}}, ScaleStep{{2}}})), (std::vector<float>{18, 38, 58}));
  EXPECT_EQ(errorOf(preprocess(image, Steps{SubtractStep{{1, 2}}})),
            "preprocess: subtract with 2 numbers on a picture that has 3 channels here");
  EXPECT_EQ(errorOf(preprocess(image, Steps{ChannelsStep{ChannelsStep::Order::Grey}, NormalizeStep{mean, deviation}})),
            "preprocess: normalize with 3 numbers on a picture that has 1 channel here");
  EXPECT_EQ(errorOf(preprocess(image, Steps{ScaleStep{{}}})),
            "preprocess: scale with 0 numbers on a picture that has 3 channels here");
  EXPECT_EQ(errorOf(preprocess(image, Steps{ScaleStep{{2}}, CropStep{{1, 1}}})),
            "preprocess: crop must stand before scale, subtract, divide and normalize");
}

} // namespace
} // namespace cnn::host
