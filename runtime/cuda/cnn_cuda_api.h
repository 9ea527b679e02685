/* What emitted libraries for CUDA have beyond the API of cnn_api.h, before emission gives the functions the network's
 * name. The option structs are those of the CPU's libraries with fields behind them; a library takes either size. */
#ifndef CNN_CUDA_API_H
#define CNN_CUDA_API_H

#include "runtime/cuda/cnn_cuda_abi.h"
#include "runtime/cuda/cnn_cuda_driver.h"
#include "runtime/embedded/cnn_api.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct cnn_cuda_model_options {
  cnn_model_options common;
  int device; /* its number, from 0 on */
} cnn_cuda_model_options;

/* `state` is the first field of the CPU's options that only steps have; here it is there always. */
typedef struct cnn_cuda_session_options {
  cnn_session_options common;
  void *stream; /* a CUstream or cudaStream_t to work on; null: one of the session's own */
} cnn_cuda_session_options;

/* Bytes of device memory that a session takes for batches up to max_batch, state that lies in host memory included. */
size_t cnn_api_device_bytes(int64_t max_batch);
/* What the driver answered when this library last returned an error of the device: a CUresult; 0: nothing yet. */
int cnn_api_driver_error(void);

/* Exported by libraries for the tools: models that are made from now on find the driver's entries by `lookup` instead
 * of in libcuda.so.1; null: there again. */
void cnn_api_use_driver(cnn_cuda_lookup lookup);
/* Exported likewise: what the driver wrote about the code that it refused last; empty: nothing. One model is made at a
 * time. */
const char *cnn_api_driver_log(void);

#ifdef __cplusplus
}
#endif

#endif
