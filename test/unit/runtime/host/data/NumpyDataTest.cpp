//===- NumpyDataTest.cpp - Data sets in NumPy's files ---------------------===//
//
// Pairs of arrays, splits by their names, every layout of pictures, real targets; and .npz.
//
//===----------------------------------------------------------------------===//
#include "DataTest.h"

namespace cnn::host {
namespace {

Tensor bytesTensor(std::vector<int64_t> shape, unsigned modulus = 256) {
  Tensor tensor = Tensor::zeros(DType::U8, std::move(shape));
  for (size_t i = 0; i < tensor.bytes.size(); ++i)
    tensor.bytes[i] = static_cast<uint8_t>(i % modulus);
  return tensor;
}

Tensor floatsTensor(std::vector<int64_t> shape) {
  std::vector<float> values(static_cast<size_t>(*elementCount(shape)));
  std::iota(values.begin(), values.end(), 0.5f);
  return Tensor::fromFloats(std::move(shape), values);
}

void putArray(const std::string &path, const Tensor &tensor) { put(path, encodeNpy(tensor.view())); }

std::vector<float> imageOf(const Result<Dataset> &data, int64_t index) {
  EXPECT_OK(data);
  return data ? valuesOf<float>(sampleOf(*data, index)[0]) : std::vector<float>();
}

TEST(NumpyDataTest, ReadsPicturesOfAnyLayout) {
  const std::vector<float> planes = {12, 14, 16, 18, 20, 22, 13, 15, 17, 19, 21, 23};
  for (const std::vector<int64_t> &shape : {std::vector<int64_t>{3, 2, 3}, {3, 2, 3, 1}, {3, 1, 2, 3}}) {
    TemporaryFolder folder;
    putArray(folder / "images.npy", bytesTensor(shape));
    DatasetOptions options = withFields({imageField({1, 2, 3})});
    options.pixels = PixelScale::Raw;
    EXPECT_EQ(imageOf(openDataset(folder / "", options), 1), (std::vector<float>{6, 7, 8, 9, 10, 11}))
        << shapeText(shape);
  }
  TemporaryFolder folder;
  putArray(folder / "x.npy", bytesTensor({2, 2, 4, 3}));
  DatasetOptions options = withFields({imageField({3, 2, 4})});
  options.pixels = PixelScale::Raw;
  const std::vector<float> values = imageOf(openDataset(folder / "", options), 0);
  EXPECT_EQ(std::vector<float>(values.begin(), values.begin() + 8), (std::vector<float>{0, 3, 6, 9, 12, 15, 18, 21}));
  EXPECT_EQ(values[8], 1);
}

TEST(NumpyDataTest, TakesNumbersAsTheyAre) {
  TemporaryFolder folder;
  putArray(folder / "x.npy", floatsTensor({4, 2}));
  putArray(folder / "y.npy", floatsTensor({4, 3}));
  Result<Dataset> data = openDataset(
      folder / "", withFields({{.name = "x", .shape = {2}}, {.name = "y", .dtype = DType::F64, .shape = {3, 1}}}));
  EXPECT_EQ(imageOf(data, 3), (std::vector<float>{6.5, 7.5}));
  EXPECT_EQ(valuesOf<double>(sampleOf(*data, 3)[1]), (std::vector<double>{9.5, 10.5, 11.5}));
  EXPECT_EQ(data->label(0), -1);
}

TEST(NumpyDataTest, TransposesFloatsWithChannelsLast) {
  TemporaryFolder folder;
  putArray(folder / "x.npy", floatsTensor({1, 2, 4, 5}));
  EXPECT_EQ(imageOf(openDataset(folder / "", withFields({imageField({5, 2, 4})})), 0)[1], 5.5f);
}

TEST(NumpyDataTest, FindsSplitsByName) {
  TemporaryFolder folder;
  putArray(folder / "x_train.npy", bytesTensor({5, 2, 2}));
  putArray(folder / "y_train.npy", bytesTensor({5}, 3));
  putArray(folder / "x_test.npy", bytesTensor({2, 2, 2}));
  putArray(folder / "y_test.npy", bytesTensor({2}, 3));
  const std::vector<Field> fields = {imageField({1, 2, 2}), labelField(3)};
  for (const auto &[path, split, size] : {std::tuple("", Split::Train, 5),
                                          {"", Split::Test, 2},
                                          {"", Split::Validation, 2},
                                          {"x_test.npy", Split::Train, 2}}) {
    Result<Dataset> data = openDataset(folder / path, withFields(fields, split));
    ASSERT_OK(data);
    EXPECT_EQ(data->size(), size);
    EXPECT_EQ(data->label(1), 1);
  }
}

TEST(NumpyDataTest, FindsSplitsByFolder) {
  TemporaryFolder folder;
  putArray(folder / "train/images.npy", bytesTensor({5, 2, 2}));
  putArray(folder / "val/images.npy", bytesTensor({3, 2, 2}));
  Result<Dataset> data = openDataset(folder / "", withFields({imageField({1, 2, 2})}, Split::Validation));
  ASSERT_OK(data);
  EXPECT_EQ(data->size(), 3);
}

TEST(NumpyDataTest, SaysWhatIsWrong) {
  TemporaryFolder folder;
  const std::string root = folder / "", x = folder / "x.npy", y = folder / "y.npy";
  const DatasetOptions options = withFields({imageField({1, 2, 2}), labelField(3)});
  putArray(x, bytesTensor({4, 2, 2}));
  putArray(y, bytesTensor({5}, 3));
  EXPECT_EQ(errorOf(openDataset(root, options)), "'" + y + "': 5 samples, but 4 in '" + x + "'");
  putArray(y, bytesTensor({4}, 4));
  EXPECT_EQ(errorOf(openDataset(root, options)),
            "'" + y + "[3]': the label 3 is no class of input 'label', which has 3 (0 to 2)");
  putArray(y, floatsTensor({4}));
  EXPECT_EQ(errorOf(openDataset(root, options)),
            "'" + y + "[0]': the label 0.5 is no class of input 'label', which has 3 (0 to 2)");
  putArray(y, bytesTensor({4, 2}));
  EXPECT_EQ(errorOf(openDataset(root, options)), "'" + y + "': samples of 2, but input 'label' takes scalar");
  std::filesystem::remove(y);
  EXPECT_EQ(errorOf(openDataset(root, options)),
            "'" + root + "': nothing in the data fits input 'label', a class(3) of scalar; it has image (NumPy)");
  Field weight{.name = "weight", .shape = {2, 2}};
  EXPECT_EQ(
      errorOf(openDataset(root, withFields({imageField({1, 2, 2}), labelField(3), weight}))),
      "'" + root +
          "': nothing in the data fits input 'label', a class(3) of scalar, nor input 'weight', an f32 of 2x2; it has "
          "image (NumPy)");
  putArray(x, bytesTensor({4, 3, 3}));
  EXPECT_NE(errorOf(openDataset(root, withFields({imageField({1, 2, 2})}))).find("a picture of 1x3x3"),
            std::string::npos);
  putArray(x, bytesTensor({0, 2, 2}));
  EXPECT_EQ(errorOf(openDataset(root, options)), "'" + x + "': an array of 0x2x2 is empty");
  Bytes truncated = encodeNpy(bytesTensor({4, 2, 2}).view());
  truncated.pop_back();
  put(x, truncated);
  EXPECT_EQ(errorOf(openDataset(root, options)),
            "'" + x + "': not a valid .npy file: shape 4x2x2 of u8 does not match 15 bytes of data");
  std::filesystem::remove(x);
  putArray(folder / "other.npy", bytesTensor({4}));
  EXPECT_EQ(errorOf(openDataset(root, options)), "'" + root + "': no array for the network's inputs, only 'other'");
}

/// A .zip of stored or deflated members.
Bytes zip(const std::vector<std::pair<std::string, Bytes>> &members, bool deflated) {
  Bytes file, directory;
  auto two = [](Bytes &bytes, size_t value) {
    bytes.push_back(static_cast<uint8_t>(value));
    bytes.push_back(static_cast<uint8_t>(value >> 8));
  };
  for (const auto &[name, body] : members) {
    Bytes packed = body;
    if (deflated) { // without gzip's header of 10 bytes and trailer of 8
      packed = gzip(body);
      packed.assign(packed.begin() + 10, packed.end() - 8);
    }
    Bytes common;
    two(common, 20);
    two(common, 0);
    two(common, deflated ? 8 : 0);
    append(common, 0);
    append(common, static_cast<uint32_t>(crc32_z(0, body.data(), body.size())), false);
    append(common, static_cast<uint32_t>(packed.size()), false);
    append(common, static_cast<uint32_t>(body.size()), false);
    two(common, name.size());
    two(common, 0);
    const size_t offset = file.size();
    append(file, 0x504b0304);
    file.insert(file.end(), common.begin(), common.end());
    file.insert(file.end(), name.begin(), name.end());
    file.insert(file.end(), packed.begin(), packed.end());
    append(directory, 0x504b0102);
    two(directory, 20);
    directory.insert(directory.end(), common.begin(), common.end());
    directory.resize(directory.size() + 10);
    append(directory, static_cast<uint32_t>(offset), false);
    directory.insert(directory.end(), name.begin(), name.end());
  }
  const size_t begin = file.size();
  file.insert(file.end(), directory.begin(), directory.end());
  append(file, 0x504b0506);
  append(file, 0);
  two(file, members.size());
  two(file, members.size());
  append(file, static_cast<uint32_t>(directory.size()), false);
  append(file, static_cast<uint32_t>(begin), false);
  two(file, 0);
  return file;
}

TEST(NumpyDataTest, ReadsNpz) {
  TemporaryFolder folder;
  const std::string path = folder / "mnist.npz";
  const std::vector<std::pair<std::string, Bytes>> members = {{"x_train.npy", encodeNpy(bytesTensor({4, 2, 2}).view())},
                                                              {"y_train.npy", encodeNpy(bytesTensor({4}, 3).view())},
                                                              {"x_test.npy", encodeNpy(bytesTensor({2, 2, 2}).view())},
                                                              {"y_test.npy", encodeNpy(bytesTensor({2}, 3).view())}};
  const DatasetOptions options = withFields({imageField({1, 2, 2}), labelField(3)});
  for (bool deflated : {false, true}) {
    const Bytes file = zip(members, deflated);
    put(path, file);
    for (const std::string &name : {path, folder / ""}) {
      Result<Dataset> data = openDataset(name, options);
      EXPECT_EQ(imageOf(data, 1)[0], 4 / 255.0f);
      EXPECT_EQ(data->label(2), 2);
      EXPECT_EQ(data->sampleName(1), path + ":x_train.npy[1]");
    }
    for (size_t size = 0; size < file.size(); size += 1 + size / 7) {
      put(path, Bytes(file.begin(), file.begin() + static_cast<ptrdiff_t>(size)));
      EXPECT_NE(errorOf(openDataset(path, options)).find("'" + path + "': not a valid .zip file"), std::string::npos)
          << size;
    }
  }
  Bytes file = zip(members, false);
  file[100] ^= 1;
  put(path, file);
  EXPECT_EQ(errorOf(openDataset(path, options)),
            "'" + path + ":x_train.npy': the checksum is wrong, the file is corrupt");
}

} // namespace
} // namespace cnn::host
