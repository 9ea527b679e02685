// Proves that the emulator would notice if kernels were wrong: real kernels of networks, each with one mistake made in
// it, have to fail a check or give other results in at least one order of threads and copies.
#include "test/unit/codegen/cuda/emulator/Mutate.h"
#include "test/unit/codegen/cuda/emulator/NetworkKernels.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <set>

using namespace cnn;
using namespace cnn::cuda;

namespace {

EmulatorOptions examination(ThreadOrder order, CopyTime copies) {
  EmulatorOptions options;
  options.order = order;
  options.copies = copies;
  return options;
}
const EmulatorOptions kExaminations[] = {examination(ThreadOrder::Forward, CopyTime::Early),
                                         examination(ThreadOrder::Reverse, CopyTime::Late)};

/// Of the places of one mistake in one network so many are tried, over all of them.
constexpr size_t kPlaces = 6;

/// Whether memory differs by more than sums in another order would make it.
bool differ(const std::vector<std::vector<char>> &seen, const std::vector<std::vector<char>> &right) {
  for (size_t output = 0; output < right.size(); ++output)
    for (size_t at = 0; at + 4 <= right[output].size(); at += 4) {
      float a = 0, b = 0;
      std::memcpy(&a, &seen[output][at], 4);
      std::memcpy(&b, &right[output][at], 4);
      if (std::isnan(a) != std::isnan(b) || std::abs(a - b) > 1e-4f * (1 + std::abs(b)))
        return true;
    }
  return false;
}

class Mutation : public testing::Test {
protected:
  /// A mistake at instructions with a text that changes nothing that the kernel computes.
  struct Harmless {
    Mistake mistake;
    const char *text;
  };
  /// Makes each mistake at up to kPlaces places.
  void examine(const NetworkKernels &subject, const std::vector<Harmless> &harmless = {}) {
    llvm::LLVMContext context;
    std::vector<std::vector<char>> right;
    std::unique_ptr<llvm::Module> whole = subject.kernels(context);
    for (const EmulatorOptions &how : kExaminations) {
      std::vector<std::vector<char>> memory;
      const Outcome outcome = subject.run(*whole, how, memory);
      ASSERT_EQ(outcome.code, CUDA_SUCCESS) << outcome.fault;
      if (right.empty())
        right = memory;
      ASSERT_TRUE(memory == right) << "the order of threads or copies matters";
    }
    for (Mistake mistake : kMistakes) {
      size_t places = 0;
      while (mutate(*subject.kernels(context), mistake, places))
        ++places;
      for (size_t i = 0; i < std::min(places, kPlaces); ++i)
        examine(subject, mistake, i * places / std::min(places, kPlaces), right, harmless);
    }
    EXPECT_GT(caught, 0);
    RecordProperty("caught", caught);
    RecordProperty("kinds", static_cast<int>(kinds.size()));
  }

  void examine(const NetworkKernels &subject, Mistake mistake, size_t place,
               const std::vector<std::vector<char>> &right, const std::vector<Harmless> &harmless) {
    llvm::LLVMContext context;
    std::unique_ptr<llvm::Module> kernels = subject.kernels(context);
    const std::optional<std::string> where = mutate(*kernels, mistake, place);
    ASSERT_TRUE(where);
    for (const EmulatorOptions &how : kExaminations) {
      std::vector<std::vector<char>> memory;
      const Outcome outcome = subject.run(*kernels, how, memory);
      if (outcome.code != CUDA_SUCCESS || differ(memory, right)) {
        ++caught;
        kinds.insert(mistake);
        return;
      }
    }
    // The only block is the first.
    if (mistake == Mistake::SameBlock && !subject.hasManyBlocks(llvm::StringRef(*where).split(':').first))
      return;
    for (const Harmless &known : harmless)
      if (known.mistake == mistake && llvm::StringRef(*where).split('\n').first.contains(known.text))
        return;
    ADD_FAILURE() << nameOf(mistake) << " number " << place << " was not noticed: " << *where;
  }

  int caught = 0;
  std::set<Mistake> kinds;
};

// Exponents of what is not the largest overflow.
TEST_F(Mutation, Softmax) {
  examine(NetworkKernels("x: f32[N, 70]) -> f32[N, 70]", "  x -> softmax", {.batch = 43, .spread = 400}));
}

TEST_F(Mutation, Chain) {
  examine(NetworkKernels("x: f32[N, 5, 3, 7]) -> f32[N, 5, 3, 7]", "  x -> relu -> tanh", {.batch = 3}));
}

TEST_F(Mutation, Reduction) {
  // What begins at the last term has none, as each term is asked for.
  examine(NetworkKernels("x: f32[N, 25, 23, 11]) -> f32[N, 11]", "  x -> sum([1, 2])", {}),
          {{Mistake::BoundTooFar, ", 575"}});
}

TEST_F(Mutation, Pooling) {
  // Padded lanes of images are zero, and so is what is computed of them.
  examine(NetworkKernels("x: f32[N, 20, 9, 7]) -> f32[N, 20, 5, 4]", "  x -> avg_pool(3, stride = 2, pad = 1)", {}),
          {{Mistake::BoundTooFar, ", 20"}});
}

TEST_F(Mutation, Convolution) {
  for (Precision precision : {Precision::TF32, Precision::F16, Precision::F32}) {
    SCOPED_TRACE(stringifyPrecision(precision).str());
    // The copies of the first steps are of taps that reach the image's beginning and not its end.
    examine(NetworkKernels("x: f32[N, 20, 9, 7]) -> f32[N, 32, 9, 7]",
                           "  x -> c: conv(32, kernel = 3, pad = 1) -> relu", {.precision = precision}),
            {{Mistake::BoundTooFar, ", 9"}, {Mistake::BoundTooFar, ", 7"}});
  }
  EXPECT_GE(kinds.size(), 12u);
}

TEST_F(Mutation, Dense) {
  // The first row too far is asked for in one of a thread's copies, and stored in one of its parts of the tile.
  examine(NetworkKernels("x: f32[N, 48]) -> f32[N, 64]", "  x -> d: dense(64) -> relu",
                         {.batch = 70, .precision = Precision::TF32}),
          {{Mistake::BoundTooFar, "icmp slt"}});
}

// k of several steps, so that stages are filled again.
TEST_F(Mutation, ByWarpgroups) {
  for (Precision precision : {Precision::TF32, Precision::F16}) {
    SCOPED_TRACE(stringifyPrecision(precision).str());
    examine(NetworkKernels("x: f32[N, 160]) -> f32[N, 64]", "  x -> d: dense(64) -> relu",
                           {.batch = 70, .precision = precision, .warpgroups = true}),
            {{Mistake::BoundTooFar, "icmp slt"}});
  }
  for (Mistake mistake :
       {Mistake::NoProxyFence, Mistake::NoProductFence, Mistake::ProductTooLate, Mistake::WrongSwizzle})
    EXPECT_TRUE(kinds.contains(mistake)) << nameOf(mistake);
}

} // namespace
