//===- IdxTest.cpp - IDX files, good and bad ------------------------------===//
//
// What is read is what was written, packed or not; every defect is one line that names the file.
//
//===----------------------------------------------------------------------===//
#include "DataTest.h"

namespace cnn::host {
namespace {

class IdxTest : public testing::Test {
protected:
  void SetUp() override {
    put(images, idx({4, 2, 3}));
    put(labels, idx({4}, 3));
  }
  Result<Dataset> open() { return openDataset(folder / "", withFields({imageField({1, 2, 3}), labelField(3)})); }

  TemporaryFolder folder;
  std::string images = folder / "train-images-idx3-ubyte", labels = folder / "train-labels-idx1-ubyte";
};

TEST_F(IdxTest, Reads) {
  Result<Dataset> data = open();
  ASSERT_OK(data);
  EXPECT_EQ(data->size(), 4);
  EXPECT_EQ(data->format(), "IDX");
  EXPECT_EQ(data->sampleName(2), images + "[2]");
  EXPECT_EQ(data->label(2), 2);
  EXPECT_EQ(data->classCounts(), (std::vector<int64_t>{2, 1, 1}));
  const std::vector<Bytes> sample = sampleOf(*data, 2);
  EXPECT_EQ(valuesOf<float>(sample[0]),
            (std::vector<float>{12 / 255.f, 13 / 255.f, 14 / 255.f, 15 / 255.f, 16 / 255.f, 17 / 255.f}));
  EXPECT_EQ(valuesOf<int32_t>(sample[1]), std::vector<int32_t>{2});
  Result<Image> picture = data->picture(2);
  ASSERT_OK(picture);
  EXPECT_EQ(picture->pixels, (Bytes{12, 13, 14, 15, 16, 17}));
}

TEST_F(IdxTest, ReadsRawValuesAndBytes) {
  DatasetOptions options = withFields({imageField({1, 2, 3}), {.name = "x", .dtype = DType::U8, .shape = {6}}});
  options.pixels = PixelScale::Raw;
  Result<Dataset> data = openDataset(folder / "", options);
  ASSERT_OK(data);
  const std::vector<Bytes> sample = sampleOf(*data, 1);
  EXPECT_EQ(valuesOf<float>(sample[0]), (std::vector<float>{6, 7, 8, 9, 10, 11}));
  EXPECT_EQ(sample[1], (Bytes{6, 7, 8, 9, 10, 11}));
}

TEST_F(IdxTest, OpensByFolderFileAndBeginning) {
  put(folder / "t10k-images-idx3-ubyte.gz", gzip(idx({2, 2, 3})));
  put(folder / "t10k-labels-idx1-ubyte.gz", gzip(idx({2})));
  const std::vector<Field> fields = {imageField({1, 2, 3}), labelField(3)};
  for (const auto &[path, split, size] : {std::tuple("", Split::Train, 4),
                                          {"", Split::Test, 2},
                                          {"", Split::Validation, 2},
                                          {"t10k", Split::Train, 2},
                                          {"t10k-", Split::Test, 2},
                                          {"train-images-idx3-ubyte", Split::Test, 4}}) {
    Result<Dataset> data = openDataset(folder / path, withFields(fields, split));
    ASSERT_OK(data);
    EXPECT_EQ(data->size(), size) << path;
  }
}

TEST_F(IdxTest, LabelsMayBeMissingWhereNobodyAsks) {
  std::filesystem::remove(labels);
  Result<Dataset> data = openDataset(folder / "", withFields({imageField({1, 2, 3})}));
  ASSERT_OK(data);
  EXPECT_EQ(data->label(0), -1);
  EXPECT_EQ(errorOf(open()), "'" + images + "': the file of labels to it, train-labels-idx1-ubyte, is missing");
}

TEST_F(IdxTest, Truncated) {
  Bytes bytes = idx({4, 2, 3});
  bytes.pop_back();
  put(images, bytes);
  EXPECT_EQ(errorOf(open()), "'" + images + "': the IDX file is truncated: 23 of 24 bytes declared by its sizes 4x2x3");
  bytes.resize(9);
  put(images, bytes);
  EXPECT_EQ(errorOf(open()), "'" + images + "': the IDX file is truncated: 9 bytes, a header has 16");
  put(images, {});
  EXPECT_EQ(errorOf(open()), "'" + images + "': the IDX file is truncated: 0 bytes, a header has 16");
}

TEST_F(IdxTest, TruncatedInsideGzip) {
  std::filesystem::remove(images);
  Bytes packed = gzip(idx({4, 2, 3}));
  packed.resize(packed.size() - 9);
  put(images + ".gz", packed);
  EXPECT_EQ(errorOf(open()), "'" + images + ".gz': the gzip data is truncated");
  packed = gzip(idx({4, 2, 3}));
  packed[packed.size() - 6] ^= 1; // the checksum
  put(images + ".gz", packed);
  EXPECT_EQ(errorOf(open()), "'" + images + ".gz': the gzip data is corrupt: incorrect data check");
}

TEST_F(IdxTest, WrongMagic) {
  put(images, idx({24}));
  EXPECT_EQ(errorOf(open()),
            "'" + images + "': not an IDX file of pictures: it begins with 00000801, expected 00000803");
  put(images, idx({4, 2, 3}));
  put(labels, Bytes{'t', 'e', 'x', 't', ' ', 'o', 'n', 'l', 'y'});
  EXPECT_EQ(errorOf(open()), "'" + labels + "': not an IDX file of labels: it begins with 74657874, expected 00000801");
}

TEST_F(IdxTest, HugeSizesAllocateNothing) {
  Bytes bytes = {0, 0, 8, 3};
  for (int i = 0; i < 3; ++i)
    append(bytes, 0xFFFFFFFF);
  put(images, bytes);
  EXPECT_NE(errorOf(open()).find("the IDX file is truncated: 0 of"), std::string::npos) << errorOf(open());
}

TEST_F(IdxTest, CountsDiffer) {
  put(labels, idx({5}, 3));
  EXPECT_EQ(errorOf(open()), "'" + labels + "': 5 labels, but 4 pictures in '" + images + "'");
}

TEST_F(IdxTest, MoreThanItDeclares) {
  Bytes bytes = idx({4, 2, 3});
  bytes.push_back(0);
  put(images, bytes);
  EXPECT_EQ(errorOf(open()), "'" + images + "': 1 bytes more than its sizes 4x2x3 declare");
}

TEST_F(IdxTest, LabelBeyondTheClasses) {
  EXPECT_EQ(errorOf(openDataset(folder / "", withFields({imageField({1, 2, 3}), labelField(2)}))),
            "'" + labels + "[2]': the label 2 is no class of input 'label', which has 2 (0 to 1)");
  DatasetOptions options = withFields({imageField({1, 2, 3}), labelField(2)});
  options.skipBad = true;
  Result<Dataset> data = openDataset(folder / "", options);
  ASSERT_OK(data);
  EXPECT_EQ(data->size(), 3);
  ASSERT_EQ(data->skipped().size(), 1u);
  EXPECT_EQ(data->sampleName(2), images + "[3]");
}

TEST_F(IdxTest, PicturesOfAnotherSize) {
  EXPECT_EQ(errorOf(openDataset(folder / "", withFields({imageField({1, 3, 3})}))),
            "'" + images +
                "': a picture of 1x2x3 (channels x height x width), but input 'image' takes 1x3x3; resize or crop in "
                "its preprocess block would fit it");
  EXPECT_EQ(errorOf(openDataset(folder / "", withFields({imageField({7})}))),
            "'" + images + "': a picture of 1x2x3 (channels x height x width), but input 'image' takes 7");
}

TEST_F(IdxTest, NoSamples) {
  put(images, idx({0, 2, 3}));
  put(labels, idx({0}));
  EXPECT_EQ(errorOf(open()), "'" + (folder / "") + "': no samples");
}

TEST_F(IdxTest, NoSuchPart) {
  EXPECT_EQ(errorOf(openDataset(folder / "", withFields({imageField({1, 2, 3})}, Split::Test))),
            "'" + (folder / "") + "': there is no test part, only one for training");
  EXPECT_NE(errorOf(openDataset(folder / "", withFields({imageField({1, 2, 3})}, Split::Validation)))
                .find("there is no part for validation"),
            std::string::npos);
  EXPECT_EQ(errorOf(openDataset(folder / "", withFields({imageField({1, 2, 3}), maskField({2, 3}, 2)}))),
            "'" + (folder / "") +
                "': nothing in the data fits input 'mask', a class(2) of 2x3; it has image, label (IDX)");
}

} // namespace
} // namespace cnn::host
