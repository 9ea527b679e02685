// Philox against the published vectors, the normal quantile against published values, draws and initial state.
#include "Support.h"

#include "ir/reference/InitialState.h"
#include "ir/reference/Philox.h"

using namespace cnn::reference;
using namespace cnn::test;

TEST(Philox, KnownAnswersOfRandom123) {
  // kat_vectors of Random123, philox4x32 with 10 rounds.
  EXPECT_EQ(philox({0, 0, 0, 0}, {0, 0}), (PhiloxWords{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}));
  EXPECT_EQ(philox({0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff}, {0xffffffff, 0xffffffff}),
            (PhiloxWords{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}));
  EXPECT_EQ(philox({0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}, {0xa4093822, 0x299f31d0}),
            (PhiloxWords{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}));
}

TEST(Philox, CounterAndKeyAreAsWrittenDown) {
  // FNV-1a of "a" is af63dc4c8601ec8c.
  EXPECT_EQ(pathHash("a"), 0xdc4c8601ec8cull ^ 0xaf63);
  EXPECT_EQ(pathHash(""), 0x9ce484222325ull ^ 0xcbf2);
  uint64_t hash = pathHash("layer1.dropout"), block = 0x123456789abc;
  EXPECT_EQ(Draws(0xfedcba9876543210, "layer1.dropout", 7).words(block),
            philox({0x56789abc, 0x1234 | uint32_t(hash >> 32) << 16, 7, uint32_t(hash)}, {0x76543210, 0xfedcba98}));
}

TEST(Philox, NormalQuantiles) {
  EXPECT_DOUBLE_EQ(toUniform(0xffffffff), 1 - 0x1p-24);
  EXPECT_EQ(toUniform(0x800000ff), 0.5);
  auto word = [](double p) { return uint32_t(p * 0x1p32); };
  EXPECT_NEAR(toNormal(word(0.5)), 0, 1e-9);
  EXPECT_NEAR(toNormal(word(0.975)), 1.959963984540054, 1e-8);
  EXPECT_NEAR(toNormal(word(0.025)), -1.959963984540054, 1e-8);
  EXPECT_NEAR(toNormal(word(0.9999)), 3.719016485455709, 1e-6);
  // The ends: the quantile of 2^-33.
  EXPECT_NEAR(toNormal(0), -6.337957754553789, 1e-9);
  EXPECT_NEAR(toNormal(0xffffffff), 6.337957754553789, 1e-6);
}

TEST(RandomUniform, DependsOnPathStepSeedAndIndexOnly) {
  auto draw = [](const std::string &path, double seed, double step, int64_t batch) {
    std::vector<Tensor> results = evaluateText(
        "func.func @f(%seed: tensor<i64>, %step: tensor<i64>, %like: tensor<?x1xf32>) -> tensor<?x3xf32> {\n"
        "  %0 = cnn.random_uniform %seed, %step like %like {shape = array<i64: -1, 3>, low = -2.0 : f64, high = 2.0 "
        ": f64, path = \"" +
            path +
            "\"} : tensor<i64>, tensor<i64>, tensor<?x1xf32> -> tensor<?x3xf32>\n"
            "  return %0 : tensor<?x3xf32>\n}",
        {Tensor(Shape{}, {seed}), Tensor(Shape{}, {step}), Tensor({batch, 1})});
    return results.empty() ? std::vector<double>() : results[0].values;
  };
  std::vector<double> four = draw("a", 1, 0, 4), seven = draw("a", 1, 0, 7);
  ASSERT_EQ(seven.size(), 21u);
  EXPECT_EQ(four, std::vector<double>(seven.begin(), seven.begin() + 12))
      << "a sample depends on the size of its batch";
  EXPECT_NE(four, draw("b", 1, 0, 4));
  EXPECT_NE(four, draw("a", 2, 0, 4));
  EXPECT_NE(four, draw("a", 1, 1, 4));
  PhiloxWords words = Draws(1, "a", 0).words(1);
  EXPECT_EQ(four[6], -2 + 4 * toUniform(words[2]));
}

static const char *network = R"(module @net {
  cnn.param @w : tensor<64x16x3x3xf32>
  cnn.param @u : tensor<200x300xf32> init #cnn.init<uniform, a = -3.0, b = -1.0>
  cnn.param @x : tensor<30x20xf32> init #cnn.init<xavier>
  cnn.param @n : tensor<100x100xf32> init #cnn.init<normal, a = 5.0, b = 2.0>
  cnn.param @c : tensor<2x2xf32> init #cnn.init<constant, a = 7.0>
  cnn.param @bias : tensor<64xf32>
  cnn.param @scale : tensor<64xf32> init #cnn.init<ones>
  cnn.param @offset : tensor<64xf32> init #cnn.init<zeros>
  cnn.statistic @mean : tensor<64xf32> init #cnn.init<zeros>
  cnn.statistic @variance : tensor<64xf32> init #cnn.init<ones>
  cnn.counter @step : tensor<i64>
  func.func @infer(%x: tensor<?x64xf32> {cnn.input = "x"}, %s: tensor<64xf32> {cnn.state = @scale},
                   %o: tensor<64xf32> {cnn.state = @offset}, %m: tensor<64xf32> {cnn.state = @mean},
                   %v: tensor<64xf32> {cnn.state = @variance}) -> (tensor<?x64xf32> {cnn.output = "y"}) {
    %0 = cnn.batch_norm %x, %s, %o, %m, %v : tensor<?x64xf32>, tensor<64xf32>, tensor<64xf32>, tensor<64xf32>, tensor<64xf32> -> tensor<?x64xf32>
    return %0 : tensor<?x64xf32>
  }
})";

struct Moments {
  double mean = 0, deviation = 0, smallest = 1e9, largest = -1e9;
  explicit Moments(const std::vector<float> &values) {
    for (float value : values) {
      mean += value / double(values.size());
      smallest = std::min<double>(smallest, value), largest = std::max<double>(largest, value);
    }
    for (float value : values)
      deviation += (value - mean) * (value - mean) / double(values.size());
    deviation = std::sqrt(deviation);
  }
};

static std::vector<float> draw(const InitialState &state, const std::string &name, size_t elements) {
  std::vector<float> values(elements, -99);
  EXPECT_TRUE(state.draw(name, values)) << name;
  return values;
}

TEST(InitialState, TrainingObeysTheInitializers) {
  Ir ir(network);
  ASSERT_TRUE(ir.module) << ir.messages;
  InitialState state(*ir.module, 42, Start::Training);
  Moments he(draw(state, "w", 64 * 16 * 9)), uniform(draw(state, "u", 60000)), xavier(draw(state, "x", 600)),
      normal(draw(state, "n", 10000));
  EXPECT_NEAR(he.mean, 0, 0.005);
  EXPECT_NEAR(he.deviation, std::sqrt(2.0 / 144), 0.003);
  EXPECT_GT(he.largest, 3.5 * he.deviation);
  EXPECT_NEAR(uniform.mean, -2, 0.01);
  EXPECT_GE(uniform.smallest, -3);
  EXPECT_LE(uniform.largest, -1);
  EXPECT_LE(xavier.largest, std::sqrt(6.0 / 50));
  EXPECT_GT(xavier.largest, 0.9 * std::sqrt(6.0 / 50));
  EXPECT_NEAR(normal.mean, 5, 0.1);
  EXPECT_NEAR(normal.deviation, 2, 0.1);
  EXPECT_EQ(draw(state, "c", 4), std::vector<float>(4, 7));
  EXPECT_EQ(draw(state, "bias", 64), std::vector<float>(64, 0));
  EXPECT_EQ(draw(state, "scale", 64), std::vector<float>(64, 1));
  std::vector<float> one(1);
  EXPECT_FALSE(state.draw("w", one)) << "a wrong number of elements";
  EXPECT_FALSE(state.draw("no such variable", one));
}

TEST(InitialState, RandomVariesWhatTrainingStartsWithAConstant) {
  Ir ir(network);
  ASSERT_TRUE(ir.module) << ir.messages;
  InitialState state(*ir.module, 42, Start::Random, 1);
  for (const char *name : {"scale", "variance"}) {
    Moments moments(draw(state, name, 64));
    EXPECT_GE(moments.smallest, 0.8f) << name;
    EXPECT_LE(moments.largest, 1.2f) << name;
    EXPECT_GT(moments.deviation, 0.05) << name;
  }
  for (const char *name : {"offset", "mean"})
    EXPECT_NEAR(Moments(draw(state, name, 64)).deviation, 0.1, 0.04) << name;
  Moments bias(draw(state, "bias", 64)), weight(draw(state, "w", 64 * 16 * 9)), uniform(draw(state, "u", 60000));
  EXPECT_LE(bias.largest, 0.1);
  EXPECT_GT(bias.deviation, 0.03);
  EXPECT_NEAR(weight.deviation, std::sqrt(2.0 / 144), 0.003);
  EXPECT_LE(weight.largest, std::sqrt(6.0 / 144));
  EXPECT_LE(uniform.largest, -1) << "an initializer that draws is obeyed";
  EXPECT_EQ(draw(state, "step", 1), std::vector<float>(1, 0));
}

TEST(InitialState, SameSeedSameBitsOnAnyNumberOfThreads) {
  Ir ir(network);
  ASSERT_TRUE(ir.module) << ir.messages;
  std::vector<float> one = draw(InitialState(*ir.module, 7, Start::Training, 1), "n", 10000);
  EXPECT_EQ(one, draw(InitialState(*ir.module, 7, Start::Training, 3), "n", 10000));
  EXPECT_NE(one, draw(InitialState(*ir.module, 8, Start::Training, 1), "n", 10000));
  // Element 5 as the header writes it down.
  EXPECT_EQ(one[5], float(5 + 2 * toNormal(Draws(7, "init:n", 0).words(1)[1])));
}
