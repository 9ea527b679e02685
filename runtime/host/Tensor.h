//===- Tensor.h - Tensors in host memory ----------------------------------===//
//
// An element type, a shape and row-major little-endian bytes: what files give and what emitted libraries take. Owned
// (Tensor, 64-byte aligned) or seen (TensorView, any alignment).
//
//===----------------------------------------------------------------------===//
#ifndef CNN_RUNTIME_HOST_TENSOR_H
#define CNN_RUNTIME_HOST_TENSOR_H

#include "runtime/host/Error.h"

#include <cstddef>
#include <cstdint>
#include <new>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace cnn::host {

enum class DType { F32, F64, F16, BF16, U8, I32, I64 };

/// Bytes of one element.
size_t dtypeBytes(DType type);
/// The name in the language and in messages: "f32".
std::string_view dtypeName(DType type);

/// "1x3x224x224"; "scalar" for rank 0.
std::string shapeText(std::span<const int64_t> shape);

/// Elements, and bytes, of a tensor; nothing where a dimension is negative or the product does not fit in 63 bits.
std::optional<int64_t> elementCount(std::span<const int64_t> shape);
std::optional<int64_t> byteCount(std::span<const int64_t> shape, DType type);

float halfToFloat(uint16_t bits);
float bfloatToFloat(uint16_t bits);
/// Rounds to nearest, ties to even; NaN stays NaN.
uint16_t floatToHalf(float value);
uint16_t floatToBfloat(float value);

/// Somebody else's tensor. The bytes need no alignment.
struct TensorView {
  DType dtype = DType::F32;
  std::vector<int64_t> shape;
  std::span<const uint8_t> bytes;

  int64_t elements() const { return static_cast<int64_t>(bytes.size() / dtypeBytes(dtype)); }
  /// All elements converted; integers and doubles beyond the target's precision are rounded to nearest.
  std::vector<float> toFloats() const;
  std::vector<double> toDoubles() const;
};

template <class T> struct CacheLineAllocator {
  using value_type = T;
  CacheLineAllocator() = default;
  template <class U> CacheLineAllocator(const CacheLineAllocator<U> &) {}
  T *allocate(size_t count) { return static_cast<T *>(::operator new(count * sizeof(T), std::align_val_t(64))); }
  void deallocate(T *pointer, size_t) { ::operator delete(pointer, std::align_val_t(64)); }
  template <class U> bool operator==(const CacheLineAllocator<U> &) const { return true; }
};

struct Tensor {
  DType dtype = DType::F32;
  std::vector<int64_t> shape;
  std::vector<uint8_t, CacheLineAllocator<uint8_t>> bytes;

  /// Zeros. The shape must have a byteCount().
  static Tensor zeros(DType dtype, std::vector<int64_t> shape);
  static Tensor fromFloats(std::vector<int64_t> shape, std::span<const float> values);

  int64_t elements() const { return static_cast<int64_t>(bytes.size() / dtypeBytes(dtype)); }
  TensorView view() const { return {dtype, shape, bytes}; }
  /// The elements of an f32 tensor.
  std::span<float> floats();
  std::span<const float> floats() const;
};

} // namespace cnn::host

#endif // CNN_RUNTIME_HOST_TENSOR_H
