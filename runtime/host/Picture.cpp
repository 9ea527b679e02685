//===- Picture.cpp - Looking at tensors -----------------------------------===//
//
// Values to 8 bits, and a sheet of captioned pictures.
//
//===----------------------------------------------------------------------===//
#include "runtime/host/Picture.h"

#include "runtime/host/Font.h"

#include <algorithm>
#include <array>
#include <cmath>

namespace cnn::host {
namespace {

uint8_t shade(double value, ValueRange range) {
  if (std::isnan(value))
    return 0;
  if (range.high == range.low)
    return value < range.low ? 0 : value > range.high ? 255 : 128;
  // Infinities over the span stay infinities and are clamped.
  const double scaled = (value - range.low) / (range.high - range.low) * 255;
  return static_cast<uint8_t>(std::floor(std::clamp(scaled, 0.0, 255.0) + 0.5));
}

/// Channels first to channels last. The bounds were checked by the caller.
Image planesToImage(std::span<const double> values, int64_t channels, int64_t height, int64_t width, ValueRange range) {
  Image image = Image::filled(static_cast<int>(height), static_cast<int>(width), static_cast<int>(channels), 0);
  const size_t plane = values.size() / static_cast<size_t>(channels);
  for (size_t i = 0; i < values.size(); ++i)
    image.pixels[i % plane * static_cast<size_t>(channels) + i / plane] = shade(values[i], range);
  return image;
}

/// The shape as N, C, H, W, with ones in front; an error where it is none or a picture of it would be empty or too
/// large.
Result<std::array<int64_t, 4>> pictureShape(const std::vector<int64_t> &shape) {
  auto problem = [&] {
    return makeError("a tensor of shape {} is no picture (expected [H, W], [C, H, W] or [N, C, H, W])",
                     shapeText(shape));
  };
  size_t first = 0;
  while (shape.size() - first > 4 && shape[first] == 1)
    ++first;
  if (shape.size() - first > 4 || shape.size() < 2)
    return problem();
  std::array<int64_t, 4> result = {1, 1, 1, 1};
  std::copy(shape.begin() + static_cast<ptrdiff_t>(first), shape.end(),
            result.end() - static_cast<ptrdiff_t>(shape.size() - first));
  const std::optional<int64_t> pixels = elementCount(std::span(result).subspan(2));
  if (!pixels || *pixels == 0 || *pixels > maximumPixels || result[0] == 0 || result[1] == 0)
    return problem();
  return result;
}

ValueRange finiteRangeOf(std::span<const double> values) {
  ValueRange range{HUGE_VAL, -HUGE_VAL};
  for (double value : values)
    if (std::isfinite(value))
      range = {std::min(range.low, value), std::max(range.high, value)};
  return range.low <= range.high ? range : ValueRange{0, 0};
}

/// Copies `picture`, each pixel as a square of `factor`, into an RGB sheet.
void paste(Image &sheet, int top, int left, const Image &picture, int factor) {
  for (int y = 0; y < picture.height * factor; ++y)
    for (int x = 0; x < picture.width * factor; ++x) {
      const uint8_t *from = picture.at(y / factor, x / factor);
      uint8_t *to = sheet.at(top + y, left + x);
      for (int c = 0; c < 3; ++c)
        to[c] = from[picture.channels == 3 ? c : 0];
    }
}

/// At most `characters` of the text; the middle goes, since an index stands at the end.
std::string cutTo(const std::string &text, int characters) {
  const auto kept = static_cast<size_t>(std::max(0, characters));
  if (text.size() <= kept)
    return text;
  if (kept <= 4)
    return text.substr(0, kept);
  const size_t tail = (kept - 2) / 2;
  return text.substr(0, kept - 2 - tail) + ".." + text.substr(text.size() - tail);
}

} // namespace

ValueRange finiteRange(const TensorView &tensor) { return finiteRangeOf(tensor.toDoubles()); }

Result<Image> pictureOf(const TensorView &tensor, std::optional<ValueRange> range) {
  Result<std::array<int64_t, 4>> shape = pictureShape(tensor.shape);
  if (!shape)
    return shape.error();
  const auto [images, channels, height, width] = *shape;
  if (images != 1 || (channels != 1 && channels != 3))
    return makeError("a tensor of shape {} is not one picture (expected 1 or 3 channels)", shapeText(tensor.shape));
  const std::vector<double> values = tensor.toDoubles();
  return planesToImage(values, channels, height, width, range ? *range : finiteRangeOf(values));
}

Result<std::vector<LabelledPicture>> picturesOf(const std::string &name, const TensorView &tensor,
                                                std::optional<ValueRange> range) {
  Result<std::array<int64_t, 4>> shape = pictureShape(tensor.shape);
  if (!shape)
    return shape.error();
  const auto [images, channels, height, width] = *shape;
  const std::vector<double> values = tensor.toDoubles();
  const ValueRange shown = range ? *range : finiteRangeOf(values);
  const bool byChannel = channels != 1 && channels != 3;
  const int64_t parts = byChannel ? channels : 1;
  const size_t size = values.size() / static_cast<size_t>(images * parts);
  std::vector<LabelledPicture> pictures;
  for (int64_t n = 0; n < images; ++n)
    for (int64_t part = 0; part < parts; ++part) {
      std::string label = name;
      if (images > 1)
        label += byChannel ? fmt::format("[{}, {}]", n, part) : fmt::format("[{}]", n);
      else if (byChannel)
        label += fmt::format("[{}]", part);
      const auto planes = std::span(values).subspan(pictures.size() * size, size);
      pictures.push_back({std::move(label), planesToImage(planes, byChannel ? 1 : channels, height, width, shown)});
    }
  return pictures;
}

Result<Image> contactSheet(std::span<const LabelledPicture> pictures, int columns) {
  constexpr int gap = 8, wanted = 96;
  int width = 0, height = 0;
  int64_t lines = 1;
  for (const LabelledPicture &picture : pictures) {
    lines = std::max<int64_t>(lines, 1 + std::count(picture.label.begin(), picture.label.end(), '\n'));
    width = std::max(width, picture.image.width);
    height = std::max(height, picture.image.height);
  }
  if (width == 0 || height == 0)
    return makeError("a sheet needs at least one picture");
  const auto count = static_cast<int64_t>(pictures.size());
  int64_t across = columns;
  if (columns <= 0) {
    across = 1;
    while (across * across < count)
      ++across;
  }
  across = std::min(across, count);
  const int64_t down = (count + across - 1) / across;
  const int factor = std::max(1, (wanted + std::max(width, height) - 1) / std::max(width, height));
  const int scale = width * factor >= 192 ? 2 : 1;
  const int64_t cellX = int64_t(width) * factor + gap,
                cellY = int64_t(height) * factor + gap + (cellHeight + 1) * scale * lines + 3 * scale;
  const std::array<int64_t, 2> size = {down * cellY + gap, across * cellX + gap};
  const std::optional<int64_t> pixels = elementCount(size);
  if (!pixels || *pixels > maximumPixels)
    return makeError("a sheet of {} pictures of up to {}x{} would have {}x{} pixels, above the limit of {}", count,
                     height, width, size[0], size[1], maximumPixels);

  Image sheet = Image::filled(static_cast<int>(size[0]), static_cast<int>(size[1]), 3, 255);
  for (int64_t i = 0; i < count; ++i) {
    const LabelledPicture &picture = pictures[static_cast<size_t>(i)];
    const int top = static_cast<int>(gap + i / across * cellY), left = static_cast<int>(gap + i % across * cellX);
    paste(sheet, top, left, picture.image, factor);
    int y = top + height * factor + 3 * scale;
    std::string_view rest = picture.label;
    for (size_t end = 0; end != std::string_view::npos; y += (cellHeight + 1) * scale) {
      end = rest.find('\n');
      drawText(sheet, y, left, cutTo(std::string(rest.substr(0, end)), width * factor / (cellWidth * scale)), 40,
               scale);
      rest = rest.substr(end == std::string_view::npos ? rest.size() : end + 1);
    }
  }
  return sheet;
}

Result<Image> mosaic(std::span<const LabelledPicture> pictures) {
  constexpr int gap = 2, small = 64;
  int width = 0, height = 0;
  for (const LabelledPicture &picture : pictures) {
    width = std::max(width, picture.image.width);
    height = std::max(height, picture.image.height);
  }
  if (width == 0 || height == 0)
    return makeError("a sheet needs at least one picture");
  const auto count = static_cast<int64_t>(pictures.size());
  int64_t across = 1;
  while (across * across < count)
    ++across;
  const int factor = std::max(width, height) <= small ? 2 : 1;
  const int64_t cellX = int64_t(width) * factor + gap, cellY = int64_t(height) * factor + gap;
  const std::array<int64_t, 2> size = {(count + across - 1) / across * cellY + gap, across * cellX + gap};
  const std::optional<int64_t> pixels = elementCount(size);
  if (!pixels || *pixels > maximumPixels)
    return makeError("a sheet of {} pictures of up to {}x{} would have {}x{} pixels, above the limit of {}", count,
                     height, width, size[0], size[1], maximumPixels);
  Image sheet = Image::filled(static_cast<int>(size[0]), static_cast<int>(size[1]), 3, 255);
  for (int64_t i = 0; i < count; ++i)
    paste(sheet, static_cast<int>(gap + i / across * cellY), static_cast<int>(gap + i % across * cellX),
          pictures[static_cast<size_t>(i)].image, factor);
  return sheet;
}

void drawText(Image &image, int y, int x, std::string_view text, uint8_t value, int scale) {
  for (char c : text) {
    const uint8_t *glyph = glyphOf(c);
    for (int row = 0; row < glyphHeight * scale; ++row)
      for (int column = 0; column < glyphWidth * scale; ++column) {
        const int py = y + row, px = x + column;
        if (glyphPixel(glyph, row / scale, column / scale) && py >= 0 && py < image.height && px >= 0 &&
            px < image.width)
          std::fill_n(image.at(py, px), image.channels, value);
      }
    x += cellWidth * scale;
  }
}

} // namespace cnn::host
