//===- Convert.cpp - From the data's part to the network's field ----------===//
//
// Arithmetic steps of a preprocess block depend on channel and value alone, so that a table made by preprocess() itself
// gives the same bits.
//
//===----------------------------------------------------------------------===//
#include "runtime/host/data/Convert.h"

#include "runtime/host/data/BorderWeights.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstring>
#include <limits>

namespace cnn::host {
namespace {

static_assert(std::endian::native == std::endian::little, "files and tensors are little-endian");

/// Calls `visitor` with a value of the element type.
template <class Visitor> auto withType(DType type, Visitor visitor) {
  switch (type) {
  case DType::F64:
    return visitor(double());
  case DType::U8:
    return visitor(uint8_t());
  case DType::I32:
    return visitor(int32_t());
  case DType::I64:
    return visitor(int64_t());
  default:
    return visitor(float());
  }
}

bool isStorable(DType type) { return type != DType::F16 && type != DType::BF16; }

template <class T> void store(uint8_t *out, size_t index, T value) {
  std::memcpy(out + index * sizeof(T), &value, sizeof(T));
}

std::vector<int64_t> withoutOnes(std::span<const int64_t> shape) {
  std::vector<int64_t> kept;
  std::copy_if(shape.begin(), shape.end(), std::back_inserter(kept), [](int64_t size) { return size != 1; });
  return kept;
}

double elementAt(std::span<const uint8_t> values, DType type, size_t index) {
  if (type == DType::F16) {
    uint16_t bits;
    std::memcpy(&bits, values.data() + index * 2, 2);
    return halfToFloat(bits);
  }
  return withType(type, [&](auto element) {
    std::memcpy(&element, values.data() + index * sizeof(element), sizeof(element));
    return static_cast<double>(element);
  });
}

} // namespace

Result<FieldConverter> FieldConverter::create(const Field &field, const Part &part, PixelScale scale,
                                              std::vector<int64_t> classMap) {
  FieldConverter converter;
  converter.field = field;
  converter.classMap = std::move(classMap);
  converter.source = part.dtype;
  converter.picture = part.kind != Part::Kind::Array;
  converter.borders = part.kind == Part::Kind::BorderWeights;
  const std::optional<int64_t> elements = elementCount(field.shape);
  if (!elements || *elements <= 0)
    return makeError("input '{}': no sample has {} elements", field.name, shapeText(field.shape));
  if (!isStorable(field.dtype))
    return makeError("input '{}': elements of {} are not made from data, expected f32, f64, u8, i32 or i64", field.name,
                     dtypeName(field.dtype));
  converter.count = *elements;
  Result<void> prepared = converter.picture ? converter.preparePicture(part, scale) : converter.prepareArray(part);
  if (!prepared)
    return prepared.error();
  return converter;
}

Error FieldConverter::wrongSize(const std::string &name, std::span<const int64_t> shape) const {
  std::string_view hint;
  if (field.preprocess.empty() && !expected.empty())
    hint = shape[0] != expected[0] && shape[1] == expected[1] && shape[2] == expected[2]
               ? "; channels in its preprocess block would fit it"
               : "; resize or crop in its preprocess block would fit it";
  return makeError("{}: a picture of {} (channels x height x width){}, but input '{}' takes {}{}", inQuotes(name),
                   shapeText(shape), field.preprocess.empty() ? "" : " after preprocessing", field.name,
                   shapeText(field.shape), hint);
}

Result<void> FieldConverter::preparePicture(const Part &part, PixelScale scale) {
  const std::vector<int64_t> &shape = field.shape;
  if (borders && ((field.dtype != DType::F32 && field.dtype != DType::F64) || field.classes > 0 || shape.size() < 2 ||
                  shape.size() > 3 || (shape.size() == 3 && shape[0] != 1)))
    return makeError("input '{}': weights of a mask are f32 of a height and a width", field.name);
  if (shape.size() == 3) {
    interleaved = field.dtype == DType::U8 && shape[0] != 1 && shape[0] != 3 && (shape[2] == 1 || shape[2] == 3);
    expected = interleaved ? std::vector{shape[2], shape[0], shape[1]} : shape;
    channels = static_cast<size_t>(expected[0]);
  } else if (shape.size() == 2) {
    expected = {1, shape[0], shape[1]};
  } else if (shape.size() != 1 || count == 1) {
    return makeError("input '{}' takes {}, but '{}' of the data in {} is a picture", field.name, shapeText(shape),
                     part.name, inQuotes(part.file));
  }
  for (const PreprocessStep &step : field.preprocess)
    if (std::holds_alternative<ResizeStep>(step) || std::holds_alternative<CropStep>(step) ||
        std::holds_alternative<ChannelsStep>(step))
      pictureSteps.push_back(step);
  if (expected.empty()) {
    // A flat field does not say how many channels there are; the data or the steps tell. Without preprocessing all
    // channels have the same table.
    if (!pictureSteps.empty()) {
      Result<Tensor> one = host::preprocess(Image::filled(256, 256, 3, 0), pictureSteps);
      channels = one ? static_cast<size_t>(one->shape[0]) : 3;
    } else if (!field.preprocess.empty()) {
      channels = part.shape.empty() ? 3 : static_cast<size_t>(part.shape[0]);
    }
    if (count % static_cast<int64_t>(channels) != 0)
      return makeError("input '{}': {} elements are no picture of {} channels", field.name, count, channels);
  }
  if (Result<void> made = toTables(scale); !made)
    return made;
  const bool sameSize = expected.empty()
                            ? elementCount(part.shape) == count
                            : part.shape.size() == 3 && part.shape[1] == expected[1] && part.shape[2] == expected[2] &&
                                  (part.shape[0] == expected[0] || part.shape[0] == 1);
  if (!part.shape.empty() && pictureSteps.empty() && !sameSize)
    return wrongSize(part.file, part.shape);
  return {};
}

Result<void> FieldConverter::toTables(PixelScale scale) {
  table.assign(channels * 256, std::numeric_limits<float>::quiet_NaN());
  std::vector<PreprocessStep> arithmetic;
  for (const PreprocessStep &step : field.preprocess)
    if (!std::holds_alternative<ResizeStep>(step) && !std::holds_alternative<CropStep>(step) &&
        !std::holds_alternative<ChannelsStep>(step))
      arithmetic.push_back(step);
  if (field.classes > 0) {
    for (int64_t value = 0; value < 256; ++value) {
      const int64_t index = field.classes == 2 && value == 255 ? 1 : value;
      if (index < field.classes)
        for (size_t c = 0; c < channels; ++c)
          table[c * 256 + static_cast<size_t>(value)] = static_cast<float>(index);
    }
    return {};
  }
  if (field.preprocess.empty()) {
    const bool unit = scale == PixelScale::Unit && field.dtype != DType::U8;
    for (size_t i = 0; i < table.size(); ++i)
      table[i] = unit ? static_cast<float>(i % 256) / 255.0f : static_cast<float>(i % 256);
    return {};
  }
  // What preprocess() makes of every value in every channel. The picture steps here only leave the right number of
  // channels; grey of equal channels is the value itself.
  if (channels != 1 && channels != 3)
    return makeError("input '{}' takes {}, but a preprocessed picture has 1 or 3 channels", field.name,
                     shapeText(field.shape));
  std::vector<PreprocessStep> steps = arithmetic;
  if (channels == 1)
    steps.insert(steps.begin(), ChannelsStep{ChannelsStep::Order::Grey});
  Image ramp = Image::filled(1, 256, 3, 0);
  for (size_t i = 0; i < ramp.pixels.size(); ++i)
    ramp.pixels[i] = static_cast<uint8_t>(i / 3);
  Result<Tensor> values = host::preprocess(ramp, steps);
  if (!values)
    return makeError("input '{}': {}", field.name, values.error().message);
  std::copy_n(values->floats().begin(), table.size(), table.begin());
  if (field.dtype != DType::F32 && field.dtype != DType::F64)
    for (float &value : table)
      value = std::trunc(std::clamp(value, 0.0f, 255.0f));
  return {};
}

Result<void> FieldConverter::toPlanes(const Image &image, const std::string &name, std::span<uint8_t> planes) const {
  const auto pixels = static_cast<size_t>(image.height) * static_cast<size_t>(image.width);
  if (!pictureSteps.empty() || (!field.preprocess.empty() && image.channels == 1 && channels == 3)) {
    Result<Tensor> made = host::preprocess(image, pictureSteps);
    if (!made)
      return makeError("{}: {}", inQuotes(name), made.error().message);
    if (expected.empty() ? made->elements() != count : made->shape != expected)
      return wrongSize(name, made->shape);
    const std::span<const float> values = made->floats();
    std::transform(values.begin(), values.end(), planes.begin(),
                   [](float value) { return static_cast<uint8_t>(value); });
    return {};
  }
  const auto have = static_cast<size_t>(image.channels);
  const std::array<int64_t, 3> shape = {image.channels, image.height, image.width};
  const bool spatial = expected.empty() || (image.height == expected[1] && image.width == expected[2]);
  const auto *source = image.pixels.data();
  if (have == channels || (expected.empty() && static_cast<int64_t>(pixels * have) == count)) {
    if (!spatial || static_cast<int64_t>(pixels * have) != count)
      return wrongSize(name, shape);
    for (size_t i = 0; i < pixels; ++i)
      for (size_t c = 0; c < have; ++c)
        planes[c * pixels + i] = source[i * have + c];
    return {};
  }
  if (spatial && have == 1 && channels == 3 && static_cast<int64_t>(3 * pixels) == count) {
    for (size_t c = 0; c < 3; ++c)
      std::copy_n(source, pixels, planes.begin() + static_cast<ptrdiff_t>(c * pixels));
    return {};
  }
  // Masks are often stored as colour pictures of grey values.
  if (spatial && (field.classes > 0 || borders) && have == 3 && channels == 1 &&
      static_cast<int64_t>(pixels) == count) {
    for (size_t i = 0; i < pixels; ++i) {
      if (source[3 * i] != source[3 * i + 1] || source[3 * i] != source[3 * i + 2])
        return makeError("{}: a picture in colour, but input '{}' takes a class at each pixel", inQuotes(name),
                         field.name);
      planes[i] = source[3 * i];
    }
    return {};
  }
  return wrongSize(name, shape);
}

Result<void> FieldConverter::fromPlanes(std::span<const uint8_t> planes, const std::string &name, uint8_t *out) const {
  if (borders) {
    const std::vector<float> weights = borderWeights(planes, expected[1], expected[2]);
    for (size_t i = 0; i < weights.size(); ++i)
      if (field.dtype == DType::F64)
        store(out, i, static_cast<double>(weights[i]));
      else
        store(out, i, weights[i]);
    return {};
  }
  const size_t plane = planes.size() / channels;
  if (field.classes > 0)
    for (size_t i = 0; i < planes.size(); ++i)
      if (std::isnan(table[planes[i]])) {
        const size_t width = expected.empty() ? plane : static_cast<size_t>(expected[2]), at = i % plane;
        return makeError("{}: the value {} in row {}, column {} is no class of input '{}', which has {}",
                         inQuotes(name), planes[i], at / width, at % width, field.name, field.classes);
      }
  withType(field.dtype, [&](auto element) {
    using T = decltype(element);
    for (size_t c = 0; c < channels; ++c) {
      const float *values = &table[c * 256];
      const uint8_t *from = planes.data() + c * plane;
      const size_t first = interleaved ? c : c * plane, step = interleaved ? channels : 1;
      for (size_t i = 0; i < plane; ++i)
        store(out, first + i * step, static_cast<T>(values[from[i]]));
    }
  });
  return {};
}

Result<void> FieldConverter::prepareArray(const Part &part) {
  auto differs = [&] {
    return makeError("{}: samples of {}, but input '{}' takes {}", inQuotes(part.file), shapeText(part.shape),
                     field.name, shapeText(field.shape));
  };
  if (elementCount(part.shape) != count)
    return differs();
  const std::vector<int64_t> have = withoutOnes(part.shape), want = withoutOnes(field.shape);
  if (have != want && want.size() > 1) {
    transposed = have.size() == 3 && want.size() == 3 && have[0] == want[1] && have[1] == want[2] && have[2] == want[0];
    if (!transposed)
      return differs();
  }
  return {};
}

Result<void> FieldConverter::fromArray(std::span<const uint8_t> values, const std::string &name, uint8_t *out) const {
  if (source == field.dtype && field.classes == 0 && !transposed) {
    std::copy(values.begin(), values.end(), out);
    return {};
  }
  const size_t planes = transposed ? static_cast<size_t>(withoutOnes(field.shape)[0]) : 1;
  const size_t plane = static_cast<size_t>(count) / planes;
  const bool toInteger = field.dtype != DType::F32 && field.dtype != DType::F64;
  return withType(field.dtype, [&](auto element) -> Result<void> {
    using T = decltype(element);
    for (size_t i = 0; i < static_cast<size_t>(count); ++i) {
      const size_t from = transposed ? i % plane * planes + i / plane : i;
      double value = elementAt(values, source, from);
      if (field.classes > 0) {
        const bool inMap = classMap.empty() || (value >= 0 && value < static_cast<double>(classMap.size()));
        if (inMap && !classMap.empty() && value == std::floor(value))
          value = static_cast<double>(classMap[static_cast<size_t>(value)]);
        if (!inMap || value != std::floor(value) || value < 0 || value >= static_cast<double>(field.classes))
          return makeError("{}: the label {} is no class of input '{}', which has {} (0 to {})", inQuotes(name),
                           elementAt(values, source, from), field.name, field.classes, field.classes - 1);
      } else if (toInteger &&
                 (value != std::floor(value) || value < static_cast<double>(std::numeric_limits<T>::min()) ||
                  value >= static_cast<double>(std::numeric_limits<T>::max()) + 1)) {
        return makeError("{}: {} is no {}, which input '{}' takes", inQuotes(name), value, dtypeName(field.dtype),
                         field.name);
      }
      store(out, i, static_cast<T>(value));
    }
    return {};
  });
}

} // namespace cnn::host
