// Sessions and runs: results, strides, batches, what is refused, and that observers see what kernels see.
#include "test/unit/runtime/embedded/Fixture.h"

using namespace network;

namespace {

TEST(Session, RunsEveryBatchUpToItsMaximum) {
  Model model;
  Session session(model, 5, 1);
  for (int64_t batch : {5, 1, 3, 2, 5}) {
    Tensors tensors(batch, static_cast<unsigned>(batch));
    ASSERT_EQ(tensors.run(session.get(), batch), CNN_OK);
    tensors.expectRight();
  }
}

TEST(Session, StaysWithinItsBytes) {
  Model model;
  for (int threads : {1, 3}) {
    size_t bytes = cnn_api_session_bytes(model.get(), 3, threads);
    ASSERT_EQ(bytes % 64, 0u);
    auto memory = allocate(bytes + 4096);
    std::fill_n(memory.get() + bytes, 4096, char(0x5a));
    auto *session = reinterpret_cast<cnn_session *>(memory.get());
    cnn_session_options options = {offsetof(cnn_session_options, state), 3, threads, nullptr, nullptr};
    ASSERT_EQ(cnn_api_session_init(session, model.get(), &options), CNN_OK);
    Tensors tensors(3);
    // Every second element, so that staging is used to its end.
    std::vector<float> wide(tensors.y.size() * 2), wideSums(tensors.sums.size() * 2);
    int64_t strides[] = {kImage * 2, kElements * 2, 2}, sumStrides[] = {kPlanes * 2, 2};
    cnn_tensor inputs[] = {{tensors.x.data(), nullptr}, {tensors.table.data(), nullptr}};
    cnn_tensor outputs[] = {{wide.data(), strides}, {wideSums.data(), sumStrides}};
    ASSERT_EQ(cnn_api_run(session, 3, inputs, outputs), CNN_OK);
    cnn_api_session_end(session);
    for (size_t i = 0; i < 4096; ++i)
      ASSERT_EQ(memory.get()[bytes + i], 0x5a) << "byte " << i << " after the session";
  }
}

TEST(Session, StridesReachTransposedReversedAndSharedImages) {
  Model model;
  Session session(model, 2, 2);
  Tensors tensors(2);
  // x as [element, plane, image], reversed along planes; y with a gap after each image; sums as they are.
  std::vector<float> x(tensors.x.size()), y(2 * (kImage + 7), -1.0f);
  const int64_t xStrides[] = {1, -2, 2 * kPlanes};
  float *first = x.data() + 2 * (kPlanes - 1);
  for (int64_t n = 0; n < 2; ++n)
    for (int64_t p = 0; p < kPlanes; ++p)
      for (int64_t e = 0; e < kElements; ++e)
        first[n * xStrides[0] + p * xStrides[1] + e * xStrides[2]] = tensors.x[(n * kPlanes + p) * kElements + e];
  const int64_t yStrides[] = {kImage + 7, kElements, 1};
  cnn_tensor inputs[] = {{first, xStrides}, {tensors.table.data(), nullptr}};
  cnn_tensor outputs[] = {{y.data(), yStrides}, {tensors.sums.data(), nullptr}};
  ASSERT_EQ(cnn_api_run(session.get(), 2, inputs, outputs), CNN_OK);
  for (int64_t n = 0; n < 2; ++n) {
    EXPECT_TRUE(std::equal(y.begin() + n * (kImage + 7), y.begin() + n * (kImage + 7) + kImage,
                           tensors.wantedY.begin() + n * kImage));
    for (int64_t gap = kImage; gap < kImage + 7; ++gap)
      EXPECT_EQ(y[n * (kImage + 7) + gap], -1.0f);
  }
  EXPECT_EQ(tensors.sums, tensors.wantedSums);

  // A stride of 0 gives every image of the batch the same data; the table, which has no batch, is reversed.
  std::vector<float> reversed(tensors.table.rbegin(), tensors.table.rend());
  const int64_t shared[] = {0, kElements, 1}, backwards[] = {-1};
  cnn_tensor sharedInputs[] = {{tensors.x.data(), shared}, {reversed.data() + kPlanes - 1, backwards}};
  cnn_tensor denseOutputs[] = {{tensors.y.data(), nullptr}, {tensors.sums.data(), nullptr}};
  ASSERT_EQ(cnn_api_run(session.get(), 2, sharedInputs, denseOutputs), CNN_OK);
  for (int64_t n = 0; n < 2; ++n)
    EXPECT_TRUE(std::equal(tensors.wantedY.begin(), tensors.wantedY.begin() + kImage, tensors.y.begin() + n * kImage));
}

TEST(Session, RefusesWrongArguments) {
  Model model;
  EXPECT_EQ(cnn_api_session_bytes(nullptr, 1, 1), 0u);
  EXPECT_EQ(cnn_api_session_bytes(model.get(), 0, 1), 0u);
  EXPECT_EQ(cnn_api_session_bytes(model.get(), INT64_MAX, 1), 0u);
  EXPECT_EQ(cnn_api_session_bytes(model.get(), INT64_MAX / 1024, 1), 0u);
  EXPECT_EQ(cnn_api_session_bytes(model.get(), 1, 0), 0u);
  EXPECT_EQ(cnn_api_session_bytes(model.get(), 1, CNN_MAX_THREADS + 1), 0u);
  auto memory = allocate(cnn_api_session_bytes(model.get(), 2, 1) + 64);
  auto *session = reinterpret_cast<cnn_session *>(memory.get());
  auto init = [&](cnn_session_options options) { return cnn_api_session_init(session, model.get(), &options); };
  const size_t size = offsetof(cnn_session_options, state);
  EXPECT_EQ(init({size, 0, 1, nullptr, nullptr}), CNN_ERROR_BATCH);
  EXPECT_EQ(init({size, INT64_MAX / 2, 1, nullptr, nullptr}), CNN_ERROR_BATCH);
  EXPECT_EQ(init({size, 1, 0, nullptr, nullptr}), CNN_ERROR_THREADS);
  EXPECT_EQ(init({size, 1, CNN_MAX_THREADS + 1, nullptr, nullptr}), CNN_ERROR_THREADS);
  EXPECT_EQ(init({size - 8, 1, 1, nullptr, nullptr}), CNN_ERROR_OPTIONS);
  cnn_pool empty = {2, nullptr, nullptr};
  EXPECT_EQ(init({size, 1, 1, &empty, nullptr}), CNN_ERROR_NULL);
  cnn_session_options options = {size, 2, 1, nullptr, nullptr};
  EXPECT_EQ(cnn_api_session_init(nullptr, model.get(), &options), CNN_ERROR_NULL);
  EXPECT_EQ(cnn_api_session_init(session, nullptr, &options), CNN_ERROR_NULL);
  EXPECT_EQ(cnn_api_session_init(session, model.get(), nullptr), CNN_ERROR_NULL);
  auto *misaligned = reinterpret_cast<cnn_session *>(memory.get() + 16);
  EXPECT_EQ(cnn_api_session_init(misaligned, model.get(), &options), CNN_ERROR_ALIGNMENT);
  auto noModel = allocate(cnn_api_model_bytes());
  std::fill_n(noModel.get(), cnn_api_model_bytes(), char(0));
  EXPECT_EQ(cnn_api_session_init(session, reinterpret_cast<cnn_model *>(noModel.get()), &options),
            CNN_ERROR_NOT_INITIALIZED);

  Tensors tensors(2);
  EXPECT_EQ(tensors.run(session, 2), CNN_ERROR_NOT_INITIALIZED);
  ASSERT_EQ(init(options), CNN_OK);
  EXPECT_EQ(tensors.run(nullptr, 2), CNN_ERROR_NULL);
  EXPECT_EQ(tensors.run(session, 0), CNN_ERROR_BATCH);
  EXPECT_EQ(tensors.run(session, 3), CNN_ERROR_BATCH);
  cnn_tensor inputs[] = {{tensors.x.data(), nullptr}, {tensors.table.data(), nullptr}};
  cnn_tensor outputs[] = {{tensors.y.data(), nullptr}, {tensors.sums.data(), nullptr}};
  EXPECT_EQ(cnn_api_run(session, 2, nullptr, outputs), CNN_ERROR_NULL);
  EXPECT_EQ(cnn_api_run(session, 2, inputs, nullptr), CNN_ERROR_NULL);
  inputs[1].data = nullptr;
  EXPECT_EQ(cnn_api_run(session, 2, inputs, outputs), CNN_ERROR_NULL);
  inputs[1].data = reinterpret_cast<char *>(tensors.table.data()) + 2;
  EXPECT_EQ(cnn_api_run(session, 2, inputs, outputs), CNN_ERROR_ALIGNMENT);
  EXPECT_EQ(tensors.y, std::vector<float>(tensors.y.size())) << "a refused run wrote its output";
  EXPECT_EQ(tensors.run(session, 2), CNN_OK);
  tensors.expectRight();
  cnn_api_session_end(session);
  EXPECT_EQ(tensors.run(session, 2), CNN_ERROR_NOT_INITIALIZED);
  cnn_api_session_end(session);
  cnn_api_session_end(nullptr);
  EXPECT_EQ(cnn_api_session_pool(session), nullptr);
}

TEST(Session, OfAStepNeedsItsState) {
  Model model;
  setStateBytes(64);
  auto memory = allocate(cnn_api_session_bytes(model.get(), 2, 1)), state = allocate(128);
  auto *session = reinterpret_cast<cnn_session *>(memory.get());
  auto init = [&](size_t size, void *given) {
    cnn_session_options options = {size, 2, 1, nullptr, given};
    return cnn_api_session_init(session, model.get(), &options);
  };
  EXPECT_EQ(init(sizeof(cnn_session_options), nullptr), CNN_ERROR_NULL);
  EXPECT_EQ(init(sizeof(cnn_session_options), state.get() + 16), CNN_ERROR_ALIGNMENT);
  EXPECT_EQ(init(offsetof(cnn_session_options, state), state.get()), CNN_ERROR_OPTIONS);
  Tensors tensors(2);
  EXPECT_EQ(tensors.run(session, 2), CNN_ERROR_NOT_INITIALIZED);
  EXPECT_EQ(init(sizeof(cnn_session_options), state.get()), CNN_OK);
  cnn_api_session_end(session);
  setStateBytes(0);
  EXPECT_EQ(init(sizeof(cnn_session_options), state.get()), CNN_ERROR_OPTIONS);
}

TEST(Session, OutputsThatNobodyWantsMayBeNull) {
  Model model;
  Session session(model, 3, 2);
  Tensors tensors(3);
  cnn_tensor inputs[] = {{tensors.x.data(), nullptr}, {tensors.table.data(), nullptr}};
  cnn_tensor outputs[] = {{nullptr, nullptr}, {tensors.sums.data(), nullptr}};
  ASSERT_EQ(cnn_api_run(session.get(), 3, inputs, outputs), CNN_OK);
  EXPECT_EQ(tensors.sums, tensors.wantedSums);
  EXPECT_EQ(tensors.y, std::vector<float>(tensors.y.size()));
  outputs[0].data = tensors.y.data();
  outputs[1].data = nullptr;
  ASSERT_EQ(cnn_api_run(session.get(), 3, inputs, outputs), CNN_OK);
  tensors.expectRight();
  outputs[0].data = nullptr;
  EXPECT_EQ(cnn_api_run(session.get(), 3, inputs, outputs), CNN_ERROR_NULL);
}

TEST(Session, TellsAboutEachGroup) {
  Model model;
  Session session(model, 2, 2);
  Tensors tensors(2);
  std::vector<std::pair<int64_t, int64_t>> seen;
  auto note = [](void *context, int64_t group, int64_t nanoseconds) {
    static_cast<decltype(seen) *>(context)->emplace_back(group, nanoseconds);
  };
  ASSERT_EQ(cnn_api_session_on_group(session.get(), note, &seen), CNN_OK);
  ASSERT_EQ(tensors.run(session.get(), 2), CNN_OK);
  tensors.expectRight();
  ASSERT_EQ(seen.size(), 2u) << "two groups, of one step and of two";
  for (int64_t group : {0, 1}) {
    EXPECT_EQ(seen[group].first, group);
    EXPECT_GE(seen[group].second, 0);
  }
  ASSERT_EQ(cnn_api_session_on_group(session.get(), nullptr, nullptr), CNN_OK);
  ASSERT_EQ(tensors.run(session.get(), 2), CNN_OK);
  EXPECT_EQ(seen.size(), 2u);
  EXPECT_STREQ(cnn_api_group(0), "table");
  EXPECT_STREQ(cnn_api_group(1), "scale");
  EXPECT_EQ(cnn_api_group(2), nullptr);
  EXPECT_EQ(cnn_api_group(-1), nullptr);
  EXPECT_EQ(cnn_api_session_on_group(nullptr, note, &seen), CNN_ERROR_NULL);
}

TEST(Session, ObserverSeesEachStepAndMayChangeIt) {
  Model model;
  Session session(model, 2, 2);
  Tensors tensors(2);
  std::vector<int64_t> seen;
  auto observer = [](void *context, int64_t step, int after, char *const *buffers, const int64_t *strides) {
    static_cast<std::vector<int64_t> *>(context)->push_back(step * 2 + after);
    if (step == 2 && !after)
      for (int64_t image = 0; image < 2; ++image)
        *reinterpret_cast<float *>(buffers[0] + image * strides[0]) = 100.0f;
  };
  cnn_tensor inputs[] = {{tensors.x.data(), nullptr}, {tensors.table.data(), nullptr}};
  cnn_tensor outputs[] = {{tensors.y.data(), nullptr}, {tensors.sums.data(), nullptr}};
  ASSERT_EQ(cnn_api_run_observed(session.get(), 2, inputs, outputs, observer, &seen), CNN_OK);
  EXPECT_EQ(seen, (std::vector<int64_t>{0, 1, 2, 3, 4, 5}));
  for (int64_t image = 0; image < 2; ++image)
    EXPECT_EQ(tensors.y[image * kImage], 100.0f + (tensors.table[0] + 1));

  char *address = nullptr;
  int64_t stride = -1;
  const cnn_operand operand = {CNN_SEGMENT_WORKSPACE, 64, 32, 512};
  cnn_api_resolve(session.get(), &operand, 2, &address, &stride);
  EXPECT_EQ(*reinterpret_cast<float *>(address + 512), 100.0f);
  EXPECT_EQ(stride, 512);
}

} // namespace
