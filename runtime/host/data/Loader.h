//===- Loader.h - Batches, decoded beside the step ------------------------===//
//
// Worker threads decode batches into a ring of buffers, allocated once, and hand them out in order. What a batch holds
// is a function of the data set, the options, and the batch's number, whatever the number of workers, so that a run
// can be taken up at any batch. Times waited are measured where the consumer waits.
//
//   auto loader = Loader::create(splits->train, {.batch = 256, .shuffle = true, .seed = 1, .epochs = 10});
//   while (true) {
//     Result<const Batch *> batch = (*loader)->next();
//     if (!batch) return batch.error();
//     if (!*batch) break;
//     step((*batch)->tensors[0].bytes.data(), ...);
//   }
//
//===----------------------------------------------------------------------===//
#ifndef CNN_RUNTIME_HOST_DATA_LOADER_H
#define CNN_RUNTIME_HOST_DATA_LOADER_H

#include "runtime/host/data/Dataset.h"

#include <functional>

namespace cnn::host {

struct Batch {
  int64_t epoch = 0;
  int64_t index = 0; // within the epoch
  int64_t step = 0;  // epoch * batchesPerEpoch() + index
  /// Samples in it; a last batch that is kept may have fewer than LoaderOptions::batch, and its rows from here on are
  /// zeros.
  int64_t count = 0;
  std::vector<int64_t> samples; // `count` indices into the data set
  std::vector<Tensor> tensors;  // [batch, field's shape], in the order of the fields
  /// For the hook's own results, of any shape. They stay with the buffer: what an earlier batch left is still in them.
  std::vector<Tensor> extra;
};

struct LoaderOptions {
  int64_t batch = 1;
  bool shuffle = false; // the order of epochOrder(); otherwise that of the data set
  uint64_t seed = 0;
  bool dropLast = false; // the batch that is not full; otherwise it is kept
  /// Whole passes over the data, counted from epoch 0; -1: without end.
  int64_t epochs = 1;
  /// Where to begin.
  int64_t startEpoch = 0;
  int64_t startBatch = 0;
  unsigned workers = 1;
  /// Buffers in the ring: at most so many batches are decoded ahead or in use, at least 2.
  unsigned buffers = 4;
  /// Runs in the worker after decoding (augmentation, compiled elsewhere). It may change the tensors' elements, and
  /// `extra`, and gives the same for the same batch; workers call it at once for different batches. `worker` is
  /// 0 .. workers - 1, for scratch memory.
  std::function<Result<void>(Batch &batch, unsigned worker)> hook = {};
};

class Loader {
public:
  /// Starts the workers. An error where the options make no batch.
  static Result<std::unique_ptr<Loader>> create(Dataset dataset, LoaderOptions options);
  /// Stops the workers, between two samples at the latest.
  virtual ~Loader() = default;
  Loader(const Loader &) = delete;
  Loader &operator=(const Loader &) = delete;

  /// The next batch, valid until the next call; null after the last one. The error of a batch comes in its turn, after
  /// those before it were given, and again at every later call.
  virtual Result<const Batch *> next() = 0;

  virtual int64_t batchesPerEpoch() const = 0;
  /// Seconds that next() waited for workers, in all.
  virtual double waitedSeconds() const = 0;
  /// The ring's memory, `extra` left out.
  virtual uint64_t bufferBytes() const = 0;

protected:
  Loader() = default;
};

} // namespace cnn::host

#endif // CNN_RUNTIME_HOST_DATA_LOADER_H
