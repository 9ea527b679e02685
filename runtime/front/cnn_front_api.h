/* What libraries with code for CPUs and for CUDA devices have beyond the API of either, before emission gives the
 * functions the network's name. */
#ifndef CNN_FRONT_API_H
#define CNN_FRONT_API_H

#include "runtime/cuda/cnn_cuda_api.h"

#ifdef __cplusplus
extern "C" {
#endif

/* What a model is to run on. With CNN_TARGET_ANY the environment variable CNN_TARGET ("cpu", "cuda") decides; without
 * it a CUDA device where there is one that the library can use, else the CPU. */
enum cnn_target { CNN_TARGET_ANY = 0, CNN_TARGET_CPU = 1, CNN_TARGET_CUDA = 2 };

/* As large as cnn_cuda_model_options, whose fields come first. */
typedef struct cnn_front_model_options {
  cnn_model_options common;
  int device;
  int target;
} cnn_front_model_options;

#ifdef __cplusplus
}
#endif

#endif
