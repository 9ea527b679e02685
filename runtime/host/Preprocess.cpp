//===- Preprocess.cpp - From a picture to a network's input ---------------===//
//
// One function a step; the declared order is the order of execution.
//
//===----------------------------------------------------------------------===//
#include "runtime/host/Preprocess.h"

#include <algorithm>

namespace cnn::host {
namespace {

template <class... Functions> struct Overloaded : Functions... {
  using Functions::operator()...;
};
template <class... Functions> Overloaded(Functions...) -> Overloaded<Functions...>;

Image toRgb(const Image &image) {
  if (image.channels == 3)
    return image;
  Image out = Image::filled(image.height, image.width, 3, 0);
  for (size_t i = 0; i < image.pixels.size(); ++i)
    std::fill_n(out.pixels.begin() + static_cast<ptrdiff_t>(3 * i), 3, image.pixels[i]);
  return out;
}

Result<Image> resize(const Image &image, const ResizeStep &step) {
  int64_t height = step.size[0], width = step.size[1];
  if (step.side != ResizeStep::Side::Both) {
    const int64_t size = step.size[0];
    if (size <= 0 || size > maximumPixels)
      return makeError("resize to {}: a size has 1 to {} pixels", size, maximumPixels);
    const bool heightLeads = (step.side == ResizeStep::Side::Shorter) == (image.height <= image.width);
    const int64_t side = heightLeads ? image.height : image.width, other = heightLeads ? image.width : image.height;
    const int64_t rest = std::max<int64_t>(1, size * other / side);
    height = heightLeads ? size : rest;
    width = heightLeads ? rest : size;
  }
  return resizeImage(image, height, width, step.filter, step.antialias);
}

/// round(difference / 2), half to even, of a difference that is not negative.
int64_t halfToEven(int64_t difference) {
  const int64_t half = difference / 2;
  return difference % 2 != 0 && half % 2 != 0 ? half + 1 : half;
}

Result<Image> crop(const Image &image, const CropStep &step) {
  const auto [height, width] = step.size;
  if (height <= 0 || width <= 0)
    return makeError("crop to {}x{}: a size has at least one pixel", height, width);
  if (height > image.height || width > image.width)
    return makeError("crop to {}x{} of a picture that has {}x{} pixels here", height, width, image.height, image.width);
  const bool centre = step.position == CropStep::Position::Centre;
  const int top = static_cast<int>(centre ? halfToEven(image.height - height) : 0);
  const int left = static_cast<int>(centre ? halfToEven(image.width - width) : 0);
  Image out = Image::filled(static_cast<int>(height), static_cast<int>(width), image.channels, 0);
  for (int y = 0; y < out.height; ++y)
    std::copy_n(image.at(top + y, left), static_cast<size_t>(out.width) * out.channels, out.at(y, 0));
  return out;
}

/// The picture and the order of its channels as the steps go on.
struct State {
  Image image;
  ChannelsStep::Order order = ChannelsStep::Order::Rgb;
};

Result<void> convertChannels(State &state, ChannelsStep::Order wanted) {
  using Order = ChannelsStep::Order;
  if (state.order == wanted)
    return {};
  if (state.order == Order::Grey)
    return makeError("channels: the picture is grey here and has no colours to put in order");
  std::vector<uint8_t> &pixels = state.image.pixels;
  if (wanted != Order::Grey) {
    for (size_t i = 0; i < pixels.size(); i += 3)
      std::swap(pixels[i], pixels[i + 2]);
  } else {
    const size_t red = state.order == Order::Rgb ? 0 : 2;
    Image grey = Image::filled(state.image.height, state.image.width, 1, 0);
    for (size_t i = 0; i < grey.pixels.size(); ++i) {
      const uint8_t *p = &pixels[3 * i];
      grey.pixels[i] = static_cast<uint8_t>((19595u * p[red] + 38470u * p[1] + 7471u * p[2 - red] + 32768) >> 16);
    }
    state.image = std::move(grey);
  }
  state.order = wanted;
  return {};
}

Tensor toTensor(const Image &image) {
  Tensor tensor = Tensor::zeros(DType::F32, {image.channels, image.height, image.width});
  const std::span<float> out = tensor.floats();
  const auto channels = static_cast<size_t>(image.channels);
  const size_t plane = out.size() / channels;
  for (size_t i = 0; i < image.pixels.size(); ++i)
    out[i % channels * plane + i / channels] = image.pixels[i];
  return tensor;
}

/// Applies `operation(element, number)` with one number for all channels or one for each.
template <class Operation>
Result<void> perChannel(Tensor &tensor, std::string_view step, const std::vector<double> &numbers,
                        Operation operation) {
  const auto channels = static_cast<size_t>(tensor.shape[0]);
  if (numbers.size() != 1 && numbers.size() != channels)
    return makeError("{} with {} numbers on a picture that has {} channel{} here", step, numbers.size(), channels,
                     channels == 1 ? "" : "s");
  const std::span<float> values = tensor.floats();
  const size_t plane = values.size() / channels;
  for (size_t c = 0; c < channels; ++c) {
    const auto number = static_cast<float>(numbers[numbers.size() == 1 ? 0 : c]);
    for (float &value : values.subspan(c * plane, plane))
      value = operation(value, number);
  }
  return {};
}

} // namespace

Result<Tensor> preprocess(const Image &image, std::span<const PreprocessStep> steps) {
  State state{toRgb(image)};
  std::optional<Tensor> tensor;

  auto onPicture = [&](std::string_view step) -> Result<void> {
    if (tensor)
      return makeError("{} must stand before scale, subtract, divide and normalize", step);
    return {};
  };
  auto onTensor = [&]() -> Tensor & {
    if (!tensor)
      tensor = toTensor(state.image);
    return *tensor;
  };
  auto replace = [&](Result<Image> changed) -> Result<void> {
    if (!changed)
      return changed.error();
    state.image = std::move(*changed);
    return {};
  };
  auto minus = [](float x, float y) { return x - y; };
  auto over = [](float x, float y) { return x / y; };

  for (const PreprocessStep &step : steps) {
    Result<void> done =
        std::visit(Overloaded{
                       [&](const ResizeStep &s) -> Result<void> {
                         Result<void> allowed = onPicture("resize");
                         return allowed ? replace(resize(state.image, s)) : allowed;
                       },
                       [&](const CropStep &s) -> Result<void> {
                         Result<void> allowed = onPicture("crop");
                         return allowed ? replace(crop(state.image, s)) : allowed;
                       },
                       [&](const ChannelsStep &s) -> Result<void> {
                         Result<void> allowed = onPicture("channels");
                         return allowed ? convertChannels(state, s.order) : allowed;
                       },
                       [&](const ScaleStep &s) {
                         return perChannel(onTensor(), "scale", s.factor, [](float x, float y) { return x * y; });
                       },
                       [&](const SubtractStep &s) { return perChannel(onTensor(), "subtract", s.value, minus); },
                       [&](const DivideStep &s) { return perChannel(onTensor(), "divide", s.divisor, over); },
                       [&](const NormalizeStep &s) -> Result<void> {
                         Result<void> centred = perChannel(onTensor(), "normalize", s.mean, minus);
                         return centred ? perChannel(onTensor(), "normalize", s.deviation, over) : centred;
                       },
                   },
                   step);
    if (!done)
      return makeError("preprocess: {}", done.error().message);
  }
  return std::move(onTensor());
}

} // namespace cnn::host
