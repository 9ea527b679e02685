// Runs on the stub driver: results from tensors of the host and the device, graphs that are replayed, streams, state,
// observers, and what a run does not do.
#include "test/unit/runtime/cuda/Fixture.h"

#include <cstring>

using CudaRun = CudaTest;
using namespace network;

namespace {

/// A tensor on the device with the values of one on the host.
struct DeviceTensor {
  CUdeviceptr base;
  size_t bytes;
  float *data;

  explicit DeviceTensor(const std::vector<float> &values, size_t shift = 0, int device = 0)
      : base(stub::allocate(values.size() * 4 + shift, device)), bytes(values.size() * 4),
        data(reinterpret_cast<float *>(base + shift)) {
    std::memcpy(data, values.data(), bytes);
  }
  ~DeviceTensor() { stub::release(base); }
  std::vector<float> values() const { return {data, data + bytes / 4}; }
};

int replayed() {
  int count = 0;
  for (const stub::Launch &launch : stub::machine().launches)
    count += launch.isReplayed;
  return count;
}

} // namespace

TEST_F(CudaRun, ComputesEveryBatch) {
  Model model;
  ASSERT_EQ(model.init(), CNN_OK);
  Session session;
  ASSERT_EQ(session.init(model, 4), CNN_OK);
  for (int64_t batch : {4, 1, 3, 1, 4}) {
    Tensors tensors(batch, static_cast<int>(batch));
    ASSERT_EQ(tensors.run(session.get()), CNN_OK);
    tensors.expectRight();
  }
  EXPECT_EQ(Tensors(5).run(session.get()), CNN_ERROR_BATCH);
  EXPECT_EQ(Tensors(0).run(session.get()), CNN_ERROR_BATCH);
}

TEST_F(CudaRun, LaunchesAsTheTableSays) {
  Model model;
  ASSERT_EQ(model.init(), CNN_OK);
  Session session;
  ASSERT_EQ(session.init(model, 3), CNN_OK);
  ASSERT_EQ(Tensors(3).run(session.get()), CNN_OK);
  const std::vector<stub::Launch> &launches = stub::machine().launches;
  ASSERT_EQ(launches.size(), 3u);
  // ceil(6 / 4), ceil(18 / 4), 18.
  const unsigned grids[][3] = {{2, 1, 1}, {5, 1, 1}, {18, 2, 3}}, threads[] = {128, 256, 32}, shared[] = {0, 65536, 0};
  for (size_t i = 0; i < 3; ++i) {
    EXPECT_EQ(std::memcmp(launches[i].grid, grids[i], sizeof grids[i]), 0) << launches[i].kernel;
    EXPECT_EQ(launches[i].block[0], threads[i]);
    EXPECT_EQ(launches[i].block[1], 1u);
    EXPECT_EQ(launches[i].block[2], 1u);
    EXPECT_EQ(launches[i].shared, shared[i]);
  }
}

TEST_F(CudaRun, ReplaysAGraphFromTheSecondRunOnAndAllocatesNothing) {
  Model model;
  ASSERT_EQ(model.init(), CNN_OK);
  Session session;
  ASSERT_EQ(session.init(model, 9), CNN_OK);
  const int allocations = stub::machine().count("cuMemAlloc_v2");
  EXPECT_EQ(allocations, 2) << "the weights and a session's memory";
  for (int run = 0; run < 5; ++run) {
    Tensors tensors(2, run);
    ASSERT_EQ(tensors.run(session.get()), CNN_OK);
    tensors.expectRight();
    EXPECT_EQ(replayed(), 3 * run);
  }
  EXPECT_EQ(stub::machine().count("cuLaunchKernel"), 6) << "once launched, once captured";
  EXPECT_EQ(stub::machine().count("cuGraphInstantiateWithFlags"), 1);
  EXPECT_EQ(stub::machine().count("cuGraphLaunch"), 4);
  // More batches than there is room for: the oldest graphs go.
  for (int round = 0; round < 3; ++round)
    for (int64_t batch = 1; batch <= 9; ++batch) {
      Tensors tensors(batch, round);
      ASSERT_EQ(tensors.run(session.get()), CNN_OK);
      ASSERT_EQ(tensors.run(session.get()), CNN_OK);
      tensors.expectRight();
    }
  EXPECT_EQ(stub::machine().count("cuMemAlloc_v2"), allocations);
}

TEST_F(CudaRun, GoesOnWithoutGraphsWhereTheDriverCannotCapture) {
  Model model;
  ASSERT_EQ(model.init(), CNN_OK);
  Session session;
  ASSERT_EQ(session.init(model, 1), CNN_OK);
  stub::machine().failEntry = "cuStreamBeginCapture_v2";
  stub::machine().failAt = 0;
  stub::machine().failWith = CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED;
  for (int run = 0; run < 4; ++run) {
    Tensors tensors(1, run);
    ASSERT_EQ(tensors.run(session.get()), CNN_OK);
    tensors.expectRight();
  }
  EXPECT_EQ(stub::machine().count("cuStreamBeginCapture_v2"), 1) << "it is not tried again";
}

TEST_F(CudaRun, UsesTensorsOnTheDeviceWhereTheyLie) {
  Model model;
  ASSERT_EQ(model.init(), CNN_OK);
  Session session;
  ASSERT_EQ(session.init(model, 2), CNN_OK);
  Tensors tensors(2);
  DeviceTensor x(tensors.x), table(tensors.table), y(tensors.y), sums(tensors.sums);
  cnn_tensor inputs[] = {{x.data, nullptr}, {table.data, nullptr}},
             outputs[] = {{y.data, nullptr}, {sums.data, nullptr}};
  const size_t before = stub::machine().calls.size();
  for (int run = 0; run < 3; ++run) {
    std::memset(y.data, 0, y.bytes);
    ASSERT_EQ(cnn_api_run(session.get(), 2, inputs, outputs), CNN_OK);
    EXPECT_EQ(y.values(), tensors.wantedY);
    EXPECT_EQ(sums.values(), tensors.wantedSums);
  }
  EXPECT_EQ(replayed(), 6);
  for (size_t i = before; i < stub::machine().calls.size(); ++i)
    EXPECT_EQ(stub::machine().calls[i].find("Memcpy"), std::string::npos) << stub::machine().calls[i];

  // Other memory: the graph is for the first.
  DeviceTensor other(tensors.y);
  outputs[0].data = other.data;
  ASSERT_EQ(cnn_api_run(session.get(), 2, inputs, outputs), CNN_OK);
  EXPECT_EQ(other.values(), tensors.wantedY);
}

TEST_F(CudaRun, CopiesTensorsOnTheDeviceThatKernelsCannotTake) {
  Model model;
  ASSERT_EQ(model.init(), CNN_OK);
  Session session;
  ASSERT_EQ(session.init(model, 2), CNN_OK);
  Tensors tensors(2);
  // One not aligned, one with a gap between images.
  std::vector<float> spread(2 * (kImage + 3), -1.0f);
  DeviceTensor x(tensors.x, 4), table(tensors.table), y(spread), sums(tensors.sums, 8);
  const int64_t strides[] = {kImage + 3, kElements, 1};
  cnn_tensor inputs[] = {{x.data, nullptr}, {table.data, nullptr}},
             outputs[] = {{y.data, strides}, {sums.data, nullptr}};
  ASSERT_EQ(cnn_api_run(session.get(), 2, inputs, outputs), CNN_OK);
  EXPECT_EQ(sums.values(), tensors.wantedSums);
  for (int64_t i = 0; i < 2 * (kImage + 3); ++i) {
    const int64_t image = i / (kImage + 3), element = i % (kImage + 3);
    EXPECT_EQ(y.data[i], element < kImage ? tensors.wantedY[static_cast<size_t>(image * kImage + element)] : -1.0f);
  }
  // Gaps within an image, and another device's memory.
  const int64_t transposed[] = {kImage, 1, kPlanes};
  outputs[0].strides = transposed;
  EXPECT_EQ(cnn_api_run(session.get(), 2, inputs, outputs), CNN_ERROR_DEVICE_TENSOR);
  DeviceTensor elsewhere(tensors.y, 0, 1);
  outputs[0] = {elsewhere.data, nullptr};
  EXPECT_EQ(cnn_api_run(session.get(), 2, inputs, outputs), CNN_ERROR_DEVICE_TENSOR);
}

TEST_F(CudaRun, TakesHostTensorsWithAnyStrides) {
  Model model;
  ASSERT_EQ(model.init(), CNN_OK);
  Session session;
  ASSERT_EQ(session.init(model, 2), CNN_OK);
  Tensors tensors(2);
  // x as [element, plane, image], reversed along planes; y with a gap after each image; no sums.
  std::vector<float> x(tensors.x.size()), y(2 * (kImage + 7), -1.0f);
  const int64_t xStrides[] = {1, -2, 2 * kPlanes}, yStrides[] = {kImage + 7, kElements, 1};
  float *first = x.data() + 2 * (kPlanes - 1);
  for (int64_t n = 0; n < 2; ++n)
    for (int64_t p = 0; p < kPlanes; ++p)
      for (int64_t e = 0; e < kElements; ++e)
        first[n * xStrides[0] + p * xStrides[1] + e * xStrides[2]] =
            tensors.x[static_cast<size_t>((n * kPlanes + p) * kElements + e)];
  cnn_tensor inputs[] = {{first, xStrides}, {tensors.table.data(), nullptr}}, outputs[] = {{y.data(), yStrides}, {}};
  for (int run = 0; run < 3; ++run) {
    std::fill(y.begin(), y.end(), -1.0f);
    ASSERT_EQ(cnn_api_run(session.get(), 2, inputs, outputs), CNN_OK);
    for (int64_t i = 0; i < 2 * (kImage + 7); ++i) {
      const int64_t image = i / (kImage + 7), element = i % (kImage + 7);
      EXPECT_EQ(y[static_cast<size_t>(i)],
                element < kImage ? tensors.wantedY[static_cast<size_t>(image * kImage + element)] : -1.0f);
    }
  }
  // The outputs transposed, through a dense copy.
  std::vector<float> turned(tensors.y.size());
  const int64_t turnedStrides[] = {kImage, 1, kPlanes};
  outputs[0] = {turned.data(), turnedStrides};
  ASSERT_EQ(cnn_api_run(session.get(), 2, inputs, outputs), CNN_OK);
  for (int64_t n = 0; n < 2; ++n)
    for (int64_t p = 0; p < kPlanes; ++p)
      for (int64_t e = 0; e < kElements; ++e)
        EXPECT_EQ(turned[static_cast<size_t>(n * kImage + p + e * kPlanes)],
                  tensors.wantedY[static_cast<size_t>((n * kPlanes + p) * kElements + e)]);
}

TEST_F(CudaRun, WaitsOnlyWhereTheHostIsConcerned) {
  Model model;
  ASSERT_EQ(model.init(), CNN_OK);
  CUstream stream = stub::newStream();
  {
    Session session;
    ASSERT_EQ(session.init(model, 1, nullptr, stream), CNN_OK);
    Tensors tensors(1);
    DeviceTensor x(tensors.x), table(tensors.table), y(tensors.y), sums(tensors.sums);
    cnn_tensor inputs[] = {{x.data, nullptr}, {table.data, nullptr}},
               outputs[] = {{y.data, nullptr}, {sums.data, nullptr}};
    const int before = stub::machine().count("cuStreamSynchronize");
    for (int run = 0; run < 3; ++run)
      ASSERT_EQ(cnn_api_run(session.get(), 1, inputs, outputs), CNN_OK);
    EXPECT_EQ(stub::machine().count("cuStreamSynchronize"), before);
    EXPECT_EQ(y.values(), tensors.wantedY);
    outputs[1].data = tensors.sums.data();
    ASSERT_EQ(cnn_api_run(session.get(), 1, inputs, outputs), CNN_OK);
    EXPECT_GT(stub::machine().count("cuStreamSynchronize"), before);
  }
  stub::deleteStream(stream);
}

TEST_F(CudaRun, UpdatesStateOfTheHostAndOfTheDevice) {
  addState();
  Model model;
  ASSERT_EQ(model.init(), CNN_OK);
  Memory state = memoryOf(kStateBytes);
  const CUdeviceptr deviceState = stub::allocate(kStateBytes);
  for (void *memory : {static_cast<void *>(state.get()), reinterpret_cast<void *>(deviceState)}) {
    ASSERT_EQ(cnn_api_state_init(model.get(), memory), CNN_OK);
    Session session;
    ASSERT_EQ(session.init(model, 1, memory), CNN_OK);
    for (int run = 0; run < 4; ++run) {
      Tensors tensors(1, run);
      cnn_tensor inputs[] = {{tensors.x.data(), nullptr}, {tensors.table.data(), nullptr}};
      cnn_tensor outputs[] = {{tensors.y.data(), nullptr}, {tensors.sums.data(), nullptr}};
      ASSERT_EQ(cnn_api_step(session.get(), 1, inputs, nullptr, outputs), CNN_OK);
      tensors.expectRight();
      EXPECT_EQ(*static_cast<float *>(memory), 7.0f + static_cast<float>(run + 1));
    }
    // Between steps it is the caller's.
    *static_cast<float *>(memory) = 100;
    Tensors tensors(1);
    ASSERT_EQ(tensors.run(session.get()), CNN_OK);
    EXPECT_EQ(*static_cast<float *>(memory), 101.0f);
  }
  stub::release(deviceState);
  Session session;
  EXPECT_EQ(session.init(model, 1), CNN_ERROR_NULL);
}

TEST_F(CudaRun, TellsAboutGroups) {
  Model model;
  ASSERT_EQ(model.init(), CNN_OK);
  Session session;
  ASSERT_EQ(session.init(model, 1), CNN_OK);
  std::vector<std::pair<int64_t, int64_t>> told;
  auto callback = [](void *context, int64_t group, int64_t nanoseconds) {
    static_cast<decltype(told) *>(context)->emplace_back(group, nanoseconds);
  };
  ASSERT_EQ(cnn_api_session_on_group(session.get(), callback, &told), CNN_OK);
  Tensors tensors(1);
  ASSERT_EQ(tensors.run(session.get()), CNN_OK);
  tensors.expectRight();
  EXPECT_EQ(told, (std::vector<std::pair<int64_t, int64_t>>{{0, 500000}, {1, 500000}}));
  ASSERT_EQ(cnn_api_session_on_group(session.get(), nullptr, nullptr), CNN_OK);
  ASSERT_EQ(tensors.run(session.get()), CNN_OK);
  EXPECT_EQ(told.size(), 2u);
}

TEST_F(CudaRun, ObserversSeeAndChangeWhatKernelsSee) {
  Model model;
  ASSERT_EQ(model.init(), CNN_OK);
  Session session;
  ASSERT_EQ(session.init(model, 2), CNN_OK);
  Tensors tensors(2);
  cnn_tensor inputs[] = {{tensors.x.data(), nullptr}, {tensors.table.data(), nullptr}};
  cnn_tensor outputs[] = {{tensors.y.data(), nullptr}, {tensors.sums.data(), nullptr}};
  std::vector<std::pair<int64_t, int>> seen;
  auto observer = [](void *context, int64_t step, int after, char *const *buffers, const int64_t *strides) {
    static_cast<decltype(seen) *>(context)->emplace_back(step, after);
    if (step == 0 && !after)
      EXPECT_EQ(reinterpret_cast<float *>(buffers[0])[2], 2.0f);
    if (step == 1 && after) {
      EXPECT_EQ(strides[2], 192);
      EXPECT_EQ(reinterpret_cast<const float *>(buffers[1])[1], 1.5f);
      reinterpret_cast<float *>(buffers[2] + strides[2])[0] = 1000;
    }
  };
  ASSERT_EQ(cnn_api_run_observed(session.get(), 2, inputs, outputs, observer, &seen), CNN_OK);
  EXPECT_EQ(seen, (std::vector<std::pair<int64_t, int>>{{0, 0}, {0, 1}, {1, 0}, {1, 1}, {2, 0}, {2, 1}}));
  EXPECT_EQ(tensors.y[kImage], 1001.0f);
  tensors.wantedY[kImage] = 1001;
  EXPECT_EQ(tensors.y, tensors.wantedY);
}

TEST_F(CudaRun, SessionsStayWithinTheirBytes) {
  Model model;
  ASSERT_EQ(model.init(), CNN_OK);
  const size_t bytes = cnn_api_session_bytes(model.get(), 3, 1);
  ASSERT_EQ(bytes % 64, 0u);
  Memory memory = memoryOf(bytes + 4096);
  auto *session = reinterpret_cast<cnn_session *>(memory.get());
  cnn_session_options options = {offsetof(cnn_session_options, state), 3, 1, nullptr, nullptr};
  ASSERT_EQ(cnn_api_session_init(session, model.get(), &options), CNN_OK);
  Tensors tensors(3);
  std::vector<float> wide(tensors.y.size() * 2), wideSums(tensors.sums.size() * 2);
  const int64_t strides[] = {kImage * 2, kElements * 2, 2}, sumStrides[] = {kPlanes * 2, 2};
  cnn_tensor inputs[] = {{tensors.x.data(), nullptr}, {tensors.table.data(), nullptr}};
  cnn_tensor outputs[] = {{wide.data(), strides}, {wideSums.data(), sumStrides}};
  for (int run = 0; run < 3; ++run)
    ASSERT_EQ(cnn_api_run(session, 3, inputs, outputs), CNN_OK);
  cnn_api_session_end(session);
  for (size_t i = 0; i < 4096; ++i)
    ASSERT_EQ(memory.get()[bytes + i], 0x5a) << "byte " << i << " after the session";
}

TEST_F(CudaRun, KeepsAStateOfTheHostOnTheDeviceUntilItIsFetched) {
  addState();
  Model model;
  ASSERT_EQ(model.init(), CNN_OK);
  Memory state = memoryOf(kStateBytes);
  auto &value = *reinterpret_cast<float *>(state.get());
  ASSERT_EQ(cnn_api_state_init(model.get(), state.get()), CNN_OK);
  auto copies = [] {
    return std::pair(stub::machine().count("cuMemcpyHtoDAsync_v2"), stub::machine().count("cuMemcpyDtoHAsync_v2"));
  };
  Session session;
  ASSERT_EQ(session.init(model, 1, state.get()), CNN_OK);
  for (int move : {CNN_STATE_FETCH, CNN_STATE_SAVE, CNN_STATE_RESTORE})
    EXPECT_EQ(cnn_api_move_state(session.get(), move), CNN_ERROR_NOT_INITIALIZED);
  EXPECT_EQ(cnn_api_move_state(nullptr, CNN_STATE_KEEP), CNN_ERROR_NULL);
  Tensors tensors(1);
  auto before = copies();
  ASSERT_EQ(tensors.run(session.get()), CNN_OK);
  EXPECT_EQ(copies().first - before.first, 3) << "two inputs and the state";
  EXPECT_EQ(copies().second - before.second, 3) << "two outputs and the state";

  ASSERT_EQ(cnn_api_move_state(session.get(), CNN_STATE_KEEP), CNN_OK);
  EXPECT_EQ(cnn_api_move_state(session.get(), CNN_STATE_RESTORE), CNN_ERROR_NOT_INITIALIZED) << "none was saved";
  EXPECT_EQ(cnn_api_move_state(session.get(), 4), CNN_ERROR_OPTIONS);
  before = copies();
  for (int run = 0; run < 3; ++run)
    ASSERT_EQ(tensors.run(session.get()), CNN_OK);
  EXPECT_EQ(copies().first - before.first, 6);
  EXPECT_EQ(copies().second - before.second, 6);
  EXPECT_EQ(value, 8.0f) << "7 and the first run";
  ASSERT_EQ(cnn_api_move_state(session.get(), CNN_STATE_FETCH), CNN_OK);
  EXPECT_EQ(value, 11.0f);
  ASSERT_EQ(cnn_api_move_state(session.get(), CNN_STATE_SAVE), CNN_OK);
  ASSERT_EQ(tensors.run(session.get()), CNN_OK);
  ASSERT_EQ(cnn_api_move_state(session.get(), CNN_STATE_RESTORE), CNN_OK);
  ASSERT_EQ(tensors.run(session.get()), CNN_OK);
  ASSERT_EQ(cnn_api_move_state(session.get(), CNN_STATE_FETCH), CNN_OK);
  EXPECT_EQ(value, 12.0f);
  // The block's values are taken again when they are asked for.
  value = 50;
  ASSERT_EQ(cnn_api_move_state(session.get(), CNN_STATE_KEEP), CNN_OK);
  ASSERT_EQ(tensors.run(session.get()), CNN_OK);
  ASSERT_EQ(cnn_api_move_state(session.get(), CNN_STATE_FETCH), CNN_OK);
  EXPECT_EQ(value, 51.0f);
}

TEST_F(CudaRun, CopiesNoStateThatIsOnTheDevice) {
  addState();
  Model model;
  ASSERT_EQ(model.init(), CNN_OK);
  const CUdeviceptr state = stub::allocate(kStateBytes);
  ASSERT_EQ(cnn_api_state_init(model.get(), reinterpret_cast<void *>(state)), CNN_OK);
  {
    Session session;
    ASSERT_EQ(session.init(model, 1, reinterpret_cast<void *>(state)), CNN_OK);
    Tensors tensors(1);
    DeviceTensor x(tensors.x), table(tensors.table), y(tensors.y), sums(tensors.sums);
    cnn_tensor inputs[] = {{x.data, nullptr}, {table.data, nullptr}},
               outputs[] = {{y.data, nullptr}, {sums.data, nullptr}};
    const size_t before = stub::machine().calls.size();
    for (int step = 0; step < 3; ++step)
      ASSERT_EQ(cnn_api_step(session.get(), 1, inputs, nullptr, outputs), CNN_OK);
    for (size_t i = before; i < stub::machine().calls.size(); ++i)
      EXPECT_EQ(stub::machine().calls[i].find("Memcpy"), std::string::npos) << stub::machine().calls[i];
    EXPECT_EQ(*reinterpret_cast<float *>(state), 10.0f);
  }
  stub::release(state);
}

TEST_F(CudaRun, RunsAgainOnWhatLiesOnTheDevice) {
  Model model;
  ASSERT_EQ(model.init(), CNN_OK);
  Session session;
  ASSERT_EQ(session.init(model, 2), CNN_OK);
  int64_t nanoseconds = 0;
  EXPECT_EQ(cnn_api_run_again(session.get(), 2, &nanoseconds), CNN_ERROR_BATCH) << "nothing ran yet";
  EXPECT_EQ(cnn_api_run_again(session.get(), 2, nullptr), CNN_ERROR_NULL);
  Tensors tensors(2);
  ASSERT_EQ(tensors.run(session.get()), CNN_OK);
  EXPECT_EQ(cnn_api_run_again(session.get(), 1, &nanoseconds), CNN_ERROR_BATCH);
  const size_t before = stub::machine().calls.size();
  for (int run = 0; run < 3; ++run) {
    ASSERT_EQ(cnn_api_run_again(session.get(), 2, &nanoseconds), CNN_OK);
    EXPECT_EQ(nanoseconds, 500000);
  }
  EXPECT_EQ(replayed(), 9);
  for (size_t i = before; i < stub::machine().calls.size(); ++i)
    EXPECT_EQ(stub::machine().calls[i].find("Memcpy"), std::string::npos) << stub::machine().calls[i];
}
