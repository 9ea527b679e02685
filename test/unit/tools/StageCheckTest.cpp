// `verify --stages` names the pass that changes the meaning of a network: each case lets something wrong happen right
// after one pass.
#include "test/unit/tools/Networks.h"

#include "tools/cnnc/StageCheck.h"

using namespace mlir;

namespace cnn::test {
namespace {

constexpr const char *kText = R"(
network n(x: f32[N, 5, 8, 8]) -> f32[N, 7, 6, 6] {
  a = x -> first: conv(12, kernel = 3, pad = 1) -> relu
  b = a -> second: conv(12, kernel = 3, pad = 1, bias = false) -> norm: batch_norm
  ((b - a) + a * 0.25) -> third: conv(7, kernel = 3) -> tanh
}
)";

/// Exchanges the operands of each subtraction.
void swapSubtraction(ModuleOp module) {
  module.walk([](SubOp sub) {
    Value left = sub->getOperand(0);
    sub->setOperand(0, sub->getOperand(1));
    sub->setOperand(1, left);
  });
}

void dropBias(ModuleOp module) {
  module.walk([](Conv2dOp conv) { conv.getBiasMutable().clear(); });
}

/// The same number of padded pixels, but all on one side.
void shiftPadding(ModuleOp module) {
  module.walk([](Conv2dOp conv) {
    if (llvm::is_contained(conv.getPadding(), 1))
      conv.setPadding({2, 0, 2, 0});
  });
}

/// What no test of shapes or values sees: sums in another order.
void swapAddition(ModuleOp module) {
  module.walk([](AddOp add) {
    Value left = add->getOperand(0);
    add->setOperand(0, add->getOperand(1));
    add->setOperand(1, left);
  });
}

void renameOutput(ModuleOp module) {
  for (StringRef name : {kInferFunction, kRunFunction})
    if (auto function = module.lookupSymbol<func::FuncOp>(name))
      function.setResultAttr(0, kOutputAttr, StringAttr::get(module.getContext(), "other"));
}

struct StageCheckTest : ::testing::Test {
  /// The pass that the check names when `damage` follows `pass`, how many passes were checked and which was the last.
  std::string check(StringRef pass, void (*damage)(ModuleOp)) {
    StageCheck check(*network.weights, network.inputs, 1);
    EXPECT_TRUE(succeeded(check.begin(*network.module)));
    checked = 0;
    auto after = [&](StringRef flag, ModuleOp module) {
      if (flag == pass)
        damage(module);
      ++checked;
      last = flag.str();
      return check.after(flag, module);
    };
    network.options.exact = true; // Convolutions stay what the cases look for.
    OwningOpRef<ModuleOp> module = runStages(*network.module, "plan", network.options, after);
    EXPECT_EQ(module.get() != nullptr, check.problem.empty());
    return check.problem;
  }

  Network network{kText, 2};
  int checked = 0;
  std::string last;
};

bool names(const std::string &problem, const std::string &pass) {
  return problem.rfind("pass '" + pass + "' changed the meaning: output 'output' differs by ", 0) == 0;
}

TEST_F(StageCheckTest, APassThatSwapsASubtractionIsNamed) {
  for (const char *pass : {"cnn-select-outputs", "cnn-simplify", "cnn-fold-batch-norm", "cnn-hoist", "cnn-fuse",
                           "cnn-lay-out", "cnn-schedule", "cnn-plan-memory"}) {
    std::string problem = check(pass, swapSubtraction);
    EXPECT_TRUE(names(problem, pass)) << pass << ": " << problem;
  }
  EXPECT_EQ(last, "cnn-plan-memory");
}

TEST_F(StageCheckTest, APassThatDropsABiasIsNamed) {
  for (const char *pass : {"cnn-simplify", "cnn-hoist", "cnn-fuse"}) {
    std::string problem = check(pass, dropBias);
    EXPECT_TRUE(names(problem, pass)) << pass << ": " << problem;
  }
}

TEST_F(StageCheckTest, APassThatShiftsPaddingIsNamed) {
  for (const char *pass : {"cnn-fold-batch-norm", "cnn-lay-out"}) {
    std::string problem = check(pass, shiftPadding);
    EXPECT_TRUE(names(problem, pass)) << pass << ": " << problem;
  }
}

TEST_F(StageCheckTest, NoPassAfterTheWrongOneIsChecked) {
  EXPECT_NE(check("cnn-fuse", swapSubtraction), "");
  int afterFuse = checked;
  EXPECT_EQ(check("", swapSubtraction), "");
  EXPECT_GT(checked, afterFuse);
}

TEST_F(StageCheckTest, APassThatLosesAnOutputIsNamed) {
  EXPECT_TRUE(names(check("cnn-fuse", renameOutput), "cnn-fuse"));
}

TEST_F(StageCheckTest, WhatKeepsTheMeaningPasses) {
  EXPECT_EQ(check("cnn-fuse", swapAddition), "");
  EXPECT_EQ(last, "cnn-plan-memory");
  EXPECT_EQ(checkStages(*network.module, *network.weights, network.inputs, network.options, 1), "");
}

TEST_F(StageCheckTest, AnErrorOfAMillionthIsFound) {
  auto nudge = [](ModuleOp module) {
    module.walk([](BatchNormOp norm) { norm.setEpsilon(APFloat(norm.getEpsilon().convertToDouble() * 1.25)); });
  };
  std::string problem = check("cnn-select-outputs", nudge);
  EXPECT_TRUE(names(problem, "cnn-select-outputs")) << problem;
}

} // namespace
} // namespace cnn::test
