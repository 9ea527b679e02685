/* The caller's tensors; cnn_shared.h has the contract. */
#include "runtime/embedded/cnn_shared.h"

#include <string.h>

/* Copies elements between two strided tensors of one shape; strides in bytes, dimension 0 outermost. */
static void copy_strided(char *to, const int64_t *to_strides, const char *from, const int64_t *from_strides,
                         const int64_t *shape, int64_t rank, int64_t element_bytes) {
  if (rank == 0) {
    memcpy(to, from, (size_t)element_bytes);
    return;
  }
  if (rank == 1 && element_bytes == 4) {
    for (int64_t i = 0; i < shape[0]; ++i)
      __builtin_memcpy(to + i * to_strides[0], from + i * from_strides[0], 4);
    return;
  }
  for (int64_t i = 0; i < shape[0]; ++i)
    copy_strided(to + i * to_strides[0], to_strides + 1, from + i * from_strides[0], from_strides + 1, shape + 1,
                 rank - 1, element_bytes);
}

int cnn_make_view(cnn_view *result, const cnn_tensor_info *info, const cnn_tensor *tensor) {
  if (!tensor->data)
    return CNN_ERROR_NULL;
  if (!cnn_aligned(tensor->data, (uintptr_t)info->element_bytes))
    return CNN_ERROR_ALIGNMENT;
  result->data = tensor->data;
  result->contiguous = 1;
  int64_t dense = info->element_bytes;
  const int64_t *given = tensor->strides ? tensor->strides + (info->batched ? 1 : 0) : NULL;
  for (int64_t i = info->rank - 1; i >= 0; --i) {
    result->dense[i] = dense;
    result->strides[i] = given ? given[i] * info->element_bytes : dense;
    if (info->shape[i] != 1 && result->strides[i] != dense)
      result->contiguous = 0;
    dense *= info->shape[i];
  }
  result->image_stride = !info->batched    ? 0
                         : tensor->strides ? tensor->strides[0] * info->element_bytes
                                           : info->image_bytes;
  return CNN_OK;
}

void cnn_copy_images(const cnn_tensor_info *info, const cnn_view *tensor, char *dense, int64_t batch, int to_dense) {
  for (int64_t i = 0; i < (info->batched ? batch : 1); ++i) {
    char *image = tensor->data + i * tensor->image_stride, *packed = dense + i * info->image_bytes;
    if (to_dense)
      copy_strided(packed, tensor->dense, image, tensor->strides, info->shape, info->rank, info->element_bytes);
    else
      copy_strided(image, tensor->strides, packed, tensor->dense, info->shape, info->rank, info->element_bytes);
  }
}

int64_t cnn_staging_bytes(const cnn_tensor_info *tensor, int64_t max_batch) {
  return cnn_round(tensor->image_bytes) * (tensor->batched ? max_batch : 1);
}

cnn_tensor cnn_input_at(const cnn_input_list *list, int64_t index) {
  const cnn_network *network = &cnn_this_network;
  const int64_t first = network->input_count - network->hyper_count;
  if (!list->hyper || index < first)
    return list->tensors[index];
  int64_t offset = 0;
  for (int64_t i = first;; ++i) {
    const int64_t bytes = network->inputs[i].element_bytes;
    offset = (offset + bytes - 1) / bytes * bytes;
    if (i == index)
      return (cnn_tensor){(void *)(list->hyper + offset), NULL};
    offset += bytes;
  }
}
