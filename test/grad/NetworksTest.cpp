// Whole networks: losses and gradients against PyTorch's, and a small one that learns.
#include "test/grad/Gradients.h"
#include "test/grad/TrainingStep.h"
#include "test/grad/Vectors.h"

#include "ir/Compositions.h"
#include "ir/Losses.h"

using namespace mlir;
using namespace cnn;
using namespace cnn::test;

/// The tensors of `names`, those in `batched` with a dynamic batch; the loss and the gradients must be the file's.
static void expectVectors(const std::string &file, const std::vector<std::string> &names,
                          const std::vector<std::string> &batched, const Formula &loss) {
  Vectors vectors = readVectors(file);
  std::vector<Argument> arguments;
  std::vector<Tensor> tensors;
  for (const std::string &name : names) {
    tensors.push_back(vectors[name]);
    arguments.push_back(
        {vectors[name].shape, llvm::is_contained(batched, name), 0, 0, vectors.count("gradient:" + name) != 0});
  }
  Differentiated f(arguments, loss);
  ASSERT_EQ(f.messages(), "");
  EXPECT_NEAR(f.value(tensors), vectors["result:loss"].values[0], 1e-7) << file;
  std::vector<Tensor> gradients = f.gradients(tensors);
  size_t place = 0;
  for (const std::string &name : names)
    if (vectors.count("gradient:" + name)) {
      ASSERT_LT(place, gradients.size());
      expectNear(gradients[place++], vectors["gradient:" + name], 1e-7, file + ": gradient by " + name);
    }
  EXPECT_GE(place, 4u) << file;
}

static BatchNormTraining classifierNorm(TensorBuilder &b, ValueRange v) {
  Value x = b.make<Conv2dOp>({v[0], v[1], v[2]}, {b.ints("padding", {1, 1, 1, 1})});
  Value mean = b.mul(v[3], 0), variance = b.add(mean, 1);
  return batchNormTraining(b, x, v[3], v[4], mean, variance, 0.125, 0x1p-10);
}

TEST(Networks, AClassifierHasPyTorchsGradients) {
  expectVectors("classifier.txt",
                {"x", "c1.weight", "c1.bias", "scale", "offset", "c2.weight", "f.weight", "f.bias", "label"},
                {"x", "label"}, [](TensorBuilder &b, ValueRange v) {
                  SmallVector<NamedAttribute> two = {b.ints("kernel", {2, 2}), b.ints("strides", {2, 2})};
                  Value x = b.make<MaxPoolOp>(b.relu(classifierNorm(b, v).result), two);
                  x = b.tanh(b.make<Conv2dOp>({x, v[5]}, {b.ints("dilations", {2, 2}), b.integer("groups", 2)}));
                  x = b.reshape(b.make<AvgPoolOp>(x, two), {-1, 6});
                  x = b.make<DenseOp>({x, v[6], v[7]});
                  return crossEntropy(b, x, oneHot(b, v[8], 3, b.builder().getF32Type()), 0.125);
                });
}

TEST(Networks, ATransposedConvolutionDecodes) {
  expectVectors("autoencoder.txt", {"x", "encoder.weight", "encoder.bias", "decoder.weight", "decoder.bias", "target"},
                {"x", "target"}, [](TensorBuilder &b, ValueRange v) {
                  SmallVector<NamedAttribute> window = {b.ints("strides", {2, 2}), b.ints("padding", {1, 1, 1, 1})};
                  Value code = b.make<EluOp>(b.make<Conv2dOp>({v[0], v[1], v[2]}, window));
                  window.push_back(b.ints("size", {6, 6}));
                  return binaryCrossEntropy(b, b.make<Conv2dTransposeOp>({code, v[3], v[4]}, window), v[5]);
                });
}

TEST(Networks, ASegmenterWeighsItsPixels) {
  expectVectors("segmenter.txt", {"x", "c1.weight", "up.weight", "c2.weight", "c2.bias", "target", "weights"},
                {"x", "target", "weights"}, [](TensorBuilder &b, ValueRange v) {
                  auto reflect = PadModeAttr::get(b.builder().getContext(), PadMode::Reflect);
                  Value x = b.make<PadOp>(v[0], {b.ints("low", {0, 0, 1, 1}), b.ints("high", {0, 0, 1, 1}),
                                                 b.builder().getNamedAttr("mode", reflect)});
                  x = leakyRelu(b, b.make<Conv2dOp>({x, v[1]}), 0.125);
                  SmallVector<NamedAttribute> two = {b.ints("strides", {2, 2})};
                  Value pooled = b.make<MaxPoolOp>(x, {b.ints("kernel", {2, 2}), two[0]});
                  two.push_back(b.ints("size", {6, 6}));
                  Value up = b.make<Conv2dTransposeOp>({pooled, v[2]}, two);
                  Value logits = b.make<Conv2dOp>({b.make<ConcatOp>({x, up}, {b.integer("axis", 1)}), v[3], v[4]});
                  return crossEntropy(b, logits, oneHot(b, v[5], 2, b.builder().getF32Type()), 0, v[6]);
                });
}

TEST(Networks, RunningStatisticsArePyTorchs) {
  Vectors vectors = readVectors("classifier.txt");
  std::vector<Tensor> tensors;
  std::vector<Argument> arguments;
  for (std::string name : {"x", "c1.weight", "c1.bias", "scale", "offset"}) {
    tensors.push_back(vectors[name]);
    arguments.push_back({vectors[name].shape, name == "x"});
  }
  for (int channel = 0; channel < 4; ++channel) {
    auto pick = [&](bool variance) {
      return Differentiated(arguments,
                            [&](TensorBuilder &b, ValueRange v) {
                              BatchNormTraining trained = classifierNorm(b, v);
                              Value vector = variance ? trained.variance : trained.mean;
                              return b.sum(b.make<SliceOp>(
                                  vector, {b.ints("starts", {channel}), b.ints("sizes", {1}), b.ints("steps", {1})}));
                            })
          .value(tensors);
    };
    EXPECT_NEAR(pick(false), vectors["result:mean"].values[channel], 1e-7) << "mean of channel " << channel;
    EXPECT_NEAR(pick(true), vectors["result:variance"].values[channel], 1e-7) << "variance of channel " << channel;
  }
}

/// A convolutional network that tells horizontal from vertical bars, trained by Adam.
static const char bars[] = R"(module @bars {
  cnn.param @c1.weight : tensor<4x1x3x3xf32> init #cnn.init<he>
  cnn.param @c1.bias : tensor<4xf32> init #cnn.init<zeros>
  cnn.param @f.weight : tensor<1x36xf32> init #cnn.init<xavier>
  cnn.param @f.bias : tensor<1xf32> init #cnn.init<zeros>
  func.func @train(%x: tensor<?x1x8x8xf32> {cnn.input = "x"}, %t: tensor<?x1xf32> {cnn.input = "t"}, %rate: tensor<f32> {cnn.hyper = "rate"},
                   %w1: tensor<4x1x3x3xf32> {cnn.state = @c1.weight}, %b1: tensor<4xf32> {cnn.state = @c1.bias},
                   %w2: tensor<1x36xf32> {cnn.state = @f.weight}, %b2: tensor<1xf32> {cnn.state = @f.bias})
      -> (tensor<4x1x3x3xf32> {cnn.state = @c1.weight}, tensor<4xf32> {cnn.state = @c1.bias},
          tensor<1x36xf32> {cnn.state = @f.weight}, tensor<1xf32> {cnn.state = @f.bias}, tensor<f32> {cnn.output = "loss"}) {
    %c = cnn.conv2d %x, %w1 bias %b1 {path = "c1"} : tensor<?x1x8x8xf32>, tensor<4x1x3x3xf32>, tensor<4xf32> -> tensor<?x4x6x6xf32>
    %r = cnn.relu %c {path = "r"} : tensor<?x4x6x6xf32> -> tensor<?x4x6x6xf32>
    %p = cnn.max_pool %r {kernel = array<i64: 2, 2>, strides = array<i64: 2, 2>, path = "p"} : tensor<?x4x6x6xf32> -> tensor<?x4x3x3xf32>
    %h = cnn.reshape %p {shape = array<i64: -1, 36>, path = "flat"} : tensor<?x4x3x3xf32> -> tensor<?x36xf32>
    %z = cnn.dense %h, %w2 bias %b2 {path = "f"} : tensor<?x36xf32>, tensor<1x36xf32>, tensor<1xf32> -> tensor<?x1xf32>
    %s = cnn.softplus %z {path = "loss"} : tensor<?x1xf32> -> tensor<?x1xf32>
    %zt = cnn.mul %z, %t {path = "loss"} : tensor<?x1xf32>, tensor<?x1xf32> -> tensor<?x1xf32>
    %l = cnn.sub %s, %zt {path = "loss"} : tensor<?x1xf32>, tensor<?x1xf32> -> tensor<?x1xf32>
    %loss = cnn.reduce %l {kind = #cnn.reduce_kind<mean>, dims = array<i64: 0, 1>, path = "loss"} : tensor<?x1xf32> -> tensor<f32>
    %w1n, %b1n, %w2n, %b2n = cnn.minimize %loss over %w1, %b1, %w2, %b2 rate %rate using #cnn.optimizer<adam> {path = "adam"}
        : tensor<f32>, tensor<f32>, tensor<4x1x3x3xf32>, tensor<4xf32>, tensor<1x36xf32>, tensor<1xf32>
        -> tensor<4x1x3x3xf32>, tensor<4xf32>, tensor<1x36xf32>, tensor<1xf32>
    return %w1n, %b1n, %w2n, %b2n, %loss : tensor<4x1x3x3xf32>, tensor<4xf32>, tensor<1x36xf32>, tensor<1xf32>, tensor<f32>
  }
})";

/// The losses of some steps, and then the state.
static std::pair<std::vector<double>, std::map<std::string, Tensor>> learnBars(unsigned seed, unsigned threads) {
  TrainingStep step(bars, seed);
  EXPECT_TRUE(step.isRight) << step.ir.messages;
  Random random(17);
  std::vector<double> losses;
  for (int i = 0; i < 40 && step.isRight; ++i) {
    Tensor x = random.tensor({16, 1, 8, 8}, -0.3, 0.3), t({16, 1});
    for (int64_t n = 0; n < 16; ++n) {
      int64_t place = random.integer(0, 7);
      t.values[n] = double(n % 2);
      for (int64_t k = 0; k < 8; ++k)
        x.values[n * 64 + (n % 2 ? place * 8 + k : k * 8 + place)] += 1;
    }
    losses.push_back(step.run({{"x", x}, {"t", t}, {"rate", Tensor(Shape{}, {0.02})}}, threads)["loss"].values[0]);
  }
  return {losses, step.state};
}

TEST(Networks, ASmallOneLearns) {
  auto [losses, state] = learnBars(1, 1);
  ASSERT_EQ(losses.size(), 40u);
  EXPECT_GT(losses.front(), 0.3);
  EXPECT_LT(losses.back(), 0.1);
  EXPECT_EQ(state["adam.step"].values[0], 40);
}

TEST(Networks, TheSameSeedGivesTheSameBitsOnAnyNumberOfThreads) {
  auto first = learnBars(2, 1), second = learnBars(2, 3), other = learnBars(3, 1);
  EXPECT_EQ(first.first, second.first);
  EXPECT_NE(first.first, other.first);
  for (const auto &[name, value] : first.second)
    EXPECT_EQ(value.values, second.second[name].values) << name;
}
