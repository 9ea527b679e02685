// The pool: any number of threads gives the same bits, a pool that is shared or busy still does all the work, and the
// caller may bring its own.
#include "test/unit/runtime/embedded/Fixture.h"

#include <set>
#include <thread>

using namespace network;

namespace {

TEST(Threads, AnyNumberGivesTheSameBits) {
  Model model;
  for (int threads : {1, 2, 3, 8}) {
    Session session(model, 5, threads);
    for (int64_t batch : {5, 1, 2}) {
      Tensors tensors(batch, 77);
      scratchCollisions = 0;
      for (int repeat = 0; repeat < 20; ++repeat)
        ASSERT_EQ(tensors.run(session.get(), batch), CNN_OK);
      tensors.expectRight();
      EXPECT_EQ(scratchCollisions, 0);
    }
  }
}

TEST(Threads, ChainsGiveTheSameBits) {
  Model model;
  for (int threads : {1, 2, 3, 8}) {
    Session session(model, 40, threads);
    // 40 images are enough for four turns of each thread; 4 only where there is one.
    for (int64_t batch : {40, 35, 4}) {
      Tensors tensors(batch, 78);
      scratchCollisions = mostImages = 0;
      for (int repeat = 0; repeat < 5; ++repeat)
        ASSERT_EQ(tensors.run(session.get(), batch), CNN_OK);
      tensors.expectRight();
      EXPECT_EQ(scratchCollisions, 0);
      EXPECT_EQ(mostImages, batch > 4      ? std::min<int64_t>(3, batch / (threads * 4))
                            : threads == 1 ? 3
                                           : 4)
          << batch << " images on " << threads << " threads";
    }
  }
}

/// Those who look on, and the times of groups, are of whole steps.
TEST(Threads, ObserversEndChains) {
  Model model;
  Session session(model, 12, 1);
  Tensors tensors(12);
  ASSERT_EQ(cnn_api_session_on_group(session.get(), [](void *, int64_t, int64_t) {}, nullptr), CNN_OK);
  mostImages = 0;
  ASSERT_EQ(tensors.run(session.get(), 12), CNN_OK);
  tensors.expectRight();
  EXPECT_EQ(mostImages, 12);
}

TEST(Threads, WorkIsSharedAndThreadsWakeFromSleep) {
  Model model;
  Session session(model, 2, 2);
  Tensors tensors(2);
  for (int repeat = 0; repeat < 3; ++repeat) {
    // Longer than the pool spins.
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
    calls = mostInside = 0;
    meet = true;
    ASSERT_EQ(tensors.run(session.get(), 2), CNN_OK);
    meet = false;
    tensors.expectRight();
    EXPECT_EQ(mostInside, 2);
    EXPECT_GT(calls, 1);
  }
}

TEST(Threads, EightThreadsUseOneModel) {
  Model model;
  std::vector<std::thread> threads;
  for (unsigned thread = 0; thread < 8; ++thread)
    threads.emplace_back([&model, thread] {
      Session session(model, 3, 1 + static_cast<int>(thread % 3));
      for (unsigned repeat = 0; repeat < 10; ++repeat) {
        Tensors tensors(3, thread * 100 + repeat);
        ASSERT_EQ(tensors.run(session.get(), 3), CNN_OK);
        tensors.expectRight();
      }
    });
  for (std::thread &thread : threads)
    thread.join();
}

/// What an application with eight busy threads does to one model: sessions come and go, with threads of their own or on
/// a pool that all share, for batches of any size, some of them watched.
TEST(Threads, EightThreadsSoakOneModel) {
  Model model;
  Session owner(model, 4, 3);
  const cnn_pool *pool = cnn_api_session_pool(owner.get());
  std::atomic<int64_t> groups{0};
  std::vector<std::thread> threads;
  for (unsigned thread = 0; thread < 8; ++thread)
    threads.emplace_back([&, thread] {
      unsigned random = thread + 1;
      auto draw = [&](unsigned count) { return ((random = random * 1103515245u + 12345u) >> 16) % count; };
      for (int round = 0; round < 25; ++round) {
        const int64_t maxBatch = 1 + draw(4);
        const bool shares = draw(2) != 0;
        Session session(model, maxBatch, shares ? 3 : 1 + static_cast<int>(draw(3)), shares ? pool : nullptr);
        if (draw(3) == 0)
          ASSERT_EQ(cnn_api_session_on_group(
                        session.get(),
                        [](void *context, int64_t, int64_t) { ++*static_cast<std::atomic<int64_t> *>(context); },
                        &groups),
                    CNN_OK);
        for (unsigned run = 0, runs = 1 + draw(8); run < runs; ++run) {
          const int64_t batch = 1 + draw(static_cast<unsigned>(maxBatch));
          Tensors tensors(batch, random);
          ASSERT_EQ(tensors.run(session.get(), batch), CNN_OK);
          tensors.expectRight();
        }
      }
    });
  for (std::thread &thread : threads)
    thread.join();
  EXPECT_GT(groups, 0);
}

TEST(Threads, SessionsShareAPool) {
  Model model;
  Session owner(model, 3, 3);
  const cnn_pool *pool = cnn_api_session_pool(owner.get());
  ASSERT_NE(pool, nullptr);
  EXPECT_EQ(pool->threads, 3);
  std::vector<std::thread> threads;
  for (unsigned thread = 0; thread < 4; ++thread)
    threads.emplace_back([&model, pool, thread] {
      Session session(model, 3, 3, pool);
      for (unsigned repeat = 0; repeat < 20; ++repeat) {
        Tensors tensors(3, thread * 100 + repeat);
        ASSERT_EQ(tensors.run(session.get(), 3), CNN_OK);
        tensors.expectRight();
      }
    });
  for (std::thread &thread : threads)
    thread.join();
  Tensors tensors(3);
  ASSERT_EQ(tensors.run(owner.get(), 3), CNN_OK);
  tensors.expectRight();
}

TEST(Threads, ABusyPoolRunsTheCallSeriallyWithoutWaiting) {
  Model model;
  Session session(model, 3, 2);
  const cnn_pool *pool = cnn_api_session_pool(session.get());
  struct Context {
    const cnn_pool *pool;
    cnn_session *session;
    std::set<int> workers;
    Tensors tensors{3};
    std::atomic<int> once{0};
  } context{pool, session.get(), {}};
  // Within a call of the pool the pool is busy; a run of the same pool must not wait for it.
  pool->parallel_for(
      pool->context, 2,
      [](void *argument, int worker) {
        auto &context = *static_cast<Context *>(argument);
        if (worker != 0)
          return;
        context.pool->parallel_for(
            context.pool->context, 2,
            [](void *inner, int worker) { static_cast<Context *>(inner)->workers.insert(worker); }, argument);
        mostInside = 0;
        EXPECT_EQ(context.tensors.run(context.session, 3), CNN_OK);
        EXPECT_EQ(mostInside, 1);
      },
      &context);
  EXPECT_EQ(context.workers, std::set<int>{0});
  context.tensors.expectRight();
}

TEST(Threads, TheCallerMayBringAPool) {
  Model model;
  struct Calls {
    int count = 0, workers = 0;
  } made;
  cnn_pool pool = {3,
                   [](void *context, int workers, cnn_task task, void *argument) {
                     auto &made = *static_cast<Calls *>(context);
                     ++made.count;
                     made.workers = workers;
                     // Backwards, to see that the order of the workers does not matter.
                     for (int worker = workers; worker-- > 0;)
                       task(argument, worker);
                   },
                   &made};
  Session session(model, 2, 3, &pool);
  Tensors tensors(2);
  ASSERT_EQ(tensors.run(session.get(), 2), CNN_OK);
  tensors.expectRight();
  EXPECT_EQ(made.count, 2) << "steps that are worth splitting";
  EXPECT_EQ(made.workers, 3);

  // threads = 0 means all of the pool's.
  auto memory = allocate(cnn_api_session_bytes(model.get(), 2, 3));
  cnn_session_options options = {offsetof(cnn_session_options, state), 2, 0, &pool, nullptr};
  ASSERT_EQ(cnn_api_session_init(reinterpret_cast<cnn_session *>(memory.get()), model.get(), &options), CNN_OK);
  EXPECT_EQ(cnn_api_session_pool(reinterpret_cast<cnn_session *>(memory.get()))->threads, 3);
}

} // namespace
