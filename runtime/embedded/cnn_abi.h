/* The internal interface between generated code and the runtime that is linked into the same library: kernels, the
 * tables that say which of them run on what memory, and the weights file. Emitted code builds these tables as LLVM
 * constants, so every field is a pointer or 64 bits wide. Nothing of it is visible to users of a library.
 *
 * Memory: the weights, the caller's inputs and outputs, and a session's own, which for the batch B <= max_batch is
 *   workspace   a buffer of `offset` begins at offset * B from its begin, so that images lie densely whatever B is
 *   fixed       independent of B; a buffer begins at `offset`
 *   state       what a step reads and updates, the caller's; a variable begins at `offset`
 *   scratch     one piece a worker; contents are lost between calls of a kernel */
#ifndef CNN_ABI_H
#define CNN_ABI_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define CNN_ABI_VERSION 1
/* Of a model's and session's memory, the weights, each buffer in them, and scratch. */
#define CNN_ALIGNMENT 64
#define CNN_MODEL_BYTES 64
#define CNN_MAX_THREADS 256
#define CNN_MAX_RANK 8
#define CNN_CHAIN_OPERANDS 32

/* Computes the work units [begin, end) of a step; each unit writes outputs of its own. buffers[i] is the address of
 * image 0 of operand i, image_strides[i] the bytes from one image to the next (0 for what all images share). `scratch`
 * is the worker's. */
typedef void (*cnn_kernel)(char *const *buffers, const int64_t *image_strides, int64_t batch, int64_t begin,
                           int64_t end, char *scratch);

enum cnn_segment {
  CNN_SEGMENT_WEIGHTS = 0,
  CNN_SEGMENT_WORKSPACE = 1,
  CNN_SEGMENT_FIXED = 2,
  CNN_SEGMENT_INPUT = 3, /* `offset` is the input's number */
  CNN_SEGMENT_OUTPUT = 4,
  CNN_SEGMENT_STATE = 5
};

/* Image i lies at slice + i * image_stride from the buffer's begin. Of inputs and outputs the caller's stride counts
 * instead, unless image_stride is 0. */
typedef struct cnn_operand {
  int64_t segment, offset, slice, image_stride;
} cnn_operand;

typedef struct cnn_step {
  const cnn_operand *operands;
  int64_t operand_count;
  int64_t cost_per_image; /* operations; what is below a threshold is not worth waking threads for */
  int64_t group;          /* the steps of one group follow one another */
  /* So many steps from this one on compute image by image and may be run together, chain_images images at a time, while
   * what they hand on is in the cache: each with CNN_CHAIN_OPERANDS operands at most. 1: this one alone. */
  int64_t chain, chain_images;
} cnn_step;

/* A step's code on one instruction set: fixed_units + batch * units_per_image units, better handed out in multiples of
 * grain. */
typedef struct cnn_launch {
  cnn_kernel kernel;
  int64_t units_per_image, fixed_units, grain;
} cnn_launch;

typedef struct cnn_variant {
  const char *name;
  int64_t level;              /* x86-64-v<level>, as cnn_cpu_level() answers */
  const cnn_launch *launches; /* one a step */
} cnn_variant;

/* An input or output: row-major; `shape` has `rank` extents, the batch (when `batched`) not among them. */
typedef struct cnn_tensor_info {
  int64_t element_bytes, batched, rank;
  const int64_t *shape;
  int64_t image_bytes;
} cnn_tensor_info;

typedef struct cnn_network {
  int64_t input_count, output_count, step_count, variant_count;
  const cnn_tensor_info *inputs, *outputs;
  const cnn_step *steps;
  const cnn_variant *variants; /* the most capable first */
  int64_t max_operands;        /* of any step */
  int64_t batch;               /* the one batch that the network takes; 0: any */
  int64_t workspace_bytes;     /* for one image */
  int64_t fixed_bytes;
  int64_t scratch_bytes; /* for one worker */
  int64_t state_bytes;
  int64_t hyper_count;   /* the last inputs are a step's hyperparameters: scalars */
  int64_t initial_state; /* where the state's first values lie in the weights; -1: nowhere */
  int64_t weights_bytes;
  uint64_t weights_hash; /* of a weights file's */
  const char *weights;   /* null when they are not in the library */
  int64_t group_count;
  const char *const *groups; /* their paths */
  /* Where the weights begin among those of a weights file, and how many bytes it has: a library may hold the network
   * for several kinds of machines. */
  int64_t weights_begin, file_weights_bytes;
} cnn_network;

extern const cnn_network cnn_this_network;

/* A weights file: this header, zeros up to CNN_WEIGHTS_HEADER_BYTES, then the packed weights. Little-endian. */
#define CNN_WEIGHTS_MAGIC UINT64_C(0x00746867776e6e63) /* "cnnwght" */
#define CNN_WEIGHTS_HEADER_BYTES 4096
typedef struct cnn_weights_header {
  uint64_t magic, abi_version, bytes, hash;
} cnn_weights_header;

/* Called before (after = 0) and after (after = 1) each step with the operands' addresses and strides as the kernel gets
 * them. */
typedef void (*cnn_observer)(void *context, int64_t step, int after, char *const *buffers,
                             const int64_t *image_strides);

#ifdef __cplusplus
}
#endif

#endif
