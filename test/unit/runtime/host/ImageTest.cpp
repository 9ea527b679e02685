//===- ImageTest.cpp - Decoding and encoding pictures ---------------------===//
//
// Every kind of PNG shows the same pattern of 5x4 pixels (test/data/host/make_vectors.py); JPEGs are compared with what
// Pillow decoded; truncated and mutated files give errors.
//
//===----------------------------------------------------------------------===//
#include "runtime/host/Image.h"

#include "HostTest.h"
#include "runtime/host/File.h"

#include <cstring>
#include <random>

namespace cnn::host {
namespace {

Image colourPattern() {
  Image image = Image::filled(4, 5, 3, 0);
  for (int y = 0; y < 4; ++y)
    for (int x = 0; x < 5; ++x) {
      const int values[] = {50 * x, 60 * y, 20 * (x + y)};
      for (int c = 0; c < 3; ++c)
        image.at(y, x)[c] = static_cast<uint8_t>(values[c]);
    }
  return image;
}

Image greyPattern() {
  Image image = Image::filled(4, 5, 1, 0);
  for (int y = 0; y < 4; ++y)
    for (int x = 0; x < 5; ++x)
      *image.at(y, x) = static_cast<uint8_t>(40 * x + 10 * y);
  return image;
}

void expectSame(const Result<Image> &image, const Image &expected, const std::string &name, int tolerance = 0) {
  ASSERT_OK(image) << name;
  ASSERT_EQ(image->height, expected.height) << name;
  ASSERT_EQ(image->width, expected.width) << name;
  ASSERT_EQ(image->channels, expected.channels) << name;
  ASSERT_EQ(image->pixels.size(), expected.pixels.size()) << name;
  for (size_t i = 0; i < expected.pixels.size(); ++i)
    ASSERT_LE(std::abs(image->pixels[i] - expected.pixels[i]), tolerance) << name << " at byte " << i;
}

Result<Image> readFixture(const std::string &name) { return readImage(dataPath("images/" + name)); }

std::vector<uint8_t> fixtureBytes(const std::string &name) {
  Result<std::vector<uint8_t>> bytes = readFile(dataPath("images/" + name));
  EXPECT_OK(bytes);
  return bytes ? *bytes : std::vector<uint8_t>();
}

void putBigEndian(std::vector<uint8_t> &bytes, size_t at, uint32_t value) {
  for (int i = 0; i < 4; ++i)
    bytes[at + i] = static_cast<uint8_t>(value >> (24 - 8 * i));
}

uint32_t crcOf(const uint8_t *bytes, size_t count) {
  uint32_t crc = ~0u;
  for (size_t i = 0; i < count; ++i) {
    crc ^= bytes[i];
    for (int bit = 0; bit < 8; ++bit)
      crc = crc >> 1 ^ (crc & 1 ? 0xEDB88320u : 0);
  }
  return ~crc;
}

TEST(PngTest, ReadsEveryKind) {
  for (const char *name :
       {"rgb8", "rgba8", "rgb16", "palette", "palette_transparent", "interlaced", "transparent_colour"})
    expectSame(readFixture(std::string(name) + ".png"), colourPattern(), name);
  for (const char *name : {"grey8", "grey16", "greyalpha8"})
    expectSame(readFixture(std::string(name) + ".png"), greyPattern(), name);
  Image bits = greyPattern();
  for (uint8_t &pixel : bits.pixels)
    pixel = pixel >= 80 ? 255 : 0;
  expectSame(readFixture("grey1.png"), bits, "grey1");
}

TEST(PngTest, WritesWhatItReads) {
  TemporaryFolder folder;
  for (const Image &image : {colourPattern(), greyPattern()}) {
    ASSERT_OK(writePng(folder / "out.png", image));
    expectSame(readImage(folder / "out.png"), image, "written");
    EXPECT_EQ(*encodePng(image), *encodePng(image));
  }
  EXPECT_EQ(folder.entries(), 1u);
  EXPECT_EQ(errorOf(writePng(folder / "bad.png", Image())),
            "cannot write '" + (folder / "bad.png") + "': a picture of 0x0 pixels with 0 channels is no PNG");
  EXPECT_EQ(errorOf(writePng("/no/such/out.png", greyPattern())),
            "cannot write '/no/such/out.png': the folder '/no/such' does not exist");
}

TEST(PngTest, RefusesEveryTruncation) {
  for (const char *name : {"rgb8.png", "interlaced.png", "palette.png"}) {
    const std::vector<uint8_t> file = fixtureBytes(name);
    for (size_t size = 0; size < file.size(); ++size)
      EXPECT_NE(errorOf(decodeImage(std::span(file).first(size), "cut")), "no error") << name << " " << size;
  }
  const std::vector<uint8_t> file = fixtureBytes("rgb8.png");
  EXPECT_EQ(errorOf(decodeImage(std::span(file).first(60), "cut.png")),
            "'cut.png': cannot decode the PNG picture: the file is truncated");
}

TEST(PngTest, RefusesHugeSizesBeforeTakingMemory) {
  std::vector<uint8_t> file = fixtureBytes("rgb8.png");
  auto resized = [&](uint32_t width, uint32_t height) {
    putBigEndian(file, 16, width);
    putBigEndian(file, 20, height);
    putBigEndian(file, 29, crcOf(&file[12], 17));
    return errorOf(decodeImage(file, "huge"));
  };
  EXPECT_EQ(resized(0x7FFFFFFF, 0x7FFFFFFF),
            "'huge': cannot decode the PNG picture: 2147483647x2147483647 pixels are above the limit of 268435456");
  EXPECT_EQ(resized(16385, 16384),
            "'huge': cannot decode the PNG picture: 16384x16385 pixels are above the limit of 268435456");
  EXPECT_EQ(resized(16384, 16384),
            fmt::format(
                "'huge': cannot decode the PNG picture: the file is truncated: {} bytes cannot hold 16384x16384 pixels",
                file.size()));
  EXPECT_NE(resized(0, 4), "no error");
  EXPECT_NE(resized(5, 5), "no error");
}

TEST(JpegTest, DecodesLikePillow) {
  for (const char *name : {"colour", "progressive", "grey"}) {
    Result<Image> expected = readFixture(std::string(name) + "_jpg.png");
    ASSERT_OK(expected);
    expectSame(readFixture(std::string(name) + ".jpg"), *expected, name, 1);
  }
  Result<Image> cmyk = readFixture("cmyk_jpg.png");
  ASSERT_OK(cmyk);
  expectSame(readFixture("cmyk.jpg"), *cmyk, "cmyk", 2);
}

TEST(JpegTest, RefusesEveryTruncation) {
  for (const char *name : {"colour.jpg", "progressive.jpg", "grey.jpg"}) {
    const std::vector<uint8_t> file = fixtureBytes(name);
    // The last two bytes are the end marker, which a picture that is complete can do without.
    for (size_t size = 0; size + 2 < file.size(); ++size)
      EXPECT_NE(errorOf(decodeImage(std::span(file).first(size), "cut")), "no error") << name << " " << size;
    std::vector<uint8_t> ended(file.begin(), file.begin() + static_cast<ptrdiff_t>(file.size() - 40));
    ended.insert(ended.end(), {0xFF, 0xD9});
    EXPECT_NE(errorOf(decodeImage(ended, "cut")), "no error") << name;
  }
  const std::vector<uint8_t> file = fixtureBytes("colour.jpg");
  EXPECT_EQ(errorOf(decodeImage(std::span(file).first(100), "cut.jpg")),
            "'cut.jpg': cannot decode the JPEG picture: the file is truncated");
}

TEST(ImageTest, SurvivesMutations) {
  std::mt19937 random(5);
  for (const char *name : {"rgb8.png", "palette_transparent.png", "interlaced.png", "grey16.png", "colour.jpg",
                           "progressive.jpg", "cmyk.jpg", "grey.jpg"}) {
    const std::vector<uint8_t> seed = fixtureBytes(name);
    for (int i = 0; i < 300; ++i) {
      std::vector<uint8_t> file = seed;
      for (unsigned change = 0; change <= random() % 4; ++change)
        file[random() % file.size()] = static_cast<uint8_t>(random());
      // With checksums made good, the damage gets past them.
      for (size_t at = 8; name[std::strlen(name) - 3] == 'p' && at + 12 <= file.size();) {
        const size_t length =
            size_t(file[at]) << 24 | size_t(file[at + 1]) << 16 | size_t(file[at + 2]) << 8 | file[at + 3];
        if (length > file.size() - at - 12)
          break;
        putBigEndian(file, at + 8 + length, crcOf(&file[at + 4], length + 4));
        at += length + 12;
      }
      Result<Image> image = decodeImage(file, "mutated");
      if (image)
        ASSERT_EQ(image->pixels.size(), size_t(image->height) * image->width * image->channels) << name << " " << i;
      else
        ASSERT_EQ(errorOf(image).find("'mutated': "), 0u) << name << " " << i;
    }
  }
}

TEST(ImageTest, RefusesOtherFiles) {
  EXPECT_EQ(errorOf(decodeImage({}, "x")), "'x': the file is empty, expected a PNG or JPEG picture");
  const std::string_view gif = "GIF89a";
  EXPECT_EQ(errorOf(decodeImage({reinterpret_cast<const uint8_t *>(gif.data()), gif.size()}, "x.gif")),
            "'x.gif': neither a PNG nor a JPEG picture");
  EXPECT_EQ(errorOf(readImage("/no/such.png")), "cannot read '/no/such.png': no such file or folder");
}

} // namespace
} // namespace cnn::host
