/* Sessions: one piece of the caller's memory is divided into the session's own records, workspace, scratch and staging.
 */
#include "runtime/embedded/cnn_runtime.h"

#include <string.h>

/* Where the parts of a session lie, from its begin. */
typedef struct session_layout {
  size_t inputs, outputs, buffers, image_strides, workers, workspace, fixed, scratch, staging;
  cnn_area area;
} session_layout;

int64_t cnn_scratch_stride(void) { return (cnn_this_network.scratch_bytes + 127) & -(int64_t)128; }

static session_layout lay_out(int64_t max_batch, int threads) {
  const cnn_network *network = &cnn_this_network;
  session_layout layout = {0};
  cnn_place(&layout.area, sizeof(cnn_session), 1);
  layout.inputs = cnn_place(&layout.area, sizeof(cnn_binding), network->input_count);
  layout.outputs = cnn_place(&layout.area, sizeof(cnn_binding), network->output_count);
  layout.buffers = cnn_place(&layout.area, sizeof(char *), network->max_operands);
  layout.image_strides = cnn_place(&layout.area, sizeof(int64_t), network->max_operands);
  layout.workers = cnn_place(&layout.area, sizeof(cnn_worker), threads);
  layout.workspace = cnn_place(&layout.area, network->workspace_bytes, max_batch);
  layout.fixed = cnn_place(&layout.area, network->fixed_bytes, 1);
  layout.scratch = cnn_place(&layout.area, cnn_scratch_stride(), threads);
  layout.staging = cnn_place_tensors(&layout.area, network->inputs, network->input_count, max_batch);
  cnn_place_tensors(&layout.area, network->outputs, network->output_count, max_batch);
  return layout;
}

static int check_sizes(int64_t max_batch, int threads) {
  if (cnn_check_max_batch(max_batch) != CNN_OK)
    return CNN_ERROR_BATCH;
  return threads < 1 || threads > CNN_MAX_THREADS ? CNN_ERROR_THREADS : CNN_OK;
}

size_t cnn_api_session_bytes(const cnn_model *model, int64_t max_batch, int threads) {
  if (!model || model->magic != CNN_MODEL_MAGIC || check_sizes(max_batch, threads) != CNN_OK)
    return 0;
  session_layout layout = lay_out(max_batch, threads);
  return layout.area.overflow ? 0 : layout.area.end;
}

int cnn_api_session_init(cnn_session *session, const cnn_model *model, const cnn_session_options *options) {
  if (!session || !model || !options)
    return CNN_ERROR_NULL;
  if (!cnn_aligned(session, CNN_ALIGNMENT))
    return CNN_ERROR_ALIGNMENT;
  session->magic = 0;
  if (model->magic != CNN_MODEL_MAGIC)
    return CNN_ERROR_NOT_INITIALIZED;
  /* Networks without state know no option for it. */
  const int has_state = cnn_this_network.state_bytes != 0;
  if (options->size != (has_state ? sizeof *options : offsetof(cnn_session_options, state)))
    return CNN_ERROR_OPTIONS;
  if (options->pool && !options->pool->parallel_for)
    return CNN_ERROR_NULL;
  if (has_state && !options->state)
    return CNN_ERROR_NULL;
  if (has_state && !cnn_aligned(options->state, CNN_ALIGNMENT))
    return CNN_ERROR_ALIGNMENT;
  const int threads = options->pool && options->threads == 0 ? options->pool->threads : options->threads;
  int code = check_sizes(options->max_batch, threads);
  if (code != CNN_OK)
    return code;
  session_layout layout = lay_out(options->max_batch, threads);
  if (layout.area.overflow)
    return CNN_ERROR_BATCH;

  char *begin = (char *)session;
  memset(session, 0, sizeof *session);
  session->model = model;
  session->max_batch = options->max_batch;
  session->inputs = (cnn_binding *)(begin + layout.inputs);
  session->outputs = (cnn_binding *)(begin + layout.outputs);
  session->buffers = (char **)(begin + layout.buffers);
  session->image_strides = (int64_t *)(begin + layout.image_strides);
  session->workspace = begin + layout.workspace;
  session->fixed = begin + layout.fixed;
  session->scratch = begin + layout.scratch;
  session->state = has_state ? options->state : NULL;
  session->staging = begin + layout.staging;
  if (options->pool) {
    session->pool = *options->pool;
    session->pool.threads = threads;
  } else {
    code = cnn_threads_start(&session->threads, threads, (cnn_worker *)(begin + layout.workers));
    if (code != CNN_OK)
      return code;
    session->owns_threads = 1;
    session->pool = (cnn_pool){threads, cnn_threads_parallel_for, &session->threads};
  }
  session->magic = CNN_SESSION_MAGIC;
  return CNN_OK;
}

const cnn_pool *cnn_api_session_pool(const cnn_session *session) {
  return session && session->magic == CNN_SESSION_MAGIC ? &session->pool : NULL;
}

int cnn_api_session_on_group(cnn_session *session, cnn_group_callback callback, void *context) {
  if (!session)
    return CNN_ERROR_NULL;
  if (session->magic != CNN_SESSION_MAGIC)
    return CNN_ERROR_NOT_INITIALIZED;
  session->on_group = callback;
  session->on_group_context = context;
  return CNN_OK;
}

void cnn_api_session_end(cnn_session *session) {
  if (!session || session->magic != CNN_SESSION_MAGIC)
    return;
  if (session->owns_threads)
    cnn_threads_stop(&session->threads);
  session->magic = 0;
}
