//===- MasksTest.cpp - Pictures with masks --------------------------------===//
//
// Paired by stem; masks as classes or as numbers; what may be missing.
//
//===----------------------------------------------------------------------===//
#include "DataTest.h"
#include "runtime/host/data/Order.h"

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

/// Pictures and masks of several sizes, read as tiles of 4x4 whose masks are the 2x2 in their middle.
class TilesTest : public testing::Test {
protected:
  void SetUp() override {
    write("a", 5, 7);
    write("b", 2, 2);
    write("c", 3, 4);
    options = withFields({imageField({1, 4, 4}), maskField({2, 2}, 64)});
    options.overlap = 1;
    options.pixels = PixelScale::Raw;
  }
  void write(const std::string &name, int height, int width) {
    Image image = Image::filled(height, width, 1, 0), mask = image;
    for (int y = 0; y < height; ++y)
      for (int x = 0; x < width; ++x) {
        *image.at(y, x) = static_cast<uint8_t>(100 + 8 * y + x);
        *mask.at(y, x) = static_cast<uint8_t>(8 * y + x);
      }
    put(folder / ("images/" + name + ".png"), *encodePng(image));
    put(folder / ("masks/" + name + ".png"), *encodePng(mask));
  }

  TemporaryFolder folder;
  DatasetOptions options;
};

TEST_F(TilesTest, MakeThePictureAgain) {
  Result<Dataset> data = openDataset(folder / "", options);
  ASSERT_OK(data);
  EXPECT_EQ(data->size(), 12 + 1 + 4);
  EXPECT_NE(data->sampleName(12).find("b.png"), std::string::npos);
  Tensor whole;
  for (int64_t i = 0; i < data->size(); ++i) {
    std::optional<TileOfPicture> tile = data->tile(i);
    ASSERT_TRUE(tile);
    const auto [height, width] = tile->size;
    if (tile->tile == 0)
      whole = Tensor::zeros(DType::F32, {1, height, width});
    std::vector<Bytes> sample = sampleOf(*data, i);
    const std::vector<float> image = valuesOf<float>(sample[0]);
    const std::vector<int32_t> mask = valuesOf<int32_t>(sample[1]);
    // The mask is that of the middle, also where it is beyond the picture.
    for (size_t y = 0; y < 2; ++y)
      for (size_t x = 0; x < 2; ++x)
        EXPECT_EQ(image[4 * (y + 1) + x + 1], static_cast<float>(100 + mask[2 * y + x])) << i;
    tile->tiling->paste(std::vector<float>(mask.begin(), mask.end()), tile->tile, whole);
    if (tile->tile + 1 < tile->tiling->count())
      continue;
    for (int64_t y = 0; y < height; ++y)
      for (int64_t x = 0; x < width; ++x)
        EXPECT_EQ(whole.floats()[static_cast<size_t>(y * width + x)], static_cast<float>(8 * y + x)) << i;
  }
  options.overlap.reset();
  Result<Dataset> plain = openDataset(folder / "", options);
  ASSERT_OK(plain);
  EXPECT_FALSE(plain->tile(0));
}

TEST_F(TilesTest, ABadPictureIsLeftOutWhole) {
  write("d", 9, 9); // its last rows have values that are no classes
  put(folder / "masks/b.png", png(3, 2, 1, 0));
  EXPECT_NE(errorOf(openDataset(folder / "", options)).find("the mask is 3x2, its picture 2x2"), std::string::npos);
  options.skipBad = true;
  Result<Dataset> data = openDataset(folder / "", options);
  ASSERT_OK(data);
  EXPECT_EQ(data->size(), 12 + 4);
  ASSERT_EQ(data->skipped().size(), 2u);
  EXPECT_NE(data->skipped()[1].find("d.png': the value 64 in row"), std::string::npos) << data->skipped()[1];
}

TEST_F(TilesTest, AShareIsOneOfPictures) {
  options.validation = 0.4;
  options.seed = 3;
  auto pictures = [&](Split split) {
    options.split = split;
    Result<Dataset> data = openDataset(folder / "", options);
    EXPECT_OK(data);
    std::vector<std::string> names;
    for (int64_t i = 0; data && i < data->size(); ++i)
      if (names.empty() || names.back() != data->sampleName(i))
        names.push_back(data->sampleName(i));
    return std::pair(data ? data->size() : 0, names);
  };
  const auto [trainTiles, train] = pictures(Split::Train);
  const auto [validationTiles, validation] = pictures(Split::Validation);
  EXPECT_EQ(trainTiles + validationTiles, 12 + 1 + 4);
  EXPECT_EQ(train.size(), 2u);
  EXPECT_EQ(validation.size(), 1u);
  // The picture is the one that training leaves out, which knows no tiles.
  const auto chosen = validationIndices(3, options.validation, options.seed);
  ASSERT_EQ(chosen.size(), 1u);
  EXPECT_EQ(validation[0], folder / fmt::format("images/{}.png", "abc"[chosen[0]]));
}

TEST_F(TilesTest, SayWhatTheyAreNotMadeOf) {
  options.fields[0].preprocess = {CropStep{.size = {2, 2}}};
  EXPECT_NE(errorOf(openDataset(folder / "", options)).find("its preprocess block changes the size of pictures"),
            std::string::npos);
  options.fields[0].preprocess.clear();
  options.fields.erase(options.fields.begin());
  EXPECT_NE(errorOf(openDataset(folder / "", options)).find("no input is filled with pictures"), std::string::npos);
}

} // namespace
} // namespace cnn::host
