//===- Preprocess.h - From a picture to a network's input -----------------===//
//
// Executes what a `preprocess` block declares. A picture enters as 8-bit RGB (a grey one three times the same); the
// picture steps (resize, crop, channels) stay in 8 bits and come first, the arithmetic steps work on f32, in the order
// written, and round after each operation. The result is f32[C, H, W].
//
//===----------------------------------------------------------------------===//
#ifndef CNN_RUNTIME_HOST_PREPROCESS_H
#define CNN_RUNTIME_HOST_PREPROCESS_H

#include "runtime/host/Resize.h"
#include "runtime/host/Tensor.h"

#include <array>
#include <variant>

namespace cnn::host {

/// Both: to size[0] x size[1] (height, width). Shorter, Longer: that side becomes size[0] and the other one
/// floor(size[0] * other / side), at least 1, as torchvision rounds.
struct ResizeStep {
  enum class Side { Both, Shorter, Longer };
  Side side = Side::Both;
  std::array<int64_t, 2> size = {};
  ResizeFilter filter = ResizeFilter::Bilinear;
  bool antialias = true;
};

/// Centre: from row round((H - h) / 2), half to even, and likewise the column, as torchvision's CenterCrop. A picture
/// that is smaller is an error.
struct CropStep {
  enum class Position { Centre, TopLeft };
  std::array<int64_t, 2> size = {};
  Position position = Position::Centre;
};

/// Grey is ITU-R 601 luma in fixed point, (19595 R + 38470 G + 7471 B + 32768) >> 16, as in Pillow.
struct ChannelsStep {
  enum class Order { Rgb, Bgr, Grey };
  Order order = Order::Rgb;
};

/// x * factor.
struct ScaleStep {
  std::vector<double> factor;
};
/// x - value.
struct SubtractStep {
  std::vector<double> value;
};
/// x / divisor.
struct DivideStep {
  std::vector<double> divisor;
};
/// (x - mean) / deviation.
struct NormalizeStep {
  std::vector<double> mean, deviation;
};

/// Lists of numbers have one for all channels or one for each, in the order of the channels at that step; they are
/// rounded to f32.
using PreprocessStep =
    std::variant<ResizeStep, CropStep, ChannelsStep, ScaleStep, SubtractStep, DivideStep, NormalizeStep>;

/// The network's input from a picture, or what does not fit.
Result<Tensor> preprocess(const Image &image, std::span<const PreprocessStep> steps);

} // namespace cnn::host

#endif // CNN_RUNTIME_HOST_PREPROCESS_H
