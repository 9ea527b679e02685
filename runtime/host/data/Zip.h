//===- Zip.h - Members of a .zip file -------------------------------------===//
//
// What NumPy's .npz needs (PKWARE's APPNOTE 6.3): members stored or deflated, below 4 GiB, checksums verified. Nothing
// is allocated on a header's word.
//
//===----------------------------------------------------------------------===//
#ifndef CNN_RUNTIME_HOST_DATA_ZIP_H
#define CNN_RUNTIME_HOST_DATA_ZIP_H

#include "runtime/host/Error.h"

#include <cstdint>
#include <span>
#include <vector>

namespace cnn::host {

struct ZipMember {
  std::string name;
  uint16_t method = 0; // 0: stored, 8: deflated
  uint32_t checksum = 0;
  uint64_t packed = 0, size = 0;
  uint64_t header = 0; // the offset of the local header
};

/// The central directory of `file`, which `name` calls in messages.
Result<std::vector<ZipMember>> listZip(std::span<const uint8_t> file, const std::string &name);
Result<std::vector<uint8_t>> readZip(std::span<const uint8_t> file, const ZipMember &member, const std::string &name);

} // namespace cnn::host

#endif // CNN_RUNTIME_HOST_DATA_ZIP_H
