/* Models: the driver, the device, the kernels for it, and the weights in its memory; then a model is only read. */
#include "runtime/cuda/cnn_cuda_runtime.h"

#include <stdlib.h>
#include <string.h>

_Static_assert(sizeof(cnn_model) <= 1024, "what CNN_CUDA_MODEL_BYTES counts with");

size_t cnn_api_model_bytes(void) { return CNN_CUDA_MODEL_BYTES((size_t)cnn_this_network.step_count); }

int64_t cnn_cuda_read_weights(void) {
  const cnn_network *network = &cnn_this_network;
  return network->initial_state >= 0 ? network->initial_state : network->weights_bytes;
}

static int open_device(cnn_model *model, int number) {
  int count = 0;
  int code = cnn_cuda_check(model->driver.DeviceGetCount(&count));
  if (code == CNN_OK && (number < 0 || number >= count))
    code = CNN_ERROR_DEVICE_MISSING;
  if (code == CNN_OK)
    code = cnn_cuda_check(model->driver.DeviceGet(&model->device, number));
  if (code == CNN_OK)
    code = cnn_cuda_check(model->driver.DevicePrimaryCtxRetain(&model->context, model->device));
  if (code != CNN_OK)
    model->context = NULL;
  return code;
}

static int attribute(const cnn_model *model, int name, int64_t *value) {
  int answer = 0;
  const int code = cnn_cuda_check(model->driver.DeviceGetAttribute(&answer, name, model->device));
  *value = answer;
  return code;
}

/* Whether the device runs the image, newer ones included. */
static int suits(const cnn_cuda_variant *variant, const cnn_cuda_image *image, int64_t capability) {
  if (variant->is_specific)
    return variant->capability == capability;
  return variant->capability <= capability && (!image->is_binary || variant->capability / 10 == capability / 10);
}

static char driver_log[1024];

const char *cnn_api_driver_log(void) { return driver_log; }

static CUresult load_image(cnn_model *model, const cnn_cuda_image *image) {
  char log[sizeof driver_log] = "";
  int options[] = {CU_JIT_ERROR_LOG_BUFFER, CU_JIT_ERROR_LOG_BUFFER_SIZE_BYTES};
  void *values[] = {log, (void *)sizeof log};
  const CUresult result = model->driver.ModuleLoadDataEx(&model->module, image->data, 2, options, values);
  if (result != CUDA_SUCCESS) {
    log[sizeof log - 1] = 0;
    memcpy(driver_log, log, sizeof log);
    model->module = NULL;
  }
  return result;
}

/* Of the images that suit the device, the first that the driver takes. The error is the first one's. */
static int load_kernels(cnn_model *model) {
  int64_t major, minor;
  int code = attribute(model, CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR, &major);
  if (code == CNN_OK)
    code = attribute(model, CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR, &minor);
  if (code != CNN_OK)
    return code;
  const char *forced = getenv("CNN_ISA");
  if (forced && !*forced)
    forced = NULL;
  int known = 0;
  for (int64_t i = 0; i < cnn_this_cuda_program.variant_count; ++i) {
    const cnn_cuda_variant *variant = &cnn_this_cuda_program.variants[i];
    if (forced && strcmp(forced, variant->name) != 0)
      continue;
    known = 1;
    for (int64_t j = 0; j < variant->image_count; ++j) {
      if (!suits(variant, &variant->images[j], major * 10 + minor))
        continue;
      const CUresult result = load_image(model, &variant->images[j]);
      if (result == CUDA_SUCCESS) {
        model->variant = variant;
        return CNN_OK;
      }
      if (code == CNN_OK)
        code = cnn_cuda_check(result);
    }
  }
  if (code != CNN_OK)
    return code;
  return !forced ? CNN_ERROR_DEVICE_ARCHITECTURE : known ? CNN_ERROR_ISA_UNSUPPORTED : CNN_ERROR_ISA_UNKNOWN;
}

/* A kernel as the launch wants it: it may need more shared memory than is given without asking. */
static int prepare_function(const cnn_model *model, CUfunction function, const cnn_cuda_launch *launch,
                            int64_t most_shared) {
  int threads = 0, fixed = 0;
  int code =
      cnn_cuda_check(model->driver.FuncGetAttribute(&threads, CU_FUNC_ATTRIBUTE_MAX_THREADS_PER_BLOCK, function));
  if (code == CNN_OK)
    code = cnn_cuda_check(model->driver.FuncGetAttribute(&fixed, CU_FUNC_ATTRIBUTE_SHARED_SIZE_BYTES, function));
  if (code != CNN_OK)
    return code;
  if (launch->block_threads > threads || fixed + launch->shared_bytes > most_shared)
    return CNN_ERROR_DEVICE_RESOURCES;
  if (launch->shared_bytes == 0)
    return CNN_OK;
  return cnn_cuda_check(model->driver.FuncSetAttribute(function, CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES,
                                                       (int)launch->shared_bytes));
}

static int find_functions(cnn_model *model) {
  int64_t most_shared;
  int code = attribute(model, CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_BLOCK_OPTIN, &most_shared);
  for (int64_t i = 0; code == CNN_OK && i < cnn_this_network.step_count; ++i) {
    const cnn_cuda_launch *launch = &model->variant->launches[i];
    code = cnn_cuda_check(model->driver.ModuleGetFunction(&model->functions[i], model->module, launch->symbol));
    if (code == CNN_OK)
      code = prepare_function(model, model->functions[i], launch, most_shared);
  }
  return code;
}

/* Without asking, some systems hand out memory that they then have to move. */
int cnn_cuda_allocate(const cnn_model *model, CUdeviceptr *memory, size_t bytes) {
  size_t free_bytes, total_bytes;
  int code = cnn_cuda_check(model->driver.MemGetInfo(&free_bytes, &total_bytes));
  if (code == CNN_OK && free_bytes < bytes)
    code = cnn_cuda_check(CUDA_ERROR_OUT_OF_MEMORY);
  if (code == CNN_OK)
    code = cnn_cuda_check(model->driver.MemAlloc(memory, bytes));
  if (code != CNN_OK)
    *memory = 0;
  return code;
}

static int upload_weights(cnn_model *model) {
  const int64_t bytes = cnn_cuda_read_weights();
  if (bytes == 0)
    return CNN_OK;
  int code = cnn_cuda_allocate(model, &model->device_weights, (size_t)bytes);
  if (code != CNN_OK)
    return code;
  code = cnn_cuda_check(model->driver.MemcpyHtoDAsync(model->device_weights, model->weights.data, (size_t)bytes, NULL));
  if (code == CNN_OK)
    code = cnn_cuda_check(model->driver.StreamSynchronize(NULL));
  return code;
}

static int set_up(cnn_model *model, const cnn_model_options *options, int device) {
  int code = cnn_cuda_open_driver(model);
  if (code == CNN_OK)
    code = open_device(model, device);
  if (code == CNN_OK)
    code = cnn_weights_find(&model->weights, options);
  if (code == CNN_OK)
    code = cnn_cuda_enter(model);
  if (code != CNN_OK)
    return code;
  code = load_kernels(model);
  if (code == CNN_OK)
    code = find_functions(model);
  if (code == CNN_OK)
    code = upload_weights(model);
  cnn_cuda_leave(model);
  return code;
}

int cnn_api_model_init(cnn_model *model, const cnn_model_options *options) {
  if (!model)
    return CNN_ERROR_NULL;
  if (!cnn_aligned(model, CNN_ALIGNMENT))
    return CNN_ERROR_ALIGNMENT;
  memset(model, 0, cnn_api_model_bytes());
  int device = 0;
  if (options && options->size == sizeof(cnn_cuda_model_options))
    device = ((const cnn_cuda_model_options *)options)->device;
  else if (options && options->size != sizeof *options)
    return CNN_ERROR_OPTIONS;
  const int code = set_up(model, options, device);
  if (code == CNN_OK)
    model->magic = CNN_CUDA_MODEL_MAGIC;
  else
    cnn_api_model_end(model);
  return code;
}

void cnn_api_model_end(cnn_model *model) {
  if (!model)
    return;
  if (model->context) {
    if (model->driver.CtxPushCurrent(model->context) == CUDA_SUCCESS) {
      if (model->device_weights)
        model->driver.MemFree(model->device_weights);
      if (model->module)
        model->driver.ModuleUnload(model->module);
      cnn_cuda_leave(model);
    }
    model->driver.DevicePrimaryCtxRelease(model->device);
  }
  cnn_cuda_close_driver(model);
  cnn_weights_end(&model->weights);
  memset(model, 0, cnn_api_model_bytes());
}

const char *cnn_api_isa(const cnn_model *model) {
  return model && model->magic == CNN_CUDA_MODEL_MAGIC ? model->variant->name : NULL;
}
