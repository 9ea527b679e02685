//===- DataTest.h - Small data sets for tests -----------------------------===//
//
// Writes the formats byte by byte, so that a test can spoil any of them.
//
//===----------------------------------------------------------------------===//
#ifndef CNN_TEST_UNIT_RUNTIME_HOST_DATA_DATATEST_H
#define CNN_TEST_UNIT_RUNTIME_HOST_DATA_DATATEST_H

#include "runtime/host/Npy.h"
#include "runtime/host/data/Dataset.h"
#include "test/unit/runtime/host/HostTest.h"

#include <cstring>
#include <fstream>
#include <numeric>

#include <zlib.h>

namespace cnn::host {

using Bytes = std::vector<uint8_t>;

inline Field imageField(std::vector<int64_t> shape) { return {.name = "image", .shape = std::move(shape)}; }
inline Field labelField(int64_t classes) { return {.name = "label", .dtype = DType::I32, .classes = classes}; }
inline Field maskField(std::vector<int64_t> shape, int64_t classes) {
  return {.name = "mask", .dtype = DType::I32, .shape = std::move(shape), .classes = classes};
}
inline DatasetOptions withFields(std::vector<Field> fields, Split split = Split::Train) {
  DatasetOptions options;
  options.fields = std::move(fields);
  options.split = split;
  return options;
}

/// All fields of one sample.
inline std::vector<Bytes> sampleOf(const Dataset &data, int64_t index) {
  std::vector<Bytes> fields;
  std::vector<uint8_t *> buffers;
  for (size_t f = 0; f < data.fields().size(); ++f)
    fields.emplace_back(static_cast<size_t>(data.fieldBytes(f)));
  for (Bytes &field : fields)
    buffers.push_back(field.data());
  EXPECT_OK(data.sample(index, buffers));
  return fields;
}
template <class T> std::vector<T> valuesOf(const Bytes &bytes) {
  std::vector<T> values(bytes.size() / sizeof(T));
  std::memcpy(values.data(), bytes.data(), bytes.size());
  return values;
}
/// The error of a sample.
inline std::string sampleError(const Dataset &data, int64_t index) {
  std::vector<Bytes> fields;
  std::vector<uint8_t *> buffers;
  for (size_t f = 0; f < data.fields().size(); ++f)
    fields.emplace_back(static_cast<size_t>(data.fieldBytes(f)));
  for (Bytes &field : fields)
    buffers.push_back(field.data());
  return errorOf(data.sample(index, buffers));
}

inline void append(Bytes &bytes, uint32_t value, bool bigEndian = true) {
  for (int i = 0; i < 4; ++i)
    bytes.push_back(static_cast<uint8_t>(value >> (bigEndian ? 24 - 8 * i : 8 * i)));
}

/// An IDX file of bytes 0, 1, 2, ... modulo `modulus`.
inline Bytes idx(const std::vector<uint32_t> &sizes, unsigned modulus = 256) {
  Bytes bytes = {0, 0, 8, static_cast<uint8_t>(sizes.size())};
  size_t count = 1;
  for (uint32_t size : sizes) {
    append(bytes, size);
    count *= size;
  }
  for (size_t i = 0; i < count; ++i)
    bytes.push_back(static_cast<uint8_t>(i % modulus));
  return bytes;
}

inline Bytes gzip(const Bytes &bytes) {
  z_stream stream = {};
  EXPECT_EQ(deflateInit2(&stream, 6, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY), Z_OK);
  Bytes packed(deflateBound(&stream, bytes.size()));
  stream.next_in = const_cast<uint8_t *>(bytes.data());
  stream.avail_in = static_cast<uInt>(bytes.size());
  stream.next_out = packed.data();
  stream.avail_out = static_cast<uInt>(packed.size());
  EXPECT_EQ(deflate(&stream, Z_FINISH), Z_STREAM_END);
  packed.resize(packed.size() - stream.avail_out);
  deflateEnd(&stream);
  return packed;
}

/// Writes a file and the folders above it.
inline void put(const std::string &path, const Bytes &bytes) {
  std::filesystem::create_directories(std::filesystem::path(path).parent_path());
  // writeFile() would sync each of thousands.
  std::ofstream(path, std::ios::binary).write(reinterpret_cast<const char *>(bytes.data()), ssize_t(bytes.size()));
}

/// A PNG whose pixels are `value` + their index in the picture.
inline Bytes png(int height, int width, int channels, int value) {
  Image image = Image::filled(height, width, channels, 0);
  for (size_t i = 0; i < image.pixels.size(); ++i)
    image.pixels[i] = static_cast<uint8_t>(value + static_cast<int>(i));
  Result<Bytes> file = encodePng(image);
  EXPECT_OK(file);
  return file ? *file : Bytes();
}

inline Bytes filledPng(int height, int width, int channels, uint8_t value) {
  Result<Bytes> file = encodePng(Image::filled(height, width, channels, value));
  EXPECT_OK(file);
  return file ? *file : Bytes();
}

/// One ustar member; a folder where the name ends with a slash.
inline void addToTar(Bytes &tar, const std::string &name, const Bytes &body, char type = '0') {
  std::string header(512, '\0');
  header.replace(0, name.size(), name);
  header.replace(100, 7, "0000644");
  header.replace(124, 11, fmt::format("{:011o}", body.size()));
  header[156] = name.ends_with('/') ? '5' : type;
  header.replace(257, 5, "ustar");
  header.replace(263, 2, "00");
  header.replace(148, 8, "        ");
  const unsigned sum = std::accumulate(header.begin(), header.end(), 0u,
                                       [](unsigned total, char c) { return total + static_cast<unsigned char>(c); });
  header.replace(148, 7, fmt::format("{:06o}", sum) + std::string(1, '\0'));
  tar.insert(tar.end(), header.begin(), header.end());
  tar.insert(tar.end(), body.begin(), body.end());
  tar.resize((tar.size() + 511) / 512 * 512);
}
inline void endTar(Bytes &tar) { tar.resize(tar.size() + 1024); }

/// A file of the shared test data, or "" where it is not there.
inline std::string sharedPath(const std::string &name) {
  const char *folder = std::getenv("CNN_SHARED");
  const std::string path = (folder ? std::string(folder) : std::string(CNN_DEFAULT_SHARED)) + "/" + name;
  return std::filesystem::exists(path) ? path : "";
}

} // namespace cnn::host

#define SKIP_WITHOUT(path, name)                                                                                       \
  if ((path).empty())                                                                                                  \
  GTEST_SKIP() << "SKIP " << (name) << " is missing in the shared data"

#endif // CNN_TEST_UNIT_RUNTIME_HOST_DATA_DATATEST_H
