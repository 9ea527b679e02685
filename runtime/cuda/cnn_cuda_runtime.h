/* The runtime's own structures. Freestanding C: libc is called for the dynamic loader, files and the environment only.
 * Every entry into the library makes the model's context current and takes it back before it returns. */
#ifndef CNN_CUDA_RUNTIME_H
#define CNN_CUDA_RUNTIME_H

#include "runtime/cuda/cnn_cuda_api.h"
#include "runtime/embedded/cnn_shared.h"

struct cnn_model {
  uint64_t magic;
  const cnn_cuda_variant *variant;
  cnn_weights weights; /* in host memory */
  void *library;       /* of the driver; null: its entries were given by a lookup */
  cnn_cuda_driver driver;
  CUdevice device;
  CUcontext context; /* the device's primary one; null: not retained */
  CUmodule module;
  CUdeviceptr device_weights;
  CUfunction functions[]; /* one a step */
};

/* Finds the driver's entries and starts it. What was found stays in the model after an error, too. */
int cnn_cuda_open_driver(cnn_model *model);
void cnn_cuda_close_driver(cnn_model *model);
/* The error code for what the driver answered, which is kept for cnn_api_driver_error. */
int cnn_cuda_check(CUresult result);

/* From here to cnn_cuda_leave the driver works on the model's device. */
int cnn_cuda_enter(const cnn_model *model);
void cnn_cuda_leave(const cnn_model *model);

/* Memory of the device; an error, and 0, where there is not as much. The context is current. */
int cnn_cuda_allocate(const cnn_model *model, CUdeviceptr *memory, size_t bytes);

/* The part of the weights that kernels read: the first values of a state are for the host. */
int64_t cnn_cuda_read_weights(void);

/* Where an input or output lies for the kernels, and how it gets there. */
typedef struct cnn_cuda_binding {
  CUdeviceptr address; /* image 0; images follow each other without gaps */
  CUdeviceptr staging; /* its place in the session's device memory */
  char *host_staging;  /* for tensors of the host with gaps */
  int is_device;       /* the caller's tensor is in device memory */
} cnn_cuda_binding;

/* A run's launches, kept to be replayed. It holds for one batch and for tensors at the same places. */
typedef struct cnn_cuda_graph {
  int64_t batch; /* 0: free */
  CUgraphExec executable;
  uint64_t last_use;
} cnn_cuda_graph;
#define CNN_CUDA_GRAPHS 8

struct cnn_session {
  uint64_t magic;
  const cnn_model *model;
  int64_t max_batch;
  CUstream stream, own_stream; /* the first is the caller's or the second */
  CUdeviceptr memory;          /* the one allocation, which all below lie in */
  int64_t memory_bytes;
  CUdeviceptr workspace, fixed, state;
  char *host_state;        /* the caller's block where it is in host memory, which `state` is a copy of */
  int keeps_state;         /* the copy stays on the device between runs */
  CUdeviceptr saved_state; /* an allocation; 0 until a state is saved */
  int64_t last_batch;      /* of the last whole run; 0: none */
  cnn_cuda_binding *inputs, *outputs;
  uint64_t *values; /* a kernel's arguments, and their addresses */
  void **parameters;

  cnn_cuda_graph graphs[CNN_CUDA_GRAPHS];
  CUdeviceptr *graph_addresses; /* of inputs and outputs: CNN_CUDA_GRAPHS times as many */
  uint64_t runs;
  int cannot_capture; /* the driver made no graph once */

  cnn_group_callback on_group; /* null: none */
  void *on_group_context;
  CUevent *events; /* one before and after each step, two at least; made when they are first needed */
  int has_events;

  char *mirror; /* for observers: a copy of `memory` in host memory; null until a run is observed */
};

/* Whether memory is the device's; an error where it is another device's. */
int cnn_cuda_place_of(const cnn_model *model, const void *data, int *is_device);

/* All steps, onto the session's stream, for the tensors that are bound: with as few calls as can be; with what each
 * group takes; with an observer, who may look at and change a copy of the session's memory. The last two wait. */
int cnn_cuda_launch_run(cnn_session *session, int64_t batch);
int cnn_cuda_launch_timed(cnn_session *session, int64_t batch);
int cnn_cuda_launch_observed(cnn_session *session, int64_t batch, cnn_observer observer, void *context);
/* Makes the session's events, once; the context is current. */
int cnn_cuda_make_events(cnn_session *session);
/* Destroys the graphs of a session. */
void cnn_cuda_forget_graphs(cnn_session *session);

#endif
