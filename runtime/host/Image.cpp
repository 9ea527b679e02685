//===- Image.cpp - Pictures: reading by content, encoding PNG -------------===//
//
// Tells the formats apart and writes PNG; the decoders are in ImagePng.cpp and ImageJpeg.cpp.
//
//===----------------------------------------------------------------------===//
#include "runtime/host/Image.h"

#include "runtime/host/File.h"
#include "runtime/host/ImageCodecs.h"

namespace cnn::host {

Image Image::filled(int height, int width, int channels, uint8_t value) {
  Image image{height, width, channels, {}};
  image.pixels.assign(static_cast<size_t>(height) * width * channels, value);
  return image;
}

Result<Image> decodeImage(std::span<const uint8_t> file, const std::string &name) {
  static constexpr uint8_t png[] = {0x89, 'P', 'N', 'G', '\r', '\n', 0x1A, '\n'}, jpeg[] = {0xFF, 0xD8, 0xFF};
  auto beginsWith = [&](std::span<const uint8_t> magic) {
    return file.size() >= magic.size() && std::equal(magic.begin(), magic.end(), file.begin());
  };
  if (file.empty())
    return makeError("{}: the file is empty, expected a PNG or JPEG picture", inQuotes(name));
  const bool isPng = beginsWith(png);
  if (!isPng && !beginsWith(jpeg))
    return makeError("{}: neither a PNG nor a JPEG picture", inQuotes(name));
  Result<Image> image = isPng ? decodePng(file) : decodeJpeg(file);
  if (!image)
    return makeError("{}: cannot decode the {} picture: {}", inQuotes(name), isPng ? "PNG" : "JPEG",
                     image.error().message);
  return image;
}

Result<Image> readImage(const std::string &path) {
  Result<std::vector<uint8_t>> file = readFile(path);
  if (!file)
    return file.error();
  return decodeImage(*file, path);
}

Result<void> writePng(const std::string &path, const Image &image) {
  Result<std::vector<uint8_t>> file = encodePng(image);
  if (!file)
    return makeError("cannot write {}: {}", inQuotes(path), file.error().message);
  return writeFile(path, *file);
}

} // namespace cnn::host
