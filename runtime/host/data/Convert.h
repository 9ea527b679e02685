//===- Convert.h - From the data's part to the network's field ------------===//
//
// Internal to runtime/host/data. A picture goes in two steps, so that the first may be kept: to 8-bit planes of the
// field's size (decoding's channels, the picture steps of a preprocess block), then through one table of 256 entries a
// channel to the field's type, which holds what arithmetic or classes there are.
//
//===----------------------------------------------------------------------===//
#ifndef CNN_RUNTIME_HOST_DATA_CONVERT_H
#define CNN_RUNTIME_HOST_DATA_CONVERT_H

#include "runtime/host/data/Source.h"

namespace cnn::host {

class FieldConverter {
public:
  /// Checks that the part can fill the field: kinds, types, and sizes where the part's are known. `classMap` turns the
  /// data's class into the network's; empty: as it is.
  static Result<FieldConverter> create(const Field &field, const Part &part, PixelScale scale,
                                       std::vector<int64_t> classMap);

  bool isPicture() const { return picture; }
  /// Made of a mask, and dear: fromPlanes() is what may be kept.
  bool isBorderWeights() const { return borders; }
  int64_t elements() const { return count; }
  size_t bytes() const { return static_cast<size_t>(count) * dtypeBytes(field.dtype); }

  /// The field's elements() 8-bit values by planes, from a picture called `name` in messages.
  Result<void> toPlanes(const Image &image, const std::string &name, std::span<uint8_t> planes) const;
  Result<void> fromPlanes(std::span<const uint8_t> planes, const std::string &name, uint8_t *out) const;
  Result<void> fromArray(std::span<const uint8_t> values, const std::string &name, uint8_t *out) const;

private:
  Result<void> preparePicture(const Part &part, PixelScale scale);
  Result<void> prepareArray(const Part &part);
  Result<void> toTables(PixelScale scale);
  Error wrongSize(const std::string &name, std::span<const int64_t> shape) const;

  Field field;
  DType source = DType::U8;
  bool picture = false;
  bool borders = false;
  bool interleaved = false; // the field is [H, W, C]
  bool transposed = false;  // an array [H, W, C] for a field [C, H, W]
  int64_t count = 0;
  size_t channels = 1;           // of the planes
  std::vector<int64_t> expected; // [C, H, W]; empty where only the number of elements matters
  std::vector<PreprocessStep> pictureSteps;
  std::vector<float> table; // [channels][256]; NaN: a value that is no class
  std::vector<int64_t> classMap;
};

} // namespace cnn::host

#endif // CNN_RUNTIME_HOST_DATA_CONVERT_H
