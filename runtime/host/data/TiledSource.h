//===- TiledSource.h - Pictures of any size as tiles of one size ----------===//
//
// Internal to runtime/host/data: a Source whose samples are the tiles (Tiles.h) of another's pictures and masks.
//
//===----------------------------------------------------------------------===//
#ifndef CNN_RUNTIME_HOST_DATA_TILEDSOURCE_H
#define CNN_RUNTIME_HOST_DATA_TILEDSOURCE_H

#include "runtime/host/data/Source.h"

#include <mutex>

namespace cnn::host {

class TiledSource : public Source {
public:
  /// The sizes of the tiles are those of the fields: of "image" what the network takes, of a mask what it gives. Every
  /// picture is decoded once, for its size; one that cannot be is an error, or left out where bad data is skipped.
  static Result<std::shared_ptr<const TiledSource>> create(SourcePointer whole, const DatasetOptions &options);

  std::string name(int64_t index) const override;
  std::string partName(size_t part, int64_t index) const override;
  Result<Image> picture(size_t part, int64_t index) const override;
  /// The picture's, of each of its tiles.
  std::span<const uint8_t> array(size_t part, int64_t index) const override {
    return source->array(part, wholeOf(index).sample);
  }
  uint64_t memoryBytes() const override;

  TileOfPicture tile(int64_t index) const;

private:
  TiledSource() = default;

  struct Whole {
    int64_t sample; // of the source behind
    std::array<int64_t, 2> size;
    int64_t firstTile;
    Tiling tiling;
  };
  const Whole &wholeOf(int64_t index) const;
  Result<std::shared_ptr<const Image>> decoded(size_t part, int64_t sample) const;

  SourcePointer source;
  std::vector<Whole> wholes;
  std::vector<std::array<int64_t, 2>> sizes; // of each part's tiles; nothing where no field takes it
  std::array<int64_t, 2> input = {};

  struct Kept {
    size_t part;
    int64_t sample;
    std::shared_ptr<const Image> image;
  };
  /// Tiles of a picture are asked for one after another, by a few threads.
  mutable std::mutex mutex;
  mutable std::vector<Kept> recent;
};

} // namespace cnn::host

#endif // CNN_RUNTIME_HOST_DATA_TILEDSOURCE_H
