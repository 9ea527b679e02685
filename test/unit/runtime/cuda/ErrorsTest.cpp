// Everything that can go wrong: each call of the driver fails once, with each kind of error, and whatever happens all
// is given back and nothing of the caller's is half-written. And what the caller can do wrong.
#include "test/unit/runtime/cuda/Fixture.h"

#include <set>

using CudaErrors = CudaTest;
using namespace network;

namespace {

/// A life of a library: a model, a session with group times, runs that launch, capture and replay, a state on the host.
/// The first error.
int live(Memory &state) {
  Model model;
  if (int code = model.init(); code != CNN_OK)
    return code;
  Session session;
  if (int code = session.init(model, 2, state.get()); code != CNN_OK)
    return code;
  auto ignore = [](void *, int64_t, int64_t) {};
  for (int run = 0; run < 5; ++run) {
    if (int code = cnn_api_session_on_group(session.get(), run == 3 ? +ignore : nullptr, nullptr); code != CNN_OK)
      return code;
    Tensors tensors(2, run);
    if (int code = tensors.run(session.get()); code != CNN_OK)
      return code;
    tensors.expectRight();
  }
  return CNN_OK;
}

} // namespace

TEST_F(CudaErrors, EveryCallOfTheDriverMayFail) {
  addState();
  Memory state = memoryOf(kStateBytes);
  auto &counter = *reinterpret_cast<float *>(state.get());
  counter = 0;
  ASSERT_EQ(live(state), CNN_OK);
  ASSERT_EQ(counter, 5);
  const std::vector<std::string> calls = stub::machine().calls;
  ASSERT_GT(calls.size(), 60u);
  const std::pair<CUresult, std::set<int>> kinds[] = {
      {CUDA_ERROR_OUT_OF_MEMORY, {CNN_ERROR_DEVICE_MEMORY}},
      {CUDA_ERROR_ILLEGAL_ADDRESS, {CNN_ERROR_DEVICE_LOST}},
      {CUDA_ERROR_UNKNOWN, {CNN_ERROR_DEVICE}},
  };
  std::set<std::string> survived;
  for (const auto &[result, codes] : kinds)
    for (size_t call = 0; call < calls.size(); ++call) {
      stub::reset();
      install();
      addState();
      counter = 0;
      stub::machine().failAt = static_cast<int>(call);
      stub::machine().failWith = result;
      const int code = live(state);
      const std::string what = calls[call] + ", call " + std::to_string(call);
      if (code == CNN_OK) {
        survived.insert(calls[call]);
      } else {
        EXPECT_TRUE(codes.count(code)) << what << ": " << cnn_api_error(code);
        EXPECT_EQ(cnn_api_driver_error(), result) << what;
      }
      // Whole runs only.
      EXPECT_EQ(counter, static_cast<int>(counter)) << what;
      // What failed to be given back is lost; nothing else is.
      const std::set<std::string> givesBack = {
          "cuMemFree_v2",       "cuModuleUnload", "cuStreamDestroy_v2", "cuEventDestroy_v2",
          "cuGraphExecDestroy", "cuGraphDestroy", "cuCtxPopCurrent_v2", "cuDevicePrimaryCtxRelease_v2",
          "cuCtxPushCurrent_v2"};
      if (!givesBack.count(calls[call]))
        EXPECT_EQ(stub::leaks(), "") << what;
    }
  // What is no failure of the library: what cannot be given back, a graph that cannot be made, an image where there is
  // another one, and memory that the driver says nothing about.
  for (const char *entry :
       {"cuMemFree_v2", "cuModuleUnload", "cuStreamDestroy_v2", "cuEventDestroy_v2", "cuGraphExecDestroy",
        "cuGraphDestroy", "cuCtxPopCurrent_v2", "cuCtxPushCurrent_v2", "cuDevicePrimaryCtxRelease_v2",
        "cuStreamBeginCapture_v2", "cuStreamEndCapture", "cuGraphInstantiateWithFlags", "cuLaunchKernel",
        "cuPointerGetAttribute", "cuStreamSynchronize", "cuModuleLoadDataEx"})
    survived.erase(entry);
  EXPECT_TRUE(survived.empty()) << *survived.begin();
  stub::reset();
}

TEST_F(CudaErrors, SaysWhenThereIsTooLittleMemoryBeforeItAsksForIt) {
  Model model;
  ASSERT_EQ(model.init(), CNN_OK);
  const int allocations = stub::machine().count("cuMemAlloc_v2");
  stub::machine().freeBytes = cnn_api_device_bytes(64) - 1;
  Session session;
  EXPECT_EQ(session.init(model, 64), CNN_ERROR_DEVICE_MEMORY);
  EXPECT_EQ(stub::machine().count("cuMemAlloc_v2"), allocations);
  stub::machine().freeBytes = cnn_api_device_bytes(64);
  EXPECT_EQ(session.init(model, 64), CNN_OK);
}

TEST_F(CudaErrors, RefusesWrongArguments) {
  Model model;
  EXPECT_EQ(cnn_api_session_bytes(nullptr, 1, 1), 0u);
  EXPECT_EQ(cnn_api_isa(nullptr), nullptr);
  ASSERT_EQ(model.init(), CNN_OK);
  EXPECT_EQ(cnn_api_session_bytes(model.get(), 0, 1), 0u);
  EXPECT_EQ(cnn_api_session_bytes(model.get(), INT64_MAX, 1), 0u);
  EXPECT_EQ(cnn_api_session_bytes(model.get(), INT64_MAX / 128, 1), 0u);
  EXPECT_EQ(cnn_api_session_bytes(model.get(), 1, CNN_MAX_THREADS + 1), 0u);
  EXPECT_EQ(cnn_api_device_bytes(0), 0u);
  EXPECT_EQ(cnn_api_device_bytes(INT64_MAX / 2), 0u);
  EXPECT_EQ(cnn_api_session_init(nullptr, model.get(), nullptr), CNN_ERROR_NULL);

  Memory memory = memoryOf(cnn_api_session_bytes(model.get(), 2, 1));
  auto *session = reinterpret_cast<cnn_session *>(memory.get());
  cnn_cuda_session_options options = {{sizeof options, 0, 1, nullptr, nullptr}, nullptr};
  EXPECT_EQ(cnn_api_session_init(session, model.get(), &options.common), CNN_ERROR_BATCH);
  options.common.max_batch = 2;
  options.common.threads = -1;
  EXPECT_EQ(cnn_api_session_init(session, model.get(), &options.common), CNN_ERROR_THREADS);
  options.common.threads = 0;
  options.common.size = 1;
  EXPECT_EQ(cnn_api_session_init(session, model.get(), &options.common), CNN_ERROR_OPTIONS);
  EXPECT_EQ(Tensors(1).run(session), CNN_ERROR_NOT_INITIALIZED);
  options.common.size = sizeof options;
  launches()[1].units_per_image = INT64_C(1) << 33;
  launches()[1].units_per_block = 1;
  EXPECT_EQ(cnn_api_session_init(session, model.get(), &options.common), CNN_ERROR_BATCH);
  install();
  ASSERT_EQ(cnn_api_session_init(session, model.get(), &options.common), CNN_OK);

  Tensors tensors(2);
  cnn_tensor inputs[] = {{tensors.x.data(), nullptr}, {tensors.table.data(), nullptr}};
  cnn_tensor outputs[] = {{nullptr, nullptr}, {nullptr, nullptr}};
  EXPECT_EQ(cnn_api_run(session, 2, inputs, outputs), CNN_ERROR_NULL);
  outputs[0].data = reinterpret_cast<char *>(tensors.y.data()) + 1;
  EXPECT_EQ(cnn_api_run(session, 2, inputs, outputs), CNN_ERROR_ALIGNMENT);
  outputs[0].data = tensors.y.data();
  inputs[0].data = nullptr;
  EXPECT_EQ(cnn_api_run(session, 2, inputs, outputs), CNN_ERROR_NULL);
  EXPECT_EQ(cnn_api_run(nullptr, 2, inputs, outputs), CNN_ERROR_NULL);
  EXPECT_EQ(stub::machine().launches.size(), 0u);
  cnn_api_session_end(session);
  cnn_api_session_end(session);
  EXPECT_EQ(Tensors(1).run(session), CNN_ERROR_NOT_INITIALIZED);
}
