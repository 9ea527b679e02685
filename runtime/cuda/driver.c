/* The driver: found, started, and its answers as error codes. */
#define _GNU_SOURCE
#include "runtime/cuda/cnn_cuda_runtime.h"

#include <dlfcn.h>
#include <stdatomic.h>

static _Atomic(cnn_cuda_lookup) given_lookup;
static _Atomic int last_error;

void cnn_api_use_driver(cnn_cuda_lookup lookup) { atomic_store(&given_lookup, lookup); }

int cnn_api_driver_error(void) { return atomic_load(&last_error); }

int cnn_cuda_check(CUresult result) {
  if (result == CUDA_SUCCESS)
    return CNN_OK;
  atomic_store(&last_error, result);
  switch (result) {
  case CUDA_ERROR_OUT_OF_MEMORY:
    return CNN_ERROR_DEVICE_MEMORY;
  case CUDA_ERROR_STUB_LIBRARY:
  case CUDA_ERROR_SYSTEM_DRIVER_MISMATCH:
    return CNN_ERROR_DRIVER_MISSING;
  case CUDA_ERROR_NO_DEVICE:
  case CUDA_ERROR_INVALID_DEVICE:
  case CUDA_ERROR_DEVICE_UNAVAILABLE:
    return CNN_ERROR_DEVICE_MISSING;
  case CUDA_ERROR_UNSUPPORTED_PTX_VERSION:
    return CNN_ERROR_DRIVER_VERSION;
  case CUDA_ERROR_INVALID_IMAGE:
  case CUDA_ERROR_NO_BINARY_FOR_GPU:
  case CUDA_ERROR_INVALID_PTX:
  case CUDA_ERROR_JIT_COMPILER_NOT_FOUND:
    return CNN_ERROR_DEVICE_CODE;
  case CUDA_ERROR_LAUNCH_OUT_OF_RESOURCES:
    return CNN_ERROR_DEVICE_RESOURCES;
  case CUDA_ERROR_ECC_UNCORRECTABLE:
    return CNN_ERROR_DEVICE_LOST;
  default:
    /* From 700 on the driver tells what kernels did, after which the context is of no use. */
    return result >= CUDA_ERROR_ILLEGAL_ADDRESS && result <= CUDA_ERROR_LAUNCH_FAILED ? CNN_ERROR_DEVICE_LOST
                                                                                      : CNN_ERROR_DEVICE;
  }
}

static void *find(const cnn_model *model, cnn_cuda_lookup lookup, const char *name) {
  return lookup ? lookup(name) : dlsym(model->library, name);
}

int cnn_cuda_open_driver(cnn_model *model) {
  const cnn_cuda_lookup lookup = atomic_load(&given_lookup);
  if (!lookup) {
    /* Drivers do not like to be unloaded. */
    model->library = dlopen("libcuda.so.1", RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
    if (!model->library)
      return CNN_ERROR_DRIVER_MISSING;
  }
#define CNN_CUDA_FIND(field, name, parameters)                                                                         \
  if (!(*(void **)&model->driver.field = find(model, lookup, #name)))                                                  \
    return CNN_ERROR_DRIVER_VERSION;
  CNN_CUDA_ENTRIES(CNN_CUDA_FIND)
  return cnn_cuda_check(model->driver.Init(0));
}

void cnn_cuda_close_driver(cnn_model *model) {
  if (model->library)
    dlclose(model->library);
  model->library = NULL;
}

int cnn_cuda_enter(const cnn_model *model) { return cnn_cuda_check(model->driver.CtxPushCurrent(model->context)); }

void cnn_cuda_leave(const cnn_model *model) {
  CUcontext context;
  model->driver.CtxPopCurrent(&context);
}
