// Models, sessions and tensors of the network written by hand, on the stub driver.
#pragma once

#include "test/unit/runtime/cuda/Network.h"
#include "test/unit/runtime/cuda/StubDriver.h"

#include <gtest/gtest.h>

#include <cstddef>
#include <cstdlib>
#include <memory>
#include <vector>

/// A machine of its own for each test, on which nothing may be left behind.
class CudaTest : public testing::Test {
protected:
  void SetUp() override {
    stub::reset();
    network::install();
    cnn_api_use_driver(stub::lookup);
    unsetenv("CNN_ISA");
  }
  void TearDown() override {
    EXPECT_EQ(stub::leaks(), "");
    stub::reset();
  }
};

struct Free {
  void operator()(void *memory) const { std::free(memory); }
};
using Memory = std::unique_ptr<char, Free>;
/// Bytes that are no zeros, aligned to 64.
inline Memory memoryOf(size_t bytes) {
  auto *memory = static_cast<char *>(std::aligned_alloc(64, (bytes + 63) / 64 * 64));
  std::fill_n(memory, bytes, char(0x5a));
  return Memory(memory);
}

struct Model {
  Memory memory = memoryOf(cnn_api_model_bytes());
  cnn_model *get() const { return reinterpret_cast<cnn_model *>(memory.get()); }
  int init(int device = 0) {
    cnn_cuda_model_options options = {{sizeof options, nullptr, nullptr, 0}, device};
    return cnn_api_model_init(get(), &options.common);
  }
  ~Model() { cnn_api_model_end(get()); }
};

struct Session {
  Memory memory;
  cnn_session *get() const { return reinterpret_cast<cnn_session *>(memory.get()); }
  int init(const Model &model, int64_t maxBatch, void *state = nullptr, CUstream stream = nullptr) {
    memory = memoryOf(cnn_api_session_bytes(model.get(), maxBatch, 1));
    cnn_cuda_session_options options = {{sizeof options, maxBatch, 1, nullptr, state}, stream};
    return cnn_api_session_init(get(), model.get(), &options.common);
  }
  ~Session() {
    if (memory)
      cnn_api_session_end(get());
  }
};

struct Tensors {
  std::vector<float> x, table, y, sums, wantedY, wantedSums;
  int64_t batch;

  explicit Tensors(int64_t batch, int seed = 0)
      : x(static_cast<size_t>(batch * network::kImage)), table(network::kPlanes), y(x.size()),
        sums(static_cast<size_t>(batch * network::kPlanes)), wantedY(x.size()), wantedSums(sums.size()), batch(batch) {
    for (size_t i = 0; i < x.size(); ++i)
      x[i] = static_cast<float>((i * 37 + static_cast<size_t>(seed) * 11) % 101) / 8 - 5;
    for (size_t i = 0; i < table.size(); ++i)
      table[i] = static_cast<float>(i) + static_cast<float>(seed);
    network::expected(x.data(), table.data(), batch, wantedY.data(), wantedSums.data());
  }
  int run(cnn_session *session) {
    std::fill(y.begin(), y.end(), -1.0f);
    std::fill(sums.begin(), sums.end(), -1.0f);
    cnn_tensor inputs[] = {{x.data(), nullptr}, {table.data(), nullptr}};
    cnn_tensor outputs[] = {{y.data(), nullptr}, {sums.data(), nullptr}};
    return cnn_api_run(session, batch, inputs, outputs);
  }
  void expectRight() const {
    EXPECT_EQ(y, wantedY);
    EXPECT_EQ(sums, wantedSums);
  }
};
