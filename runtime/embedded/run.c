/* Running: the caller's tensors are bound, then the steps follow each other, each split over the pool. Nothing is
 * allocated, and nothing outside the session is written. */
#include "runtime/embedded/cnn_runtime.h"

enum {
  kPartsPerWorker = 16, /* so that a thread that is held up leaves its share to the others */
  kOperationsWorthSplitting = 1 << 15
};

static void bind(cnn_binding *binding, const cnn_tensor_info *info, const cnn_view *tensor, char *staging) {
  binding->address = tensor->contiguous ? tensor->data : staging;
  binding->image_stride = tensor->contiguous ? tensor->image_stride : info->batched ? info->image_bytes : 0;
}

void cnn_api_resolve(const cnn_session *session, const cnn_operand *operand, int64_t batch, char **address,
                     int64_t *image_stride) {
  *image_stride = operand->image_stride;
  char *begin = NULL;
  switch ((enum cnn_segment)operand->segment) {
  case CNN_SEGMENT_WEIGHTS:
    begin = (char *)session->model->weights.data + operand->offset;
    break;
  case CNN_SEGMENT_WORKSPACE:
    begin = session->workspace + operand->offset * batch;
    break;
  case CNN_SEGMENT_FIXED:
    begin = session->fixed + operand->offset;
    break;
  case CNN_SEGMENT_STATE:
    begin = session->state + operand->offset;
    break;
  case CNN_SEGMENT_INPUT:
  case CNN_SEGMENT_OUTPUT: {
    const cnn_binding *bindings = operand->segment == CNN_SEGMENT_INPUT ? session->inputs : session->outputs;
    begin = bindings[operand->offset].address;
    if (operand->image_stride != 0)
      *image_stride = bindings[operand->offset].image_stride;
    break;
  }
  }
  *address = begin + operand->slice;
}

/* What is left of a worker's share of the units. */
typedef struct share {
  _Alignas(64) _Atomic int64_t next;
  int64_t end;
} share;

typedef struct job {
  cnn_kernel kernel;
  char *const *buffers;
  const int64_t *image_strides;
  int64_t batch, least;
  char *scratch;
  int64_t scratch_stride;
  int workers;
  share shares[CNN_MAX_THREADS];
} job;

/* Takes half of what is left, but at least `least` units: few calls, and little to wait for at the end. */
static int take(share *part, int64_t least, int64_t *begin, int64_t *end) {
  *begin = atomic_load_explicit(&part->next, memory_order_relaxed);
  do {
    const int64_t left = part->end - *begin;
    if (left <= 0)
      return 0;
    int64_t count = (left / 2 + least - 1) / least * least;
    count = count < least ? least : count;
    *end = *begin + (count < left ? count : left);
  } while (
      !atomic_compare_exchange_weak_explicit(&part->next, begin, *end, memory_order_relaxed, memory_order_relaxed));
  return 1;
}

/* A worker begins with its own share, whose units follow each other: they read the same weights, and what it wrote in
 * the step before. Then it helps the next workers with theirs. */
static void take_shares(void *argument, int worker) {
  job *current = argument;
  char *scratch = current->scratch + worker * current->scratch_stride;
  for (int i = 0; i < current->workers; ++i) {
    share *part = &current->shares[(worker + i) % current->workers];
    for (int64_t begin, end; take(part, current->least, &begin, &end);)
      current->kernel(current->buffers, current->image_strides, current->batch, begin, end, scratch);
  }
}

/* The least number of units that a worker takes at once: multiples of the grain, or equal parts where these would leave
 * workers idle. */
static int64_t least_of(int64_t units, int64_t grain, int64_t workers) {
  const int64_t least = (units + workers * kPartsPerWorker - 1) / (workers * kPartsPerWorker);
  const int64_t whole = (least + grain - 1) / grain * grain;
  return whole * workers <= units ? whole : (units + workers - 1) / workers;
}

static void run_step(const cnn_session *session, const cnn_step *step, const cnn_launch *launch, int64_t batch) {
  const int64_t units = launch->fixed_units + batch * launch->units_per_image;
  const int workers = session->pool.threads;
  if (units <= 0)
    return;
  if (workers == 1 || units == 1 || step->cost_per_image < kOperationsWorthSplitting / batch) {
    launch->kernel(session->buffers, session->image_strides, batch, 0, units, session->scratch);
    return;
  }
  job current;
  current.kernel = launch->kernel;
  current.buffers = session->buffers;
  current.image_strides = session->image_strides;
  current.batch = batch;
  current.least = least_of(units, launch->grain, workers);
  current.workers = workers;
  const int64_t parts = (units + current.least - 1) / current.least;
  for (int i = 0; i < workers; ++i) {
    const int64_t end = parts * (i + 1) / workers * current.least;
    atomic_init(&current.shares[i].next, parts * i / workers * current.least);
    current.shares[i].end = end < units ? end : units;
  }
  current.scratch = session->scratch;
  current.scratch_stride = cnn_scratch_stride();
  session->pool.parallel_for(session->pool.context, workers, take_shares, &current);
}

/* Steps that are computed together, a few images at a time. */
typedef struct chain_job {
  _Alignas(64) _Atomic int64_t next;
  _Alignas(64) const cnn_session *session;
  const cnn_step *steps;
  const cnn_launch *launches;
  int64_t count, batch, chunk;
} chain_job;

static void take_images(void *argument, int worker) {
  chain_job *current = argument;
  char *scratch = current->session->scratch + worker * cnn_scratch_stride();
  for (;;) {
    int64_t first = atomic_fetch_add_explicit(&current->next, current->chunk, memory_order_relaxed);
    if (first >= current->batch)
      return;
    const int64_t rest = current->batch - first, images = rest < current->chunk ? rest : current->chunk;
    for (int64_t i = 0; i < current->count; ++i) {
      const cnn_step *step = &current->steps[i];
      char *buffers[CNN_CHAIN_OPERANDS];
      int64_t strides[CNN_CHAIN_OPERANDS];
      for (int64_t operand = 0; operand < step->operand_count; ++operand) {
        cnn_api_resolve(current->session, &step->operands[operand], current->batch, &buffers[operand],
                        &strides[operand]);
        buffers[operand] += first * strides[operand];
      }
      const cnn_launch *launch = &current->launches[i];
      launch->kernel(buffers, strides, images, 0, images * launch->units_per_image, scratch);
    }
  }
}

/* Whether the steps from `step` on were run as a chain. That needs enough images for all workers. */
static int run_chain(const cnn_session *session, const cnn_step *step, const cnn_launch *launches, int64_t batch) {
  enum { kChunksWanted = 4 };
  if (step->chain <= 1 || batch == 1)
    return 0;
  int64_t cost_per_image = 0;
  for (int64_t i = 0; i < step->chain; ++i)
    cost_per_image += step[i].cost_per_image;
  const int workers = cost_per_image < kOperationsWorthSplitting / batch ? 1 : session->pool.threads;
  if (workers > 1 && batch < workers * kChunksWanted)
    return 0;
  chain_job current;
  atomic_init(&current.next, 0);
  current.session = session;
  current.steps = step;
  current.launches = launches;
  current.count = step->chain;
  current.batch = batch;
  current.chunk = step->chain_images;
  if (workers == 1) {
    take_images(&current, 0);
    return 1;
  }
  const int64_t most = batch / (workers * kChunksWanted);
  if (current.chunk > most)
    current.chunk = most;
  session->pool.parallel_for(session->pool.context, workers, take_images, &current);
  return 1;
}

static void run_steps(cnn_session *session, int64_t batch, cnn_observer observer, void *context) {
  const cnn_network *network = &cnn_this_network;
  int64_t start = session->on_group ? cnn_now() : 0;
  for (int64_t i = 0; i < network->step_count; ++i) {
    const cnn_step *step = &network->steps[i];
    /* Those who look on see whole steps. */
    if (!observer && !session->on_group && run_chain(session, step, &session->model->variant->launches[i], batch)) {
      i += step->chain - 1;
      continue;
    }
    for (int64_t operand = 0; operand < step->operand_count; ++operand)
      cnn_api_resolve(session, &step->operands[operand], batch, &session->buffers[operand],
                      &session->image_strides[operand]);
    if (observer)
      observer(context, i, 0, session->buffers, session->image_strides);
    run_step(session, step, &session->model->variant->launches[i], batch);
    if (observer)
      observer(context, i, 1, session->buffers, session->image_strides);
    const int ends_group = i + 1 == network->step_count || network->steps[i + 1].group != step->group;
    if (session->on_group && ends_group) {
      session->on_group(session->on_group_context, step->group, cnn_now() - start);
      start = cnn_now();
    }
  }
}

int cnn_run_call(cnn_session *session, const cnn_call *call) {
  const cnn_network *network = &cnn_this_network;
  if (!session)
    return CNN_ERROR_NULL;
  if (session->magic != CNN_SESSION_MAGIC)
    return CNN_ERROR_NOT_INITIALIZED;
  const int code = cnn_check_call(call, session->max_batch);
  if (code != CNN_OK)
    return code;

  cnn_view tensor;
  char *staging = session->staging;
  for (int64_t i = 0; i < network->input_count; ++i) {
    const cnn_tensor input = cnn_input_at(call->inputs, i);
    cnn_make_view(&tensor, &network->inputs[i], &input);
    bind(&session->inputs[i], &network->inputs[i], &tensor, staging);
    if (!tensor.contiguous)
      cnn_copy_images(&network->inputs[i], &tensor, staging, call->batch, 1);
    staging += cnn_staging_bytes(&network->inputs[i], session->max_batch);
  }
  char *const output_staging = staging;
  for (int64_t i = 0; i < network->output_count; ++i) {
    /* What is not wanted is computed into the staging area. */
    const cnn_tensor dense = {staging, NULL};
    cnn_make_view(&tensor, &network->outputs[i], call->outputs[i].data ? &call->outputs[i] : &dense);
    bind(&session->outputs[i], &network->outputs[i], &tensor, staging);
    staging += cnn_staging_bytes(&network->outputs[i], session->max_batch);
  }

  run_steps(session, call->batch, call->observer, call->context);

  staging = output_staging;
  for (int64_t i = 0; i < network->output_count; ++i) {
    if (call->outputs[i].data) {
      cnn_make_view(&tensor, &network->outputs[i], &call->outputs[i]);
      if (!tensor.contiguous)
        cnn_copy_images(&network->outputs[i], &tensor, staging, call->batch, 0);
    }
    staging += cnn_staging_bytes(&network->outputs[i], session->max_batch);
  }
  return CNN_OK;
}
