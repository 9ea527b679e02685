//===- ConvertTest.cpp - From pictures to the network's inputs ------------===//
//
// With a preprocess block a data set gives the bits of preprocess(); without one, the values as documented.
//
//===----------------------------------------------------------------------===//
#include "DataTest.h"

namespace cnn::host {
namespace {

class ConvertTest : public testing::Test {
protected:
  void SetUp() override {
    put(folder / "a.png", png(6, 5, 3, 3));
    put(folder / "b.png", png(6, 5, 1, 100));
  }
  Result<Dataset> open(Field field, const std::string &name) {
    return openPictures(std::vector{folder / name}, withFields({std::move(field)}));
  }

  TemporaryFolder folder;
};

TEST_F(ConvertTest, EqualsPreprocess) {
  const std::vector<PreprocessStep> normalize = {
      ResizeStep{ResizeStep::Side::Both, {4, 4}, ResizeFilter::Bilinear, true}, ChannelsStep{ChannelsStep::Order::Bgr},
      DivideStep{{255}}, NormalizeStep{{0.485, 0.456, 0.406}, {0.229, 0.224, 0.225}}};
  const std::vector<PreprocessStep> grey = {CropStep{{3, 3}}, ChannelsStep{ChannelsStep::Order::Grey},
                                            SubtractStep{{33.3}}, ScaleStep{{0.37}}};
  const std::vector<PreprocessStep> plain = {DivideStep{{255}}};
  for (const auto &[shape, steps] :
       {std::pair(std::vector<int64_t>{3, 4, 4}, normalize), {{1, 3, 3}, grey}, {{9}, grey}, {{3, 6, 5}, plain}})
    for (const char *name : {"a.png", "b.png"}) {
      Result<Dataset> data = open({.name = "image", .shape = shape, .preprocess = steps}, name);
      ASSERT_OK(data);
      Result<Image> image = readImage(folder / name);
      ASSERT_OK(image);
      Result<Tensor> expected = preprocess(*image, steps);
      ASSERT_OK(expected);
      EXPECT_EQ(valuesOf<float>(sampleOf(*data, 0)[0]), expected->view().toFloats()) << name << shapeText(shape);
    }
}

TEST_F(ConvertTest, BytesInEitherOrder) {
  const Bytes planes = sampleOf(*open({.name = "image", .dtype = DType::U8, .shape = {3, 6, 5}}, "a.png"), 0)[0];
  const Bytes pixels = sampleOf(*open({.name = "image", .dtype = DType::U8, .shape = {6, 5, 3}}, "a.png"), 0)[0];
  ASSERT_EQ(planes.size(), 90u);
  for (size_t i = 0; i < 90; ++i) {
    EXPECT_EQ(pixels[i], 3 + i);
    EXPECT_EQ(planes[i % 3 * 30 + i / 3], 3 + i);
  }
}

TEST_F(ConvertTest, AGreyPictureFillsThreeChannels) {
  const std::vector<float> values = valuesOf<float>(sampleOf(*open(imageField({3, 6, 5}), "b.png"), 0)[0]);
  for (size_t c = 0; c < 3; ++c)
    EXPECT_EQ(values[c * 30 + 7], 107 / 255.0f);
}

TEST_F(ConvertTest, SaysWhatDoesNotFit) {
  EXPECT_NE(sampleError(*open(imageField({1, 6, 5}), "a.png"), 0).find("channels in its preprocess block"),
            std::string::npos);
  Field field = imageField({3, 4, 4});
  field.preprocess = {CropStep{{7, 4}}};
  EXPECT_EQ(sampleError(*open(field, "a.png"), 0),
            "'" + (folder / "a.png") + "': preprocess: crop to 7x4 of a picture that has 6x5 pixels here");
  field.preprocess = {CropStep{{5, 4}}};
  EXPECT_EQ(sampleError(*open(field, "a.png"), 0),
            "'" + (folder / "a.png") +
                "': a picture of 3x5x4 (channels x height x width) after preprocessing, but input 'image' takes 3x4x4");
  field.preprocess = {ScaleStep{{1, 2}}};
  EXPECT_EQ(errorOf(open(field, "a.png")),
            "input 'image': preprocess: scale with 2 numbers on a picture that has 3 channels here");
  EXPECT_EQ(errorOf(open({.name = "image", .dtype = DType::F16, .shape = {3, 6, 5}}, "a.png")),
            "input 'image': elements of f16 are not made from data, expected f32, f64, u8, i32 or i64");
  EXPECT_EQ(errorOf(open(imageField({3, 0, 5}), "a.png")), "input 'image': no sample has 3x0x5 elements");
  EXPECT_EQ(errorOf(open(imageField({3, 2, 2, 2}), "a.png")),
            "input 'image' takes 3x2x2x2, but 'image' of the data in '' is a picture");
}

TEST_F(ConvertTest, WithoutRoomNothingIsKept) {
  DatasetOptions options = withFields({imageField({1, 6, 5})});
  const std::vector<std::string> path = {folder / "b.png"};
  Result<Dataset> kept = openPictures(path, options);
  options.cacheBytes = 29;
  Result<Dataset> read = openPictures(path, options);
  ASSERT_OK(kept);
  ASSERT_OK(read);
  EXPECT_EQ(kept->memoryBytes() - read->memoryBytes(), 31u);
  EXPECT_EQ(sampleOf(*kept, 0), sampleOf(*read, 0));
  std::filesystem::remove(path[0]);
  EXPECT_EQ(sampleOf(*kept, 0).size(), 1u);
  EXPECT_EQ(sampleError(*read, 0), "cannot read '" + path[0] + "': no such file or folder");
}

} // namespace
} // namespace cnn::host
