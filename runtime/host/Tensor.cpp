//===- Tensor.cpp - Tensors in host memory --------------------------------===//
//
// Sizes with overflow checked, and conversions between element types (IEEE 754 binary16, and bfloat16: the upper half
// of binary32).
//
//===----------------------------------------------------------------------===//
#include "runtime/host/Tensor.h"

#include <fmt/ranges.h>

#include <bit>
#include <cassert>
#include <cmath>
#include <cstring>

static_assert(std::endian::native == std::endian::little, "tensor bytes are little-endian");

namespace cnn::host {

size_t dtypeBytes(DType type) {
  switch (type) {
  case DType::U8:
    return 1;
  case DType::F16:
  case DType::BF16:
    return 2;
  case DType::F32:
  case DType::I32:
    return 4;
  case DType::F64:
  case DType::I64:
    return 8;
  }
  __builtin_unreachable();
}

std::string_view dtypeName(DType type) {
  switch (type) {
  case DType::F32:
    return "f32";
  case DType::F64:
    return "f64";
  case DType::F16:
    return "f16";
  case DType::BF16:
    return "bf16";
  case DType::U8:
    return "u8";
  case DType::I32:
    return "i32";
  case DType::I64:
    return "i64";
  }
  __builtin_unreachable();
}

std::string shapeText(std::span<const int64_t> shape) {
  return shape.empty() ? "scalar" : fmt::format("{}", fmt::join(shape.begin(), shape.end(), "x"));
}

std::optional<int64_t> elementCount(std::span<const int64_t> shape) {
  int64_t count = 1;
  bool empty = false;
  for (int64_t size : shape) {
    if (size < 0)
      return std::nullopt;
    // A zero hides an overflow of the others, which must not depend on the order of the dimensions.
    if (size == 0)
      empty = true;
    else if (__builtin_mul_overflow(count, size, &count))
      return std::nullopt;
  }
  return empty ? 0 : count;
}

std::optional<int64_t> byteCount(std::span<const int64_t> shape, DType type) {
  const std::optional<int64_t> count = elementCount(shape);
  int64_t bytes;
  if (!count || __builtin_mul_overflow(*count, static_cast<int64_t>(dtypeBytes(type)), &bytes))
    return std::nullopt;
  return bytes;
}

float halfToFloat(uint16_t bits) {
  const uint32_t sign = uint32_t(bits & 0x8000) << 16;
  const uint32_t exponent = bits >> 10 & 0x1F, mantissa = bits & 0x3FF;
  if (exponent == 31)
    return std::bit_cast<float>(sign | 0x7F800000 | mantissa << 13);
  if (exponent == 0) {
    const float magnitude = std::ldexp(static_cast<float>(mantissa), -24);
    return sign ? -magnitude : magnitude;
  }
  return std::bit_cast<float>(sign | (exponent + 112) << 23 | mantissa << 13);
}

float bfloatToFloat(uint16_t bits) { return std::bit_cast<float>(uint32_t(bits) << 16); }

uint16_t floatToHalf(float value) {
  const auto bits = std::bit_cast<uint32_t>(value);
  const auto sign = static_cast<uint16_t>(bits >> 16 & 0x8000);
  const uint32_t magnitude = bits & 0x7FFFFFFF;
  if (magnitude > 0x7F800000)
    return sign | 0x7E00;
  if (magnitude >= 0x477FF000) // 65520, half way between the largest number and 2^16
    return sign | 0x7C00;
  if (magnitude < 0x38800000) { // below 2^-14: a multiple of 2^-24, rounded by the addition of 0.5 in binary32
    const float shifted = std::bit_cast<float>(magnitude) + 0.5f;
    return sign | static_cast<uint16_t>(std::bit_cast<uint32_t>(shifted) - 0x3F000000);
  }
  const uint32_t rounded = magnitude + 0xFFF + (magnitude >> 13 & 1);
  return sign | static_cast<uint16_t>((rounded - (112u << 23)) >> 13);
}

uint16_t floatToBfloat(float value) {
  const auto bits = std::bit_cast<uint32_t>(value);
  if ((bits & 0x7FFFFFFF) > 0x7F800000)
    return static_cast<uint16_t>(bits >> 16 | 0x40);
  return static_cast<uint16_t>((bits + 0x7FFF + (bits >> 16 & 1)) >> 16);
}

namespace {

template <class Stored, class To, class Convert>
std::vector<To> convertAll(std::span<const uint8_t> bytes, Convert convert) {
  std::vector<To> out(bytes.size() / sizeof(Stored));
  for (size_t i = 0; i < out.size(); ++i) {
    Stored stored;
    std::memcpy(&stored, bytes.data() + i * sizeof(Stored), sizeof(Stored));
    out[i] = static_cast<To>(convert(stored));
  }
  return out;
}

template <class To> std::vector<To> convertTo(DType dtype, std::span<const uint8_t> bytes) {
  auto same = [](auto stored) { return stored; };
  switch (dtype) {
  case DType::F32:
    return convertAll<float, To>(bytes, same);
  case DType::F64:
    return convertAll<double, To>(bytes, same);
  case DType::F16:
    return convertAll<uint16_t, To>(bytes, halfToFloat);
  case DType::BF16:
    return convertAll<uint16_t, To>(bytes, bfloatToFloat);
  case DType::U8:
    return convertAll<uint8_t, To>(bytes, same);
  case DType::I32:
    return convertAll<int32_t, To>(bytes, same);
  case DType::I64:
    return convertAll<int64_t, To>(bytes, same);
  }
  __builtin_unreachable();
}

} // namespace

std::vector<float> TensorView::toFloats() const { return convertTo<float>(dtype, bytes); }
std::vector<double> TensorView::toDoubles() const { return convertTo<double>(dtype, bytes); }

Tensor Tensor::zeros(DType dtype, std::vector<int64_t> shape) {
  const std::optional<int64_t> bytes = byteCount(shape, dtype);
  assert(bytes && "the shape was not checked");
  Tensor tensor{dtype, std::move(shape), {}};
  tensor.bytes.resize(static_cast<size_t>(*bytes));
  return tensor;
}

Tensor Tensor::fromFloats(std::vector<int64_t> shape, std::span<const float> values) {
  Tensor tensor = zeros(DType::F32, std::move(shape));
  assert(tensor.bytes.size() == values.size_bytes() && "values and shape differ in size");
  if (!values.empty())
    std::memcpy(tensor.bytes.data(), values.data(), values.size_bytes());
  return tensor;
}

std::span<float> Tensor::floats() {
  assert(dtype == DType::F32);
  return {reinterpret_cast<float *>(bytes.data()), bytes.size() / sizeof(float)};
}

std::span<const float> Tensor::floats() const {
  assert(dtype == DType::F32);
  return {reinterpret_cast<const float *>(bytes.data()), bytes.size() / sizeof(float)};
}

} // namespace cnn::host
