//===- Loader.cpp - Batches, decoded beside the step ----------------------===//
//
// Batches are numbered from the beginning of the first epoch; batch n lives in buffer n modulo the number of buffers.
// Workers claim numbers in order as buffers become free, one lock guards it all, and decoding happens outside of it.
//
//===----------------------------------------------------------------------===//
#include "runtime/host/data/Loader.h"

#include "runtime/host/data/Order.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <limits>
#include <mutex>
#include <numeric>
#include <thread>

namespace cnn::host {
namespace {

using Order = std::shared_ptr<const std::vector<int64_t>>;

struct Buffer {
  enum class State { Free, Claimed, Ready };
  State state = State::Free;
  Batch batch;
  std::optional<Error> error;
};

class RingLoader final : public Loader {
public:
  RingLoader(Dataset dataset, LoaderOptions options, int64_t perEpoch)
      : dataset(std::move(dataset)), options(std::move(options)), perEpoch(perEpoch) {}
  ~RingLoader() override {
    {
      std::lock_guard lock(mutex);
      stopping = true;
    }
    changed.notify_all();
    for (std::thread &worker : workers)
      worker.join();
  }

  Result<void> start() {
    for (size_t f = 0; f < dataset.fields().size(); ++f) {
      const Field &field = dataset.fields()[f];
      std::vector<int64_t> shape = {options.batch};
      shape.insert(shape.end(), field.shape.begin(), field.shape.end());
      const std::optional<int64_t> bytes = byteCount(shape, field.dtype);
      if (!bytes)
        return makeError("a batch of {} samples of {} is too large", options.batch, shapeText(field.shape));
      shapes.push_back(std::move(shape));
      batchBytes += static_cast<uint64_t>(*bytes);
    }
    buffers.resize(options.buffers);
    for (Buffer &buffer : buffers)
      for (size_t f = 0; f < shapes.size(); ++f)
        buffer.batch.tensors.push_back(Tensor::zeros(dataset.fields()[f].dtype, shapes[f]));
    claimed = given = options.startEpoch * perEpoch + options.startBatch;
    if (options.epochs >= 0)
      end = options.epochs * perEpoch;
    for (unsigned worker = 0; worker < options.workers; ++worker)
      workers.emplace_back([this, worker] { work(worker); });
    return {};
  }

  Result<const Batch *> next() override {
    std::unique_lock lock(mutex);
    if (failure)
      return *failure;
    if (holding) {
      bufferOf(given).state = Buffer::State::Free;
      ++given;
      holding = false;
      changed.notify_all();
    }
    if (given >= end)
      return static_cast<const Batch *>(nullptr);
    Buffer &buffer = bufferOf(given);
    if (buffer.state != Buffer::State::Ready) {
      const auto begin = std::chrono::steady_clock::now();
      changed.wait(lock, [&] { return buffer.state == Buffer::State::Ready; });
      waited += std::chrono::steady_clock::now() - begin;
    }
    if (buffer.error) {
      failure = std::move(buffer.error);
      return *failure;
    }
    holding = true;
    return static_cast<const Batch *>(&buffer.batch);
  }

  int64_t batchesPerEpoch() const override { return perEpoch; }
  double waitedSeconds() const override { return std::chrono::duration<double>(waited).count(); }
  uint64_t bufferBytes() const override { return batchBytes * buffers.size(); }

private:
  Buffer &bufferOf(int64_t number) { return buffers[static_cast<size_t>(number) % buffers.size()]; }

  void work(unsigned worker) {
    std::unique_lock lock(mutex);
    while (true) {
      changed.wait(lock, [&] { return stopping || claimed >= end || bufferOf(claimed).state == Buffer::State::Free; });
      if (stopping || claimed >= end)
        return;
      const int64_t number = claimed++;
      Buffer &buffer = bufferOf(number);
      buffer.state = Buffer::State::Claimed;
      const Order order = orderOf(number / perEpoch);
      lock.unlock();
      Result<void> done = decode(number, order, buffer.batch);
      if (done && options.hook && !stopping)
        done = options.hook(buffer.batch, worker);
      lock.lock();
      if (!done) {
        buffer.error = done.error();
        end = std::min(end, number + 1); // nothing is decoded beyond an error
      }
      buffer.state = Buffer::State::Ready;
      changed.notify_all();
    }
  }

  /// Under the lock. Null where the data set's own order holds.
  Order orderOf(int64_t epoch) {
    if (!options.shuffle)
      return nullptr;
    for (const auto &[known, order] : orders)
      if (known == epoch)
        return order;
    std::swap(orders[0], orders[1]);
    orders[1] = {epoch, std::make_shared<const std::vector<int64_t>>(epochOrder(dataset.size(), options.seed, epoch))};
    return orders[1].second;
  }

  Result<void> decode(int64_t number, const Order &order, Batch &batch) {
    batch.step = number;
    batch.epoch = number / perEpoch;
    batch.index = number % perEpoch;
    const int64_t first = batch.index * options.batch;
    batch.count = std::min(options.batch, dataset.size() - first);
    batch.samples.resize(static_cast<size_t>(batch.count));
    std::iota(batch.samples.begin(), batch.samples.end(), first);
    if (order)
      std::copy_n(order->begin() + static_cast<ptrdiff_t>(first), batch.count, batch.samples.begin());
    std::vector<uint8_t *> rows(shapes.size());
    for (size_t f = 0; f < shapes.size(); ++f) {
      // A hook may have moved a tensor away; the buffer is whole again for every batch.
      if (batch.tensors[f].shape != shapes[f])
        batch.tensors[f] = Tensor::zeros(dataset.fields()[f].dtype, shapes[f]);
      rows[f] = batch.tensors[f].bytes.data();
    }
    for (int64_t i = 0; i < batch.count && !stopping; ++i) {
      if (Result<void> done = dataset.sample(batch.samples[static_cast<size_t>(i)], rows); !done)
        return done;
      for (size_t f = 0; f < rows.size(); ++f)
        rows[f] += dataset.fieldBytes(f);
    }
    for (size_t f = 0; f < rows.size(); ++f)
      std::fill_n(rows[f], (options.batch - batch.count) * dataset.fieldBytes(f), uint8_t(0));
    return {};
  }

  const Dataset dataset;
  const LoaderOptions options;
  const int64_t perEpoch;
  std::vector<std::vector<int64_t>> shapes;
  uint64_t batchBytes = 0;

  std::mutex mutex;
  std::condition_variable changed;
  std::atomic<bool> stopping = false;
  std::vector<Buffer> buffers;
  int64_t claimed = 0, given = 0, end = std::numeric_limits<int64_t>::max();
  bool holding = false; // the consumer has batch `given`
  std::optional<Error> failure;
  std::array<std::pair<int64_t, Order>, 2> orders = {std::pair(int64_t(-1), Order()), std::pair(int64_t(-1), Order())};
  std::chrono::steady_clock::duration waited = {};
  std::vector<std::thread> workers;
};

} // namespace

Result<std::unique_ptr<Loader>> Loader::create(Dataset dataset, LoaderOptions options) {
  if (options.batch < 1)
    return makeError("a batch of {} samples, expected 1 or more", options.batch);
  options.workers = std::max(options.workers, 1u);
  options.buffers = std::max(options.buffers, 2u);
  const int64_t whole = dataset.size() / options.batch, rest = dataset.size() % options.batch;
  const int64_t perEpoch = whole + (rest > 0 && !options.dropLast ? 1 : 0);
  if (perEpoch == 0)
    return makeError("{} samples make no batch of {}", dataset.size(), options.batch);
  if (options.startEpoch < 0 || options.startBatch < 0 || options.startBatch > perEpoch ||
      options.startEpoch > std::numeric_limits<int64_t>::max() / perEpoch - 1 ||
      options.epochs > std::numeric_limits<int64_t>::max() / perEpoch)
    return makeError("no batch {} of epoch {} to begin at: an epoch has {}", options.startBatch, options.startEpoch,
                     perEpoch);
  auto loader = std::make_unique<RingLoader>(std::move(dataset), std::move(options), perEpoch);
  if (Result<void> started = loader->start(); !started)
    return started.error();
  return std::unique_ptr<Loader>(std::move(loader));
}

} // namespace cnn::host
