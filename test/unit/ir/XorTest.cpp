// A training step as IR, run by the reference until XOR is learned: state, counters, random numbers and losses as the
// differentiation transform will use them.
#include "Support.h"

#include "ir/reference/InitialState.h"

#include "llvm/Support/MemoryBuffer.h"

using namespace cnn;
using namespace cnn::reference;
using namespace cnn::test;

static const Tensor inputs({4, 2}, {0, 0, 0, 1, 1, 0, 1, 1}), targets({4, 1}, {0, 1, 1, 0});

namespace {
struct Xor : testing::Test {
  Xor() : ir((*llvm::MemoryBuffer::getFile(XOR_STEP_FILE))->getBuffer().str()) {}

  void SetUp() override { ASSERT_TRUE(ir.module) << ir.messages; }

  /// w1, b1, w2, b2, step.
  std::vector<TensorRef> start(uint64_t seed) {
    InitialState initial(*ir.module, seed, Start::Training);
    std::vector<TensorRef> state;
    for (mlir::Operation &op : ir.module->getOps())
      if (isState(&op)) {
        auto type = llvm::cast<mlir::RankedTensorType>(op.getAttrOfType<mlir::TypeAttr>("type").getValue());
        state.push_back(reference::share(*initial(mlir::SymbolTable::getSymbolName(&op).getValue(), type)));
      }
    return state;
  }

  /// The new state and the loss.
  std::vector<TensorRef> train(const std::vector<TensorRef> &state, double rate) {
    std::vector<TensorRef> arguments = {reference::share(inputs), reference::share(targets),
                                        reference::share(Tensor(Shape{}, {rate}))};
    arguments.insert(arguments.end(), state.begin(), state.end());
    EvaluateOptions options;
    options.threads = 1; // The tensors are too small for more.
    auto results = evaluate(ir.function("train"), arguments, options);
    EXPECT_TRUE(succeeded(results)) << ir.messages;
    return std::vector<TensorRef>(results->begin(), results->end());
  }

  std::vector<TensorRef> learn(uint64_t seed) {
    std::vector<TensorRef> state = start(seed);
    for (int i = 0; i < 400; ++i) {
      std::vector<TensorRef> results = train(state, 1.0);
      state.assign(results.begin(), results.end() - 1);
    }
    return state;
  }

  Ir ir;
};
} // namespace

TEST_F(Xor, IsLearned) {
  std::vector<TensorRef> state = learn(1);
  EXPECT_EQ(state[4]->values[0], 400);
  auto logits = evaluate(ir.function("infer"), {reference::share(inputs), state[0], state[1], state[2], state[3]});
  ASSERT_TRUE(succeeded(logits)) << ir.messages;
  int right = 0;
  for (int i = 0; i < 4; ++i)
    right += ((*logits)[0]->values[i] > 0) == (targets.values[i] > 0.5);
  EXPECT_EQ(right, 4);
}

TEST_F(Xor, TheSameSeedGivesTheSameBits) {
  std::vector<TensorRef> first = learn(3), second = learn(3), other = learn(4);
  for (int i = 0; i < 4; ++i) {
    EXPECT_EQ(first[i]->values, second[i]->values) << "variable " << i;
    EXPECT_NE(first[i]->values, other[i]->values) << "variable " << i;
  }
}

TEST_F(Xor, GradientsAreCentralDifferences) {
  std::vector<TensorRef> state = start(5), after = train(state, 1.0);
  for (int variable = 0; variable < 4; ++variable)
    for (int64_t i = 0; i < state[variable]->elements(); ++i) {
      auto loss = [&](double delta) {
        std::vector<TensorRef> moved = state;
        Tensor tensor = *state[variable];
        tensor.values[i] += delta;
        moved[variable] = reference::share(std::move(tensor));
        return train(moved, 1.0)[5]->values[0];
      };
      double gradient = state[variable]->values[i] - after[variable]->values[i];
      EXPECT_NEAR(gradient, (loss(1e-5) - loss(-1e-5)) / 2e-5, 1e-9) << "variable " << variable << ", element " << i;
    }
}

TEST_F(Xor, ANewStateHasTheTypeOfItsVariable) {
  Ir wrong(R"(module {
    cnn.param @w : tensor<4xf32>
    func.func @train(%w: tensor<4xf32> {cnn.state = @w}) -> (tensor<1x4xf32> {cnn.state = @w}) {
      %0 = cnn.reshape %w {shape = array<i64: 1, 4>} : tensor<4xf32> -> tensor<1x4xf32>
      return %0 : tensor<1x4xf32>
    }
  })");
  EXPECT_FALSE(wrong.module);
  EXPECT_EQ(wrong.messages, "'cnn.state' of result 0: @w is 'tensor<4xf32>', the result is 'tensor<1x4xf32>'\n");
}
