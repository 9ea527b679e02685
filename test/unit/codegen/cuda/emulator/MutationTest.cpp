// Proves that the emulator would notice if kernels were wrong: real kernels of networks, each with one mistake made in
// it, have to fail a check or give other results in at least one order of threads and copies.
#include "codegen/cuda/CudaTargetModel.h"
#include "codegen/cuda/Lower.h"
#include "frontend/Frontend.h"
#include "passes/Pipeline.h"
#include "test/unit/codegen/cuda/emulator/EmulatedProgram.h"
#include "test/unit/codegen/cuda/emulator/Mutate.h"

#include "llvm/ADT/SmallString.h"
#include "llvm/Bitcode/BitcodeReader.h"
#include "llvm/Bitcode/BitcodeWriter.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <random>
#include <set>

using namespace cnn;
using namespace cnn::cuda;

namespace {

struct Examination {
  const char *name;
  ThreadOrder order;
  CopyTime copies;
};
const Examination kExaminations[] = {{"forward, copies early", ThreadOrder::Forward, CopyTime::Early},
                                     {"reverse, copies late", ThreadOrder::Reverse, CopyTime::Late}};

/// Of the places of one mistake in one network so many are tried, over all of them.
constexpr size_t kPlaces = 6;

/// A network's kernels for sm_80, and what they compute of drawn inputs.
class Subject {
public:
  /// `spread`: the standard deviation of inputs.
  Subject(const std::string &signature, const std::string &body, int64_t batch, float spread = 1) : batch_(batch) {
    const std::string text = "network net(" + signature + " {\n" + body + "\n}\n";
    registerCudaTarget();
    Diagnostics diagnostics;
    module_ = loadNetworkFromText(context_, text, {"test.cnn", "", {}}, diagnostics);
    std::string problems;
    llvm::raw_string_ostream stream(problems);
    diagnostics.render(stream, /*colour=*/false);
    EXPECT_TRUE(module_) << text << problems;
    if (!module_)
      return;
    mlir::DialectRegistry registry;
    findTargetModel("cuda")->registerDialects(registry);
    context_.appendDialectRegistry(registry);
    context_.loadAllAvailableDialects();
    PipelineOptions pipeline;
    pipeline.target = findTargetModel("cuda");
    pipeline.isas = {"sm_80"};
    EXPECT_TRUE(succeeded(runPipeline(*module_, pipeline)));
    LowerOptions options;
    options.name = "net";
    options.state = [](llvm::StringRef name, mlir::RankedTensorType type) -> llvm::FailureOr<reference::Tensor> {
      reference::Tensor value(type.getShape());
      std::mt19937 random(static_cast<unsigned>(name.size()));
      for (double &element : value.values)
        element = std::normal_distribution<float>()(random);
      return value;
    };
    auto program = lowerToProgram(*module_, options);
    EXPECT_TRUE(succeeded(program));
    if (failed(program))
      return;
    program_ = std::move(*program);
    llvm::raw_svector_ostream bytes(bitcode_);
    llvm::WriteBitcodeToFile(*program_.variants[0].module, bytes);
    std::mt19937 random(5);
    for (const TensorInfo &info : program_.inputs) {
      int64_t count = info.batched ? batch : 1;
      for (int64_t extent : info.shape)
        count *= extent;
      std::vector<char> &input = inputs_.emplace_back(count * 4);
      for (int64_t i = 0; i < count; ++i) {
        const float value = spread * std::normal_distribution<float>()(random);
        std::memcpy(&input[i * 4], &value, 4);
      }
    }
  }

  /// Whether some launch of a kernel has more than one block in a row of its grid.
  bool hasManyBlocks(llvm::StringRef kernel) const {
    for (const Step &step : program_.steps) {
      const KernelUse &use = step.kernels[0];
      if (use.symbol == kernel && use.fixedUnits + batch_ * use.unitsPerImage > use.device.unitsPerBlock)
        return true;
    }
    return false;
  }

  /// The kernels, changed or not, as a module of `context`.
  std::unique_ptr<llvm::Module> kernels(llvm::LLVMContext &context) const {
    return llvm::cantFail(
        llvm::parseBitcodeFile({llvm::StringRef(bitcode_.data(), bitcode_.size()), "kernels"}, context));
  }

  Outcome run(const llvm::Module &kernels, const Examination &how, std::vector<std::vector<char>> &memory) const {
    EmulatorOptions options;
    options.order = how.order;
    options.copies = how.copies;
    return runEmulated(program_, 0, kernels, options, batch_, inputs_, memory);
  }

private:
  mlir::MLIRContext context_{mlir::MLIRContext::Threading::DISABLED};
  mlir::OwningOpRef<mlir::ModuleOp> module_;
  Program program_;
  llvm::SmallVector<char, 0> bitcode_;
  int64_t batch_;
  std::vector<std::vector<char>> inputs_;
};

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
  void examine(const Subject &subject, const std::vector<Harmless> &harmless = {}) {
    llvm::LLVMContext context;
    std::vector<std::vector<char>> right;
    std::unique_ptr<llvm::Module> whole = subject.kernels(context);
    for (const Examination &how : kExaminations) {
      std::vector<std::vector<char>> memory;
      const Outcome outcome = subject.run(*whole, how, memory);
      ASSERT_EQ(outcome.code, CUDA_SUCCESS) << how.name << ": " << outcome.fault;
      if (right.empty())
        right = memory;
      ASSERT_TRUE(memory == right) << how.name;
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

  void examine(const Subject &subject, Mistake mistake, size_t place, const std::vector<std::vector<char>> &right,
               const std::vector<Harmless> &harmless) {
    llvm::LLVMContext context;
    std::unique_ptr<llvm::Module> kernels = subject.kernels(context);
    const std::optional<std::string> where = mutate(*kernels, mistake, place);
    ASSERT_TRUE(where);
    for (const Examination &how : kExaminations) {
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
TEST_F(Mutation, Softmax) { examine(Subject("x: f32[N, 70]) -> f32[N, 70]", "  x -> softmax", 43, /*spread=*/400)); }

TEST_F(Mutation, Chain) { examine(Subject("x: f32[N, 5, 3, 7]) -> f32[N, 5, 3, 7]", "  x -> relu -> tanh", 3)); }

TEST_F(Mutation, Reduction) {
  // What begins at the last term has none, as each term is asked for.
  examine(Subject("x: f32[N, 25, 23, 11]) -> f32[N, 11]", "  x -> sum([1, 2])", 2), {{Mistake::BoundTooFar, ", 575"}});
}

TEST_F(Mutation, Convolution) {
  examine(Subject("x: f32[N, 20, 9, 7]) -> f32[N, 24, 9, 7]", "  x -> c: conv(24, kernel = 3, pad = 1) -> relu", 2));
}

TEST_F(Mutation, Dense) { examine(Subject("x: f32[N, 50]) -> f32[N, 37]", "  x -> d: dense(37) -> relu", 9)); }

} // namespace
