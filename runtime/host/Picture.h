//===- Picture.h - Looking at tensors -------------------------------------===//
//
// Turns tensors into pictures and lays several of them, captioned, on one sheet.
//
//===----------------------------------------------------------------------===//
#ifndef CNN_RUNTIME_HOST_PICTURE_H
#define CNN_RUNTIME_HOST_PICTURE_H

#include "runtime/host/Image.h"
#include "runtime/host/Tensor.h"

namespace cnn::host {

/// The values shown as black and as white.
struct ValueRange {
  double low = 0;
  double high = 1;
};

/// The smallest and largest finite value; {0, 0} where there is none.
ValueRange finiteRange(const TensorView &tensor);

/// [H, W], [1, H, W] (grey) or [3, H, W] (RGB), further leading ones allowed. Values go linearly from the range, or
/// from the tensor's own one, to 0..255, rounded and clamped; NaN is black; a tensor of one value is middle grey in its
/// own range.
Result<Image> pictureOf(const TensorView &tensor, std::optional<ValueRange> range = {});

struct LabelledPicture {
  std::string label;
  Image image;
};

/// A tensor [N, C, H, W] as pictures in one common range: one for each image, and one for each channel unless there are
/// 1 or 3. Where there are several, indices follow the name: "conv1[5]" with one index, "conv1[0, 5]" with two.
Result<std::vector<LabelledPicture>> picturesOf(const std::string &name, const TensorView &tensor,
                                                std::optional<ValueRange> range = {});

/// The pictures in rows on white, each at its size or, where all are small, enlarged by one whole factor to 96 pixels
/// or more, with the label below, which may have several lines, each shortened in the middle to the width. `columns` of
/// 0 makes the sheet about square.
Result<Image> contactSheet(std::span<const LabelledPicture> pictures, int columns = 0);

/// The pictures close together in rows, about as many as columns, each twice its size where all are small: for many.
Result<Image> mosaic(std::span<const LabelledPicture> pictures);

/// Draws printable ASCII (others as '?') with a 5x7 font in cells of 6x8 times `scale`; what leaves the picture is cut.
void drawText(Image &image, int y, int x, std::string_view text, uint8_t value, int scale = 1);

} // namespace cnn::host

#endif // CNN_RUNTIME_HOST_PICTURE_H
