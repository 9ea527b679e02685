// Every optimizer, as IR made from `cnn.minimize`: its first steps by hand and against PyTorch's, its state, and what
// the pass says of wrong programs.
#include "test/grad/Gradients.h"
#include "test/grad/TrainingStep.h"
#include "test/grad/Vectors.h"

#include "ir/Optimizer.h"

using namespace mlir;
using namespace cnn;
using namespace cnn::test;

/// One step on sum(a w^2) / 2.
static std::string descentOf(const std::string &optimizer, const std::string &attributes = "") {
  return R"(module {
  cnn.param @w : tensor<3xf32>
  func.func @train(%a: tensor<3xf32> {cnn.input = "a"}, %rate: tensor<f32> {cnn.hyper = "rate"}, %w: tensor<3xf32> {cnn.state = @w})
      -> (tensor<3xf32> {cnn.state = @w}, tensor<f32> {cnn.output = "loss"}) {
    %half = cnn.constant dense<0.5> : tensor<f32>
    %ww = cnn.mul %w, %w : tensor<3xf32>, tensor<3xf32> -> tensor<3xf32>
    %aww = cnn.mul %a, %ww : tensor<3xf32>, tensor<3xf32> -> tensor<3xf32>
    %sum = cnn.reduce %aww {kind = #cnn.reduce_kind<sum>, dims = array<i64: 0>} : tensor<3xf32> -> tensor<f32>
    %loss = cnn.mul %sum, %half : tensor<f32>, tensor<f32> -> tensor<f32>
    %w1 = cnn.minimize %loss over %w rate %rate using #cnn.optimizer<)" +
         optimizer + R"(> {path = "opt")" + attributes + R"(} : tensor<f32>, tensor<f32>, tensor<3xf32> -> tensor<3xf32>
    return %w1, %loss : tensor<3xf32>, tensor<f32>
  }
})";
}

/// The parameter after each of `count` steps from (1, -2, 3).
static std::vector<Tensor> steps(const std::string &text, double rate, int count) {
  TrainingStep step(text);
  EXPECT_TRUE(step.isRight) << step.ir.messages;
  std::vector<Tensor> values;
  if (!step.isRight)
    return values;
  step.state["w"] = Tensor({3}, {1, -2, 3});
  for (int i = 0; i < count; ++i) {
    step.run({{"a", Tensor({3}, {1, 4, 0.25})}, {"rate", Tensor(Shape{}, {rate})}});
    values.push_back(step.state["w"]);
  }
  return values;
}

TEST(Optimizers, TakePyTorchsSteps) {
  Vectors vectors = readVectors("optimizers.txt");
  for (const auto &[name, expected] : vectors) {
    std::string optimizer = name == "rmsprop_momentum" ? "rmsprop, {momentum = 0.5}" : name;
    std::vector<Tensor> actual = steps(descentOf(optimizer), name == "adadelta" ? 1 : 0.0625, int(expected.shape[0]));
    ASSERT_EQ(int64_t(actual.size()), expected.shape[0]) << name;
    for (size_t i = 0; i < actual.size(); ++i)
      expectNear(actual[i],
                 Tensor({3}, {expected.values[3 * i], expected.values[3 * i + 1], expected.values[3 * i + 2]}), 1e-6,
                 name + ", step " + std::to_string(i + 1));
  }
}

TEST(Optimizers, FirstStepsByHand) {
  // The first element: the loss w^2 / 2 has the gradient w; w = 1, rate 1/16.
  auto first = [](const std::string &optimizer) {
    std::vector<double> values;
    for (const Tensor &tensor : steps(descentOf(optimizer), 0.0625, 2))
      values.push_back(tensor.values[0]);
    return values;
  };
  auto expect = [&](const std::string &optimizer, double one, double two) {
    std::vector<double> values = first(optimizer);
    ASSERT_EQ(values.size(), 2u);
    EXPECT_NEAR(values[0], one, 1e-7) << optimizer;
    EXPECT_NEAR(values[1], two, 1e-7) << optimizer;
  };
  const double r = 0.0625, w = 1 - r;
  expect("sgd", w, w - r * w);
  expect("momentum, {momentum = 0.5}", w, w + (-0.5 * r - r * w));
  // v = -r, w + v / 2 - r; then v = -r / 2 - r w.
  double nesterov = 1 - 1.5 * r, velocity = -0.5 * r - r * nesterov;
  expect("nesterov, {momentum = 0.5}", nesterov, nesterov + 0.5 * velocity - r * nesterov);
  expect("adagrad", w, w - r * w / std::sqrt(1 + w * w));
  // s = 1/2, then 1/4 + w^2 / 2.
  double rms = 1 - r * std::sqrt(2.0);
  expect("rmsprop, {rho = 0.5}", rms, rms - r * rms / std::sqrt(0.25 + rms * rms / 2));
  // Both moments are corrected to the gradient: a step of r; then with betas of 1/2, m = 1/4 + w/2 and v = 1/4 + w^2/2
  // over 3/4.
  expect("adam, {beta1 = 0.5, beta2 = 0.5}", w, w - r * ((0.25 + w / 2) / 0.75) / std::sqrt((0.25 + w * w / 2) / 0.75));
  double decayed = 1 - r * 0.5 - r;
  expect("adamw, {beta1 = 0.0, beta2 = 0.0, weight_decay = 0.5}", decayed, decayed - r * 0.5 * decayed - r);
  // d = sqrt(e / (s + e)) g with s = g^2 / 2, at a rate of 1/16.
  double delta = std::sqrt(0.5 / (0.5 + 0.5)), w1 = 1 - r * delta, s = 0.25 + w1 * w1 / 2, e = delta * delta / 2;
  expect("adadelta, {rho = 0.5, epsilon = 0.5}", w1, w1 - r * std::sqrt((e + 0.5) / (s + 0.5)) * w1);
  // Without momentum, only the gradient counts: a step of r.
  expect("nadam, {beta1 = 0.0, beta2 = 0.0}", w, w - r);
}

TEST(Optimizers, DeclareTheirState) {
  TrainingStep step(descentOf("nadam"));
  ASSERT_TRUE(step.isRight) << step.ir.messages;
  std::vector<std::string> names;
  for (const auto &[name, value] : step.state)
    names.push_back(name);
  EXPECT_EQ(names, (std::vector<std::string>{"opt.momentum_product", "opt.step", "opt.w.mean", "opt.w.squares", "w"}));
  step.run({{"a", Tensor({3}, {1, 4, 0.25})}, {"rate", Tensor(Shape{}, {0.1})}});
  EXPECT_EQ(step.state["opt.step"].values[0], 1);
  EXPECT_EQ(TrainingStep(descentOf("sgd")).state.size(), 1u);
}

TEST(Optimizers, ClipWhatTheyTake) {
  // The gradients are (1, -8, 0.75), of norm 8.0972.
  std::vector<Tensor> byValue = steps(descentOf("sgd", ", clip_value = 0.5 : f64"), 1, 1);
  expectNear(byValue[0], Tensor({3}, {0.5, -1.5, 2.5}), 0);
  double factor = 0.5 / std::sqrt(1 + 64 + 0.5625);
  std::vector<Tensor> byNorm = steps(descentOf("sgd", ", clip_norm = 0.5 : f64"), 1, 1);
  expectNear(byNorm[0], Tensor({3}, {1 - factor, -2 + 8 * factor, 3 - 0.75 * factor}), 1e-12);
}

/// Two minimizations in turn, as of a GAN: the second sees the first's parameters, and no gradient goes through the
/// update.
static const char alternating[] = R"(module {
  cnn.param @d : tensor<f32> init #cnn.init<constant, a = 3.0>
  cnn.param @g : tensor<f32> init #cnn.init<constant, a = 2.0>
  func.func @train(%rate: tensor<f32> {cnn.hyper = "rate"}, %d: tensor<f32> {cnn.state = @d}, %g: tensor<f32> {cnn.state = @g})
      -> (tensor<f32> {cnn.state = @d}, tensor<f32> {cnn.state = @g}, tensor<f32> {cnn.output = "second"}) {
    %first = cnn.mul %d, %g : tensor<f32>, tensor<f32> -> tensor<f32>
    %d1 = cnn.minimize %first over %d rate %rate using #cnn.optimizer<momentum> {path = "one"}
        : tensor<f32>, tensor<f32>, tensor<f32> -> tensor<f32>
    %second = cnn.mul %d1, %g : tensor<f32>, tensor<f32> -> tensor<f32>
    %g1 = cnn.minimize %second over %g rate %rate using #cnn.optimizer<momentum> {path = "PATH"}
        : tensor<f32>, tensor<f32>, tensor<f32> -> tensor<f32>
    return %d1, %g1, %second : tensor<f32>, tensor<f32>, tensor<f32>
  }
})";

static std::string alternatingWith(const std::string &path) {
  std::string text = alternating;
  return text.replace(text.find("PATH"), 4, path);
}

TEST(Optimizers, MinimizeInTurn) {
  TrainingStep step(alternatingWith("two"));
  ASSERT_TRUE(step.isRight) << step.ir.messages;
  EXPECT_FALSE(step.ir.first<StopGradientOp>());
  std::map<std::string, Tensor> outputs = step.run({{"rate", Tensor(Shape{}, {0.5})}});
  // d1 = 3 - 2/2 = 2; the second loss is 2 * 2, its gradient by g is 2: g1 = 1.
  EXPECT_EQ(step.state["d"].values[0], 2);
  EXPECT_EQ(outputs["second"].values[0], 4);
  EXPECT_EQ(step.state["g"].values[0], 1);
  EXPECT_TRUE(step.state.count("one.d.velocity") && step.state.count("two.g.velocity"));
}

TEST(Optimizers, SayWhatIsWrong) {
  EXPECT_EQ(TrainingStep(R"(func.func @train(%loss: tensor<f32>, %w: tensor<f32>) -> tensor<f32> {
    %w1 = cnn.minimize %loss over %w rate %loss using #cnn.optimizer<sgd> {path = "opt"} : tensor<f32>, tensor<f32>, tensor<f32> -> tensor<f32>
    return %w1 : tensor<f32>
  })")
                .ir.messages,
            "'cnn.minimize' op at path 'opt' is given a parameter of type 'tensor<f32>' that is no state\n");
  std::string twice = descentOf("sgd");
  twice.replace(twice.find("over %w "), 8, "over %w, %w ");
  twice.replace(twice.find("%w1 = cnn"), 3, "%w1, %w2");
  twice.replace(twice.find(": tensor<f32>, tensor<f32>, tensor<3xf32> -> tensor<3xf32>"), 58,
                ": tensor<f32>, tensor<f32>, tensor<3xf32>, tensor<3xf32> -> tensor<3xf32>, tensor<3xf32>");
  EXPECT_EQ(TrainingStep(twice).ir.messages, "'cnn.minimize' op at path 'opt' is given @w twice\n");
  std::string same = alternatingWith("one");
  for (size_t at; (at = same.find("momentum")) != std::string::npos;)
    same.replace(at, 8, "adam");
  EXPECT_EQ(TrainingStep(same).ir.messages,
            "there is a variable 'one.step' already: two minimizations have one path\n");
}

TEST(Optimizers, SettingsAreInTheTable) {
  for (uint32_t kind = 0; kind <= getMaxEnumValForOptimizerKind(); ++kind)
    for (const OptimizerSetting &setting : optimizerSettings(static_cast<OptimizerKind>(kind))) {
      EXPECT_GE(setting.initial, setting.low);
      EXPECT_LT(setting.initial, setting.high);
    }
}
