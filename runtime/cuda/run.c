/* Running: the caller's tensors are bound or copied to the device, the kernels are launched, and what is for the host
 * comes back. Nothing is allocated but, by the driver, for a graph of launches that is seen a second time. */
#include "runtime/cuda/cnn_cuda_runtime.h"

#include <string.h>

int cnn_cuda_place_of(const cnn_model *model, const void *data, int *is_device) {
  int type = 0, ordinal = 0;
  const CUdeviceptr address = (CUdeviceptr)(uintptr_t)data;
  *is_device = model->driver.PointerGetAttribute(&type, CU_POINTER_ATTRIBUTE_MEMORY_TYPE, address) == CUDA_SUCCESS &&
               (type == CU_MEMORYTYPE_DEVICE || type == CU_MEMORYTYPE_UNIFIED);
  if (!*is_device)
    return CNN_OK;
  const int code =
      cnn_cuda_check(model->driver.PointerGetAttribute(&ordinal, CU_POINTER_ATTRIBUTE_DEVICE_ORDINAL, address));
  return code == CNN_OK && ordinal != model->device ? CNN_ERROR_DEVICE_TENSOR : code;
}

static int is_dense(const cnn_tensor_info *info, const cnn_view *tensor, int64_t batch) {
  return tensor->contiguous && (!info->batched || batch == 1 || tensor->image_stride == info->image_bytes);
}

/* Decides where the kernels find the tensor. */
static int bind(const cnn_session *session, cnn_cuda_binding *binding, const cnn_tensor_info *info,
                const cnn_view *tensor, int64_t batch) {
  const int code = cnn_cuda_place_of(session->model, tensor->data, &binding->is_device);
  if (code != CNN_OK)
    return code;
  if (binding->is_device && !tensor->contiguous)
    return CNN_ERROR_DEVICE_TENSOR;
  const int in_place =
      binding->is_device && is_dense(info, tensor, batch) && cnn_aligned(tensor->data, CNN_CUDA_TENSOR_ALIGNMENT);
  binding->address = in_place ? (CUdeviceptr)(uintptr_t)tensor->data : binding->staging;
  return CNN_OK;
}

/* Copies between the staging area on the device and the caller's tensor, or its dense copy in host memory. */
static int transfer(const cnn_session *session, const cnn_cuda_binding *binding, const cnn_tensor_info *info,
                    const cnn_view *tensor, int64_t batch, int to_device) {
  const cnn_cuda_driver *driver = &session->model->driver;
  if (binding->address != binding->staging)
    return CNN_OK;
  const int64_t images = info->batched ? batch : 1;
  const int is_packed = !binding->is_device && !tensor->contiguous;
  const int at_once = is_packed || is_dense(info, tensor, batch);
  char *data = is_packed ? binding->host_staging : tensor->data;
  const int64_t pieces = at_once ? 1 : images;
  const size_t bytes = (size_t)(at_once ? images * info->image_bytes : info->image_bytes);
  int code = CNN_OK;
  for (int64_t i = 0; code == CNN_OK && i < pieces; ++i) {
    char *host = data + i * tensor->image_stride;
    const CUdeviceptr other = (CUdeviceptr)(uintptr_t)host, device = binding->staging + (uint64_t)i * bytes;
    CUresult result;
    if (binding->is_device)
      result = driver->MemcpyDtoDAsync(to_device ? device : other, to_device ? other : device, bytes, session->stream);
    else if (to_device)
      result = driver->MemcpyHtoDAsync(device, host, bytes, session->stream);
    else
      result = driver->MemcpyDtoHAsync(host, device, bytes, session->stream);
    code = cnn_cuda_check(result);
  }
  return code;
}

static cnn_view input_view(const cnn_call *call, int64_t index) {
  cnn_view view;
  const cnn_tensor input = cnn_input_at(call->inputs, index);
  cnn_make_view(&view, &cnn_this_network.inputs[index], &input);
  return view;
}

/* Outputs that are not wanted are computed into the staging area. */
static int bind_all(cnn_session *session, const cnn_call *call) {
  const cnn_network *network = &cnn_this_network;
  int code = CNN_OK;
  for (int64_t i = 0; code == CNN_OK && i < network->input_count; ++i) {
    const cnn_view tensor = input_view(call, i);
    code = bind(session, &session->inputs[i], &network->inputs[i], &tensor, call->batch);
  }
  for (int64_t i = 0; code == CNN_OK && i < network->output_count; ++i) {
    session->outputs[i].address = session->outputs[i].staging;
    if (!call->outputs[i].data)
      continue;
    cnn_view tensor;
    cnn_make_view(&tensor, &network->outputs[i], &call->outputs[i]);
    code = bind(session, &session->outputs[i], &network->outputs[i], &tensor, call->batch);
  }
  return code;
}

/* Whether the call has to wait for the device: its own stream is nothing that the caller could wait for, and memory of
 * the host may be changed or read once the call has returned. Hyperparameters are small enough to be taken at once. */
static int must_wait(const cnn_session *session, const cnn_call *call) {
  const cnn_network *network = &cnn_this_network;
  int has_host = session->stream == session->own_stream || (session->host_state && !session->keeps_state);
  for (int64_t i = 0; i < network->input_count - network->hyper_count; ++i)
    has_host |= !session->inputs[i].is_device;
  for (int64_t i = 0; i < network->output_count; ++i)
    has_host |= call->outputs[i].data && !session->outputs[i].is_device;
  return has_host;
}

static int copy_in(cnn_session *session, const cnn_call *call) {
  const cnn_network *network = &cnn_this_network;
  int code = CNN_OK;
  for (int64_t i = 0; code == CNN_OK && i < network->input_count; ++i) {
    const cnn_view tensor = input_view(call, i);
    const cnn_cuda_binding *binding = &session->inputs[i];
    if (!tensor.contiguous)
      cnn_copy_images(&network->inputs[i], &tensor, binding->host_staging, call->batch, 1);
    code = transfer(session, binding, &network->inputs[i], &tensor, call->batch, 1);
  }
  if (code == CNN_OK && session->host_state && !session->keeps_state)
    code = cnn_cuda_check(session->model->driver.MemcpyHtoDAsync(session->state, session->host_state,
                                                                 (size_t)network->state_bytes, session->stream));
  return code;
}

static int launch(cnn_session *session, const cnn_call *call) {
  if (call->observer)
    return cnn_cuda_launch_observed(session, call->batch, call->observer, call->context);
  if (session->on_group)
    return cnn_cuda_launch_timed(session, call->batch);
  return cnn_cuda_launch_run(session, call->batch);
}

/* The kernels are waited for before anything of the caller's is written: a state that is his stays whole when one
 * fails. */
static int copy_out(cnn_session *session, const cnn_call *call) {
  const cnn_network *network = &cnn_this_network;
  const cnn_cuda_driver *driver = &session->model->driver;
  const int waits = must_wait(session, call);
  int code = waits ? cnn_cuda_check(driver->StreamSynchronize(session->stream)) : CNN_OK;
  cnn_view tensor;
  for (int64_t i = 0; code == CNN_OK && i < network->output_count; ++i) {
    if (!call->outputs[i].data)
      continue;
    cnn_make_view(&tensor, &network->outputs[i], &call->outputs[i]);
    code = transfer(session, &session->outputs[i], &network->outputs[i], &tensor, call->batch, 0);
  }
  if (code == CNN_OK && session->host_state && !session->keeps_state)
    code = cnn_cuda_check(
        driver->MemcpyDtoHAsync(session->host_state, session->state, (size_t)network->state_bytes, session->stream));
  if (code == CNN_OK && waits)
    code = cnn_cuda_check(driver->StreamSynchronize(session->stream));
  for (int64_t i = 0; code == CNN_OK && i < network->output_count; ++i) {
    if (!call->outputs[i].data)
      continue;
    cnn_make_view(&tensor, &network->outputs[i], &call->outputs[i]);
    if (!tensor.contiguous)
      cnn_copy_images(&network->outputs[i], &tensor, session->outputs[i].host_staging, call->batch, 0);
  }
  return code;
}

int cnn_run_call(cnn_session *session, const cnn_call *call) {
  if (!session)
    return CNN_ERROR_NULL;
  if (session->magic != CNN_CUDA_SESSION_MAGIC)
    return CNN_ERROR_NOT_INITIALIZED;
  int code = cnn_check_call(call, session->max_batch);
  if (code == CNN_OK)
    code = cnn_cuda_enter(session->model);
  if (code != CNN_OK)
    return code;
  session->last_batch = 0;
  code = bind_all(session, call);
  if (code == CNN_OK) {
    code = copy_in(session, call);
    if (code == CNN_OK)
      code = launch(session, call);
    if (code == CNN_OK)
      code = copy_out(session, call);
    /* What was begun may still use the caller's memory. */
    if (code != CNN_OK)
      session->model->driver.StreamSynchronize(session->stream);
    else
      session->last_batch = call->batch;
  }
  cnn_cuda_leave(session->model);
  return code;
}

int cnn_api_run_again(cnn_session *session, int64_t batch, int64_t *nanoseconds) {
  if (!session || !nanoseconds)
    return CNN_ERROR_NULL;
  if (session->magic != CNN_CUDA_SESSION_MAGIC)
    return CNN_ERROR_NOT_INITIALIZED;
  if (batch < 1 || batch != session->last_batch)
    return CNN_ERROR_BATCH;
  const cnn_cuda_driver *driver = &session->model->driver;
  float milliseconds = 0;
  int code = cnn_cuda_enter(session->model);
  if (code != CNN_OK)
    return code;
  code = cnn_cuda_make_events(session);
  if (code == CNN_OK)
    code = cnn_cuda_check(driver->EventRecord(session->events[0], session->stream));
  if (code == CNN_OK)
    code = cnn_cuda_launch_run(session, batch);
  if (code == CNN_OK)
    code = cnn_cuda_check(driver->EventRecord(session->events[1], session->stream));
  if (code == CNN_OK)
    code = cnn_cuda_check(driver->StreamSynchronize(session->stream));
  if (code == CNN_OK)
    code = cnn_cuda_check(driver->EventElapsedTime(&milliseconds, session->events[0], session->events[1]));
  *nanoseconds = (int64_t)((double)milliseconds * 1e6);
  cnn_cuda_leave(session->model);
  return code;
}
