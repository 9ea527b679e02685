/* Models: the instruction set is chosen and the weights are found and checked, once; then a model is only read. */
#define _GNU_SOURCE
#include "runtime/embedded/cnn_hash.h"
#include "runtime/embedded/cnn_runtime.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

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

/* `file` is a whole weights file in memory, of the right size. */
static int check_weights(const char *file) {
  const cnn_network *network = &cnn_this_network;
  cnn_weights_header header;
  memcpy(&header, file, sizeof header);
  if (header.magic != CNN_WEIGHTS_MAGIC || header.abi_version != CNN_ABI_VERSION)
    return CNN_ERROR_WEIGHTS_FORMAT;
  if (header.bytes != (uint64_t)network->weights_bytes)
    return CNN_ERROR_WEIGHTS_SIZE;
  if (header.hash != network->weights_hash)
    return CNN_ERROR_WEIGHTS_HASH;
  cnn_hash hash;
  cnn_hash_begin(&hash);
  cnn_hash_add(&hash, file + CNN_WEIGHTS_HEADER_BYTES, header.bytes);
  return cnn_hash_end(&hash) == network->weights_hash ? CNN_OK : CNN_ERROR_WEIGHTS_HASH;
}

static int read_all(int descriptor, char *memory, size_t bytes) {
  for (size_t done = 0; done < bytes;) {
    ssize_t count = read(descriptor, memory + done, bytes - done);
    if (count <= 0)
      return CNN_ERROR_WEIGHTS_FILE;
    done += (size_t)count;
  }
  return CNN_OK;
}

static int weights_from_file(cnn_model *model, const cnn_model_options *options, size_t bytes) {
  int descriptor = open(options->weights_file, O_RDONLY | O_CLOEXEC);
  if (descriptor < 0)
    return CNN_ERROR_WEIGHTS_FILE;
  struct stat status;
  int code = CNN_OK;
  char *file = NULL;
  if (fstat(descriptor, &status) != 0 || !S_ISREG(status.st_mode)) {
    code = CNN_ERROR_WEIGHTS_FILE;
  } else if (status.st_size != (off_t)bytes) {
    code = CNN_ERROR_WEIGHTS_SIZE;
  } else if (options->weights) {
    file = options->weights;
    code = read_all(descriptor, file, bytes);
  } else {
    file = mmap(NULL, bytes, PROT_READ, MAP_PRIVATE, descriptor, 0);
    if (file == MAP_FAILED) {
      code = CNN_ERROR_WEIGHTS_FILE;
    } else {
      model->mapping = file;
      model->mapping_bytes = bytes;
    }
  }
  close(descriptor);
  if (code == CNN_OK)
    code = check_weights(file);
  if (code == CNN_OK)
    model->weights = file + CNN_WEIGHTS_HEADER_BYTES;
  return code;
}

static int find_weights(cnn_model *model, const cnn_model_options *options) {
  const cnn_network *network = &cnn_this_network;
  const size_t bytes = CNN_WEIGHTS_HEADER_BYTES + (size_t)network->weights_bytes;
  model->weights = network->weights;
  if (network->weights_bytes == 0)
    return CNN_OK;
  if (!options || (!options->weights_file && !options->weights))
    return network->weights ? CNN_OK : CNN_ERROR_WEIGHTS_MISSING;
  if (options->weights) {
    if (!cnn_aligned(options->weights, CNN_ALIGNMENT))
      return CNN_ERROR_ALIGNMENT;
    if (options->weights_bytes != bytes)
      return CNN_ERROR_WEIGHTS_SIZE;
  }
  if (options->weights_file)
    return weights_from_file(model, options, bytes);
  int code = check_weights(options->weights);
  if (code == CNN_OK)
    model->weights = (const char *)options->weights + CNN_WEIGHTS_HEADER_BYTES;
  return code;
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
    code = find_weights(model, options);
  if (code == CNN_OK)
    model->magic = CNN_MODEL_MAGIC;
  else
    cnn_api_model_end(model);
  return code;
}

void cnn_api_model_end(cnn_model *model) {
  if (!model)
    return;
  if (model->mapping)
    munmap(model->mapping, model->mapping_bytes);
  memset(model, 0, sizeof *model);
}

int cnn_api_state_init(const cnn_model *model, void *state) {
  const cnn_network *network = &cnn_this_network;
  if (!model || !state)
    return CNN_ERROR_NULL;
  if (!cnn_aligned(state, CNN_ALIGNMENT))
    return CNN_ERROR_ALIGNMENT;
  if (model->magic != CNN_MODEL_MAGIC || network->initial_state < 0)
    return CNN_ERROR_NOT_INITIALIZED;
  memcpy(state, model->weights + network->initial_state, (size_t)network->state_bytes);
  return CNN_OK;
}

const char *cnn_api_isa(const cnn_model *model) {
  return model && model->magic == CNN_MODEL_MAGIC ? model->variant->name : NULL;
}
