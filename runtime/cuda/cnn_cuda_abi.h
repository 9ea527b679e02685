/* What emitted code for CUDA has besides the tables of cnn_abi.h, whose variants it does not use: kernels as images for
 * the driver, one or several an architecture, and how each step is launched. Every field is a pointer or 64 bits wide.
 *
 * A kernel takes, for a step of n operands, n addresses of image 0, n strides in bytes from one image to the next, the
 * batch and the number of units; all are 64 bits wide. Addresses of the session's memory, the weights and the state are
 * multiples of CNN_ALIGNMENT where a buffer begins; inputs and outputs have no gaps, and image 0 of each lies at a
 * multiple of CNN_CUDA_TENSOR_ALIGNMENT. */
#ifndef CNN_CUDA_ABI_H
#define CNN_CUDA_ABI_H

#include "runtime/embedded/cnn_abi.h"

#ifdef __cplusplus
extern "C" {
#endif

#define CNN_CUDA_TENSOR_ALIGNMENT 16
/* Bytes of a model, a constant in emitted headers. */
#define CNN_CUDA_MODEL_BYTES(step_count) (((step_count) * 8 + 1024 + 63) / 64 * 64)

typedef struct cnn_cuda_image {
  const char *data; /* PTX (ended by a zero), a cubin or, for the emulated driver, LLVM bitcode */
  int64_t bytes;
  int64_t is_binary; /* machine code of one architecture, which newer ones of its generation run as well */
} cnn_cuda_image;

/* A grid of ceil(units / units_per_block) x grid_y x grid_z blocks, where units = fixed_units + batch *
 * units_per_image. */
typedef struct cnn_cuda_launch {
  const char *symbol;
  int64_t units_per_image, fixed_units, units_per_block;
  int64_t block_threads, grid_y, grid_z;
  int64_t shared_bytes; /* dynamic */
} cnn_cuda_launch;

typedef struct cnn_cuda_variant {
  const char *name;
  int64_t capability;  /* 80 for sm_80 */
  int64_t is_specific; /* sm_90a: for devices of this very capability */
  const cnn_cuda_image *images;
  int64_t image_count;             /* tried in order */
  const cnn_cuda_launch *launches; /* one a step */
} cnn_cuda_variant;

typedef struct cnn_cuda_program {
  int64_t variant_count;
  const cnn_cuda_variant *variants; /* tried in order: the most capable first */
} cnn_cuda_program;

extern const cnn_cuda_program cnn_this_cuda_program;

#ifdef __cplusplus
}
#endif

#endif
