// Properties of the whole pipeline on random networks: every stage is legal and keeps the values, memory plans hold in
// an independent simulation, and the simulation finds what is wrong with a plan that was tampered with.
#include "test/unit/passes/RandomNetwork.h"

#include "codegen/cpu/CpuTargetModel.h"
#include "ir/reference/Evaluate.h"
#include "passes/Pipeline.h"
#include "passes/VerifyPlan.h"

#include "mlir/IR/Verifier.h"

#include <gtest/gtest.h>

using namespace mlir;
using cnn::reference::TensorRef;

namespace cnn::test {
namespace {

constexpr unsigned kNetworks = 300;

std::string textOf(Operation *op) {
  std::string text;
  llvm::raw_string_ostream(text) << *op;
  return text;
}

struct PipelineTest : ::testing::Test {
  PipelineTest() {
    cpu::registerCpuTarget();
    context.loadDialect<CnnDialect, func::FuncDialect>();
    options.target = findTargetModel("cpu");
    options.isas = {"avx512", "avx2"};
  }
  MLIRContext context;
  PipelineOptions options;
};

/// The values of `function`'s arguments: state and inputs by name, packed values by number.
SmallVector<TensorRef> argumentsOf(func::FuncOp function, const RandomNetwork &network, ArrayRef<TensorRef> packed) {
  SmallVector<TensorRef> values;
  for (unsigned i = 0; i < function.getNumArguments(); ++i) {
    if (auto state = function.getArgAttrOfType<FlatSymbolRefAttr>(i, kStateAttr))
      values.push_back(network.state.at(state.getValue().str()));
    else if (auto input = function.getArgAttrOfType<StringAttr>(i, kInputAttr))
      values.push_back(network.inputs.at(input.str()));
    else
      values.push_back(packed[function.getArgAttrOfType<IntegerAttr>(i, kPackedAttr).getInt()]);
  }
  return values;
}

/// The outputs of the network at any stage.
FailureOr<SmallVector<TensorRef>> outputsOf(ModuleOp module, const RandomNetwork &network) {
  if (auto infer = module.lookupSymbol<func::FuncOp>(kInferFunction))
    return reference::evaluate(infer, argumentsOf(infer, network, {}));
  auto prepare = module.lookupSymbol<func::FuncOp>(kPrepareFunction),
       run = module.lookupSymbol<func::FuncOp>(kRunFunction);
  auto packed = reference::evaluate(prepare, argumentsOf(prepare, network, {}));
  if (failed(packed))
    return failure();
  return reference::evaluate(run, argumentsOf(run, network, *packed));
}

void expectEqual(ArrayRef<TensorRef> actual, ArrayRef<TensorRef> expected, StringRef stage) {
  ASSERT_EQ(actual.size(), expected.size()) << stage.str();
  for (size_t output = 0; output < expected.size(); ++output) {
    ASSERT_EQ(actual[output]->shape, expected[output]->shape) << stage.str();
    double scale = 1;
    for (double value : expected[output]->values)
      scale = std::max(scale, std::fabs(value));
    for (int64_t i = 0; i < expected[output]->elements(); ++i)
      ASSERT_NEAR(actual[output]->values[i], expected[output]->values[i], 1e-6 * scale)
          << "after " << stage.str() << ", output " << output << ", element " << i;
  }
}

TEST_F(PipelineTest, EveryStageIsLegalAndKeepsTheValues) {
  for (unsigned seed = 0; seed < kNetworks; ++seed) {
    RandomNetwork network(context, seed);
    ASSERT_TRUE(succeeded(verify(*network.module))) << "seed " << seed;
    options.exact = seed % 3 == 0;
    options.keepBuffers = seed % 4 == 0;
    std::string before = textOf(*network.module);
    SCOPED_TRACE("seed " + std::to_string(seed) + (options.exact ? " exact" : "") +
                 (options.keepBuffers ? " keep-buffers" : "") + "\n" + before);
    auto expected = outputsOf(*network.module, network);
    ASSERT_TRUE(succeeded(expected));
    LogicalResult result = runPipeline(*network.module, options, "plan", [&](StringRef stage, ModuleOp module) {
      auto outputs = outputsOf(module, network);
      if (failed(outputs))
        return failure();
      expectEqual(*outputs, *expected, stage);
      return success(!::testing::Test::HasFatalFailure());
    });
    ASSERT_TRUE(succeeded(result));
  }
}

TEST_F(PipelineTest, ExactMeansNoWinograd) {
  int count[2] = {0, 0};
  for (unsigned seed = 0; seed < 40; ++seed)
    for (bool exact : {false, true}) {
      RandomNetwork network(context, seed);
      options.exact = exact;
      ASSERT_TRUE(succeeded(runPipeline(*network.module, options))) << "seed " << seed;
      network.module->walk([&](WinogradConv2dOp) { ++count[exact]; });
    }
  EXPECT_GT(count[false], 0);
  EXPECT_EQ(count[true], 0);
}

TEST_F(PipelineTest, SharedMemoryIsNeverMoreThanBuffersOfTheirOwn) {
  for (unsigned seed = 0; seed < 60; ++seed) {
    int64_t bytes[2];
    for (bool keep : {false, true}) {
      RandomNetwork network(context, seed);
      options.keepBuffers = keep;
      ASSERT_TRUE(succeeded(runPipeline(*network.module, options))) << "seed " << seed;
      auto run = network.module->lookupSymbol<func::FuncOp>(kRunFunction);
      bytes[keep] = run->getAttrOfType<IntegerAttr>("cnn.workspace_bytes").getInt();
    }
    EXPECT_LE(bytes[false], bytes[true]) << "seed " << seed;
  }
}

TEST_F(PipelineTest, KeptBuffersAreDistinctAndEveryGroupRuns) {
  options.keepBuffers = true;
  for (unsigned seed = 0; seed < 60; ++seed) {
    RandomNetwork network(context, seed);
    ASSERT_TRUE(succeeded(runPipeline(*network.module, options))) << "seed " << seed;
    std::map<int64_t, int64_t> ends; // By begin.
    network.module->walk([&](GroupOp group) {
      EXPECT_FALSE(group.getElided()) << "seed " << seed << " " << group.getPath().str();
      for (PlacementAttr place : group.getPlacementsAttr().getAsRange<PlacementAttr>())
        if (place.getSegment() == Segment::Workspace) {
          EXPECT_TRUE(ends.emplace(place.getOffset(), place.getOffset() + place.getImageStride()).second)
              << "seed " << seed << " " << group.getPath().str();
        }
    });
    int64_t end = 0;
    for (auto [first, last] : ends) {
      EXPECT_GE(first, end) << "seed " << seed;
      end = last;
    }
  }
}

/// A result in the workspace that is read later by a group that runs, and another that is written in between: the first
/// written over the second must be found.
TEST_F(PipelineTest, SimulationFindsOverwrittenValues) {
  unsigned tampered = 0;
  for (unsigned seed = 0; seed < 120; ++seed) {
    RandomNetwork network(context, seed);
    options.keepBuffers = true;
    ASSERT_TRUE(succeeded(runPipeline(*network.module, options))) << "seed " << seed;
    auto run = network.module->lookupSymbol<func::FuncOp>(kRunFunction);
    SmallVector<GroupOp> groups(run.getBody().front().getOps<GroupOp>());
    for (size_t first = 0; first + 2 < groups.size(); ++first) {
      auto place = cast<PlacementAttr>((*groups[first].getPlacements())[0]);
      bool isReadLater = llvm::any_of(groups[first].getResult(0).getUsers(), [&](Operation *user) {
        return isa<GroupOp>(user) && groups[first + 1]->isBeforeInBlock(user);
      });
      auto next = cast<PlacementAttr>((*groups[first + 1].getPlacements())[0]);
      if (place.getSegment() != Segment::Workspace || next.getSegment() != Segment::Workspace || !isReadLater ||
          llvm::is_contained(groups[first + 1].getInputs(), groups[first].getResult(0)))
        continue;
      SmallVector<Attribute> places(groups[first + 1].getPlacements()->getValue());
      places[0] = PlacementAttr::get(&context, Segment::Workspace, place.getOffset(), 0, next.getImageStride());
      groups[first + 1].setPlacementsAttr(ArrayAttr::get(&context, places));
      run->setAttr("cnn.workspace_bytes", IntegerAttr::get(IntegerType::get(&context, 64), int64_t(1) << 30));
      ScopedDiagnosticHandler quiet(&context, [](Diagnostic &) { return success(); });
      EXPECT_TRUE(failed(verifyPlan(run))) << "seed " << seed << "\n" << textOf(run);
      ++tampered;
      break;
    }
  }
  EXPECT_GT(tampered, 10u);
}

TEST_F(PipelineTest, UnknownStagesAndMissingTargetsAreErrors) {
  RandomNetwork network(context, 0);
  std::string message;
  ScopedDiagnosticHandler keep(&context, [&](Diagnostic &diagnostic) {
    message = diagnostic.str();
    return success();
  });
  EXPECT_TRUE(failed(runPipeline(*network.module, options, "fusion")));
  EXPECT_EQ(message, "there is no stage 'fusion'; the stages are elaborate, simplify, differentiate, hoist, fuse, "
                     "layout, schedule, plan");
  options.target = nullptr;
  EXPECT_TRUE(failed(runPipeline(*network.module, options, "fuse")));
  EXPECT_EQ(message, "stage 'fuse' needs a target");
}

} // namespace
} // namespace cnn::test
