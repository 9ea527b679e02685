//===- ImageCodecs.h - The decoders behind Image.h ------------------------===//
//
// Private to the picture files of this folder. Messages say what is wrong with the content; the caller names the file.
//
//===----------------------------------------------------------------------===//
#ifndef CNN_RUNTIME_HOST_IMAGECODECS_H
#define CNN_RUNTIME_HOST_IMAGECODECS_H

#include "runtime/host/Image.h"

namespace cnn::host {

Result<Image> decodePng(std::span<const uint8_t> file);
Result<Image> decodeJpeg(std::span<const uint8_t> file);

/// An image of that size with memory for its pixels, or an error where the size is above the limit or more than a file
/// of `fileBytes` can hold when each of its bytes stands for at most `pixelsPerByte` pixels: memory is taken only for
/// what the file may have.
Result<Image> allocateImage(uint64_t height, uint64_t width, int channels, size_t fileBytes, double pixelsPerByte);

} // namespace cnn::host

#endif // CNN_RUNTIME_HOST_IMAGECODECS_H
