//===- Stream.h - Bytes of a file that may be compressed ------------------===//
//
// Reads a mapped file from front to back, through gzip where it is compressed (RFC 1952, several members allowed). The
// checksum is verified; a stream that breaks off is an error.
//
//===----------------------------------------------------------------------===//
#ifndef CNN_RUNTIME_HOST_DATA_STREAM_H
#define CNN_RUNTIME_HOST_DATA_STREAM_H

#include "runtime/host/Error.h"

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

namespace cnn::host {

class ByteStream {
public:
  virtual ~ByteStream() = default;

  /// Fills `out`, or less of it at the end of the stream: how much.
  virtual Result<size_t> read(std::span<uint8_t> out) = 0;
  /// Passes over `count` bytes; how many there were.
  virtual Result<uint64_t> skip(uint64_t count);
  /// The most bytes that can be left, for checking a header before memory is allocated for what it claims.
  virtual uint64_t mostLeft() const = 0;
};

bool isGzip(std::span<const uint8_t> file);

/// `file` must outlive the stream; `name` stands in messages.
std::unique_ptr<ByteStream> openStream(std::span<const uint8_t> file, const std::string &name);

/// Deflate without a wrapper (as in .zip), to exactly `size` bytes.
Result<std::vector<uint8_t>> inflateRaw(std::span<const uint8_t> packed, uint64_t size, const std::string &name);

/// Deflate makes at most 1032 bytes of one.
constexpr uint64_t mostInflated(uint64_t packed) { return packed * 1032 + 1032; }

} // namespace cnn::host

#endif // CNN_RUNTIME_HOST_DATA_STREAM_H
