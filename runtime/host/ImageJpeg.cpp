//===- ImageJpeg.cpp - JPEG through libjpeg -------------------------------===//
//
// libjpeg reports errors by a callback that must not return; it longjmps. As in ImagePng.cpp, the functions that call
// setjmp hold no object with a destructor. Decoding uses libjpeg's defaults (accurate integer IDCT, smooth upsampling),
// which other readers use as well, so that pixels agree with theirs.
//
//===----------------------------------------------------------------------===//
#include "runtime/host/ImageCodecs.h"

#include <csetjmp>
#include <cstdio>
#include <cstring>

// libjpeg's headers need <cstdio>'s names first.
#include <jerror.h>
#include <jpeglib.h>

namespace cnn::host {
namespace {

struct Decoder {
  jpeg_decompress_struct jpeg;
  jpeg_error_mgr errors;
  jpeg_source_mgr source;
  jpeg_progress_mgr progress;
  std::jmp_buf escape;
  char message[JMSG_LENGTH_MAX] = "";
  bool created = false;

  Decoder() = default;
  Decoder(const Decoder &) = delete;
  Decoder &operator=(const Decoder &) = delete;
  ~Decoder() {
    if (created)
      jpeg_destroy_decompress(&jpeg);
  }
};

[[noreturn]] void stop(j_common_ptr jpeg, const char *message) {
  auto *decoder = static_cast<Decoder *>(jpeg->client_data);
  std::snprintf(decoder->message, sizeof(decoder->message), "%s", message);
  std::longjmp(decoder->escape, 1);
}

[[noreturn]] void onError(j_common_ptr jpeg) {
  char message[JMSG_LENGTH_MAX];
  jpeg->err->format_message(jpeg, message);
  stop(jpeg, message);
}

/// Stray bytes between markers are common and harmless; coded data that ends early leaves grey blocks and is an error.
void onMessage(j_common_ptr jpeg, int level) {
  if (level < 0 && jpeg->err->msg_code == JWRN_HIT_MARKER)
    onError(jpeg);
}

void onOutput(j_common_ptr) {}

void startSource(j_decompress_ptr) {}

boolean refillSource(j_decompress_ptr jpeg) {
  stop(reinterpret_cast<j_common_ptr>(jpeg), "the file is truncated");
  return FALSE;
}

void skipInSource(j_decompress_ptr jpeg, long count) {
  if (count <= 0)
    return;
  if (static_cast<size_t>(count) > jpeg->src->bytes_in_buffer)
    stop(reinterpret_cast<j_common_ptr>(jpeg), "the file is truncated");
  jpeg->src->next_input_byte += count;
  jpeg->src->bytes_in_buffer -= static_cast<size_t>(count);
}

void endSource(j_decompress_ptr) {}

/// A small file can ask for thousands of passes over a large picture.
void onProgress(j_common_ptr jpeg) {
  if (jpeg->is_decompressor && reinterpret_cast<j_decompress_ptr>(jpeg)->input_scan_number > 500)
    stop(jpeg, "more than 500 scans");
}

bool readHeader(Decoder *decoder, const uint8_t *bytes, size_t count) {
  jpeg_decompress_struct *jpeg = &decoder->jpeg;
  jpeg->err = jpeg_std_error(&decoder->errors);
  decoder->errors.error_exit = onError;
  decoder->errors.emit_message = onMessage;
  decoder->errors.output_message = onOutput;
  jpeg->client_data = decoder;
  if (setjmp(decoder->escape))
    return false;
  jpeg_create_decompress(jpeg); // leaves err and client_data as they are
  decoder->created = true;
  decoder->source = {bytes, count, startSource, refillSource, skipInSource, jpeg_resync_to_restart, endSource};
  jpeg->src = &decoder->source;
  decoder->progress = {};
  decoder->progress.progress_monitor = onProgress;
  jpeg->progress = &decoder->progress;
  jpeg_read_header(jpeg, TRUE);
  switch (jpeg->jpeg_color_space) {
  case JCS_GRAYSCALE:
    jpeg->out_color_space = JCS_GRAYSCALE;
    break;
  case JCS_CMYK:
  case JCS_YCCK:
    jpeg->out_color_space = JCS_CMYK;
    break;
  default:
    jpeg->out_color_space = JCS_RGB;
  }
  return true;
}

/// `row` has room for a line of CMYK; it is used for those only.
bool readPixels(Decoder *decoder, uint8_t *pixels, size_t stride, uint8_t *row) {
  if (setjmp(decoder->escape))
    return false;
  jpeg_decompress_struct *jpeg = &decoder->jpeg;
  jpeg_start_decompress(jpeg);
  const bool cmyk = jpeg->out_color_space == JCS_CMYK;
  // Adobe's files hold the ink's absence.
  const unsigned flip = jpeg->saw_Adobe_marker ? 0 : 255;
  while (jpeg->output_scanline < jpeg->output_height) {
    uint8_t *out = pixels + stride * jpeg->output_scanline;
    JSAMPROW line = cmyk ? row : out;
    if (jpeg_read_scanlines(jpeg, &line, 1) != 1)
      stop(reinterpret_cast<j_common_ptr>(jpeg), "the file is truncated");
    for (size_t x = 0; cmyk && x < jpeg->output_width; ++x)
      for (size_t c = 0; c < 3; ++c)
        out[3 * x + c] = static_cast<uint8_t>(((row[4 * x + c] ^ flip) * (row[4 * x + 3] ^ flip) + 127) / 255);
  }
  return true;
}

} // namespace

Result<Image> decodeJpeg(std::span<const uint8_t> file) {
  Decoder decoder;
  if (!readHeader(&decoder, file.data(), file.size()))
    return makeError("{}", decoder.message);
  const jpeg_decompress_struct &jpeg = decoder.jpeg;
  const int channels = jpeg.out_color_space == JCS_GRAYSCALE ? 1 : 3;
  // Huffman coding spends at least one bit on each block of 64 samples, and chroma may be sampled 16 times more
  // coarsely; arithmetic coding may need a hundred times less.
  Result<Image> image = allocateImage(jpeg.image_height, jpeg.image_width, channels, file.size(),
                                      64.0 * 8 * 16 * (jpeg.arith_code ? 100 : 1));
  if (!image)
    return image;
  std::vector<uint8_t> row(static_cast<size_t>(image->width) * 4);
  if (!readPixels(&decoder, image->pixels.data(), static_cast<size_t>(image->width) * channels, row.data()))
    return makeError("{}", decoder.message);
  return image;
}

} // namespace cnn::host
