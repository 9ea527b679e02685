//===- NpyTest.cpp - NumPy's files ----------------------------------------===//
//
// Files that NumPy wrote (test/data/host/make_vectors.py), files written here, and broken ones.
//
//===----------------------------------------------------------------------===//
#include "runtime/host/Npy.h"

#include "HostTest.h"
#include "runtime/host/File.h"

#include <numeric>
#include <random>

namespace cnn::host {
namespace {

std::vector<double> counting(size_t count) {
  std::vector<double> values(count);
  std::iota(values.begin(), values.end(), 0.0);
  return values;
}

std::vector<uint8_t> fileWith(std::string header, size_t dataBytes, int version = 1) {
  std::vector<uint8_t> file = {0x93, 'N', 'U', 'M', 'P', 'Y', static_cast<uint8_t>(version), 0};
  for (int i = 0; i < (version == 1 ? 2 : 4); ++i)
    file.push_back(static_cast<uint8_t>(header.size() >> (8 * i)));
  file.insert(file.end(), header.begin(), header.end());
  file.resize(file.size() + dataBytes);
  return file;
}

TEST(NpyTest, ReadsWhatNumpyWrote) {
  const std::pair<const char *, DType> cases[] = {
      {"f4", DType::F32}, {"f2", DType::F16},      {"u1", DType::U8},        {"i4", DType::I32},
      {"i8", DType::I64}, {"fortran", DType::F64}, {"version2", DType::F32}, {"version3", DType::F32}};
  for (const auto &[name, type] : cases) {
    Result<Tensor> tensor = readNpy(dataPath("npy/") + name + ".npy");
    ASSERT_OK(tensor);
    EXPECT_EQ(tensor->dtype, type) << name;
    EXPECT_EQ(tensor->shape, (std::vector<int64_t>{2, 3, 4})) << name;
    EXPECT_EQ(tensor->view().toDoubles(), counting(24)) << name;
  }
  Result<Tensor> scalar = readNpy(dataPath("npy/scalar.npy"));
  ASSERT_OK(scalar);
  EXPECT_TRUE(scalar->shape.empty());
  EXPECT_EQ(scalar->floats()[0], 2.5f);
  Result<Tensor> empty = readNpy(dataPath("npy/empty.npy"));
  ASSERT_OK(empty);
  EXPECT_EQ(empty->shape, (std::vector<int64_t>{0, 3}));
  Result<Tensor> flags = readNpy(dataPath("npy/bool.npy"));
  ASSERT_OK(flags);
  EXPECT_EQ(flags->dtype, DType::U8);
  EXPECT_EQ(flags->bytes[3], 1);
  EXPECT_EQ(flags->bytes[4], 0);
}

TEST(NpyTest, WritesWhatItReads) {
  TemporaryFolder folder;
  const float values[] = {0, 1, 2, 3, 4, 5};
  for (const std::vector<int64_t> &shape : {std::vector<int64_t>{6}, {2, 3}, {1, 6, 1}}) {
    const Tensor tensor = Tensor::fromFloats(shape, values);
    ASSERT_OK(writeNpy(folder / "t.npy", tensor.view()));
    Result<Tensor> read = readNpy(folder / "t.npy");
    ASSERT_OK(read);
    EXPECT_EQ(read->shape, shape);
    EXPECT_EQ(read->bytes, tensor.bytes);
  }
  const float one = 1;
  Result<Tensor> scalar = decodeNpy(encodeNpy(Tensor::fromFloats({}, {&one, 1}).view()), "scalar");
  ASSERT_OK(scalar);
  EXPECT_TRUE(scalar->shape.empty());
}

TEST(NpyTest, WritesTheBytesNumpyWrites) {
  for (const char *name : {"f4", "f2", "u1", "i4", "i8", "empty", "scalar"}) {
    Result<std::vector<uint8_t>> file = readFile(dataPath("npy/") + name + ".npy");
    ASSERT_OK(file);
    Result<Tensor> tensor = decodeNpy(*file, name);
    ASSERT_OK(tensor);
    EXPECT_EQ(encodeNpy(tensor->view()), *file) << name;
  }
}

TEST(NpyTest, WritesBfloatAsFloat) {
  Tensor tensor = Tensor::zeros(DType::BF16, {2});
  tensor.bytes[1] = 0x40; // 2.0
  Result<Tensor> read = decodeNpy(encodeNpy(tensor.view()), "bf16");
  ASSERT_OK(read);
  EXPECT_EQ(read->dtype, DType::F32);
  EXPECT_EQ(read->floats()[0], 2.0f);
}

TEST(NpyTest, RefusesWhatItDoesNotKnow) {
  EXPECT_NE(errorOf(readNpy(dataPath("npy/big_endian.npy"))).find("elements of type '>f4', expected one of <f4"),
            std::string::npos);
  EXPECT_NE(errorOf(readNpy(dataPath("npy/object.npy"))).find("elements of type '|O'"), std::string::npos);
  EXPECT_NE(errorOf(readNpy("/no/such.npy")).find("no such file"), std::string::npos);
}

TEST(NpyTest, RefusesBrokenFiles) {
  const std::string good = "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }\n";
  EXPECT_OK(decodeNpy(fileWith(good, 24), "x"));
  EXPECT_OK(decodeNpy(fileWith("{\"shape\":(2,3),\"descr\":\"<f4\",\"fortran_order\":True}", 24, 2), "x"));
  const std::string prefix = "'x': not a valid .npy file: ";
  EXPECT_EQ(errorOf(decodeNpy(fileWith(good, 20), "x")), prefix + "shape 2x3 of f32 does not match 20 bytes of data");
  EXPECT_EQ(errorOf(decodeNpy(fileWith(good, 25), "x")), prefix + "shape 2x3 of f32 does not match 25 bytes of data");
  EXPECT_EQ(errorOf(decodeNpy({}, "x")), prefix + "it does not begin with \\x93NUMPY");
  EXPECT_EQ(errorOf(decodeNpy(std::vector<uint8_t>(100), "x")), prefix + "it does not begin with \\x93NUMPY");
  EXPECT_EQ(errorOf(decodeNpy(fileWith(good, 24, 4), "x")), prefix + "version 4, expected 1, 2 or 3");
  const std::vector<uint8_t> huge = {0x93, 'N', 'U', 'M', 'P', 'Y', 2, 0, 0xFF, 0xFF, 0xFF, 0xFF, 0, 0};
  EXPECT_EQ(errorOf(decodeNpy(huge, "x")), prefix + "a header of 4294967295 bytes in a file of 14 bytes");
  const std::pair<const char *, const char *> headers[] = {
      {"", "a dictionary"},
      {"(1, 2)", "a dictionary"},
      {"{}", "the keys descr, fortran_order and shape, each once"},
      {"{'descr': '<f4', 'fortran_order': False}", "the keys descr, fortran_order and shape, each once"},
      {"{'descr': '<f4', 'descr': '<f4'}", "the keys descr, fortran_order and shape, each once"},
      {"{'other': 1}", "the keys descr, fortran_order and shape, each once"},
      {"{'descr': [('a', '<f4')]}", "a plain element type in quotes"},
      {"{'fortran_order': 1}", "True or False for fortran_order"},
      {"{'shape': (2, -3)}", "a tuple of at most 64 sizes"},
      {"{'shape': [2]}", "a tuple of at most 64 sizes"},
      {"{'shape': (99999999999999999999,)}", "a tuple of at most 64 sizes"},
      {"{'shape': (2,", "a tuple of at most 64 sizes"},
      {"{'descr': '<f4", "a plain element type in quotes"},
      {"{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), } x", "nothing after the dictionary"},
  };
  for (const auto &[header, expected] : headers)
    EXPECT_EQ(errorOf(decodeNpy(fileWith(header, 24), "x")), prefix + "its header should have " + expected) << header;
  // 2^62 * 2^62 elements, and 2^61 doubles, do not fit in 64 bits; a zero does not hide that.
  for (const char *shape : {"(4611686018427387904, 4611686018427387904)", "(2305843009213693952,)",
                            "(4611686018427387904, 4611686018427387904, 0)"})
    EXPECT_NE(
        errorOf(
            decodeNpy(fileWith("{'descr': '<f8', 'fortran_order': True, 'shape': " + std::string(shape) + "}", 0), "x"))
            .find("does not match 0 bytes of data"),
        std::string::npos);
}

TEST(NpyTest, SurvivesMutationsAndTruncation) {
  const std::vector<uint8_t> seed = fileWith("{'descr': '<f4', 'fortran_order': True, 'shape': (2, 3), }\n", 24);
  for (size_t size = 0; size < seed.size(); ++size)
    EXPECT_FALSE(decodeNpy(std::span(seed).first(size), "cut")) << size;
  std::mt19937 random(3);
  for (int i = 0; i < 20000; ++i) {
    std::vector<uint8_t> file = seed;
    for (unsigned change = 0; change <= random() % 3; ++change)
      file[random() % file.size()] = static_cast<uint8_t>(random());
    if (Result<Tensor> tensor = decodeNpy(file, "mutated"))
      ASSERT_EQ(static_cast<int64_t>(tensor->bytes.size()), byteCount(tensor->shape, tensor->dtype))
          << "mutation " << i;
  }
}

} // namespace
} // namespace cnn::host
