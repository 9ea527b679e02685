//===- Stream.cpp - Bytes of a file that may be compressed ----------------===//
//
// zlib's inflate, fed in pieces that fit its 32-bit counts.
//
//===----------------------------------------------------------------------===//
#include "runtime/host/data/Stream.h"

#include <algorithm>
#include <array>
#include <climits>
#include <cstring>

#define ZLIB_CONST
#include <zlib.h>

namespace cnn::host {
namespace {

class PlainStream final : public ByteStream {
public:
  explicit PlainStream(std::span<const uint8_t> file) : rest(file) {}

  Result<size_t> read(std::span<uint8_t> out) override {
    const size_t count = std::min(out.size(), rest.size());
    if (count > 0)
      std::memcpy(out.data(), rest.data(), count);
    rest = rest.subspan(count);
    return count;
  }
  Result<uint64_t> skip(uint64_t count) override {
    const size_t passed = static_cast<size_t>(std::min<uint64_t>(count, rest.size()));
    rest = rest.subspan(passed);
    return uint64_t(passed);
  }
  uint64_t mostLeft() const override { return rest.size(); }

private:
  std::span<const uint8_t> rest;
};

constexpr int gzipWindow = 15 + 16, rawWindow = -15;

/// What is common to gzip and to the bare format: zlib's state over a span.
class Inflater {
public:
  Inflater(std::span<const uint8_t> packed, int window) : rest(packed), ready(inflateInit2(&state, window) == Z_OK) {}
  Inflater(const Inflater &) = delete;
  Inflater &operator=(const Inflater &) = delete;
  ~Inflater() {
    if (ready)
      inflateEnd(&state);
  }

  /// Inflates into `out` until it is full or a member ends. Gives zlib's code and the bytes written in `filled`.
  int inflateInto(std::span<uint8_t> out, size_t &filled) {
    filled = 0;
    if (!ready)
      return Z_MEM_ERROR;
    int code = Z_OK;
    while (filled < out.size() && code == Z_OK) {
      const size_t in = std::min<size_t>(rest.size(), UINT_MAX), room = std::min<size_t>(out.size() - filled, UINT_MAX);
      state.next_in = rest.data();
      state.avail_in = static_cast<uInt>(in);
      state.next_out = out.data() + filled;
      state.avail_out = static_cast<uInt>(room);
      code = inflate(&state, Z_NO_FLUSH);
      rest = rest.subspan(in - state.avail_in);
      filled += room - state.avail_out;
    }
    return code;
  }

  bool reset() { return inflateReset(&state) == Z_OK; }
  const char *message() const { return state.msg ? state.msg : "it cannot be inflated"; }

  std::span<const uint8_t> rest;

private:
  z_stream state = {};
  bool ready;
};

class GzipStream final : public ByteStream {
public:
  GzipStream(std::span<const uint8_t> file, std::string name) : name(std::move(name)), inflater(file, gzipWindow) {}

  Result<size_t> read(std::span<uint8_t> out) override {
    size_t filled = 0;
    while (filled < out.size() && !ended) {
      size_t count = 0;
      const int code = inflater.inflateInto(out.subspan(filled), count);
      filled += count;
      if (code == Z_STREAM_END) {
        // Padding after the last member is usual; another member continues the stream.
        ended = !isGzip(inflater.rest) || !inflater.reset();
      } else if (code == Z_BUF_ERROR) {
        return makeError("{}: the gzip data is truncated", inQuotes(name));
      } else if (code != Z_OK) {
        return makeError("{}: the gzip data is corrupt: {}", inQuotes(name), inflater.message());
      }
    }
    return filled;
  }
  uint64_t mostLeft() const override { return ended ? 0 : mostInflated(inflater.rest.size()) + (1u << 16); }

private:
  std::string name;
  Inflater inflater;
  bool ended = false;
};

} // namespace

Result<uint64_t> ByteStream::skip(uint64_t count) {
  std::array<uint8_t, 16384> scratch;
  uint64_t passed = 0;
  while (passed < count) {
    const size_t piece = static_cast<size_t>(std::min<uint64_t>(count - passed, scratch.size()));
    Result<size_t> got = read(std::span(scratch).first(piece));
    if (!got)
      return got.error();
    passed += *got;
    if (*got < piece)
      break;
  }
  return passed;
}

bool isGzip(std::span<const uint8_t> file) {
  return file.size() >= 3 && file[0] == 0x1F && file[1] == 0x8B && file[2] == 8;
}

std::unique_ptr<ByteStream> openStream(std::span<const uint8_t> file, const std::string &name) {
  if (isGzip(file))
    return std::make_unique<GzipStream>(file, name);
  return std::make_unique<PlainStream>(file);
}

Result<std::vector<uint8_t>> inflateRaw(std::span<const uint8_t> packed, uint64_t size, const std::string &name) {
  if (size > mostInflated(packed.size()))
    return makeError("{}: {} bytes cannot come from {} compressed ones", inQuotes(name), size, packed.size());
  // One byte more shows where the data goes on beyond its size.
  std::vector<uint8_t> bytes(static_cast<size_t>(size) + 1);
  size_t filled = 0;
  Inflater inflater(packed, rawWindow);
  const int code = inflater.inflateInto(bytes, filled);
  if (code != Z_STREAM_END || filled != size)
    return makeError("{}: the compressed data is {}", inQuotes(name),
                     code == Z_DATA_ERROR ? inflater.message() : "not of the size that it declares");
  bytes.resize(filled);
  return bytes;
}

} // namespace cnn::host
