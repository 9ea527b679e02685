// Rounding and storing.
#include "ir/reference/Materialize.h"

#include <cmath>
#include <cstring>

using namespace mlir;

namespace cnn::reference {

static APFloat toFloat(FloatType type, double value) {
  APFloat rounded(value);
  bool inexact;
  rounded.convert(type.getFloatSemantics(), APFloat::rmNearestTiesToEven, &inexact);
  return rounded;
}

static bool isUnsigned(IntegerType type) { return type.isUnsigned() || type.getWidth() == 1; }

double roundTo(Type elementType, double value) {
  if (elementType.isF64())
    return value;
  if (elementType.isF32())
    return double(float(value));
  if (auto type = dyn_cast<FloatType>(elementType)) {
    APFloat rounded = toFloat(type, value);
    bool inexact;
    rounded.convert(APFloat::IEEEdouble(), APFloat::rmNearestTiesToEven, &inexact);
    return rounded.convertToDouble();
  }
  auto type = cast<IntegerType>(elementType);
  if (std::isnan(value))
    return 0;
  int bits = int(type.getWidth());
  double low = isUnsigned(type) ? 0 : -std::ldexp(1.0, bits - 1);
  double high = std::ldexp(1.0, isUnsigned(type) ? bits : bits - 1) - 1;
  return std::min(std::max(std::nearbyint(value), low), high);
}

/// Where the elements of a stored tensor lie: for each storage dimension, outermost first, its extent, the logical
/// dimension that it walks and by how many indices.
struct Storage {
  struct Axis {
    int64_t extent, dim, step;
  };
  SmallVector<Axis> axes;
  Shape shape, strides;

  Storage(RankedTensorType type, ArrayRef<int64_t> shape) : shape(shape), strides(rowMajorStrides(shape)) {
    LayoutAttr layout = getLayout(type);
    if (!layout)
      layout = LayoutAttr::tiled(type.getContext(), type.getRank(), {}, {});
    for (int64_t dim : layout.getOuter())
      axes.push_back({int64_t(llvm::divideCeil(shape[dim], layout.tileSize(dim))), dim, layout.tileSize(dim)});
    for (auto [dim, size] : llvm::zip(layout.getInnerDims(), layout.getInnerSizes()))
      axes.push_back({size, dim, 1});
    if (axes.empty())
      axes.push_back({1, -1, 0});
  }

  int64_t elements() const {
    int64_t count = 1;
    for (const Axis &axis : axes)
      count *= axis.extent;
    return count;
  }

  /// Calls fn(storage index, logical row-major index or -1, its step, count) for runs along the innermost storage axis:
  /// `count` elements of the tensor, or `count` padded lanes. Of the outermost axis only the indices [begin, end).
  template <typename Fn> void forEachRun(int64_t begin, int64_t end, Fn fn) const {
    SmallVector<int64_t> logical(shape.size(), 0);
    int64_t inner = elements() / std::max<int64_t>(axes[0].extent, 1), at = begin * inner;
    auto run = [&](const Axis &axis, int64_t first, int64_t count) {
      int64_t row = 0, real = count;
      for (auto [dim, index] : llvm::enumerate(logical)) {
        row += index * strides[dim];
        if (int64_t(dim) != axis.dim && index >= shape[dim])
          real = 0;
      }
      if (axis.dim >= 0) {
        row += first * axis.step * strides[axis.dim];
        int64_t left = shape[axis.dim] - logical[axis.dim] - first * axis.step;
        real = std::min(real, left > 0 ? int64_t(llvm::divideCeil(left, axis.step)) : 0);
      }
      if (real > 0)
        fn(at, row, axis.dim < 0 ? 0 : axis.step * strides[axis.dim], real);
      if (real < count)
        fn(at + real, -1, 0, count - real);
      at += count;
    };
    auto walk = [&](auto &&self, size_t k, int64_t from, int64_t to) -> void {
      const Axis &axis = axes[k];
      if (k + 1 == axes.size())
        return run(axis, from, to - from);
      logical[axis.dim] += from * axis.step;
      for (int64_t i = from; i < to; ++i) {
        self(self, k + 1, 0, axes[k + 1].extent);
        logical[axis.dim] += axis.step;
      }
      logical[axis.dim] -= to * axis.step;
    };
    walk(walk, 0, begin, end);
  }
};

/// The bits of a value already rounded to the type, in the low bytes.
static uint64_t encode(Type elementType, double value) {
  if (auto type = dyn_cast<FloatType>(elementType))
    return toFloat(type, value).bitcastToAPInt().getZExtValue();
  double rounded = roundTo(elementType, value);
  // The upper bounds of 64 bits are no doubles: what rounds up to them saturates.
  if (rounded >= 0x1p64)
    return UINT64_MAX;
  if (rounded >= 0x1p63)
    return isUnsigned(cast<IntegerType>(elementType)) ? uint64_t(rounded) : uint64_t(INT64_MAX);
  return uint64_t(int64_t(rounded));
}

static double decode(Type elementType, uint64_t bits) {
  unsigned width = elementType.getIntOrFloatBitWidth();
  APInt integer = APInt(64, bits).trunc(width);
  if (auto type = dyn_cast<FloatType>(elementType)) {
    APFloat value(type.getFloatSemantics(), integer);
    bool inexact;
    value.convert(APFloat::IEEEdouble(), APFloat::rmNearestTiesToEven, &inexact);
    return value.convertToDouble();
  }
  return isUnsigned(cast<IntegerType>(elementType)) ? double(integer.getZExtValue()) : double(integer.getSExtValue());
}

int64_t storedBytesOf(RankedTensorType type, const Tensor &tensor) {
  return Storage(type, tensor.shape).elements() * elementBytes(type.getElementType());
}

void materialize(RankedTensorType type, const Tensor &tensor, MutableArrayRef<char> bytes, unsigned threads) {
  Storage storage(type, tensor.shape);
  Type element = type.getElementType();
  int64_t size = elementBytes(element);
  const double *values = tensor.data();
  // Small tensors are not worth a thread.
  unsigned workers = tensor.elements() < 65536 ? 1 : threads;
  parallelFor(storage.axes[0].extent, workers, [&](int64_t outer) {
    storage.forEachRun(outer, outer + 1, [&](int64_t at, int64_t from, int64_t step, int64_t count) {
      char *to = bytes.data() + at * size;
      if (from < 0)
        std::memset(to, 0, count * size);
      else if (element.isF32())
        for (int64_t i = 0; i < count; ++i, to += sizeof(float)) {
          float rounded = float(values[from + i * step]);
          std::memcpy(to, &rounded, sizeof rounded);
        }
      else
        for (int64_t i = 0; i < count; ++i, to += size) {
          uint64_t bits = encode(element, values[from + i * step]);
          std::memcpy(to, &bits, size);
        }
    });
  });
}

std::vector<char> materialize(RankedTensorType type, const Tensor &tensor, unsigned threads) {
  std::vector<char> bytes(storedBytesOf(type, tensor));
  materialize(type, tensor, bytes, threads);
  return bytes;
}

Tensor load(RankedTensorType type, ArrayRef<int64_t> shape, ArrayRef<char> bytes) {
  Storage storage(type, shape);
  Type element = type.getElementType();
  int64_t size = elementBytes(element);
  Tensor tensor(shape);
  storage.forEachRun(0, storage.axes[0].extent, [&](int64_t at, int64_t to, int64_t step, int64_t count) {
    if (to < 0)
      return;
    const char *from = bytes.data() + at * size;
    for (int64_t i = 0; i < count; ++i, from += size)
      if (element.isF32()) {
        float value;
        std::memcpy(&value, from, sizeof value);
        tensor.values[to + i * step] = value;
      } else {
        uint64_t bits = 0;
        std::memcpy(&bits, from, size);
        tensor.values[to + i * step] = decode(element, bits);
      }
  });
  return tensor;
}

} // namespace cnn::reference
