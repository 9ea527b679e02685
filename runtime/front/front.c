/* The front of a library that is two: one for CPUs and one for CUDA devices, each whole with runtime, tables and
 * kernels. A model is made for one of them; from then on its first word, and that of its sessions, says whose it is,
 * and calls are passed on. What is neither goes to the CPU's, which refuses it. */
#include "runtime/embedded/cnn_shared.h"
#include "runtime/front/cnn_front_api.h"

#include <stdlib.h>
#include <string.h>

/* The functions of each part under the names that emission gives them. */
#define CNN_PART(part)                                                                                                 \
  size_t cnn_part_##part##_model_bytes(void);                                                                          \
  int cnn_part_##part##_model_init(cnn_model *, const cnn_model_options *);                                            \
  void cnn_part_##part##_model_end(cnn_model *);                                                                       \
  const char *cnn_part_##part##_isa(const cnn_model *);                                                                \
  size_t cnn_part_##part##_session_bytes(const cnn_model *, int64_t, int);                                             \
  int cnn_part_##part##_session_init(cnn_session *, const cnn_model *, const cnn_session_options *);                   \
  const cnn_pool *cnn_part_##part##_session_pool(const cnn_session *);                                                 \
  int cnn_part_##part##_session_on_group(cnn_session *, cnn_group_callback, void *);                                   \
  void cnn_part_##part##_session_end(cnn_session *);                                                                   \
  int cnn_part_##part##_run(cnn_session *, int64_t, const cnn_tensor *, const cnn_tensor *);                           \
  int cnn_part_##part##_step(cnn_session *, int64_t, const cnn_tensor *, const void *, const cnn_tensor *);            \
  int cnn_part_##part##_state_init(const cnn_model *, void *);
CNN_PART(cpu)
CNN_PART(cuda)
#undef CNN_PART
size_t cnn_part_cuda_device_bytes(int64_t max_batch);
int cnn_part_cuda_driver_error(void);

static int has_cuda(const cnn_model *model) { return model && *(const uint64_t *)model == CNN_CUDA_MODEL_MAGIC; }
static int runs_on_cuda(const cnn_session *session) {
  return session && *(const uint64_t *)session == CNN_CUDA_SESSION_MAGIC;
}

size_t cnn_api_model_bytes(void) {
  const size_t cpu = cnn_part_cpu_model_bytes(), cuda = cnn_part_cuda_model_bytes();
  return cpu > cuda ? cpu : cuda;
}

/* The target that is asked for; negative: there is none of that name or number. */
static int read_target(int asked) {
  if (asked != CNN_TARGET_ANY)
    return asked == CNN_TARGET_CPU || asked == CNN_TARGET_CUDA ? asked : -1;
  const char *name = getenv("CNN_TARGET");
  if (!name || !*name)
    return CNN_TARGET_ANY;
  return strcmp(name, "cpu") == 0 ? CNN_TARGET_CPU : strcmp(name, "cuda") == 0 ? CNN_TARGET_CUDA : -1;
}

/* Whether an error says that the library finds no device to run on: none whose driver it can use, none that it has code
 * for, or none whose code CNN_ISA names. */
static int is_absence(int code) {
  return code == CNN_ERROR_DRIVER_MISSING || code == CNN_ERROR_DRIVER_VERSION || code == CNN_ERROR_DEVICE_MISSING ||
         code == CNN_ERROR_DEVICE_ARCHITECTURE || code == CNN_ERROR_ISA_UNKNOWN;
}

int cnn_api_model_init(cnn_model *model, const cnn_model_options *options) {
  cnn_front_model_options all = {{sizeof(cnn_cuda_model_options), NULL, NULL, 0}, 0, CNN_TARGET_ANY};
  if (options && options->size == sizeof all)
    all = *(const cnn_front_model_options *)options;
  else if (options && options->size == sizeof all.common)
    all.common = *options;
  else if (options)
    return CNN_ERROR_OPTIONS;
  const int target = read_target(all.target);
  if (target < 0)
    return CNN_ERROR_TARGET;
  int code = CNN_OK;
  if (target != CNN_TARGET_CPU) {
    cnn_cuda_model_options cuda = {all.common, all.device};
    cuda.common.size = sizeof cuda;
    code = cnn_part_cuda_model_init(model, &cuda.common);
    if (target == CNN_TARGET_CUDA || !is_absence(code))
      return code;
  }
  all.common.size = sizeof all.common;
  const int cpu = cnn_part_cpu_model_init(model, &all.common);
  /* CNN_ISA names an architecture: what is wrong with the device says more. */
  return cpu == CNN_ERROR_ISA_UNKNOWN && code != CNN_OK ? code : cpu;
}

void cnn_api_model_end(cnn_model *model) {
  if (has_cuda(model))
    cnn_part_cuda_model_end(model);
  else
    cnn_part_cpu_model_end(model);
}

const char *cnn_api_isa(const cnn_model *model) {
  return has_cuda(model) ? cnn_part_cuda_isa(model) : cnn_part_cpu_isa(model);
}

size_t cnn_api_session_bytes(const cnn_model *model, int64_t max_batch, int threads) {
  return has_cuda(model) ? cnn_part_cuda_session_bytes(model, max_batch, threads)
                         : cnn_part_cpu_session_bytes(model, max_batch, threads);
}

int cnn_api_session_init(cnn_session *session, const cnn_model *model, const cnn_session_options *options) {
  if (has_cuda(model))
    return cnn_part_cuda_session_init(session, model, options);
  if (!options)
    return cnn_part_cpu_session_init(session, model, NULL);
  /* The CPU's knows the first fields alone, and no state where there is none. */
  const int has_state = cnn_this_network.state_bytes != 0;
  const size_t known = has_state ? sizeof *options : offsetof(cnn_session_options, state);
  if (options->size != known && options->size != sizeof *options && options->size != sizeof(cnn_cuda_session_options))
    return CNN_ERROR_OPTIONS;
  cnn_session_options common = {known, options->max_batch, options->threads, options->pool,
                                has_state ? options->state : NULL};
  return cnn_part_cpu_session_init(session, model, &common);
}

const cnn_pool *cnn_api_session_pool(const cnn_session *session) {
  return runs_on_cuda(session) ? cnn_part_cuda_session_pool(session) : cnn_part_cpu_session_pool(session);
}

int cnn_api_session_on_group(cnn_session *session, cnn_group_callback callback, void *context) {
  return runs_on_cuda(session) ? cnn_part_cuda_session_on_group(session, callback, context)
                               : cnn_part_cpu_session_on_group(session, callback, context);
}

/* The CPU's groups, then the device's: the parts count theirs so. */
const char *cnn_api_group(int64_t group) {
  return group >= 0 && group < cnn_this_network.group_count ? cnn_this_network.groups[group] : NULL;
}

void cnn_api_session_end(cnn_session *session) {
  if (runs_on_cuda(session))
    cnn_part_cuda_session_end(session);
  else
    cnn_part_cpu_session_end(session);
}

int cnn_api_run(cnn_session *session, int64_t batch, const cnn_tensor *inputs, const cnn_tensor *outputs) {
  return runs_on_cuda(session) ? cnn_part_cuda_run(session, batch, inputs, outputs)
                               : cnn_part_cpu_run(session, batch, inputs, outputs);
}

int cnn_api_step(cnn_session *session, int64_t batch, const cnn_tensor *inputs, const void *hyper,
                 const cnn_tensor *outputs) {
  return runs_on_cuda(session) ? cnn_part_cuda_step(session, batch, inputs, hyper, outputs)
                               : cnn_part_cpu_step(session, batch, inputs, hyper, outputs);
}

int cnn_api_state_init(const cnn_model *model, void *state) {
  return has_cuda(model) ? cnn_part_cuda_state_init(model, state) : cnn_part_cpu_state_init(model, state);
}

size_t cnn_api_device_bytes(int64_t max_batch) { return cnn_part_cuda_device_bytes(max_batch); }

int cnn_api_driver_error(void) { return cnn_part_cuda_driver_error(); }
