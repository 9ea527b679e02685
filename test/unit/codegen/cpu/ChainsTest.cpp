// Which steps are chained: those that go by images, whose buffers cannot overwrite each other out of turn.
#include "codegen/cpu/Chains.h"
#include "ir/CnnOps.h"

#include <gtest/gtest.h>

using namespace cnn;

namespace {

Operand workspace(int64_t offset, int64_t stride) { return {Segment::Workspace, offset, 0, stride}; }

Step byImage(std::vector<Operand> operands) {
  Step step;
  step.isByImage = true;
  step.operands = std::move(operands);
  step.kernels.emplace_back().unitsPerImage = 1;
  return step;
}

std::vector<int64_t> chainsOf(std::vector<Step> steps, std::vector<cpu::ChainLink> links = {}) {
  Program program;
  program.steps = std::move(steps);
  links.resize(program.steps.size());
  cpu::chainSteps(program, links);
  std::vector<int64_t> chains;
  for (const Step &step : program.steps)
    chains.push_back(step.chain);
  return chains;
}

const Operand kInput = {Segment::Input, 0, 0, 64};

TEST(Chains, StepsOnBuffersApartOrOnTheSameAre) {
  EXPECT_EQ(chainsOf({byImage({kInput, workspace(0, 64)}), byImage({workspace(0, 64), workspace(64, 128)}),
                      byImage({workspace(64, 128), workspace(0, 64)})}),
            (std::vector<int64_t>{3, 1, 1}));
}

TEST(Chains, ABufferThatOverlapsWithAnotherStrideEndsOne) {
  // Image 1 of the last result lies over image 2 of the first one.
  EXPECT_EQ(chainsOf({byImage({kInput, workspace(0, 64)}), byImage({workspace(0, 64), workspace(64, 128)}),
                      byImage({workspace(64, 128), workspace(0, 32)}), byImage({workspace(0, 32), workspace(32, 32)})}),
            (std::vector<int64_t>{2, 1, 2, 1}));
}

TEST(Chains, OthersAndLargeWeightsEndOne) {
  Step fixed = byImage({workspace(0, 64)});
  fixed.isByImage = false;
  Step step = byImage({workspace(0, 64)});
  EXPECT_EQ(chainsOf({step, step, fixed, step, step}), (std::vector<int64_t>{2, 1, 1, 2, 1}));
  EXPECT_EQ(chainsOf({step, step, step}, {{}, {.sharedBytes = 1 << 24}, {}}), (std::vector<int64_t>{1, 1, 1}));
}

TEST(Chains, TurnsAreWholeGrains) {
  Program program;
  program.steps = {byImage({workspace(0, 1 << 18)}), byImage({workspace(0, 1 << 18)})};
  cpu::chainSteps(program, {{}, {.grain = 4}});
  EXPECT_EQ(program.steps[0].chainImages, 4);
}

} // namespace
