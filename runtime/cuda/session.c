/* Sessions: the caller's memory is divided into the session's records and host staging; device memory is one
 * allocation, made here and freed at the end. */
#include "runtime/cuda/cnn_cuda_runtime.h"

#include <stdlib.h>
#include <string.h>

static int64_t event_count(void) { return cnn_this_network.step_count > 1 ? cnn_this_network.step_count + 1 : 2; }

typedef struct host_layout {
  size_t inputs, outputs, values, parameters, graph_addresses, events, input_staging, output_staging;
  cnn_area area;
} host_layout;

static host_layout lay_out_host(int64_t max_batch) {
  const cnn_network *network = &cnn_this_network;
  const int64_t arguments = 2 * network->max_operands + 2, tensors = network->input_count + network->output_count;
  host_layout layout = {0};
  cnn_place(&layout.area, sizeof(cnn_session), 1);
  layout.inputs = cnn_place(&layout.area, sizeof(cnn_cuda_binding), network->input_count);
  layout.outputs = cnn_place(&layout.area, sizeof(cnn_cuda_binding), network->output_count);
  layout.values = cnn_place(&layout.area, sizeof(uint64_t), arguments);
  layout.parameters = cnn_place(&layout.area, sizeof(void *), arguments);
  layout.graph_addresses = cnn_place(&layout.area, sizeof(CUdeviceptr), CNN_CUDA_GRAPHS * tensors);
  layout.events = cnn_place(&layout.area, sizeof(CUevent), event_count());
  layout.input_staging = cnn_place_tensors(&layout.area, network->inputs, network->input_count, max_batch);
  layout.output_staging = cnn_place_tensors(&layout.area, network->outputs, network->output_count, max_batch);
  return layout;
}

/* A copy of the state comes last, so that it can be left out. */
typedef struct device_layout {
  size_t fixed, inputs, outputs, state;
  cnn_area area;
} device_layout;

static device_layout lay_out_device(int64_t max_batch, int has_state_copy) {
  const cnn_network *network = &cnn_this_network;
  device_layout layout = {0};
  cnn_place(&layout.area, network->workspace_bytes, max_batch);
  layout.fixed = cnn_place(&layout.area, network->fixed_bytes, 1);
  layout.inputs = cnn_place_tensors(&layout.area, network->inputs, network->input_count, max_batch);
  layout.outputs = cnn_place_tensors(&layout.area, network->outputs, network->output_count, max_batch);
  layout.state = cnn_place(&layout.area, has_state_copy ? network->state_bytes : 0, 1);
  /* The driver gives no memory of no size. */
  if (layout.area.end == 0)
    layout.area.end = CNN_ALIGNMENT;
  return layout;
}

static int check_sizes(int64_t max_batch, int threads) {
  if (cnn_check_max_batch(max_batch) != CNN_OK)
    return CNN_ERROR_BATCH;
  if (threads < 0 || threads > CNN_MAX_THREADS)
    return CNN_ERROR_THREADS;
  return lay_out_host(max_batch).area.overflow || lay_out_device(max_batch, 1).area.overflow ? CNN_ERROR_BATCH : CNN_OK;
}

size_t cnn_api_session_bytes(const cnn_model *model, int64_t max_batch, int threads) {
  if (!model || model->magic != CNN_CUDA_MODEL_MAGIC || check_sizes(max_batch, threads) != CNN_OK)
    return 0;
  return lay_out_host(max_batch).area.end;
}

size_t cnn_api_device_bytes(int64_t max_batch) {
  return check_sizes(max_batch, 0) == CNN_OK ? lay_out_device(max_batch, 1).area.end : 0;
}

/* The most blocks that a launch may have in the first dimension of its grid. */
static int check_grids(const cnn_model *model, int64_t max_batch) {
  for (int64_t i = 0; i < cnn_this_network.step_count; ++i) {
    const cnn_cuda_launch *launch = &model->variant->launches[i];
    int64_t units;
    if (__builtin_mul_overflow(max_batch, launch->units_per_image, &units) ||
        __builtin_add_overflow(units, launch->fixed_units, &units) || units / launch->units_per_block >= INT32_MAX)
      return CNN_ERROR_BATCH;
  }
  return CNN_OK;
}

static void bind(cnn_cuda_binding *bindings, const cnn_tensor_info *tensors, int64_t count, int64_t max_batch,
                 CUdeviceptr staging, char *host_staging) {
  for (int64_t i = 0; i < count; ++i) {
    const int64_t bytes = cnn_staging_bytes(&tensors[i], max_batch);
    bindings[i] = (cnn_cuda_binding){0, staging, host_staging, 0};
    staging += (uint64_t)bytes;
    host_staging += bytes;
  }
}

/* Everything that the driver gives; the context is current. */
static int set_up(cnn_session *session, void *state, void *stream) {
  const cnn_network *network = &cnn_this_network;
  const cnn_cuda_driver *driver = &session->model->driver;
  int is_device = 0, code = CNN_OK;
  if (network->state_bytes)
    code = cnn_cuda_place_of(session->model, state, &is_device);
  if (code != CNN_OK)
    return code;
  const device_layout layout = lay_out_device(session->max_batch, !is_device);
  code = cnn_cuda_allocate(session->model, &session->memory, layout.area.end);
  if (code != CNN_OK)
    return code;
  session->memory_bytes = (int64_t)layout.area.end;
  session->workspace = session->memory;
  session->fixed = session->memory + layout.fixed;
  session->state = is_device ? (CUdeviceptr)(uintptr_t)state : session->memory + layout.state;
  session->host_state = is_device ? NULL : state;
  char *begin = (char *)session;
  const host_layout host = lay_out_host(session->max_batch);
  bind(session->inputs, network->inputs, network->input_count, session->max_batch, session->memory + layout.inputs,
       begin + host.input_staging);
  bind(session->outputs, network->outputs, network->output_count, session->max_batch, session->memory + layout.outputs,
       begin + host.output_staging);
  code = cnn_cuda_check(driver->StreamCreate(&session->own_stream, CU_STREAM_NON_BLOCKING));
  if (code != CNN_OK)
    session->own_stream = NULL;
  session->stream = stream ? stream : session->own_stream;
  return code;
}

/* Gives back what set_up and runs took. With a model that has ended, against the rules, there is nothing to do it with.
 */
static void tear_down(cnn_session *session) {
  const cnn_cuda_driver *driver = &session->model->driver;
  if (session->model->magic == CNN_CUDA_MODEL_MAGIC && cnn_cuda_enter(session->model) == CNN_OK) {
    if (session->stream)
      driver->StreamSynchronize(session->stream);
    cnn_cuda_forget_graphs(session);
    if (session->has_events)
      for (int64_t i = 0; i < event_count(); ++i)
        driver->EventDestroy(session->events[i]);
    if (session->own_stream)
      driver->StreamDestroy(session->own_stream);
    if (session->saved_state)
      driver->MemFree(session->saved_state);
    if (session->memory)
      driver->MemFree(session->memory);
    cnn_cuda_leave(session->model);
  }
  free(session->mirror);
  session->magic = 0;
}

/* The fields that the caller's version of the options does not have are null. */
static int read_options(const cnn_session_options *options, void **state, void **stream) {
  *state = *stream = NULL;
  if (options->size == sizeof(cnn_cuda_session_options))
    *stream = ((const cnn_cuda_session_options *)options)->stream;
  else if (options->size != sizeof *options &&
           (options->size != offsetof(cnn_session_options, state) || cnn_this_network.state_bytes))
    return CNN_ERROR_OPTIONS;
  if (!cnn_this_network.state_bytes)
    return CNN_OK;
  *state = options->state;
  if (!*state)
    return CNN_ERROR_NULL;
  return cnn_aligned(*state, CNN_ALIGNMENT) ? CNN_OK : CNN_ERROR_ALIGNMENT;
}

int cnn_api_session_init(cnn_session *session, const cnn_model *model, const cnn_session_options *options) {
  if (!session || !model || !options)
    return CNN_ERROR_NULL;
  if (!cnn_aligned(session, CNN_ALIGNMENT))
    return CNN_ERROR_ALIGNMENT;
  session->magic = 0;
  if (model->magic != CNN_CUDA_MODEL_MAGIC)
    return CNN_ERROR_NOT_INITIALIZED;
  void *state, *stream;
  int code = read_options(options, &state, &stream);
  if (code == CNN_OK)
    code = check_sizes(options->max_batch, options->threads);
  if (code == CNN_OK)
    code = check_grids(model, options->max_batch);
  if (code != CNN_OK)
    return code;

  char *begin = (char *)session;
  memset(session, 0, sizeof *session);
  const host_layout layout = lay_out_host(options->max_batch);
  session->model = model;
  session->max_batch = options->max_batch;
  session->inputs = (cnn_cuda_binding *)(begin + layout.inputs);
  session->outputs = (cnn_cuda_binding *)(begin + layout.outputs);
  session->values = (uint64_t *)(begin + layout.values);
  session->parameters = (void **)(begin + layout.parameters);
  session->graph_addresses = (CUdeviceptr *)(begin + layout.graph_addresses);
  session->events = (CUevent *)(begin + layout.events);
  for (int64_t i = 0; i < 2 * cnn_this_network.max_operands + 2; ++i)
    session->parameters[i] = &session->values[i];
  code = cnn_cuda_enter(model);
  if (code != CNN_OK)
    return code;
  code = set_up(session, state, stream);
  cnn_cuda_leave(model);
  if (code != CNN_OK) {
    tear_down(session);
    return code;
  }
  session->magic = CNN_CUDA_SESSION_MAGIC;
  return CNN_OK;
}

/* The device's threads are no pool. */
const cnn_pool *cnn_api_session_pool(const cnn_session *session) { return NULL; }

int cnn_cuda_make_events(cnn_session *session) {
  const cnn_cuda_driver *driver = &session->model->driver;
  int64_t made = 0;
  int code = CNN_OK;
  if (session->has_events)
    return CNN_OK;
  for (; code == CNN_OK && made < event_count(); ++made)
    code = cnn_cuda_check(driver->EventCreate(&session->events[made], CU_EVENT_DEFAULT));
  if (code != CNN_OK)
    for (int64_t i = 0; i + 1 < made; ++i)
      driver->EventDestroy(session->events[i]);
  session->has_events = code == CNN_OK;
  return code;
}

int cnn_api_session_on_group(cnn_session *session, cnn_group_callback callback, void *context) {
  if (!session)
    return CNN_ERROR_NULL;
  if (session->magic != CNN_CUDA_SESSION_MAGIC)
    return CNN_ERROR_NOT_INITIALIZED;
  if (callback) {
    int code = cnn_cuda_enter(session->model);
    if (code != CNN_OK)
      return code;
    code = cnn_cuda_make_events(session);
    cnn_cuda_leave(session->model);
    if (code != CNN_OK)
      return code;
  }
  session->on_group = callback;
  session->on_group_context = context;
  return CNN_OK;
}

void cnn_api_session_end(cnn_session *session) {
  if (session && session->magic == CNN_CUDA_SESSION_MAGIC)
    tear_down(session);
}
