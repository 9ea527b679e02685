/* Where the weights come from, and whether they are the right ones; cnn_shared.h has the contract. */
#define _GNU_SOURCE
#include "runtime/embedded/cnn_hash.h"
#include "runtime/embedded/cnn_shared.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

/* `file` is a whole weights file in memory, of the right size. */
static int check_weights(const char *file) {
  const cnn_network *network = &cnn_this_network;
  cnn_weights_header header;
  memcpy(&header, file, sizeof header);
  if (header.magic != CNN_WEIGHTS_MAGIC || header.abi_version != CNN_ABI_VERSION)
    return CNN_ERROR_WEIGHTS_FORMAT;
  if (header.bytes != (uint64_t)network->file_weights_bytes)
    return CNN_ERROR_WEIGHTS_SIZE;
  if (header.hash != network->weights_hash)
    return CNN_ERROR_WEIGHTS_HASH;
  cnn_hash hash;
  cnn_hash_begin(&hash);
  cnn_hash_add(&hash, file + CNN_WEIGHTS_HEADER_BYTES, header.bytes);
  return cnn_hash_end(&hash) == network->weights_hash ? CNN_OK : CNN_ERROR_WEIGHTS_HASH;
}

/* Those of this network in a file that was checked. */
static const char *values_of(const char *file) {
  return file + CNN_WEIGHTS_HEADER_BYTES + cnn_this_network.weights_begin;
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

static int weights_from_file(cnn_weights *weights, const cnn_model_options *options, size_t bytes) {
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
      weights->mapping = file;
      weights->mapping_bytes = bytes;
    }
  }
  close(descriptor);
  if (code == CNN_OK)
    code = check_weights(file);
  if (code != CNN_OK)
    cnn_weights_end(weights);
  else
    weights->data = values_of(file);
  return code;
}

int cnn_weights_find(cnn_weights *weights, const cnn_model_options *options) {
  const cnn_network *network = &cnn_this_network;
  const size_t bytes = CNN_WEIGHTS_HEADER_BYTES + (size_t)network->file_weights_bytes;
  *weights = (cnn_weights){network->weights, NULL, 0};
  if (network->file_weights_bytes == 0)
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
    return weights_from_file(weights, options, bytes);
  int code = check_weights(options->weights);
  if (code == CNN_OK)
    weights->data = values_of(options->weights);
  return code;
}

void cnn_weights_end(cnn_weights *weights) {
  if (weights->mapping)
    munmap(weights->mapping, weights->mapping_bytes);
  *weights = (cnn_weights){NULL, NULL, 0};
}
