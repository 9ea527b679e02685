//===- LoaderTest.cpp - Batches, decoded beside the step ------------------===//
//
// The same batches for any number of workers and buffers, from any start; errors in their turn; clean ends.
//
//===----------------------------------------------------------------------===//
#include "runtime/host/data/Loader.h"

#include "DataTest.h"
#include "runtime/host/data/Order.h"

#include <atomic>
#include <chrono>
#include <thread>

namespace cnn::host {
namespace {

class LoaderTest : public testing::Test {
protected:
  void SetUp() override {
    put(folder / "train-images-idx3-ubyte", idx({10, 1, 2}));
    put(folder / "train-labels-idx1-ubyte", idx({10}, 10));
    DatasetOptions options = withFields({imageField({1, 1, 2}), labelField(10)});
    options.pixels = PixelScale::Raw;
    Result<Dataset> opened = openDataset(folder / "", options);
    ASSERT_OK(opened);
    data.emplace(std::move(*opened));
  }

  /// "epoch.index: samples" and the pixels of every batch.
  std::vector<std::string> run(LoaderOptions options) {
    Result<std::unique_ptr<Loader>> loader = Loader::create(*data, std::move(options));
    EXPECT_OK(loader);
    std::vector<std::string> batches;
    while (true) {
      Result<const Batch *> batch = (*loader)->next();
      EXPECT_OK(batch);
      if (!batch || !*batch)
        return batches;
      const Batch &b = **batch;
      std::string text = fmt::format("{}.{}/{}:", b.epoch, b.index, b.step);
      for (int64_t sample : b.samples)
        text += fmt::format(" {}", sample);
      text += " |";
      for (float value : b.tensors[0].floats())
        text += fmt::format(" {}", value);
      for (float value : b.tensors[1].view().toFloats())
        text += fmt::format(" {}", value);
      EXPECT_EQ(b.count, static_cast<int64_t>(b.samples.size()));
      batches.push_back(std::move(text));
    }
  }

  TemporaryFolder folder;
  std::optional<Dataset> data;
};

TEST_F(LoaderTest, GivesAllInOrder) {
  EXPECT_EQ(run({.batch = 4}), (std::vector<std::string>{"0.0/0: 0 1 2 3 | 0 1 2 3 4 5 6 7 0 1 2 3",
                                                         "0.1/1: 4 5 6 7 | 8 9 10 11 12 13 14 15 4 5 6 7",
                                                         "0.2/2: 8 9 | 16 17 18 19 0 0 0 0 8 9 0 0"}));
  EXPECT_EQ(run({.batch = 4, .dropLast = true}).size(), 2u);
  EXPECT_EQ(run({.batch = 100}).size(), 1u);
  EXPECT_TRUE(run({.batch = 4, .epochs = 0}).empty());
}

TEST_F(LoaderTest, ShufflesByEpoch) {
  const std::vector<std::string> batches = run({.batch = 5, .shuffle = true, .seed = 9, .epochs = 2});
  ASSERT_EQ(batches.size(), 4u);
  std::string expected = "1.1/3:";
  for (size_t i = 5; i < 10; ++i)
    expected += fmt::format(" {}", epochOrder(10, 9, 1)[i]);
  EXPECT_EQ(batches[3].substr(0, expected.size()), expected);
}

TEST_F(LoaderTest, WorkersAndBuffersChangeNothing) {
  LoaderOptions options = {.batch = 3, .shuffle = true, .seed = 5, .epochs = 20};
  const std::vector<std::string> expected = run(options);
  EXPECT_EQ(expected.size(), 80u);
  for (unsigned workers : {1, 2, 7})
    for (unsigned buffers : {1, 2, 3, 16}) {
      options.workers = workers;
      options.buffers = buffers;
      // Some batches take longer than others.
      options.hook = [](Batch &batch, unsigned) -> Result<void> {
        std::this_thread::sleep_for(std::chrono::microseconds(batch.step % 3 * 50));
        return {};
      };
      EXPECT_EQ(run(options), expected) << workers << " workers, " << buffers << " buffers";
    }
}

TEST_F(LoaderTest, BeginsAnywhere) {
  LoaderOptions options = {.batch = 3, .shuffle = true, .seed = 5, .epochs = 3, .workers = 3};
  const std::vector<std::string> all = run(options);
  for (int64_t start = 0; start <= 12; ++start) {
    options.startEpoch = start / 4;
    options.startBatch = start % 4;
    EXPECT_EQ(run(options), std::vector(all.begin() + start, all.end()));
  }
  options.startEpoch = 0;
  options.startBatch = 4; // where a checkpoint at the end of an epoch may stand
  EXPECT_EQ(run(options), std::vector(all.begin() + 4, all.end()));
}

TEST_F(LoaderTest, HooksRunOnceABatchAndMayKeepResults) {
  std::atomic<int> runs = 0, wrongWorker = 0;
  LoaderOptions options = {.batch = 5, .epochs = 6, .workers = 3};
  options.hook = [&](Batch &batch, unsigned worker) -> Result<void> {
    ++runs;
    wrongWorker += worker >= 3;
    if (batch.extra.empty())
      batch.extra.push_back(Tensor::zeros(DType::F32, {1}));
    batch.extra[0].floats()[0] = static_cast<float>(batch.step);
    batch.tensors[0].floats()[0] += 1000;
    return {};
  };
  Result<std::unique_ptr<Loader>> loader = Loader::create(*data, options);
  ASSERT_OK(loader);
  for (int64_t step = 0;; ++step) {
    Result<const Batch *> batch = (*loader)->next();
    ASSERT_OK(batch);
    if (!*batch)
      break;
    EXPECT_EQ((*batch)->extra[0].floats()[0], static_cast<float>(step));
    EXPECT_EQ((*batch)->tensors[0].floats()[0], static_cast<float>(1000 + step % 2 * 10));
  }
  EXPECT_EQ(runs, 12);
  EXPECT_EQ(wrongWorker, 0);
}

TEST_F(LoaderTest, MeasuresHowLongTheConsumerWaits) {
  using Clock = std::chrono::steady_clock;
  // Batches take their time once they are asked for; on a busy machine one may be there before the consumer looks.
  std::atomic<int64_t> asked = -1;
  std::atomic<bool> over = false;
  LoaderOptions options = {.batch = 10, .epochs = -1, .workers = 1};
  options.hook = [&](Batch &batch, unsigned) -> Result<void> {
    while (asked < batch.step && !over)
      std::this_thread::yield();
    if (!over)
      std::this_thread::sleep_for(std::chrono::milliseconds(20));
    return {};
  };
  Result<std::unique_ptr<Loader>> slow = Loader::create(*data, options);
  ASSERT_OK(slow);
  const Clock::time_point begin = Clock::now();
  while ((*slow)->waitedSeconds() < 0.01) {
    ++asked;
    Result<const Batch *> batch = (*slow)->next();
    over = !batch;
    ASSERT_OK(batch);
  }
  EXPECT_LE((*slow)->waitedSeconds(), std::chrono::duration<double>(Clock::now() - begin).count());
  over = true;

  // One worker takes up the second batch when the first is ready.
  std::atomic<bool> ready = false;
  options.epochs = 3;
  options.hook = [&](Batch &batch, unsigned) -> Result<void> {
    ready = ready || batch.step == 1;
    return {};
  };
  Result<std::unique_ptr<Loader>> fast = Loader::create(*data, options);
  ASSERT_OK(fast);
  while (!ready)
    std::this_thread::yield();
  ASSERT_OK((*fast)->next());
  EXPECT_EQ((*fast)->waitedSeconds(), 0);
  EXPECT_EQ((*fast)->bufferBytes(), 4 * 10 * (2 + 1) * sizeof(float));
}

TEST_F(LoaderTest, ErrorsComeInTheirTurn) {
  TemporaryFolder pictures;
  for (int i = 0; i < 40; ++i)
    put(pictures / fmt::format("ant/{:02}.png", i), i == 13 || i == 5 ? Bytes{'x'} : png(1, 2, 1, i));
  put(pictures / "cat/a.png", png(1, 2, 1, 0));
  Result<Dataset> bad = openDataset(pictures / "", withFields({imageField({1, 1, 2}), labelField(2)}));
  ASSERT_OK(bad);
  for (unsigned workers : {1, 4}) {
    Result<std::unique_ptr<Loader>> loader = Loader::create(*bad, {.batch = 2, .workers = workers, .buffers = 8});
    ASSERT_OK(loader);
    for (int i = 0; i < 2; ++i)
      ASSERT_OK((*loader)->next());
    const std::string expected = "'" + (pictures / "ant/05.png") + "': neither a PNG nor a JPEG picture";
    EXPECT_EQ(errorOf((*loader)->next()), expected);
    EXPECT_EQ(errorOf((*loader)->next()), expected);
  }
}

TEST_F(LoaderTest, ErrorsOfHooksStopTheRun) {
  LoaderOptions options = {.batch = 1, .epochs = -1, .workers = 2};
  options.hook = [](Batch &batch, unsigned) -> Result<void> {
    return batch.step == 25 ? makeError("no such augmentation") : Result<void>();
  };
  Result<std::unique_ptr<Loader>> loader = Loader::create(*data, options);
  ASSERT_OK(loader);
  for (int i = 0; i < 25; ++i)
    ASSERT_OK((*loader)->next());
  EXPECT_EQ(errorOf((*loader)->next()), "no such augmentation");
}

TEST_F(LoaderTest, StopsInTheMiddle) {
  for (int taken = 0; taken < 6; ++taken) {
    Result<std::unique_ptr<Loader>> loader =
        Loader::create(*data, {.batch = 1, .shuffle = true, .epochs = -1, .workers = 3, .buffers = 2});
    ASSERT_OK(loader);
    for (int i = 0; i < taken; ++i)
      ASSERT_OK((*loader)->next());
  }
}

TEST_F(LoaderTest, OptionsThatMakeNoBatch) {
  EXPECT_EQ(errorOf(Loader::create(*data, {.batch = 0})), "a batch of 0 samples, expected 1 or more");
  EXPECT_EQ(errorOf(Loader::create(*data, {.batch = 11, .dropLast = true})), "10 samples make no batch of 11");
  EXPECT_EQ(errorOf(Loader::create(*data, {.batch = 5, .startBatch = 3})),
            "no batch 3 of epoch 0 to begin at: an epoch has 2");
  EXPECT_NE(errorOf(Loader::create(*data, {.batch = INT64_MAX / 2})).find("is too large"), std::string::npos);
}

} // namespace
} // namespace cnn::host
