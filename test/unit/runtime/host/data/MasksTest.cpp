//===- MasksTest.cpp - Pictures with masks --------------------------------===//
//
// Paired by stem; masks as classes or as numbers; what may be missing.
//
//===----------------------------------------------------------------------===//
#include "DataTest.h"

namespace cnn::host {
namespace {

Bytes maskPng(std::vector<uint8_t> values, int channels = 1) {
  Image image = Image::filled(2, 2, channels, 0);
  for (size_t i = 0; i < image.pixels.size(); ++i)
    image.pixels[i] = values[i / static_cast<size_t>(channels)];
  Result<Bytes> file = encodePng(image);
  EXPECT_OK(file);
  return file ? *file : Bytes();
}

class MasksTest : public testing::Test {
protected:
  void SetUp() override {
    put(folder / "images/0000.png", png(2, 2, 1, 10));
    put(folder / "images/0001.jpg", png(2, 2, 1, 20));
    put(folder / "masks/0000.png", maskPng({0, 255, 1, 0}));
    put(folder / "masks/0001.png", maskPng({255, 0, 0, 255}, 3));
  }
  static DatasetOptions options(int64_t classes) {
    return withFields({imageField({1, 2, 2}), maskField({2, 2}, classes)});
  }

  TemporaryFolder folder;
};

TEST_F(MasksTest, Reads) {
  Result<Dataset> data = openDataset(folder / "", options(2));
  ASSERT_OK(data);
  EXPECT_EQ(data->format(), "pictures with masks");
  EXPECT_EQ(data->size(), 2);
  EXPECT_EQ(data->label(0), -1);
  EXPECT_TRUE(data->classCounts().empty());
  EXPECT_EQ(valuesOf<int32_t>(sampleOf(*data, 0)[1]), (std::vector<int32_t>{0, 1, 1, 0}));
  EXPECT_EQ(valuesOf<int32_t>(sampleOf(*data, 1)[1]), (std::vector<int32_t>{1, 0, 0, 1}));
  EXPECT_EQ(valuesOf<float>(sampleOf(*data, 1)[0])[0], 20 / 255.0f);
}

TEST_F(MasksTest, ReadsMasksAsNumbers) {
  Result<Dataset> data =
      openDataset(folder / "", withFields({imageField({1, 2, 2}), {.name = "mask", .shape = {1, 2, 2}}}));
  ASSERT_OK(data);
  EXPECT_EQ(valuesOf<float>(sampleOf(*data, 0)[1]), (std::vector<float>{0, 1, 1 / 255.0f, 0}));
}

TEST_F(MasksTest, ReadsThemInSplits) {
  TemporaryFolder other;
  std::filesystem::copy(folder / "", other / "train", std::filesystem::copy_options::recursive);
  put(other / "val/images/a.png", png(2, 2, 1, 10));
  put(other / "val/masks/a.png", maskPng({0, 0, 0, 0}));
  Result<Splits> splits = openSplits(other / "", options(2));
  ASSERT_OK(splits);
  EXPECT_EQ(splits->train.size(), 2);
  ASSERT_TRUE(splits->validation);
  EXPECT_EQ(splits->validation->size(), 1);
  Result<Splits> two = openSplits(folder / "", options(2), other / "val");
  ASSERT_OK(two);
  ASSERT_TRUE(two->validation);
  EXPECT_EQ(two->validation->size(), 1);
}

TEST_F(MasksTest, MaskOrPictureMissing) {
  std::filesystem::remove(folder / "masks/0001.png");
  EXPECT_EQ(errorOf(openDataset(folder / "", options(2))),
            "'" + (folder / "images/0001.jpg") + "': there is no mask of this stem in '" + (folder / "masks") + "'");
  DatasetOptions skipping = options(2);
  skipping.skipBad = true;
  Result<Dataset> data = openDataset(folder / "", skipping);
  ASSERT_OK(data);
  EXPECT_EQ(data->size(), 1);
  EXPECT_EQ(data->skipped().size(), 1u);
  std::filesystem::remove(folder / "images/0001.jpg");
  put(folder / "masks/0002.png", maskPng({0, 0, 0, 0}));
  EXPECT_EQ(errorOf(openDataset(folder / "", options(2))),
            "'" + (folder / "masks/0002.png") + "': there is no picture of this stem in '" + (folder / "images") + "'");
  put(folder / "images/0000.jpg", png(2, 2, 1, 10));
  EXPECT_EQ(errorOf(openDataset(folder / "", options(2))), "'" + (folder / "images/0000.png") + "' and '" +
                                                               (folder / "images/0000.jpg") +
                                                               "': two pictures with the same stem");
}

TEST_F(MasksTest, ValuesThatAreNoClass) {
  put(folder / "masks/0000.png", maskPng({0, 255, 7, 0}));
  Result<Dataset> data = openDataset(folder / "", options(2));
  ASSERT_OK(data);
  EXPECT_EQ(sampleError(*data, 0), "'" + (folder / "masks/0000.png") +
                                       "': the value 7 in row 1, column 0 is no class of input 'mask', which has 2");
  put(folder / "masks/0000.png", maskPng({0, 1, 2, 2}));
  data = openDataset(folder / "", options(3));
  ASSERT_OK(data);
  EXPECT_EQ(valuesOf<int32_t>(sampleOf(*data, 0)[1]), (std::vector<int32_t>{0, 1, 2, 2}));
  put(folder / "masks/0000.png", png(2, 2, 3, 0));
  EXPECT_EQ(sampleError(*openDataset(folder / "", options(3)), 0),
            "'" + (folder / "masks/0000.png") + "': a picture in colour, but input 'mask' takes a class at each pixel");
}

TEST_F(MasksTest, MaskOfAnotherSize) {
  put(folder / "masks/0000.png", png(2, 3, 1, 0));
  Result<Dataset> data = openDataset(folder / "", options(2));
  ASSERT_OK(data);
  EXPECT_NE(sampleError(*data, 0).find(
                "masks/0000.png': a picture of 1x2x3 (channels x height x width), but input 'mask' takes 2x2"),
            std::string::npos);
}

TEST_F(MasksTest, EmptyFolders) {
  TemporaryFolder empty;
  std::filesystem::create_directories(empty / "images");
  std::filesystem::create_directories(empty / "masks");
  EXPECT_EQ(errorOf(openDataset(empty / "", options(2))), "'" + (empty / "") + "': no PNG or JPEG pictures with masks");
}

} // namespace
} // namespace cnn::host
