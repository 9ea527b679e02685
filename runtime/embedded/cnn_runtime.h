/* The runtime's own structures. Freestanding C: libc is called for threads, files and the environment only. */
#ifndef CNN_RUNTIME_H
#define CNN_RUNTIME_H

#include "runtime/embedded/cnn_shared.h"

#include <pthread.h>
#include <stdatomic.h>

struct cnn_model {
  uint64_t magic;
  const cnn_variant *variant;
  cnn_weights weights;
};

/* The pool that comes with the library (threads.c). */
typedef struct cnn_threads cnn_threads;
typedef struct cnn_worker {
  cnn_threads *threads;
  int index;
  pthread_t handle;
} cnn_worker;

struct cnn_threads {
  /* The generation of the job in the low half, its number of workers in the high half: one word, so that a worker that
   * takes no part needs to read nothing else, which may already belong to the next job. */
  _Alignas(64) _Atomic uint64_t job;
  cnn_task task;
  void *argument;
  _Alignas(64) _Atomic uint32_t pending; /* workers that have not finished the job */
  _Atomic uint32_t caller_sleeps;
  _Alignas(64) _Atomic uint32_t sleepers;
  _Atomic uint32_t busy;
  int started; /* threads besides the caller's */
  cnn_worker *workers;
};

/* Starts count - 1 threads; `workers` is memory for as many. Returns an error code, with no thread left running. */
int cnn_threads_start(cnn_threads *threads, int count, cnn_worker *workers);
void cnn_threads_stop(cnn_threads *threads);
/* cnn_pool::parallel_for of a cnn_threads. Where the pool is busy, the calling thread does it all. */
void cnn_threads_parallel_for(void *context, int workers, cnn_task task, void *argument);

/* An input or output of the current run as the kernels see it. */
typedef struct cnn_binding {
  char *address;
  int64_t image_stride;
} cnn_binding;

struct cnn_session {
  uint64_t magic;
  const cnn_model *model;
  int64_t max_batch;
  cnn_pool pool; /* the caller's, or this session's `threads` */
  cnn_threads threads;
  int owns_threads;
  char *workspace, *fixed, *scratch, *state;
  char *staging; /* dense copies of tensors that the caller gives with gaps: inputs, then outputs */
  cnn_binding *inputs, *outputs;
  char **buffers; /* of the current step */
  int64_t *image_strides;
  cnn_group_callback on_group; /* null: none */
  void *on_group_context;
};

/* Nanoseconds of a clock that never goes back. */
int64_t cnn_now(void);

/* Of one worker, so that no two workers' scratch share a cache line or its neighbour. */
int64_t cnn_scratch_stride(void);

/* The x86-64 level (1 to 4) that the CPU and the operating system support. */
int cnn_cpu_level(void);

#endif
