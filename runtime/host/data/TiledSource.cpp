//===- TiledSource.cpp - Pictures of any size as tiles of one size --------===//
#include "runtime/host/data/TiledSource.h"

#include <algorithm>

namespace cnn::host {
namespace {

/// Decoded pictures at hand, of all threads together.
constexpr size_t keptPictures = 16;

} // namespace

bool changesSize(const Field &field) {
  return std::any_of(field.preprocess.begin(), field.preprocess.end(), [](const PreprocessStep &step) {
    return std::holds_alternative<ResizeStep>(step) || std::holds_alternative<CropStep>(step);
  });
}

Result<std::shared_ptr<const TiledSource>> TiledSource::create(SourcePointer whole, const DatasetOptions &options) {
  std::shared_ptr<TiledSource> tiled(new TiledSource);
  tiled->format = whole->format;
  tiled->classNames = whole->classNames;
  tiled->skipped = whole->skipped;
  tiled->sizes.resize(whole->parts.size());
  std::array<int64_t, 2> output = {};
  for (const Field &field : options.fields) {
    for (const std::string &name : partCandidates(field))
      for (size_t part = 0; part < whole->parts.size(); ++part) {
        if (whole->parts[part].name != name)
          continue;
        const size_t rank = field.shape.size();
        if (whole->parts[part].kind == Part::Kind::Array || rank < 2 || field.dtype == DType::U8)
          return makeError("input '{}' is {} {}: tiles are made of pictures and masks alone", field.name,
                           dtypeName(field.dtype), shapeText(field.shape));
        if (changesSize(field))
          return makeError("input '{}': its preprocess block changes the size of pictures, which tiles are made of as "
                           "they are",
                           field.name);
        tiled->sizes[part] = {field.shape[rank - 2], field.shape[rank - 1]};
        (name == "image" ? tiled->input : output) = tiled->sizes[part];
      }
  }
  if (tiled->input[0] == 0)
    return makeError("no input is filled with pictures: there is nothing to make tiles of");
  output = output[0] == 0 ? tiled->input : output;

  for (int64_t sample = 0; sample < whole->size; ++sample) {
    Result<std::array<int64_t, 2>> size = std::array<int64_t, 2>{};
    for (size_t part = 0; part < whole->parts.size() && size; ++part) {
      if (tiled->sizes[part][0] == 0)
        continue;
      Result<Image> image = whole->picture(part, sample);
      if (!image)
        size = image.error();
      else if (std::array<int64_t, 2> own = {image->height, image->width}; (*size)[0] == 0)
        size = own;
      else if (own != *size)
        size = makeError("{}: the mask is {}x{}, its picture {}x{}", inQuotes(whole->partName(part, sample)), own[0],
                         own[1], (*size)[0], (*size)[1]);
    }
    if (!size && options.skipBad) {
      tiled->skipped.push_back(size.error().message);
      continue;
    }
    if (!size)
      return size.error();
    Result<Tiling> tiling = Tiling::create(*size, tiled->input, output, *options.overlap);
    if (!tiling)
      return tiling.error();
    tiled->wholes.push_back({sample, *size, tiled->size, *tiling});
    tiled->size += tiling->count();
  }
  if (tiled->size == 0 && !tiled->skipped.empty())
    return makeError("all {} samples are bad; the first: {}", whole->size, tiled->skipped.front());
  tiled->parts = whole->parts;
  for (Part &part : tiled->parts)
    part.shape.clear();
  tiled->source = std::move(whole);
  return std::shared_ptr<const TiledSource>(std::move(tiled));
}

const TiledSource::Whole &TiledSource::wholeOf(int64_t index) const {
  return *std::prev(std::upper_bound(wholes.begin(), wholes.end(), index,
                                     [](int64_t value, const Whole &whole) { return value < whole.firstTile; }));
}

TileOfPicture TiledSource::tile(int64_t index) const {
  const Whole &whole = wholeOf(index);
  return {whole.sample, index - whole.firstTile, whole.size, &whole.tiling};
}

std::string TiledSource::name(int64_t index) const { return source->name(wholeOf(index).sample); }

std::string TiledSource::partName(size_t part, int64_t index) const {
  return source->partName(part, wholeOf(index).sample);
}

uint64_t TiledSource::memoryBytes() const { return source->memoryBytes() + wholes.size() * sizeof(Whole); }

Result<std::shared_ptr<const Image>> TiledSource::decoded(size_t part, int64_t sample) const {
  {
    const std::lock_guard lock(mutex);
    for (const Kept &kept : recent)
      if (kept.part == part && kept.sample == sample)
        return kept.image;
  }
  Result<Image> image = source->picture(part, sample);
  if (!image)
    return image.error();
  auto shared = std::make_shared<const Image>(std::move(*image));
  const std::lock_guard lock(mutex);
  if (recent.size() == keptPictures)
    recent.erase(recent.begin());
  recent.push_back({part, sample, shared});
  return shared;
}

Result<Image> TiledSource::picture(size_t part, int64_t index) const {
  const Whole &whole = wholeOf(index);
  auto image = decoded(part, whole.sample);
  if (!image)
    return image.error();
  const auto [height, width] = sizes[part];
  // What is smaller than the network's input lies in its middle.
  const std::array<int64_t, 2> begin = whole.tiling.windowOrigin(index - whole.firstTile);
  const int64_t top = begin[0] + (input[0] - height) / 2, left = begin[1] + (input[1] - width) / 2;
  Image tile = Image::filled(static_cast<int>(height), static_cast<int>(width), (*image)->channels, 0);
  for (int64_t y = 0; y < height; ++y)
    for (int64_t x = 0; x < width; ++x)
      std::copy_n((*image)->at(static_cast<int>(mirrored(top + y, whole.size[0])),
                               static_cast<int>(mirrored(left + x, whole.size[1]))),
                  tile.channels, tile.at(static_cast<int>(y), static_cast<int>(x)));
  return tile;
}

} // namespace cnn::host
