//===- ImagePng.cpp - PNG through libpng ----------------------------------===//
//
// libpng reports errors by longjmp. The functions that call setjmp therefore hold no object with a destructor: all of
// that lives in their callers, and the state that changes in between is reached through a pointer.
//
//===----------------------------------------------------------------------===//
#include "runtime/host/ImageCodecs.h"

#include <algorithm>
#include <csetjmp>
#include <cstring>
#include <png.h>

namespace cnn::host {
namespace {

/// What both directions share: the error text and, for reading, the bytes that are left.
struct Session {
  png_structp png = nullptr;
  png_infop info = nullptr;
  std::jmp_buf escape;
  char message[200] = "";
  const uint8_t *next = nullptr;
  size_t left = 0;
};

[[noreturn]] void onError(png_structp png, png_const_charp text) {
  auto *session = static_cast<Session *>(png_get_error_ptr(png));
  std::snprintf(session->message, sizeof(session->message), "%s", text);
  std::longjmp(session->escape, 1);
}

void onWarning(png_structp, png_const_charp) {}

void onRead(png_structp png, png_bytep out, size_t count) {
  auto *session = static_cast<Session *>(png_get_io_ptr(png));
  if (count > session->left)
    png_error(png, "the file is truncated");
  std::memcpy(out, session->next, count);
  session->next += count;
  session->left -= count;
}

void onWrite(png_structp png, png_bytep bytes, size_t count) {
  auto *out = static_cast<std::vector<uint8_t> *>(png_get_io_ptr(png));
  out->insert(out->end(), bytes, bytes + count);
}

void onFlush(png_structp) {}

struct Reader : Session {
  Reader() {
    png = png_create_read_struct(PNG_LIBPNG_VER_STRING, static_cast<Session *>(this), onError, onWarning);
    if (png)
      info = png_create_info_struct(png);
  }
  Reader(const Reader &) = delete;
  Reader &operator=(const Reader &) = delete;
  ~Reader() { png_destroy_read_struct(&png, &info, nullptr); }
};

struct Writer : Session {
  Writer() {
    png = png_create_write_struct(PNG_LIBPNG_VER_STRING, static_cast<Session *>(this), onError, onWarning);
    if (png)
      info = png_create_info_struct(png);
  }
  Writer(const Writer &) = delete;
  Writer &operator=(const Writer &) = delete;
  ~Writer() { png_destroy_write_struct(&png, &info); }
};

/// Reads up to the pixels.
bool readHeader(Session *session) {
  if (setjmp(session->escape))
    return false;
  png_structp png = session->png;
  png_set_read_fn(png, session, onRead);
  png_set_user_limits(png, PNG_UINT_31_MAX, PNG_UINT_31_MAX); // the limit here is the number of pixels
  png_set_chunk_malloc_max(png, 1 << 24);
  // Chunks that the picture does not need are skipped, so that a broken one (a colour profile, a text) does no harm.
  png_set_keep_unknown_chunks(png, PNG_HANDLE_CHUNK_NEVER, nullptr, -1);
  png_read_info(png, session->info);
  return true;
}

/// Reads the pixels as 8-bit grey or RGB without alpha, `rowBytes` a row. libpng takes memory for rows here, so the
/// size has been checked before.
bool readPixels(Session *session, png_bytepp rows, size_t rowBytes) {
  if (setjmp(session->escape))
    return false;
  png_structp png = session->png;
  png_infop info = session->info;
  png_set_scale_16(png);
  if (png_get_color_type(png, info) == PNG_COLOR_TYPE_PALETTE)
    png_set_palette_to_rgb(png);
  if (png_get_color_type(png, info) == PNG_COLOR_TYPE_GRAY)
    png_set_expand_gray_1_2_4_to_8(png);
  png_set_strip_alpha(png);
  png_set_interlace_handling(png);
  png_read_update_info(png, info);
  if (png_get_rowbytes(png, info) != rowBytes)
    png_error(png, "an unknown kind of pixels");
  png_read_image(png, rows);
  png_read_end(png, nullptr);
  return true;
}

bool writePixels(Session *session, const Image *image, std::vector<uint8_t> *out, png_bytepp rows) {
  if (setjmp(session->escape))
    return false;
  png_structp png = session->png;
  png_set_write_fn(png, out, onWrite, onFlush);
  png_set_IHDR(png, session->info, static_cast<png_uint_32>(image->width), static_cast<png_uint_32>(image->height), 8,
               image->channels == 3 ? PNG_COLOR_TYPE_RGB : PNG_COLOR_TYPE_GRAY, PNG_INTERLACE_NONE,
               PNG_COMPRESSION_TYPE_DEFAULT, PNG_FILTER_TYPE_DEFAULT);
  png_write_info(png, session->info);
  png_write_image(png, rows);
  png_write_end(png, nullptr);
  return true;
}

std::vector<png_bytep> rowsOf(const Image &image) {
  std::vector<png_bytep> rows(static_cast<size_t>(image.height));
  for (int y = 0; y < image.height; ++y)
    rows[static_cast<size_t>(y)] = const_cast<png_bytep>(image.at(y, 0)); // libpng's writer takes them without const
  return rows;
}

} // namespace

Result<Image> decodePng(std::span<const uint8_t> file) {
  Reader reader;
  if (!reader.info)
    return makeError("libpng does not start");
  reader.next = file.data();
  reader.left = file.size();
  if (!readHeader(&reader))
    return makeError("{}", reader.message);
  const int channels = png_get_color_type(reader.png, reader.info) & PNG_COLOR_MASK_COLOR ? 3 : 1;
  // Deflate expands a byte to at most 1032, each holding up to 8 pixels.
  Result<Image> image = allocateImage(png_get_image_height(reader.png, reader.info),
                                      png_get_image_width(reader.png, reader.info), channels, file.size(), 1032.0 * 8);
  if (!image)
    return image;
  std::vector<png_bytep> rows = rowsOf(*image);
  if (!readPixels(&reader, rows.data(), static_cast<size_t>(image->width) * channels))
    return makeError("{}", reader.message);
  return image;
}

Result<std::vector<uint8_t>> encodePng(const Image &image) {
  if (image.height <= 0 || image.width <= 0 || (image.channels != 1 && image.channels != 3))
    return makeError("a picture of {}x{} pixels with {} channels is no PNG", image.height, image.width, image.channels);
  Writer writer;
  if (!writer.info)
    return makeError("libpng does not start");
  std::vector<uint8_t> out;
  std::vector<png_bytep> rows = rowsOf(image);
  if (!writePixels(&writer, &image, &out, rows.data()))
    return makeError("{}", writer.message);
  return out;
}

Result<Image> allocateImage(uint64_t height, uint64_t width, int channels, size_t fileBytes, double pixelsPerByte) {
  if (height == 0 || width == 0)
    return makeError("it has no pixels");
  // Both are below 2^31, so that the product fits.
  if (height * width > static_cast<uint64_t>(maximumPixels))
    return makeError("{}x{} pixels are above the limit of {}", height, width, maximumPixels);
  if (static_cast<double>(height * width) > static_cast<double>(fileBytes) * pixelsPerByte)
    return makeError("the file is truncated: {} bytes cannot hold {}x{} pixels", fileBytes, height, width);
  return Image::filled(static_cast<int>(height), static_cast<int>(width), channels, 0);
}

} // namespace cnn::host
