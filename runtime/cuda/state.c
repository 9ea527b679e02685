/* A step's state apart from its runs: the first values, and where it is between runs. */
#include "runtime/cuda/cnn_cuda_runtime.h"

#include <string.h>

int cnn_api_state_init(const cnn_model *model, void *state) {
  const cnn_network *network = &cnn_this_network;
  int is_device, code = cnn_check_state_init(model, CNN_CUDA_MODEL_MAGIC, state);
  if (code != CNN_OK)
    return code;
  const char *values = model->weights.data + network->initial_state;
  code = cnn_cuda_enter(model);
  if (code != CNN_OK)
    return code;
  code = cnn_cuda_place_of(model, state, &is_device);
  if (code == CNN_OK && !is_device) {
    memcpy(state, values, (size_t)network->state_bytes);
  } else if (code == CNN_OK) {
    code = cnn_cuda_check(
        model->driver.MemcpyHtoDAsync((CUdeviceptr)(uintptr_t)state, values, (size_t)network->state_bytes, NULL));
    if (code == CNN_OK)
      code = cnn_cuda_check(model->driver.StreamSynchronize(NULL));
  }
  cnn_cuda_leave(model);
  return code;
}

static int save(cnn_session *session, size_t bytes) {
  const cnn_cuda_driver *driver = &session->model->driver;
  const int code = session->saved_state ? CNN_OK : cnn_cuda_allocate(session->model, &session->saved_state, bytes);
  if (code != CNN_OK)
    return code;
  return cnn_cuda_check(driver->MemcpyDtoDAsync(session->saved_state, session->state, bytes, session->stream));
}

static int move(cnn_session *session, int what) {
  const cnn_cuda_driver *driver = &session->model->driver;
  const size_t bytes = (size_t)cnn_this_network.state_bytes;
  int code = CNN_OK;
  switch ((enum cnn_state_move)what) {
  case CNN_STATE_KEEP:
    if (session->host_state)
      code = cnn_cuda_check(driver->MemcpyHtoDAsync(session->state, session->host_state, bytes, session->stream));
    break;
  case CNN_STATE_FETCH:
    if (session->host_state)
      code = cnn_cuda_check(driver->MemcpyDtoHAsync(session->host_state, session->state, bytes, session->stream));
    break;
  case CNN_STATE_SAVE:
    /* What follows on the stream comes after it. */
    return save(session, bytes);
  case CNN_STATE_RESTORE:
    code = cnn_cuda_check(driver->MemcpyDtoDAsync(session->state, session->saved_state, bytes, session->stream));
    break;
  }
  if (code == CNN_OK)
    code = cnn_cuda_check(driver->StreamSynchronize(session->stream));
  if (code == CNN_OK && what == CNN_STATE_KEEP)
    session->keeps_state = 1;
  return code;
}

int cnn_api_move_state(cnn_session *session, int what) {
  if (!session)
    return CNN_ERROR_NULL;
  if (session->magic != CNN_CUDA_SESSION_MAGIC || !cnn_this_network.state_bytes ||
      (what != CNN_STATE_KEEP && session->host_state && !session->keeps_state) ||
      (what == CNN_STATE_RESTORE && !session->saved_state))
    return CNN_ERROR_NOT_INITIALIZED;
  if (what < CNN_STATE_KEEP || what > CNN_STATE_RESTORE)
    return CNN_ERROR_OPTIONS;
  int code = cnn_cuda_enter(session->model);
  if (code != CNN_OK)
    return code;
  code = move(session, what);
  cnn_cuda_leave(session->model);
  return code;
}
