//===- Sheets.cpp - Looking into a network that learns --------------------===//
//
// Slices of tensors as pictures.
//
//===----------------------------------------------------------------------===//
#include "runtime/host/training/Sheets.h"

#include <algorithm>
#include <cmath>
#include <tuple>

namespace cnn::host {
namespace {

constexpr int64_t mostFilters = 1024, mostAcross = 32;

/// The `count` planes from the `first` on of a tensor [.., .., H, W], as [1, count, H, W].
TensorView planes(const TensorView &tensor, int64_t first, int64_t count) {
  const int64_t height = tensor.shape[2], width = tensor.shape[3];
  const size_t bytes = static_cast<size_t>(height * width) * dtypeBytes(tensor.dtype);
  return {tensor.dtype,
          {1, count, height, width},
          tensor.bytes.subspan(static_cast<size_t>(first) * bytes, static_cast<size_t>(count) * bytes)};
}

bool isBatchOfPlanes(const TensorView &tensor) {
  return tensor.shape.size() == 4 &&
         std::none_of(tensor.shape.begin(), tensor.shape.end(), [](int64_t size) { return size <= 0; });
}

/// Worse first.
bool isWorse(double lossA, int64_t sampleA, double lossB, int64_t sampleB) {
  auto key = [](double loss) { return std::isnan(loss) ? HUGE_VAL : loss; };
  return std::tuple(!std::isnan(lossA), -key(lossA), sampleA) < std::tuple(!std::isnan(lossB), -key(lossB), sampleB);
}

} // namespace

Result<Image> filterSheet(const std::string &name, const TensorView &weights) {
  if (!isBatchOfPlanes(weights))
    return makeError("{}: filters of shape {} are no pictures (expected [O, C, kh, kw])", inQuotes(name),
                     shapeText(weights.shape));
  const int64_t channels = weights.shape[1];
  const bool together = channels == 1 || channels == 3;
  const int64_t filters = std::min(weights.shape[0], together ? mostFilters : mostAcross);
  const int64_t across = together ? 1 : std::min(channels, mostAcross);
  std::vector<LabelledPicture> pictures;
  for (int64_t filter = 0; filter < filters; ++filter) {
    const ValueRange range = finiteRange(planes(weights, filter * channels, channels));
    const double largest = std::max(std::abs(range.low), std::abs(range.high));
    for (int64_t part = 0; part < across; ++part) {
      Result<Image> image =
          pictureOf(planes(weights, filter * channels + part, together ? channels : 1), ValueRange{-largest, largest});
      if (!image)
        return image.error();
      pictures.push_back(
          {together ? fmt::format("{}", filter) : fmt::format("{}, {}", filter, part), std::move(*image)});
    }
  }
  return contactSheet(pictures, together ? 0 : static_cast<int>(across));
}

Result<Image> featureMapSheet(const std::string &name, const TensorView &activations, int64_t index, int64_t limit) {
  if (!isBatchOfPlanes(activations))
    return makeError("{}: activations of shape {} are no feature maps (expected [N, C, H, W])", inQuotes(name),
                     shapeText(activations.shape));
  if (index < 0 || index >= activations.shape[0])
    return makeError("{}: no image {} among {}", inQuotes(name), index, activations.shape[0]);
  const int64_t channels = activations.shape[1];
  std::vector<LabelledPicture> pictures;
  for (int64_t channel = 0; channel < std::min(channels, std::max<int64_t>(1, limit)); ++channel) {
    Result<Image> image = pictureOf(planes(activations, index * channels + channel, 1));
    if (!image)
      return image.error();
    pictures.push_back({fmt::format("{}[{}]", name, channel), std::move(*image)});
  }
  return contactSheet(pictures);
}

bool WorstImages::wants(double loss, int64_t sample) const {
  return limit > 0 && (kept.size() < limit || isWorse(loss, sample, kept.back().loss, kept.back().sample));
}

void WorstImages::add(JudgedImage judged) {
  if (judged.actual == judged.predicted || !wants(judged.loss, judged.sample))
    return;
  const auto place = std::find_if(kept.begin(), kept.end(), [&](const JudgedImage &other) {
    return isWorse(judged.loss, judged.sample, other.loss, other.sample);
  });
  kept.insert(place, std::move(judged));
  if (kept.size() > limit)
    kept.pop_back();
}

Result<Image> WorstImages::sheet(std::span<const std::string> classNames) const {
  if (kept.empty())
    return makeError("no image was classified wrongly, so there is no sheet of the worst");
  auto nameOf = [&](int64_t index) {
    const bool known = index >= 0 && index < static_cast<int64_t>(classNames.size());
    return known ? classNames[static_cast<size_t>(index)] : index < 0 ? "NaN" : fmt::format("{}", index);
  };
  std::vector<LabelledPicture> pictures;
  for (const JudgedImage &judged : kept) {
    std::string label = fmt::format("is {}\nnot {}", nameOf(judged.actual), nameOf(judged.predicted));
    if (std::isfinite(judged.probability))
      label += fmt::format("\n{:.1f}%", judged.probability * 100);
    pictures.push_back({std::move(label), judged.image});
  }
  return contactSheet(pictures);
}

} // namespace cnn::host
