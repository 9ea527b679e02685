/* What runs and sessions of all runtimes begin with; cnn_shared.h has the contract. */
#include "runtime/embedded/cnn_shared.h"

int cnn_check_call(const cnn_call *call, int64_t max_batch) {
  const cnn_network *network = &cnn_this_network;
  const int64_t tensor_count = network->input_count - (call->inputs->hyper ? network->hyper_count : 0);
  if ((!call->inputs->tensors && tensor_count) || (!call->outputs && network->output_count))
    return CNN_ERROR_NULL;
  if (call->batch < 1 || call->batch > max_batch || (network->batch && call->batch != network->batch))
    return CNN_ERROR_BATCH;
  cnn_view view;
  for (int64_t i = 0; i < network->input_count; ++i) {
    const cnn_tensor input = cnn_input_at(call->inputs, i);
    const int code = cnn_make_view(&view, &network->inputs[i], &input);
    if (code != CNN_OK)
      return code;
  }
  int64_t wanted = 0;
  for (int64_t i = 0; i < network->output_count; ++i) {
    if (!call->outputs[i].data)
      continue;
    ++wanted;
    const int code = cnn_make_view(&view, &network->outputs[i], &call->outputs[i]);
    if (code != CNN_OK)
      return code;
  }
  return wanted || !network->output_count ? CNN_OK : CNN_ERROR_NULL;
}

int cnn_api_run_observed(cnn_session *session, int64_t batch, const cnn_tensor *inputs, const cnn_tensor *outputs,
                         cnn_observer observer, void *context) {
  const cnn_input_list list = {inputs, NULL};
  return cnn_run_call(session, &(cnn_call){batch, &list, outputs, observer, context});
}

int cnn_api_run(cnn_session *session, int64_t batch, const cnn_tensor *inputs, const cnn_tensor *outputs) {
  return cnn_api_run_observed(session, batch, inputs, outputs, NULL, NULL);
}

int cnn_api_step(cnn_session *session, int64_t batch, const cnn_tensor *inputs, const void *hyper,
                 const cnn_tensor *outputs) {
  if (!hyper && cnn_this_network.hyper_count)
    return CNN_ERROR_NULL;
  const cnn_input_list list = {inputs, hyper};
  return cnn_run_call(session, &(cnn_call){batch, &list, outputs, NULL, NULL});
}

const char *cnn_api_group(int64_t group) {
  return group >= 0 && group < cnn_this_network.group_count ? cnn_this_network.groups[group] : NULL;
}

size_t cnn_place(cnn_area *area, int64_t bytes, int64_t count) {
  size_t begin = area->end, part, end;
  area->overflow |= __builtin_mul_overflow((size_t)bytes, (size_t)count, &part);
  area->overflow |= __builtin_add_overflow(begin, part, &end);
  area->overflow |= __builtin_add_overflow(end, (size_t)CNN_ALIGNMENT - 1, &end);
  area->end = end & ~(size_t)(CNN_ALIGNMENT - 1);
  area->overflow |= area->end > PTRDIFF_MAX;
  return begin;
}

size_t cnn_place_tensors(cnn_area *area, const cnn_tensor_info *tensors, int64_t count, int64_t max_batch) {
  const size_t begin = area->end;
  for (int64_t i = 0; i < count; ++i)
    cnn_place(area, cnn_round(tensors[i].image_bytes), tensors[i].batched ? max_batch : 1);
  return begin;
}

int cnn_check_state_init(const cnn_model *model, uint64_t magic, const void *state) {
  if (!model || !state)
    return CNN_ERROR_NULL;
  if (!cnn_aligned(state, CNN_ALIGNMENT))
    return CNN_ERROR_ALIGNMENT;
  return *(const uint64_t *)model != magic || cnn_this_network.initial_state < 0 ? CNN_ERROR_NOT_INITIALIZED : CNN_OK;
}

int cnn_check_max_batch(int64_t max_batch) {
  return max_batch < 1 || (cnn_this_network.batch && max_batch != cnn_this_network.batch) ? CNN_ERROR_BATCH : CNN_OK;
}
