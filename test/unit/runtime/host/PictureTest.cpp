//===- PictureTest.cpp - Looking at tensors -------------------------------===//
//
// Values to shades, tensors to pictures, pictures to a sheet.
//
//===----------------------------------------------------------------------===//
#include "runtime/host/Picture.h"

#include "HostTest.h"

#include <cmath>
#include <limits>

namespace cnn::host {
namespace {

Tensor tensorOf(std::vector<int64_t> shape, std::vector<float> values) {
  return Tensor::fromFloats(std::move(shape), values);
}

TEST(PictureTest, MapsARangeToShades) {
  const float infinity = std::numeric_limits<float>::infinity();
  const Tensor tensor = tensorOf({1, 8}, {-1, 0, 0.25, 0.5, 1, 2, NAN, infinity});
  Result<Image> image = pictureOf(tensor.view(), ValueRange{0, 1});
  ASSERT_OK(image);
  EXPECT_EQ(image->pixels, (std::vector<uint8_t>{0, 0, 64, 128, 255, 255, 0, 255}));
  EXPECT_EQ(image->channels, 1);
  // Its own range leaves out what is not finite.
  image = pictureOf(tensor.view());
  ASSERT_OK(image);
  EXPECT_EQ(image->pixels, (std::vector<uint8_t>{0, 85, 106, 128, 170, 255, 0, 255}));
  EXPECT_EQ(pictureOf(tensorOf({1, 2}, {3, 3}).view())->pixels, (std::vector<uint8_t>{128, 128}));
  EXPECT_EQ(pictureOf(tensorOf({1, 2}, {NAN, NAN}).view())->pixels, (std::vector<uint8_t>{0, 0}));
}

TEST(PictureTest, PutsChannelsLast) {
  Result<Image> image = pictureOf(tensorOf({1, 3, 1, 2}, {0, 1, 2, 3, 4, 5}).view(), ValueRange{0, 255});
  ASSERT_OK(image);
  EXPECT_EQ(image->channels, 3);
  EXPECT_EQ(image->width, 2);
  EXPECT_EQ(image->pixels, (std::vector<uint8_t>{0, 2, 4, 1, 3, 5}));
}

TEST(PictureTest, RefusesOtherShapes) {
  auto refusal = [](std::vector<int64_t> shape) {
    return errorOf(pictureOf(Tensor::zeros(DType::F32, std::move(shape)).view()));
  };
  EXPECT_EQ(refusal({5}), "a tensor of shape 5 is no picture (expected [H, W], [C, H, W] or [N, C, H, W])");
  EXPECT_NE(refusal({}), "no error");
  EXPECT_NE(refusal({2, 1, 3, 4, 4}), "no error");
  EXPECT_NE(refusal({0, 4}), "no error");
  EXPECT_EQ(refusal({2, 3, 4}), "a tensor of shape 2x3x4 is not one picture (expected 1 or 3 channels)");
  EXPECT_EQ(refusal({2, 3, 4, 4}), "a tensor of shape 2x3x4x4 is not one picture (expected 1 or 3 channels)");
}

TEST(PictureTest, SplitsBatchesAndChannels) {
  auto labels = [](std::vector<int64_t> shape) {
    Result<std::vector<LabelledPicture>> pictures = picturesOf("t", Tensor::zeros(DType::U8, std::move(shape)).view());
    EXPECT_OK(pictures);
    std::string text;
    for (const LabelledPicture &picture : *pictures)
      text += fmt::format("{}:{} ", picture.label, picture.image.channels);
    return text;
  };
  EXPECT_EQ(labels({4, 4}), "t:1 ");
  EXPECT_EQ(labels({1, 3, 4, 4}), "t:3 ");
  EXPECT_EQ(labels({2, 4, 4}), "t[0]:1 t[1]:1 ");
  EXPECT_EQ(labels({2, 3, 4, 4}), "t[0]:3 t[1]:3 ");
  EXPECT_EQ(labels({2, 2, 4, 4}), "t[0, 0]:1 t[0, 1]:1 t[1, 0]:1 t[1, 1]:1 ");
  Result<std::vector<LabelledPicture>> pictures = picturesOf("t", tensorOf({2, 1, 2}, {0, 1, 2, 3}).view());
  ASSERT_OK(pictures);
  EXPECT_EQ((*pictures)[1].image.pixels, (std::vector<uint8_t>{170, 255}));
}

TEST(PictureTest, LaysOutASheet) {
  const std::vector<LabelledPicture> pictures = {{"red", Image{1, 2, 3, {255, 0, 0, 255, 0, 0}}},
                                                 {"a long label that is cut", Image{2, 1, 1, {7, 9}}},
                                                 {"", Image{1, 1, 1, {0}}}};
  Result<Image> sheet = contactSheet(pictures);
  ASSERT_OK(sheet);
  // Two columns of 96 pixels with gaps of 8; each row has 12 more for the label.
  EXPECT_EQ(sheet->width, 2 * (96 + 8) + 8);
  EXPECT_EQ(sheet->height, 2 * (96 + 8 + 12) + 8);
  auto pixel = [&](int y, int x) { return std::vector<uint8_t>(sheet->at(y, x), sheet->at(y, x) + 3); };
  using Colour = std::vector<uint8_t>;
  EXPECT_EQ(pixel(7, 8), (Colour{255, 255, 255}));
  EXPECT_EQ(pixel(8, 8), (Colour{255, 0, 0}));
  EXPECT_EQ(pixel(8 + 47, 8 + 95), (Colour{255, 0, 0}));
  EXPECT_EQ(pixel(8 + 48, 8), (Colour{255, 255, 255}));
  EXPECT_EQ(pixel(8 + 95, 8 + 104), (Colour{9, 9, 9}));
  EXPECT_EQ(pixel(8 + 116, 8), (Colour{0, 0, 0}));
  int ink = 0;
  for (int x = 0; x < 104; ++x)
    for (int y = 8 + 96; y < 8 + 116; ++y)
      ink += sheet->at(y, x)[0] == 40;
  EXPECT_GT(ink, 20); // "red" is written
  Result<Image> column = contactSheet(pictures, 1);
  ASSERT_OK(column);
  EXPECT_EQ(column->width, 96 + 16);
  EXPECT_EQ(errorOf(contactSheet({})), "a sheet needs at least one picture");
}

TEST(PictureTest, RefusesSheetsAboveTheLimit) {
  const std::vector<LabelledPicture> pictures = {{"wide", Image::filled(1, 1 << 20, 1, 0)},
                                                 {"high", Image::filled(1 << 20, 1, 1, 0)}};
  EXPECT_NE(errorOf(contactSheet(pictures)).find("above the limit of 268435456"), std::string::npos);
}

TEST(PictureTest, DrawsTextInsideThePicture) {
  Image image = Image::filled(8, 12, 1, 255);
  drawText(image, 0, 0, "I", 0);
  std::string rows;
  for (int y = 0; y < 7; ++y) {
    for (int x = 0; x < 6; ++x)
      rows += *image.at(y, x) == 0 ? '#' : '.';
    rows += '\n';
  }
  EXPECT_EQ(rows, ".###..\n..#...\n..#...\n..#...\n..#...\n..#...\n.###..\n");
  for (const auto &[y, x] : {std::pair(-3, -4), {5, 9}, {-100, 0}, {0, 100}})
    drawText(image, y, x, "W\x01\xff", 0, 2); // cut at every side
  EXPECT_EQ(image.pixels.size(), 96u);
}

} // namespace
} // namespace cnn::host
