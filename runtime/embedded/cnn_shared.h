/* What the runtimes of all kinds of machines share: the caller's tensors seen as images with strides, the weights, what
 * a run is called with, and how memory is divided.
 * Freestanding C: libc is called for files only. */
#ifndef CNN_SHARED_H
#define CNN_SHARED_H

#include "runtime/embedded/cnn_api.h"

#define CNN_MODEL_MAGIC UINT64_C(0x6c65646f6d6e6e63)   /* "cnnmodel" */
#define CNN_SESSION_MAGIC UINT64_C(0x73657373736e6e63) /* "cnnssess" */
/* Of CUDA devices: the first word of a model or session tells whose it is. */
#define CNN_CUDA_MODEL_MAGIC UINT64_C(0x6c646d75636e6e63)   /* "cnncumdl" */
#define CNN_CUDA_SESSION_MAGIC UINT64_C(0x73737375636e6e63) /* "cnncusss" */

static inline int cnn_aligned(const void *address, uintptr_t alignment) {
  return ((uintptr_t)address & (alignment - 1)) == 0;
}
static inline int64_t cnn_round(int64_t bytes) { return (bytes + CNN_ALIGNMENT - 1) & -(int64_t)CNN_ALIGNMENT; }

/* The checked weights of this network. */
typedef struct cnn_weights {
  const char *data;
  void *mapping; /* null: the data are not mapped by us */
  size_t mapping_bytes;
} cnn_weights;

/* Options may be null. Nothing needs to be freed after an error. */
int cnn_weights_find(cnn_weights *weights, const cnn_model_options *options);
void cnn_weights_end(cnn_weights *weights);

/* A tensor of the caller's with strides in bytes, for images that follow each other; `strides` belong to one image. */
typedef struct cnn_view {
  char *data;
  int64_t image_stride; /* 0 without a batch */
  int64_t strides[CNN_MAX_RANK], dense[CNN_MAX_RANK];
  int contiguous; /* within an image */
} cnn_view;

int cnn_make_view(cnn_view *view, const cnn_tensor_info *info, const cnn_tensor *tensor);
/* Copies images between a tensor with any strides and one without gaps. */
void cnn_copy_images(const cnn_tensor_info *info, const cnn_view *tensor, char *dense, int64_t batch, int to_dense);

/* Bytes of a tensor's staging area. */
int64_t cnn_staging_bytes(const cnn_tensor_info *tensor, int64_t max_batch);

/* The caller's inputs: an array, whose last elements may be in a struct of their own. */
typedef struct cnn_input_list {
  const cnn_tensor *tensors;
  const char *hyper; /* null: all inputs are tensors */
} cnn_input_list;
cnn_tensor cnn_input_at(const cnn_input_list *list, int64_t index);

/* A run as the caller asks for it. */
typedef struct cnn_call {
  int64_t batch;
  const cnn_input_list *inputs;
  const cnn_tensor *outputs;
  cnn_observer observer; /* null: not observed */
  void *context;
} cnn_call;

/* All that the caller can do wrong with tensors, for sessions up to max_batch; nothing has been written then. */
int cnn_check_call(const cnn_call *call, int64_t max_batch);
/* Each runtime's own, to which the functions for running come down; any argument may be wrong. */
int cnn_run_call(cnn_session *session, const cnn_call *call);

/* Parts of memory one after the other, each aligned to CNN_ALIGNMENT. */
typedef struct cnn_area {
  size_t end;
  int overflow; /* there is no such memory */
} cnn_area;

/* Where the next part begins: `count` times as many bytes. */
size_t cnn_place(cnn_area *area, int64_t bytes, int64_t count);
/* Staging areas, for batches up to max_batch. */
size_t cnn_place_tensors(cnn_area *area, const cnn_tensor_info *tensors, int64_t count, int64_t max_batch);
/* Whether `state` can be given its first values; a model of the runtime that asks begins with `magic`. */
int cnn_check_state_init(const cnn_model *model, uint64_t magic, const void *state);
/* Whether the network takes batches up to this. */
int cnn_check_max_batch(int64_t max_batch);

#endif
