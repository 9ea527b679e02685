/* The API of emitted libraries as it is before emission gives the functions the network's name (cnn_api_run becomes
 * NAME_run). The emitted header says the same in the network's own types (codegen/package/Header.cpp);
 * docs/embedding.md is the contract. */
#ifndef CNN_API_H
#define CNN_API_H

#include "runtime/embedded/cnn_abi.h"
#include "runtime/embedded/cnn_errors.h"

#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

#define CNN_ERROR_ENUMERATOR(name, code, text) CNN_##name = (code),
enum cnn_error { CNN_OK = 0, CNN_ERRORS(CNN_ERROR_ENUMERATOR) };

/* The public pool: parallel_for calls task(argument, worker) at most once for each worker in [0, workers), at least for
 * worker 0, in any order and on any threads, and returns when all calls have returned. */
typedef void (*cnn_task)(void *argument, int worker);
typedef struct cnn_pool {
  int threads;
  void (*parallel_for)(void *context, int workers, cnn_task task, void *argument);
  void *context;
} cnn_pool;

/* Weights: a file to map; memory that holds the bytes of a weights file; with both, memory to read the file into. */
typedef struct cnn_model_options {
  size_t size; /* of this struct, as in all options: a library refuses one that it does not know */
  const char *weights_file;
  void *weights;
  size_t weights_bytes; /* of the memory */
} cnn_model_options;

/* With a pool the session starts no threads, and threads = 0 means all of the pool's. */
typedef struct cnn_session_options {
  size_t size;
  int64_t max_batch;
  int threads;
  const cnn_pool *pool;
  void *state; /* of a step: state_bytes, aligned to CNN_ALIGNMENT, which runs read and update */
} cnn_session_options;

/* A field pair of NAME_inputs or NAME_outputs. */
typedef struct cnn_tensor {
  void *data;
  const int64_t *strides;
} cnn_tensor;

/* Called on the thread that runs, after each group, with its number and what it took. */
typedef void (*cnn_group_callback)(void *context, int64_t group, int64_t nanoseconds);

typedef struct cnn_model cnn_model;
typedef struct cnn_session cnn_session;

size_t cnn_api_model_bytes(void);
int cnn_api_model_init(cnn_model *model, const cnn_model_options *options);
void cnn_api_model_end(cnn_model *model);
const char *cnn_api_isa(const cnn_model *model);
size_t cnn_api_session_bytes(const cnn_model *model, int64_t max_batch, int threads);
int cnn_api_session_init(cnn_session *session, const cnn_model *model, const cnn_session_options *options);
const cnn_pool *cnn_api_session_pool(const cnn_session *session);
/* From now on runs of the session tell `callback` about each group; null: no more. */
int cnn_api_session_on_group(cnn_session *session, cnn_group_callback callback, void *context);
/* The path of a group; null beyond the last. */
const char *cnn_api_group(int64_t group);
void cnn_api_session_end(cnn_session *session);
/* Outputs whose data is null are not given; one must be. */
int cnn_api_run(cnn_session *session, int64_t batch, const cnn_tensor *inputs, const cnn_tensor *outputs);
/* A step's run: `hyper` is a struct with the hyperparameters in order, each aligned to its size, and null where there
 * are none. Exported by libraries of steps, in place of cnn_api_run. */
int cnn_api_step(cnn_session *session, int64_t batch, const cnn_tensor *inputs, const void *hyper,
                 const cnn_tensor *outputs);
/* Gives the state its first values; exported by libraries of steps. */
int cnn_api_state_init(const cnn_model *model, void *state);
/* cnn_api_run that tells about each step: exported only by libraries that are built to be loaded by the tools. */
int cnn_api_run_observed(cnn_session *session, int64_t batch, const cnn_tensor *inputs, const cnn_tensor *outputs,
                         cnn_observer observer, void *context);
const char *cnn_api_error(int code);
/* Where an operand lies in the current or last run, of `batch` images; exported likewise. */
void cnn_api_resolve(const cnn_session *session, const cnn_operand *operand, int64_t batch, char **address,
                     int64_t *image_stride);

/* Exported likewise where runs are a device's: what becomes of a state whose block is in host memory. After
 * CNN_STATE_KEEP, which takes the block's values, runs leave it on the device; the others need that. A state in device
 * memory is there already: nothing is done but CNN_STATE_SAVE and CNN_STATE_RESTORE. */
enum cnn_state_move {
  CNN_STATE_KEEP,
  CNN_STATE_FETCH,  /* to the block */
  CNN_STATE_SAVE,   /* to a place of its own on the device */
  CNN_STATE_RESTORE /* from there */
};
int cnn_api_move_state(cnn_session *session, int move);
/* Exported likewise: the kernels of the last run once more, on what lies on the device, and the nanoseconds that they
 * took by the device's events. */
int cnn_api_run_again(cnn_session *session, int64_t batch, int64_t *nanoseconds);

#ifdef __cplusplus
}
#endif

#endif
