/* Models: the instruction set is chosen and the weights are found and checked, once; then a model is only read. */
#include "runtime/embedded/cnn_runtime.h"

#include <stdlib.h>
#include <string.h>

static int choose_variant(const cnn_variant **variant) {
  const cnn_network *network = &cnn_this_network;
  const char *forced = getenv("CNN_ISA");
  const int level = cnn_cpu_level();
  for (int64_t i = 0; i < network->variant_count; ++i) {
    const cnn_variant *candidate = &network->variants[i];
    if (forced && *forced) {
      if (strcmp(forced, candidate->name) != 0)
        continue;
      *variant = candidate;
      return candidate->level <= level ? CNN_OK : CNN_ERROR_ISA_UNSUPPORTED;
    }
    if (candidate->level <= level) {
      *variant = candidate;
      return CNN_OK;
    }
  }
  return forced && *forced ? CNN_ERROR_ISA_UNKNOWN : CNN_ERROR_CPU;
}

_Static_assert(sizeof(cnn_model) <= CNN_MODEL_BYTES, "the constant in emitted headers");

size_t cnn_api_model_bytes(void) { return CNN_MODEL_BYTES; }

int cnn_api_model_init(cnn_model *model, const cnn_model_options *options) {
  if (!model)
    return CNN_ERROR_NULL;
  if (!cnn_aligned(model, CNN_ALIGNMENT))
    return CNN_ERROR_ALIGNMENT;
  memset(model, 0, sizeof *model);
  if (options && options->size != sizeof *options)
    return CNN_ERROR_OPTIONS;
  int code = choose_variant(&model->variant);
  if (code == CNN_OK)
    code = cnn_weights_find(&model->weights, options);
  if (code == CNN_OK)
    model->magic = CNN_MODEL_MAGIC;
  else
    cnn_api_model_end(model);
  return code;
}

void cnn_api_model_end(cnn_model *model) {
  if (!model)
    return;
  cnn_weights_end(&model->weights);
  memset(model, 0, sizeof *model);
}

int cnn_api_state_init(const cnn_model *model, void *state) {
  const cnn_network *network = &cnn_this_network;
  const int code = cnn_check_state_init(model, CNN_MODEL_MAGIC, state);
  if (code == CNN_OK)
    memcpy(state, model->weights.data + network->initial_state, (size_t)network->state_bytes);
  return code;
}

const char *cnn_api_isa(const cnn_model *model) {
  return model && model->magic == CNN_MODEL_MAGIC ? model->variant->name : NULL;
}
