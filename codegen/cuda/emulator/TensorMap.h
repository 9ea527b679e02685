// The emulated driver's tensor maps: what cuTensorMapEncodeTiled writes into the 128 bytes of a CUtensorMap, and where
// a box of such a tensor lies in global and in shared memory. Boxes are tiled; an interleaved layout, strides between a
// box's elements and the filling with NaN are not emulated.
#pragma once

#include "runtime/cuda/cnn_cuda_driver.h"

#include "llvm/ADT/STLFunctionalExtras.h"

#include <array>
#include <cstdint>

namespace cnn::cuda::emulator {

struct TensorMap {
  static constexpr uint64_t kMagic = 0x70616d726f736e74; // "tnsormap"

  uint64_t magic = kMagic, address = 0;
  uint32_t rank = 0, elementBytes = 0;
  uint32_t swizzle = 0; ///< CUtensorMapSwizzle
  uint32_t extent[5] = {}, box[5] = {};
  uint64_t stride[4] = {}; ///< Bytes from one to the next of dimension 1 and on.

  /// All bytes of a box, those outside the tensor included.
  uint32_t boxBytes() const;
  /// A row of the box: its bytes in shared memory begin at `offset` of it, `bytes` of them from `source` on, after
  /// `before` zeros; all others are zero.
  struct Row {
    uint32_t offset, before, bytes;
    uint64_t source;
  };
  /// Calls `row` for each row of the box whose first element has these coordinates.
  void forRows(const std::array<int32_t, 5> &coordinates, llvm::function_ref<void(const Row &)> row) const;
};
static_assert(sizeof(TensorMap) <= sizeof(CUtensorMap));

/// Where the byte at `address` of shared memory is put: PTX ISA, "Swizzling modes". The 16 bytes of a row of 32, 64 or
/// 128 bytes change places by the number of the 128 bytes that they are in.
inline uint64_t swizzled(uint64_t address, uint32_t mode) {
  const uint32_t bits = mode == CU_TENSOR_MAP_SWIZZLE_128B ? 7 : mode == CU_TENSOR_MAP_SWIZZLE_64B ? 3 : mode ? 1 : 0;
  return address ^ (address >> 7 & bits) << 4;
}

/// The driver's entry.
CUresult encodeTiled(CUtensorMap *map, int type, uint32_t rank, void *address, const uint64_t *extents,
                     const uint64_t *strides, const uint32_t *box, const uint32_t *elementStrides, int interleave,
                     int swizzle, int promotion, int fill);

} // namespace cnn::cuda::emulator
