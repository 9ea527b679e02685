//===- CifarTest.cpp - CIFAR's binary files -------------------------------===//
//
// Records of both kinds, names of classes, batches in the order of their numbers.
//
//===----------------------------------------------------------------------===//
#include "DataTest.h"

namespace cnn::host {
namespace {

/// Records whose planes are filled with `value`, `value` + 1 and `value` + 2.
Bytes records(size_t count, std::vector<uint8_t> labels, uint8_t value) {
  Bytes bytes;
  for (size_t i = 0; i < count; ++i) {
    bytes.insert(bytes.end(), labels.begin(), labels.end());
    for (uint8_t c = 0; c < 3; ++c)
      bytes.insert(bytes.end(), 1024, static_cast<uint8_t>(value + c));
  }
  return bytes;
}

DatasetOptions options(int64_t classes, Split split = Split::Train) {
  DatasetOptions result = withFields({imageField({3, 32, 32}), labelField(classes)}, split);
  result.pixels = PixelScale::Raw;
  return result;
}

TEST(CifarTest, ReadsTen) {
  TemporaryFolder folder;
  const std::string root = folder / "cifar-10-batches-bin/";
  put(root + "data_batch_1.bin", records(2, {7}, 10));
  put(root + "data_batch_2.bin", records(1, {9}, 20));
  put(root + "test_batch.bin", records(1, {0}, 30));
  std::string names;
  for (int i = 0; i < 10; ++i)
    names += fmt::format("class{}\n", i);
  put(root + "batches.meta.txt", Bytes(names.begin(), names.end()));
  for (const std::string &path : {root, folder / ""}) {
    Result<Dataset> data = openDataset(path, options(10));
    ASSERT_OK(data);
    EXPECT_EQ(data->size(), 3);
    EXPECT_EQ(data->classNames()[9], "class9");
    EXPECT_EQ(data->sampleName(2), root + "data_batch_2.bin[0]");
    const std::vector<Bytes> sample = sampleOf(*data, 2);
    const std::vector<float> values = valuesOf<float>(sample[0]);
    EXPECT_EQ(values[0], 20);
    EXPECT_EQ(values[1024], 21);
    EXPECT_EQ(values[3071], 22);
    EXPECT_EQ(data->label(0), 7);
    EXPECT_EQ(valuesOf<int32_t>(sample[1]), std::vector<int32_t>{9});
  }
  Result<Dataset> test = openDataset(root, options(10, Split::Test));
  ASSERT_OK(test);
  EXPECT_EQ(test->size(), 1);
  Result<Dataset> file = openDataset(root + "data_batch_1.bin", options(10));
  ASSERT_OK(file);
  EXPECT_EQ(file->size(), 2);
}

TEST(CifarTest, ReadsAHundredFineOrCoarse) {
  TemporaryFolder folder;
  put(folder / "train.bin", records(1, {19, 99}, 0));
  for (const auto &[classes, label] : {std::pair(100, 99), {20, 19}}) {
    Result<Dataset> data = openDataset(folder / "", options(classes));
    ASSERT_OK(data);
    EXPECT_EQ(data->label(0), label);
  }
}

TEST(CifarTest, SaysWhatIsWrong) {
  TemporaryFolder folder;
  const std::string path = folder / "data_batch_1.bin";
  Bytes bytes = records(2, {1}, 0);
  bytes.pop_back();
  put(path, bytes);
  EXPECT_EQ(errorOf(openDataset(folder / "", options(10))),
            "'" + path + "': 6145 bytes are not whole records of 3073 bytes (CIFAR-10): truncated?");
  put(path, {});
  EXPECT_NE(errorOf(openDataset(folder / "", options(10))).find("0 bytes are not whole records"), std::string::npos);
  put(path, records(2, {10}, 0));
  EXPECT_EQ(errorOf(openDataset(folder / "", options(10))),
            "'" + path + "[0]': the label 10 is no class of input 'label', which has 10 (0 to 9)");
  put(folder / "train.bin", records(1, {0, 0}, 0));
  EXPECT_EQ(errorOf(openDataset(folder / "", options(10))),
            "'" + (folder / "") + "': files of CIFAR-10 and of CIFAR-100, 'data_batch_1.bin' and 'train.bin'");
}

} // namespace
} // namespace cnn::host
