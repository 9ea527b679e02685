// Programs in this process: results on each instruction set, bits for any number of threads and batch, observers, bad
// arguments, and no allocation within a run.
#include "test/unit/codegen/package/TinyProgram.h"

#include "codegen/cpu/Isa.h"
#include "codegen/package/Loaded.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <cstdlib>
#include <dlfcn.h>
#include <thread>

using namespace cnn;
using testing::HasSubstr;

// The program's allocator, counting: libraries that are loaded call these too.
static std::atomic<int64_t> allocations;
extern "C" {
void *__libc_malloc(size_t);
void *__libc_calloc(size_t, size_t);
void *__libc_realloc(void *, size_t);
void *__libc_memalign(size_t, size_t);
#if !defined(__SANITIZE_ADDRESS__) && !__has_feature(address_sanitizer) && !__has_feature(thread_sanitizer)
#define COUNTS_ALLOCATIONS 1
void *malloc(size_t bytes) {
  ++allocations;
  return __libc_malloc(bytes);
}
void *calloc(size_t count, size_t bytes) {
  ++allocations;
  return __libc_calloc(count, bytes);
}
void *realloc(void *memory, size_t bytes) {
  ++allocations;
  return __libc_realloc(memory, bytes);
}
void *aligned_alloc(size_t alignment, size_t bytes) {
  ++allocations;
  return __libc_memalign(alignment, bytes);
}
#else
#define COUNTS_ALLOCATIONS 0
#endif
}

namespace {

std::unique_ptr<Loaded> load(const Program &program, const std::optional<std::string> &isa = {}) {
  auto loaded = Loaded::create(program, isa);
  if (!loaded) {
    ADD_FAILURE() << llvm::toString(loaded.takeError());
    return nullptr;
  }
  return std::move(*loaded);
}

#define ASSERT_OK(expression)                                                                                          \
  do {                                                                                                                 \
    llvm::Error error = (expression);                                                                                  \
    ASSERT_FALSE(bool(error)) << llvm::toString(std::move(error));                                                     \
  } while (false)

TEST(Loaded, ComputesOnEveryInstructionSet) {
  tiny::Options options;
  options.twoOutputs = true;
  Program program = tiny::makeProgram(options);
  for (const std::string &isa : options.isas) {
    if (!cpu::hostSupports(*cpu::parseIsa(isa)))
      continue;
    auto loaded = load(program, isa);
    ASSERT_TRUE(loaded);
    EXPECT_EQ(loaded->isa(), isa);
    ASSERT_OK(loaded->openSession(3, 2));
    auto x = tiny::numbers(3 * tiny::kImage), bias = tiny::numbers(3 * tiny::kPlanes, 5);
    std::vector<float> y(x.size()), sums(bias.size());
    ASSERT_OK(loaded->run(3, {x.data(), bias.data()}, {y.data(), sums.data()}));
    tiny::Result wanted = tiny::expected(options, 3, x.data(), bias.data());
    EXPECT_EQ(y, wanted.y) << isa;
    EXPECT_EQ(sums, wanted.sums) << isa;
  }
}

TEST(Loaded, BitsDependOnNeitherThreadsNorBatch) {
  tiny::Options options;
  Program program = tiny::makeProgram(options);
  auto loaded = load(program);
  ASSERT_TRUE(loaded);
  auto x = tiny::numbers(5 * tiny::kImage);
  tiny::Result wanted = tiny::expected(options, 5, x.data());
  for (int threads : {1, 2, 3, 8}) {
    ASSERT_OK(loaded->openSession(5, threads));
    std::vector<float> y(x.size());
    ASSERT_OK(loaded->run(5, {x.data()}, {y.data()}));
    EXPECT_EQ(y, wanted.y) << threads << " threads";
    for (int64_t image = 0; image < 5; ++image) {
      std::vector<float> one(tiny::kImage);
      ASSERT_OK(loaded->run(1, {x.data() + image * tiny::kImage}, {one.data()}));
      EXPECT_TRUE(std::equal(one.begin(), one.end(), wanted.y.begin() + image * tiny::kImage));
    }
  }
}

TEST(Loaded, RunAllocatesNothing) {
  if (!COUNTS_ALLOCATIONS)
    GTEST_SKIP() << "SKIP the sanitizer has an allocator of its own";
  Program program = tiny::makeProgram();
  auto loaded = load(program);
  ASSERT_TRUE(loaded);
  auto x = tiny::numbers(2 * tiny::kImage);
  std::vector<float> y(x.size());
  ASSERT_OK(loaded->openSession(2, 3));
  int64_t before = allocations;
  ASSERT_GT(before, 0) << "the counting allocator is not the program's";
  llvm::Error failure = loaded->run(2, {x.data()}, {y.data()});
  int64_t after = allocations;
  ASSERT_OK(std::move(failure));
  EXPECT_EQ(after, before);
}

TEST(Loaded, ObserverSeesStepsAndResolveFindsGroups) {
  tiny::Options options;
  Program program = tiny::makeProgram(options);
  auto loaded = load(program);
  ASSERT_TRUE(loaded);
  ASSERT_OK(loaded->openSession(4, 2));
  auto x = tiny::numbers(2 * tiny::kImage);
  std::vector<float> y(x.size());
  std::vector<std::string> seen;
  tiny::Options shorter = options;
  ASSERT_OK(loaded->run(
      2, {x.data()}, {y.data()}, StepObserver([&](const StepView &view) {
        if (!view.after)
          return;
        const GroupInfo &group = program.groups[view.step->group];
        seen.push_back(group.path);
        auto [address, stride] = loaded->resolve(group.results[0], 2);
        EXPECT_EQ(address, view.buffers[1]);
        EXPECT_EQ(stride, view.imageStrides[1]);
        shorter.steps = static_cast<int>(view.index) + 1;
        tiny::Result wanted = tiny::expected(shorter, 2, x.data());
        for (int64_t image = 0; image < 2; ++image)
          EXPECT_EQ(std::memcmp(address + image * stride, &wanted.y[image * tiny::kImage], tiny::kImage * 4), 0);
      })));
  EXPECT_EQ(seen, (std::vector<std::string>{"layer0", "layer1", "layer2"}));
  EXPECT_EQ(loaded->resolve({Segment(3), 0, 0, 4}, 2).first, reinterpret_cast<char *>(x.data()));
}

TEST(Loaded, EightThreadsCompileAndLoadAtOnce) {
  tiny::Options options;
  Program program = tiny::makeProgram(options);
  std::vector<std::thread> threads;
  for (int thread = 0; thread < 8; ++thread)
    threads.emplace_back([&, thread] {
      auto loaded = load(program);
      ASSERT_TRUE(loaded);
      ASSERT_OK(loaded->openSession(3, 2));
      auto x = tiny::numbers(3 * tiny::kImage, thread);
      std::vector<float> y(x.size());
      ASSERT_OK(loaded->run(3, {x.data()}, {y.data()}));
      EXPECT_EQ(y, tiny::expected(options, 3, x.data()).y);
    });
  for (std::thread &thread : threads)
    thread.join();
}

TEST(Loaded, SaysWhatIsWrong) {
  tiny::Options options;
  options.isas = {"sse"};
  Program program = tiny::makeProgram(options);
  auto unknown = Loaded::create(program, "avx2");
  ASSERT_FALSE(bool(unknown));
  EXPECT_THAT(llvm::toString(unknown.takeError()), HasSubstr("no code for the instruction set 'avx2'"));
  auto loaded = load(program);
  ASSERT_TRUE(loaded);
  EXPECT_THAT(llvm::toString(loaded->run(1, {}, {})), HasSubstr("no session is open"));
  EXPECT_THAT(llvm::toString(loaded->openSession(1, 1000)), HasSubstr("number of threads"));
  EXPECT_THAT(llvm::toString(loaded->openSession(0, 1)), HasSubstr("the batch is not"));
  ASSERT_OK(loaded->openSession(2, 1));
  auto x = tiny::numbers(3 * tiny::kImage);
  std::vector<float> y(x.size());
  EXPECT_THAT(llvm::toString(loaded->run(3, {x.data()}, {y.data()})), HasSubstr("the batch is not"));
  EXPECT_THAT(llvm::toString(loaded->run(1, {nullptr}, {y.data()})), HasSubstr("null"));
}

TEST(Loaded, SessionsOfOneProgramRunAtOnce) {
  tiny::Options options;
  Program program = tiny::makeProgram(options);
  auto loaded = load(program);
  ASSERT_TRUE(loaded);
  constexpr int kSessions = 4;
  std::vector<std::unique_ptr<LoadedSession>> sessions;
  for (int i = 0; i < kSessions; ++i) {
    auto session = loaded->newSession(/*maxBatch=*/2, /*threads=*/1);
    ASSERT_TRUE(static_cast<bool>(session)) << llvm::toString(session.takeError());
    sessions.push_back(std::move(*session));
  }
  EXPECT_GT(loaded->sessionBytes(2, 1), loaded->sessionBytes(1, 1));
  EXPECT_EQ(loaded->sessionBytes(0, 1), 0u);
  std::atomic<int> right = 0;
  std::vector<std::thread> threads;
  for (int i = 0; i < kSessions; ++i)
    threads.emplace_back([&, i] {
      std::vector<float> x = tiny::numbers(2 * tiny::kImage, i), y(2 * tiny::kImage);
      const void *input = x.data();
      void *output = y.data();
      for (int round = 0; round < 50; ++round)
        if (llvm::Error error = sessions[static_cast<size_t>(i)]->run(2, input, output))
          return consumeError(std::move(error));
      right += y == tiny::expected(options, 2, x.data()).y;
    });
  for (std::thread &thread : threads)
    thread.join();
  EXPECT_EQ(right, kSessions);
}

} // namespace
