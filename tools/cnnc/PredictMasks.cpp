// See PredictMasks.h.
#include "tools/cnnc/PredictMasks.h"

#include "runtime/host/Components.h"
#include "runtime/host/Csv.h"
#include "runtime/host/File.h"
#include "runtime/host/Json.h"
#include "runtime/host/Tiles.h"
#include "tools/cnnc/PreprocessSteps.h"

#include <filesystem>
#include <set>

using namespace mlir;

namespace cnn {
namespace {

/// The picture as the network's input, of its own size, [C, H, W].
host::Result<host::Tensor> prepare(const host::Image &picture, ArrayRef<host::PreprocessStep> steps, const Port &port,
                                   bool rawPixels) {
  int64_t channels = port.type.getDimSize(1);
  auto tensor = host::preprocess(
      picture, stepsFor(picture, steps, channels, rawPixels ? host::PixelScale::Raw : host::PixelScale::Unit));
  if (tensor && tensor->shape[0] != channels)
    return host::makeError("a picture of {} channels, but input '{}' takes {}; channels(grey) or channels(rgb) in its "
                           "preprocess block would fit it",
                           tensor->shape[0], port.name, channels);
  return tensor;
}

host::Result<host::Tensor> scoresOf(const host::Tensor &image, Target &target, const host::Tiling &tiling,
                                    ArrayRef<int64_t> in, ArrayRef<int64_t> out, int64_t batch) {
  host::Tensor scores = host::Tensor::zeros(host::DType::F32, {out[1], image.shape[1], image.shape[2]});
  size_t inputSize = static_cast<size_t>(in[1] * in[2] * in[3]),
         outputSize = static_cast<size_t>(out[1] * out[2] * out[3]);
  for (int64_t first = 0; first < tiling.count(); first += batch) {
    int64_t count = std::min(batch, tiling.count() - first);
    host::Tensor tiles = host::Tensor::zeros(host::DType::F32, {count, in[1], in[2], in[3]});
    for (int64_t i = 0; i < count; ++i)
      tiling.cut(image, first + i, tiles.floats().subspan(static_cast<size_t>(i) * inputSize, inputSize));
    auto results = target.run(std::span(&tiles, 1));
    if (!results)
      return results.error();
    std::vector<float> values = results->front().view().toFloats();
    for (int64_t i = 0; i < count; ++i)
      tiling.paste(std::span(values).subspan(static_cast<size_t>(i) * outputSize, outputSize), first + i, scores);
  }
  return scores;
}

/// The class of each pixel; what is no number is class 0.
std::vector<uint8_t> classesOf(const host::Tensor &scores) {
  size_t classes = static_cast<size_t>(scores.shape[0]),
         pixels = static_cast<size_t>(scores.shape[1] * scores.shape[2]);
  std::span<const float> values = scores.floats();
  std::vector<uint8_t> result(pixels);
  std::vector<float> own(classes);
  for (size_t pixel = 0; pixel < pixels; ++pixel) {
    for (size_t c = 0; c < classes; ++c)
      own[c] = values[c * pixels + pixel];
    result[pixel] = static_cast<uint8_t>(std::max<int64_t>(host::predictedClass(own), 0));
  }
  return result;
}

host::Result<std::vector<int64_t>> readMask(const std::string &file, const host::Tensor &scores, int64_t classes) {
  auto picture = host::readImage(file);
  if (!picture)
    return picture.error();
  if (picture->height != scores.shape[1] || picture->width != scores.shape[2])
    return host::makeError("{}: the mask is {}x{}, its picture {}x{}", file, picture->height, picture->width,
                           scores.shape[1], scores.shape[2]);
  std::vector<int64_t> labels;
  for (size_t i = 0; i < picture->pixels.size(); i += static_cast<size_t>(picture->channels)) {
    uint8_t value = picture->pixels[i];
    int64_t label = classes == 2 && value == 255 ? 1 : value;
    if (label >= classes)
      return host::makeError("{}: the value {} is no class of {}", file, value, classes);
    labels.push_back(label);
  }
  return labels;
}

} // namespace

bool givesMasks(RankedTensorType output) {
  return output.getRank() == 4 && output.getElementType().isF32() && output.getDimSize(1) <= 255;
}

void MaskResult::print(const std::string &network, const Target &target, const std::string &folder, bool asJson) const {
  if (asJson) {
    host::JsonWriter json;
    json.beginObject().member("network", network).member("target", target.describe()).member("pictures", masks);
    json.member("skipped", skipped.size()).member("output", folder);
    if (!figures.empty()) {
      json.key("metrics").beginObject();
      for (const auto &[name, value] : figures)
        json.member(name, value);
      json.endObject();
    }
    llvm::outs() << json.endObject().text() << "\n";
    return;
  }
  llvm::outs() << masks << (masks == 1 ? " mask to " : " masks to ") << folder << "\n";
  for (const auto &[name, value] : figures)
    llvm::outs() << name << " " << fmt::format("{:.6f}", value) << "\n";
}

host::Result<MaskResult> predictMasks(const host::Dataset &data, Target &target, const Port &input, const Port &output,
                                      const MaskOptions &options) {
  namespace fs = std::filesystem;
  ArrayRef<int64_t> in = input.type.getShape(), out = output.type.getShape();
  if (in.size() != 4 || !input.type.getElementType().isF32())
    return host::makeError("input '{}' is {}; masks are made of images, f32[N, C, H, W]", input.name,
                           typeText(input.type));
  int64_t classes = std::max<int64_t>(out[1], 2);
  auto steps = decodePreprocess(input.preprocess);
  if (!steps)
    return steps.error();
  const std::vector<std::string> names = {"miou", "count_error"};
  auto metrics = host::makeMetrics(names, {.classes = classes});
  if (!metrics)
    return metrics.error();

  MaskResult result;
  std::vector<std::pair<std::string, std::vector<uint8_t>>> files;
  std::set<std::string> stems;
  std::string table = "file,mask,objects\n";
  for (int64_t i = 0; i < data.size(); ++i) {
    std::string name = data.sampleName(i), stem = fs::path(name).stem().string();
    if (!stems.insert(stem).second)
      return host::makeError("{}: another picture is called '{}' too, and their masks would be one file", name, stem);
    auto picture = data.picture(i);
    if (!picture && options.skipBad) {
      result.skipped.push_back(picture.error().message);
      continue;
    }
    if (!picture)
      return picture.error();
    auto image = prepare(*picture, *steps, input, options.rawPixels);
    if (!image)
      return host::makeError("{}: {}", name, image.error().message);
    std::array<int64_t, 2> size = {image->shape[1], image->shape[2]};
    bool fits = size[0] == in[2] && size[1] == in[3];
    int64_t overlap = options.overlap >= 0 ? options.overlap : fits ? 0 : std::min(in[2], in[3]) / 4;
    auto tiling = host::Tiling::create(size, {in[2], in[3]}, {out[2], out[3]}, overlap);
    if (!tiling)
      return host::makeError("{}: {}", name, tiling.error().message);
    auto scores = scoresOf(*image, target, *tiling, in, out, options.batch);
    if (!scores)
      return scores.error();
    std::vector<uint8_t> mask = classesOf(*scores);
    if (!options.truth.empty()) {
      auto labels = readMask(options.truth + "/" + stem + ".png", *scores, classes);
      if (!labels)
        return labels.error();
      std::vector<int64_t> shape = {1, out[1], size[0], size[1]};
      if (auto added = (*metrics)->add({scores->floats(), shape, *labels, {}}); !added)
        return host::makeError("{}: {}", name, added.error().message);
    }
    host::Image drawn = host::Image::filled(static_cast<int>(size[0]), static_cast<int>(size[1]), 1, 0);
    for (size_t pixel = 0; pixel < mask.size(); ++pixel)
      drawn.pixels[pixel] = classes == 2 ? static_cast<uint8_t>(mask[pixel] * 255) : mask[pixel];
    auto encoded = host::encodePng(drawn);
    if (!encoded)
      return encoded.error();
    files.emplace_back(stem + ".png", std::move(*encoded));
    table += host::csvField(name) + "," + host::csvField(stem + ".png") + "," +
             std::to_string(host::countComponents(mask, size[0], size[1])) + "\n";
  }
  std::error_code error;
  fs::create_directories(options.folder, error);
  if (error)
    return host::makeError("{}: {}", options.folder, error.message());
  for (const auto &[name, bytes] : files)
    if (auto written = host::writeFile(options.folder + "/" + name, bytes); !written)
      return written.error();
  if (auto written = host::writeFile(options.folder + "/masks.csv", std::string_view(table)); !written)
    return written.error();
  result.masks = static_cast<int64_t>(files.size());
  if (!options.truth.empty())
    result.figures = (*metrics)->values();
  return result;
}

} // namespace cnn
