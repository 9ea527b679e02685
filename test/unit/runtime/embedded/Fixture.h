// A model and a session of the network in Network.h, with their memory, and the tensors of one run.
#pragma once

#include "test/unit/runtime/embedded/Network.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <memory>
#include <vector>

struct Free {
  void operator()(void *memory) const { free(memory); }
};

inline std::unique_ptr<char, Free> allocate(size_t bytes) {
  return std::unique_ptr<char, Free>(static_cast<char *>(aligned_alloc(64, (bytes + 63) / 64 * 64)));
}

/// The weights of the network in aligned memory.
struct WeightsMemory {
  std::vector<char> file = network::weightsFile();
  std::unique_ptr<char, Free> memory = allocate(file.size());
  cnn_model_options options = {sizeof options, nullptr, memory.get(), file.size()};
  WeightsMemory() { std::copy(file.begin(), file.end(), memory.get()); }
};

struct Model {
  WeightsMemory weights;
  std::unique_ptr<char, Free> memory = allocate(cnn_api_model_bytes());
  cnn_model *get() const { return reinterpret_cast<cnn_model *>(memory.get()); }
  Model() { EXPECT_EQ(cnn_api_model_init(get(), &weights.options), CNN_OK); }
  ~Model() { cnn_api_model_end(get()); }
};

struct Session {
  std::unique_ptr<char, Free> memory;
  int code = CNN_OK;
  cnn_session *get() const { return reinterpret_cast<cnn_session *>(memory.get()); }
  Session(const Model &model, int64_t maxBatch, int threads, const cnn_pool *pool = nullptr) {
    size_t bytes = cnn_api_session_bytes(model.get(), maxBatch, threads);
    memory = allocate(bytes);
    cnn_session_options options = {offsetof(cnn_session_options, state), maxBatch, threads, pool, nullptr};
    code = cnn_api_session_init(get(), model.get(), &options);
    EXPECT_EQ(code, CNN_OK);
  }
  ~Session() { cnn_api_session_end(get()); }
};

struct Tensors {
  std::vector<float> x, table, y, sums, wantedY, wantedSums;
  explicit Tensors(int64_t batch, unsigned seed = 1)
      : x(batch * network::kImage), table(network::kPlanes), y(x.size()), sums(batch * network::kPlanes),
        wantedY(x.size()), wantedSums(sums.size()) {
    for (float &value : x)
      value = static_cast<float>((seed = seed * 1103515245u + 12345u) >> 16) / 65536.0f;
    for (float &value : table)
      value = static_cast<float>((seed = seed * 1103515245u + 12345u) >> 16) / 65536.0f;
    network::expected(x.data(), table.data(), batch, wantedY.data(), wantedSums.data());
  }
  int run(cnn_session *session, int64_t batch) {
    cnn_tensor inputs[] = {{x.data(), nullptr}, {table.data(), nullptr}};
    cnn_tensor outputs[] = {{y.data(), nullptr}, {sums.data(), nullptr}};
    return cnn_api_run(session, batch, inputs, outputs);
  }
  void expectRight() const {
    EXPECT_EQ(y, wantedY);
    EXPECT_EQ(sums, wantedSums);
  }
};
