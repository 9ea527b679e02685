// See TensorMap.h. What is refused: CUDA Driver API, "cuTensorMapEncodeTiled".
#include "codegen/cuda/emulator/TensorMap.h"

#include <algorithm>
#include <cstring>

namespace cnn::cuda::emulator {

uint32_t TensorMap::boxBytes() const {
  uint32_t bytes = elementBytes;
  for (uint32_t i = 0; i < rank; ++i)
    bytes *= box[i];
  return bytes;
}

void TensorMap::forRows(const std::array<int32_t, 5> &coordinates, llvm::function_ref<void(const Row &)> row) const {
  const auto begin = std::clamp<int64_t>(-int64_t(coordinates[0]), 0, box[0]);
  const auto end = std::clamp<int64_t>(int64_t(extent[0]) - coordinates[0], begin, box[0]);
  const uint32_t rows = boxBytes() / (box[0] * elementBytes);
  for (uint32_t number = 0; number < rows; ++number) {
    Row one = {number * box[0] * elementBytes, static_cast<uint32_t>(begin) * elementBytes,
               static_cast<uint32_t>(end - begin) * elementBytes, address};
    for (uint32_t i = 1, rest = number; i < rank; rest /= box[i], ++i) {
      const int64_t at = int64_t(coordinates[i]) + rest % box[i];
      if (at < 0 || at >= extent[i])
        one.bytes = 0;
      else
        one.source += static_cast<uint64_t>(at) * stride[i - 1];
    }
    if (one.bytes)
      one.source += static_cast<uint64_t>(coordinates[0] + begin) * elementBytes;
    row(one);
  }
}

static uint32_t bytesOf(int type) {
  switch (type) {
  case CU_TENSOR_MAP_DATA_TYPE_FLOAT16:
  case CU_TENSOR_MAP_DATA_TYPE_BFLOAT16:
    return 2;
  case CU_TENSOR_MAP_DATA_TYPE_FLOAT32:
  case CU_TENSOR_MAP_DATA_TYPE_TFLOAT32:
    return 4;
  default:
    return 0;
  }
}

CUresult encodeTiled(CUtensorMap *map, int type, uint32_t rank, void *address, const uint64_t *extents,
                     const uint64_t *strides, const uint32_t *box, const uint32_t *elementStrides, int interleave,
                     int swizzle, int promotion, int fill) {
  TensorMap made;
  made.elementBytes = bytesOf(type);
  made.address = reinterpret_cast<uint64_t>(address);
  made.rank = rank;
  made.swizzle = static_cast<uint32_t>(swizzle);
  if (!map || reinterpret_cast<uint64_t>(map) % 64 || !made.elementBytes || made.address % 16 || rank < 1 || rank > 5 ||
      interleave != CU_TENSOR_MAP_INTERLEAVE_NONE || swizzle < CU_TENSOR_MAP_SWIZZLE_NONE ||
      swizzle > CU_TENSOR_MAP_SWIZZLE_128B || promotion < 0 || promotion > 3 ||
      fill != CU_TENSOR_MAP_FLOAT_OOB_FILL_NONE)
    return CUDA_ERROR_INVALID_VALUE;
  for (uint32_t i = 0; i < rank; ++i) {
    if (extents[i] < 1 || extents[i] > UINT32_MAX || box[i] < 1 || box[i] > 256 || elementStrides[i] != 1)
      return CUDA_ERROR_INVALID_VALUE;
    made.extent[i] = static_cast<uint32_t>(extents[i]);
    made.box[i] = box[i];
    if (i + 1 < rank) {
      if (strides[i] % 16 || strides[i] >> 40)
        return CUDA_ERROR_INVALID_VALUE;
      made.stride[i] = strides[i];
    }
  }
  const uint32_t inner = box[0] * made.elementBytes;
  if (inner % 16 || (swizzle && inner > (16u << swizzle)))
    return CUDA_ERROR_INVALID_VALUE;
  memset(map, 0, sizeof *map);
  memcpy(map, &made, sizeof made);
  return CUDA_SUCCESS;
}

} // namespace cnn::cuda::emulator
