//===- SafetensorsTest.cpp - Weights files --------------------------------===//
//
// A file of the published writer, files written here, each way a file can be wrong, and the corpus of the fuzz target.
//
//===----------------------------------------------------------------------===//
#include "runtime/host/Safetensors.h"

#include "HostTest.h"

#include <algorithm>
#include <cstring>
#include <random>

namespace cnn::host {
namespace {

std::vector<uint8_t> fileWith(std::string_view header, size_t dataBytes) {
  std::vector<uint8_t> file(8);
  for (size_t i = 0; i < 8; ++i)
    file[i] = static_cast<uint8_t>(uint64_t(header.size()) >> (8 * i));
  file.insert(file.end(), header.begin(), header.end());
  file.resize(file.size() + dataBytes, 1);
  return file;
}

std::string problem(const std::vector<uint8_t> &file) {
  const std::string message = errorOf(SafetensorsFile::parse(file, "w"));
  const std::string prefix = "'w': not a valid safetensors file: ";
  EXPECT_EQ(message.substr(0, prefix.size()), prefix);
  return message.substr(std::min(prefix.size(), message.size()));
}

TEST(SafetensorsTest, ReadsThePublishedWritersFile) {
  Result<SafetensorsFile> file = SafetensorsFile::open(dataPath("safetensors/published.safetensors"));
  ASSERT_OK(file);
  EXPECT_EQ(file->names(), (std::vector<std::string>{"bytes", "conv.bias", "conv.weight", "half", "steps"}));
  EXPECT_EQ(file->metadata().at("format"), "np");
  const TensorView *weight = file->find("conv.weight");
  ASSERT_TRUE(weight);
  EXPECT_EQ(weight->dtype, DType::F32);
  EXPECT_EQ(weight->shape, (std::vector<int64_t>{1, 2, 3}));
  EXPECT_EQ(weight->toFloats(), (std::vector<float>{0, 1, 2, 3, 4, 5}));
  EXPECT_EQ(file->find("conv.bias")->toDoubles(), (std::vector<double>{-1.5}));
  EXPECT_TRUE(file->find("steps")->shape.empty());
  EXPECT_EQ(file->find("steps")->toDoubles(), (std::vector<double>{7}));
  EXPECT_EQ(file->find("half")->toFloats(), (std::vector<float>{1, -0.5, 65504}));
  EXPECT_EQ(file->find("bytes")->toFloats(), (std::vector<float>{0, 1, 2}));
  EXPECT_EQ(file->find("conv.weigth"), nullptr);
  EXPECT_EQ(file->closestNames("conv.weigth", 3), (std::vector<std::string>{"conv.weight"}));
}

TEST(SafetensorsTest, WritesTheSameBytesInAnyOrder) {
  TemporaryFolder folder;
  const float values[] = {1, 2, 3};
  const Tensor a = Tensor::fromFloats({3}, values), b = Tensor::fromFloats({1, 1}, {values, 1}),
               empty = Tensor::zeros(DType::F32, {0, 4}), bytes = Tensor::zeros(DType::U8, {5}),
               scalar = Tensor::zeros(DType::I64, {});
  std::vector<NamedTensor> tensors = {{"layer1.0.conv", a.view()},
                                      {"a", b.view()},
                                      {"\"odd\"", bytes.view()},
                                      {"none", empty.view()},
                                      {"n", scalar.view()}};
  ASSERT_OK(writeSafetensors(folder / "first", tensors, {{"made by", "test"}}));
  std::reverse(tensors.begin(), tensors.end());
  ASSERT_OK(writeSafetensors(folder / "second", tensors, {{"made by", "test"}}));
  EXPECT_EQ(*readFile(folder / "first"), *readFile(folder / "second"));
  Result<SafetensorsFile> file = SafetensorsFile::open(folder / "first");
  ASSERT_OK(file);
  EXPECT_EQ(file->names().size(), 5u);
  EXPECT_EQ(file->metadata().at("made by"), "test");
  for (const NamedTensor &tensor : tensors) {
    const TensorView *read = file->find(tensor.name);
    ASSERT_TRUE(read) << tensor.name;
    EXPECT_EQ(read->dtype, tensor.tensor.dtype);
    EXPECT_EQ(read->shape, tensor.tensor.shape);
    EXPECT_TRUE(
        std::equal(read->bytes.begin(), read->bytes.end(), tensor.tensor.bytes.begin(), tensor.tensor.bytes.end()));
    EXPECT_EQ(reinterpret_cast<uintptr_t>(read->bytes.data()) % dtypeBytes(read->dtype), 0u) << tensor.name;
  }
  ASSERT_OK(writeSafetensors(folder / "nothing", {}));
  EXPECT_OK(SafetensorsFile::open(folder / "nothing"));
}

TEST(SafetensorsTest, RefusesToWriteNonsense) {
  TemporaryFolder folder;
  const Tensor tensor = Tensor::zeros(DType::F32, {2});
  EXPECT_NE(
      errorOf(writeSafetensors(folder / "w", {{"a", tensor.view()}, {"a", tensor.view()}})).find("'a' is given twice"),
      std::string::npos);
  EXPECT_NE(errorOf(writeSafetensors(folder / "w", {{"__metadata__", tensor.view()}})).find("is reserved"),
            std::string::npos);
  TensorView wrong = tensor.view();
  wrong.shape = {3};
  EXPECT_NE(errorOf(writeSafetensors(folder / "w", {{"a", wrong}})).find("tensor 'a' of shape 3 has 8 bytes"),
            std::string::npos);
  EXPECT_NE(errorOf(writeSafetensors("/no/such/w", {})).find("the folder '/no/such' does not exist"),
            std::string::npos);
  EXPECT_EQ(folder.entries(), 0u);
}

TEST(SafetensorsTest, RefusesBrokenFrames) {
  EXPECT_EQ(problem({}), "0 bytes are too few for a header");
  EXPECT_EQ(problem({1, 0, 0}), "3 bytes are too few for a header");
  std::vector<uint8_t> file = fileWith("{}", 0);
  EXPECT_OK(SafetensorsFile::parse(file, "w"));
  file[7] = 0x80;
  EXPECT_EQ(problem(file), "a header of 9223372036854775810 bytes (at most 100000000 are allowed)");
  std::fill(file.begin(), file.begin() + 8, 0xFF);
  EXPECT_EQ(problem(file), "a header of 18446744073709551615 bytes (at most 100000000 are allowed)");
  std::fill(file.begin(), file.begin() + 8, 0);
  file[0] = 3;
  EXPECT_EQ(problem(file), "a header of 3 bytes in a file of 10 bytes (truncated?)");
  EXPECT_EQ(problem(fileWith("", 0)), "the header does not begin with '{'");
  EXPECT_EQ(problem(fileWith(" {}", 0)), "the header does not begin with '{'");
  EXPECT_EQ(problem(fileWith("[]", 0)), "the header does not begin with '{'");
  EXPECT_EQ(problem(fileWith("{", 0)), "the header is not JSON at byte 1: a key in double quotes was expected");
  EXPECT_EQ(problem(fileWith("{} x", 0)), "the header is not JSON at byte 3: the text goes on after the value");
  EXPECT_OK(SafetensorsFile::parse(fileWith("{}   ", 0), "w"));
  EXPECT_EQ(problem(fileWith("{}", 4)), "4 bytes after the last tensor");
  EXPECT_EQ(problem(fileWith("{\"__metadata__\":1}", 0)), "__metadata__ is no object");
  EXPECT_EQ(problem(fileWith("{\"__metadata__\":{\"a\":1}}", 0)), "__metadata__ 'a' is no string");
}

TEST(SafetensorsTest, RefusesBrokenTensors) {
  auto tensor = [](std::string_view description, size_t dataBytes = 8) {
    return problem(fileWith("{\"t\":" + std::string(description) + "}", dataBytes));
  };
  EXPECT_OK(
      SafetensorsFile::parse(fileWith("{\"t\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]}}", 8), "w"));
  EXPECT_EQ(tensor("3"), "tensor 't' has no description (expected an object with dtype, shape and data_offsets)");
  EXPECT_EQ(tensor("{\"shape\":[2],\"data_offsets\":[0,8]}"), "tensor 't' has no dtype");
  EXPECT_EQ(tensor("{\"dtype\":\"F33\",\"shape\":[2],\"data_offsets\":[0,8]}"),
            "tensor 't' has dtype 'F33', expected one of F32, F64, F16, BF16, U8, BOOL, I32, I64");
  EXPECT_EQ(tensor("{\"dtype\":\"F32\",\"data_offsets\":[0,8]}"), "tensor 't' has no shape");
  EXPECT_EQ(tensor("{\"dtype\":\"F32\",\"shape\":[2.0],\"data_offsets\":[0,8]}"),
            "tensor 't' has a shape of other things than sizes below 2^63");
  EXPECT_EQ(tensor("{\"dtype\":\"F32\",\"shape\":[-2],\"data_offsets\":[0,8]}"),
            "tensor 't' has a shape of other things than sizes below 2^63");
  EXPECT_EQ(tensor("{\"dtype\":\"F32\",\"shape\":[9223372036854775808],\"data_offsets\":[0,8]}"),
            "tensor 't' has a shape of other things than sizes below 2^63");
  for (const char *offsets : {"8", "[8]", "[0,8,9]", "[0,\"8\"]", "[0,1e1]", "[-1,7]", "[0,18446744073709551615]"})
    EXPECT_EQ(tensor("{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":" + std::string(offsets) + "}"),
              "tensor 't' has no data_offsets (expected two offsets [begin, end] below 2^63)");
  EXPECT_EQ(tensor("{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[8,0]}"),
            "tensor 't' has data_offsets [8, 0] that run backwards");
  EXPECT_EQ(tensor("{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]}", 7),
            "tensor 't' has data_offsets [0, 8], but the file has 7 bytes of data (truncated?)");
  EXPECT_EQ(tensor("{\"dtype\":\"F32\",\"shape\":[3],\"data_offsets\":[0,8]}"),
            "tensor 't' has shape 3 of f32, which is 12 bytes, but data_offsets [0, 8], which are 8");
  EXPECT_EQ(tensor("{\"dtype\":\"F32\",\"shape\":[4294967296,4294967296],\"data_offsets\":[0,0]}", 0),
            "tensor 't' has shape 4294967296x4294967296 of f32, whose size does not fit in 64 bits");
  EXPECT_EQ(tensor("{\"dtype\":\"F32\",\"shape\":[4611686018427387906],\"data_offsets\":[0,8]}"),
            "tensor 't' has shape 4611686018427387906 of f32, whose size does not fit in 64 bits");
  EXPECT_EQ(tensor("{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8],\"x\":1}"),
            "tensor 't' has an unknown key 'x' (expected dtype, shape and data_offsets)");
  std::string shape = "[1";
  for (int i = 0; i < 99; ++i)
    shape += ",1";
  EXPECT_EQ(tensor("{\"dtype\":\"F32\",\"shape\":" + shape + "],\"data_offsets\":[0,4]}", 4),
            "tensor 't' has 100 dimensions, expected at most 64");
}

TEST(SafetensorsTest, RefusesOverlapsHolesAndDuplicates) {
  auto two = [](std::string_view first, std::string_view second, size_t dataBytes, const char *name = "b") {
    return problem(
        fileWith(fmt::format("{{\"a\":{{\"dtype\":\"U8\",\"shape\":{}}},\"{}\":{{\"dtype\":\"U8\",\"shape\":{}}}}}",
                             first, name, second),
                 dataBytes));
  };
  EXPECT_EQ(two("[4],\"data_offsets\":[0,4]", "[4],\"data_offsets\":[2,6]", 6), "tensors 'a' and 'b' overlap");
  EXPECT_EQ(two("[4],\"data_offsets\":[0,4]", "[4],\"data_offsets\":[0,4]", 4), "tensors 'a' and 'b' overlap");
  EXPECT_EQ(two("[4],\"data_offsets\":[0,4]", "[2],\"data_offsets\":[6,8]", 8), "a hole of 2 bytes before tensor 'b'");
  EXPECT_EQ(two("[4],\"data_offsets\":[2,6]", "[2],\"data_offsets\":[6,8]", 8), "a hole of 2 bytes before tensor 'a'");
  EXPECT_EQ(two("[4],\"data_offsets\":[4,8]", "[4],\"data_offsets\":[0,4]", 9), "1 bytes after the last tensor");
  EXPECT_NE(two("[4],\"data_offsets\":[0,4]", "[4],\"data_offsets\":[4,8]", 8, "a").find("the key 'a' comes twice"),
            std::string::npos);
}

TEST(SafetensorsTest, RefusesEveryTruncation) {
  Result<std::vector<uint8_t>> file = readFile(dataPath("safetensors/published.safetensors"));
  ASSERT_OK(file);
  for (size_t size = 0; size < file->size(); ++size)
    EXPECT_FALSE(SafetensorsFile::parse(std::span(*file).first(size), "cut")) << size;
}

TEST(SafetensorsTest, SurvivesMutations) {
  Result<std::vector<uint8_t>> seed = readFile(dataPath("safetensors/published.safetensors"));
  ASSERT_OK(seed);
  std::mt19937 random(4);
  for (int i = 0; i < 20000; ++i) {
    std::vector<uint8_t> bytes = *seed;
    for (unsigned change = 0; change <= random() % 3; ++change)
      bytes[random() % bytes.size()] = static_cast<uint8_t>(random());
    Result<SafetensorsFile> file = SafetensorsFile::parse(bytes, "mutated");
    if (!file) {
      ASSERT_EQ(file.error().message.find('\n'), std::string::npos) << "mutation " << i;
      continue;
    }
    for (const std::string &name : file->names())
      ASSERT_EQ(file->find(name)->toDoubles().size(), static_cast<size_t>(file->find(name)->elements()))
          << "mutation " << i;
  }
}

TEST(SafetensorsTest, FuzzCorpusIsAsNamed) {
  size_t files = 0;
  for (const auto &entry : std::filesystem::directory_iterator(CNN_SAFETENSORS_CORPUS)) {
    const std::string name = entry.path().filename().string();
    Result<SafetensorsFile> file = SafetensorsFile::open(entry.path().string());
    EXPECT_EQ(static_cast<bool>(file), name.rfind("valid-", 0) == 0)
        << name << ": " << (file ? "" : file.error().message);
    ++files;
  }
  EXPECT_GE(files, 10u);
}

TEST(ClosestNamesTest, FindsNearMisses) {
  const std::vector<std::string> names = {"conv1.weight",          "conv1.bias", "conv2.weight", "bn1.running_mean",
                                          "layer1.0.conv1.weight", "fc.weight"};
  auto closest = [&](std::string_view name, size_t count) { return closestNames(name, names, count); };
  using Names = std::vector<std::string>;
  EXPECT_EQ(closest("conv1.wieght", 1), (Names{"conv1.weight"}));
  EXPECT_EQ(closest("conv3.weight", 2), (Names{"conv1.weight", "conv2.weight"}));
  EXPECT_EQ(closest("model.conv1.bias", 1), (Names{"conv1.bias"}));
  EXPECT_EQ(closest("0.conv1.weight", 2), (Names{"conv1.weight", "layer1.0.conv1.weight"}));
  EXPECT_EQ(closest("something else entirely", 3), Names{});
  EXPECT_EQ(closest("", 3), Names{});
  EXPECT_EQ(closest("conv1.weight", 0), Names{});
  EXPECT_EQ(closestNames(std::string(100000, 'a'), names, 3), Names{});
}

} // namespace
} // namespace cnn::host
