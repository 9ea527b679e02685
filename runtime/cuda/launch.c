/* The launches of a run: one after the other on a stream, or replayed from a graph of an earlier run. */
#include "runtime/cuda/cnn_cuda_runtime.h"

#include <stdlib.h>
#include <string.h>

static CUdeviceptr address_of(const cnn_session *session, const cnn_operand *operand, int64_t batch) {
  const uint64_t offset = (uint64_t)operand->offset, slice = (uint64_t)operand->slice;
  switch ((enum cnn_segment)operand->segment) {
  case CNN_SEGMENT_WEIGHTS:
    return session->model->device_weights + offset + slice;
  case CNN_SEGMENT_WORKSPACE:
    return session->workspace + offset * (uint64_t)batch + slice;
  case CNN_SEGMENT_FIXED:
    return session->fixed + offset + slice;
  case CNN_SEGMENT_STATE:
    return session->state + offset + slice;
  case CNN_SEGMENT_INPUT:
    return session->inputs[offset].address + slice;
  case CNN_SEGMENT_OUTPUT:
    return session->outputs[offset].address + slice;
  }
  return 0;
}

/* Inputs and outputs lie without gaps. */
static int64_t stride_of(const cnn_operand *operand) {
  const cnn_network *network = &cnn_this_network;
  if (operand->image_stride == 0)
    return 0;
  if (operand->segment == CNN_SEGMENT_INPUT)
    return network->inputs[operand->offset].image_bytes;
  if (operand->segment == CNN_SEGMENT_OUTPUT)
    return network->outputs[operand->offset].image_bytes;
  return operand->image_stride;
}

static int launch_step(cnn_session *session, CUstream stream, int64_t index, int64_t batch) {
  const cnn_step *step = &cnn_this_network.steps[index];
  const cnn_cuda_launch *launch = &session->model->variant->launches[index];
  const int64_t units = launch->fixed_units + batch * launch->units_per_image, count = step->operand_count;
  if (units <= 0)
    return CNN_OK;
  for (int64_t i = 0; i < count; ++i) {
    session->values[i] = address_of(session, &step->operands[i], batch);
    session->values[count + i] = (uint64_t)stride_of(&step->operands[i]);
  }
  session->values[2 * count] = (uint64_t)batch;
  session->values[2 * count + 1] = (uint64_t)units;
  const int64_t blocks = (units + launch->units_per_block - 1) / launch->units_per_block;
  return cnn_cuda_check(session->model->driver.LaunchKernel(
      session->model->functions[index], (unsigned)blocks, (unsigned)launch->grid_y, (unsigned)launch->grid_z,
      (unsigned)launch->block_threads, 1, 1, (unsigned)launch->shared_bytes, stream, session->parameters, NULL));
}

static int launch_all(cnn_session *session, CUstream stream, int64_t batch) {
  int code = CNN_OK;
  for (int64_t i = 0; code == CNN_OK && i < cnn_this_network.step_count; ++i)
    code = launch_step(session, stream, i, batch);
  return code;
}

/*===-- Graphs
 * -----------------------------------------------------------------------------------------------------===*/

static int64_t tensor_count(void) { return cnn_this_network.input_count + cnn_this_network.output_count; }

static CUdeviceptr tensor_address(const cnn_session *session, int64_t index) {
  const int64_t inputs = cnn_this_network.input_count;
  return index < inputs ? session->inputs[index].address : session->outputs[index - inputs].address;
}

static void forget(cnn_session *session, cnn_cuda_graph *graph) {
  if (graph->executable)
    session->model->driver.GraphExecDestroy(graph->executable);
  *graph = (cnn_cuda_graph){0, NULL, 0};
}

void cnn_cuda_forget_graphs(cnn_session *session) {
  for (int i = 0; i < CNN_CUDA_GRAPHS; ++i)
    forget(session, &session->graphs[i]);
}

/* The entry of this batch and these tensors; null: there was no such run lately, and there is an entry for it now. */
static cnn_cuda_graph *find_graph(cnn_session *session, int64_t batch) {
  const int64_t count = tensor_count();
  int oldest = 0;
  for (int i = 0; i < CNN_CUDA_GRAPHS; ++i) {
    cnn_cuda_graph *graph = &session->graphs[i];
    int64_t same = 0;
    while (same < count && session->graph_addresses[i * count + same] == tensor_address(session, same))
      ++same;
    if (graph->batch == batch && same == count) {
      graph->last_use = ++session->runs;
      return graph;
    }
    if (graph->last_use < session->graphs[oldest].last_use)
      oldest = i;
  }
  cnn_cuda_graph *graph = &session->graphs[oldest];
  forget(session, graph);
  graph->batch = batch;
  graph->last_use = ++session->runs;
  for (int64_t i = 0; i < count; ++i)
    session->graph_addresses[oldest * count + i] = tensor_address(session, i);
  return NULL;
}

/* The launches are taken down from the session's own stream, on which nothing happens meanwhile. */
static int capture(cnn_session *session, cnn_cuda_graph *graph, int64_t batch) {
  const cnn_cuda_driver *driver = &session->model->driver;
  CUgraph captured = NULL;
  int code = cnn_cuda_check(driver->StreamBeginCapture(session->own_stream, CU_STREAM_CAPTURE_MODE_THREAD_LOCAL));
  if (code != CNN_OK)
    return code;
  code = launch_all(session, session->own_stream, batch);
  const int ended = cnn_cuda_check(driver->StreamEndCapture(session->own_stream, &captured));
  if (code == CNN_OK)
    code = ended;
  if (code == CNN_OK) {
    code = cnn_cuda_check(driver->GraphInstantiateWithFlags(&graph->executable, captured, 0));
    if (code != CNN_OK)
      graph->executable = NULL;
  }
  if (ended == CNN_OK && captured)
    driver->GraphDestroy(captured);
  return code;
}

int cnn_cuda_launch_run(cnn_session *session, int64_t batch) {
  cnn_cuda_graph *graph = session->cannot_capture ? NULL : find_graph(session, batch);
  /* Where it does not work, the launches themselves will say what is wrong, if anything is. */
  if (graph && !graph->executable && capture(session, graph, batch) != CNN_OK)
    session->cannot_capture = 1;
  return graph && graph->executable
             ? cnn_cuda_check(session->model->driver.GraphLaunch(graph->executable, session->stream))
             : launch_all(session, session->stream, batch);
}

/*===-- Runs that are watched
 * --------------------------------------------------------------------------------------===*/

static int ends_group(int64_t step) {
  const cnn_network *network = &cnn_this_network;
  return step + 1 == network->step_count || network->steps[step + 1].group != network->steps[step].group;
}

int cnn_cuda_launch_timed(cnn_session *session, int64_t batch) {
  const cnn_network *network = &cnn_this_network;
  const cnn_cuda_driver *driver = &session->model->driver;
  int code = cnn_cuda_check(driver->EventRecord(session->events[0], session->stream));
  for (int64_t i = 0; code == CNN_OK && i < network->step_count; ++i) {
    code = launch_step(session, session->stream, i, batch);
    if (code == CNN_OK && ends_group(i))
      code = cnn_cuda_check(driver->EventRecord(session->events[i + 1], session->stream));
  }
  if (code == CNN_OK)
    code = cnn_cuda_check(driver->StreamSynchronize(session->stream));
  for (int64_t i = 0, begin = 0; code == CNN_OK && i < network->step_count; ++i) {
    if (!ends_group(i))
      continue;
    float milliseconds = 0;
    code = cnn_cuda_check(driver->EventElapsedTime(&milliseconds, session->events[begin], session->events[i + 1]));
    if (code == CNN_OK)
      session->on_group(session->on_group_context, network->steps[i].group, (int64_t)((double)milliseconds * 1e6));
    begin = i + 1;
  }
  return code;
}

static int synchronized(const cnn_session *session, CUresult result) {
  const int code = cnn_cuda_check(result);
  return code == CNN_OK ? cnn_cuda_check(session->model->driver.StreamSynchronize(session->stream)) : code;
}

/* What is not in the session's memory stays where it is: the weights in host memory, tensors of the caller's. */
void cnn_api_resolve(const cnn_session *session, const cnn_operand *operand, int64_t batch, char **address,
                     int64_t *image_stride) {
  *image_stride = stride_of(operand);
  if (operand->segment == CNN_SEGMENT_WEIGHTS) {
    *address = (char *)session->model->weights.data + operand->offset + operand->slice;
    return;
  }
  const CUdeviceptr device = address_of(session, operand, batch);
  const uint64_t offset = device - session->memory;
  *address = session->mirror && offset < (uint64_t)session->memory_bytes ? session->mirror + offset
                                                                         : (char *)(uintptr_t)device;
}

static void tell(const cnn_session *session, int64_t step, int after, int64_t batch, cnn_observer observer,
                 void *context) {
  const cnn_step *what = &cnn_this_network.steps[step];
  /* The arguments' place is free between launches. */
  char **buffers = (char **)session->values;
  int64_t *strides = (int64_t *)(session->values + what->operand_count);
  for (int64_t i = 0; i < what->operand_count; ++i)
    cnn_api_resolve(session, &what->operands[i], batch, &buffers[i], &strides[i]);
  observer(context, step, after, buffers, strides);
}

int cnn_cuda_launch_observed(cnn_session *session, int64_t batch, cnn_observer observer, void *context) {
  const cnn_cuda_driver *driver = &session->model->driver;
  const size_t bytes = (size_t)session->memory_bytes;
  if (!session->mirror)
    session->mirror = malloc(bytes);
  if (!session->mirror)
    return CNN_ERROR_DEVICE_MEMORY;
  int code = synchronized(session, driver->MemcpyDtoHAsync(session->mirror, session->memory, bytes, session->stream));
  for (int64_t i = 0; code == CNN_OK && i < cnn_this_network.step_count; ++i) {
    tell(session, i, 0, batch, observer, context);
    code = synchronized(session, driver->MemcpyHtoDAsync(session->memory, session->mirror, bytes, session->stream));
    if (code == CNN_OK)
      code = launch_step(session, session->stream, i, batch);
    if (code == CNN_OK)
      code = synchronized(session, driver->MemcpyDtoHAsync(session->mirror, session->memory, bytes, session->stream));
    if (code == CNN_OK)
      tell(session, i, 1, batch, observer, context);
  }
  /* What the observer changed last. */
  return code == CNN_OK
             ? synchronized(session, driver->MemcpyHtoDAsync(session->memory, session->mirror, bytes, session->stream))
             : code;
}
