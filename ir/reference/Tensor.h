// The values of the reference implementation: dense tensors of doubles in logical row-major order, whatever layout and
// element type the IR gives them. A double holds every value of the element types (integers up to 2^53), so that the
// only errors of an evaluation are those of double arithmetic.
#pragma once

#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/SmallVector.h"

#include <algorithm>
#include <cstdint>
#include <memory>
#include <thread>
#include <vector>

namespace cnn::reference {

using Shape = llvm::SmallVector<int64_t, 4>;

inline int64_t elementCount(llvm::ArrayRef<int64_t> shape) {
  int64_t count = 1;
  for (int64_t extent : shape)
    count *= extent;
  return count;
}

/// Elements from one index of a dimension to the next.
inline Shape rowMajorStrides(llvm::ArrayRef<int64_t> shape) {
  Shape strides(shape.size(), 1);
  for (int64_t dim = int64_t(shape.size()) - 2; dim >= 0; --dim)
    strides[dim] = strides[dim + 1] * shape[dim + 1];
  return strides;
}

struct Tensor {
  Shape shape;
  std::vector<double> values = {0.0};

  /// A scalar 0.
  Tensor() = default;
  /// Zeros.
  explicit Tensor(llvm::ArrayRef<int64_t> shape) : shape(shape), values(elementCount(shape)) {}
  /// `values` must have as many elements as the shape.
  Tensor(llvm::ArrayRef<int64_t> shape, std::vector<double> values) : shape(shape), values(std::move(values)) {}
  static Tensor filled(llvm::ArrayRef<int64_t> shape, double value) {
    return Tensor(shape, std::vector<double>(elementCount(shape), value));
  }
  template <typename Number> static Tensor from(llvm::ArrayRef<int64_t> shape, llvm::ArrayRef<Number> numbers) {
    return Tensor(shape, std::vector<double>(numbers.begin(), numbers.end()));
  }

  int64_t rank() const { return int64_t(shape.size()); }
  int64_t elements() const { return int64_t(values.size()); }
  const double *data() const { return values.data(); }
  double *data() { return values.data(); }
};

using TensorRef = std::shared_ptr<const Tensor>;
inline TensorRef share(Tensor tensor) { return std::make_shared<const Tensor>(std::move(tensor)); }

/// Calls fn(i) for 0 <= i < count, contiguous ranges of i on each of `threads` threads (0: one a core). What fn(i)
/// writes must depend on i alone, so that the number of threads changes no bit.
template <typename Fn> void parallelFor(int64_t count, unsigned threads, Fn fn) {
  int64_t workers = threads ? threads : std::max(1u, std::thread::hardware_concurrency());
  workers = std::min(workers, count);
  auto range = [&](int64_t worker) {
    for (int64_t i = count * worker / workers; i < count * (worker + 1) / workers; ++i)
      fn(i);
  };
  std::vector<std::thread> others;
  for (int64_t worker = 1; worker < workers; ++worker)
    others.emplace_back(range, worker);
  if (workers > 0)
    range(0);
  for (std::thread &other : others)
    other.join();
}

} // namespace cnn::reference
