// Train blocks: what becomes of their statements, and that steps learn.
#include "TrainTesting.h"

using namespace cnn;
using namespace cnn::testing;
using reference::Tensor;

namespace {

using Names = std::vector<std::string>;

const std::string kNet = "network net(x: f32[N, 4]) -> f32[N, 3] { x -> a: dense(5) -> relu -> b: dense(3) }\n";

/// A block on the network `net`, with an input and a label.
std::string block(const std::string &body, const std::string &before = kNet) {
  return before + "train t(x: f32[N, 4], label: class(3)[N]) {\n" + body + "\n}\n";
}
const std::string kMinimize = "minimize cross_entropy_logits(net(x), label) over net using sgd(lr = 0.5)\n";

TEST(Train, AStepHasTheFormThatToolsExpect) {
  LoadedTraining t(block("scores = net(x)\n"
                         "minimize cross_entropy_logits(scores, label) over net using adam(lr = 1e-3)\n"
                         "report accuracy(scores, label), top_k(scores, label, k = 2)"));
  ASSERT_TRUE(t.program) << t.errors();
  EXPECT_EQ(t.named(t.step(), kInputAttr), (Names{"x", "label"}));
  EXPECT_EQ(t.named(t.step(), kHyperAttr), (Names{"rate"}));
  EXPECT_EQ(t.named(t.step(), kStateAttr), (Names{"a.weight", "a.bias", "b.weight", "b.bias"}));
  EXPECT_EQ(t.named(t.step(), kOutputAttr, true), (Names{"loss", "scores"}));
  EXPECT_EQ(t.named(t.step(), kStateAttr, true), (Names{"a.weight", "a.bias", "b.weight", "b.bias"}));
  mlir::func::FuncOp evaluation = t.functionOf(*t.program.evaluate);
  EXPECT_EQ(t.named(evaluation, kOutputAttr, true), (Names{"loss", "scores"}));
  EXPECT_EQ(t.named(evaluation, kHyperAttr), Names());
  EXPECT_EQ(t.named(evaluation, kStateAttr, true), Names());
  EXPECT_EQ(t.declared(*t.program.step), t.declared(*t.program.evaluate));
  EXPECT_FALSE(t.program.augment);

  const TrainingProgram &program = t.program;
  EXPECT_EQ(program.name, "t");
  ASSERT_EQ(program.rates.size(), 1u);
  EXPECT_EQ(program.rates[0].hyper, "rate");
  EXPECT_EQ(program.rates[0].base, 1e-3);
  EXPECT_EQ(program.rates[0].schedule, "constant()");
  ASSERT_EQ(program.minimizations.size(), 1u);
  EXPECT_EQ(program.minimizations[0].lossOutput, "loss");
  EXPECT_EQ(program.minimizations[0].paths, Names{"optimizer"});
  ASSERT_EQ(program.inputs.size(), 2u);
  EXPECT_EQ(program.inputs[1].classes, 3);
  ASSERT_EQ(program.reports.size(), 2u);
  EXPECT_EQ(program.reports[1].metric, "top2");
  EXPECT_EQ(program.reports[1].operands[0].name, "scores");
  EXPECT_TRUE(program.reports[1].operands[1].isInput);
  EXPECT_EQ(program.reports[1].classes, 3);
  ASSERT_EQ(program.networks.size(), 1u);
  EXPECT_EQ(program.networks[0].prefix, "");
  EXPECT_TRUE(program.networks[0].isTrained);
}

TEST(Train, SettingsHaveDefaultsAndAreReplaced) {
  std::string text =
      block("epochs = 30\nbatch = 8 * 4\nvalidation = 0.25\nscores = net(x)\n"
            "minimize cross_entropy_logits(scores, label) over net using adam(lr = cosine(1e-3, epochs = "
            "epochs / 2) -> warmup(2))");
  using Settings = std::vector<std::pair<std::string, double>>;
  LoadedTraining t(text);
  ASSERT_TRUE(t.program) << t.errors();
  EXPECT_EQ(t.program.settings,
            (Settings{{"epochs", 30}, {"batch", 32}, {"validation", 0.25}, {"seed", 1}, {"patience", 0}}));
  EXPECT_EQ(t.program.rates[0].schedule, "warmup(epochs = 2, then = cosine(epochs = 15))");
  LoadedTraining replaced(text, {"test.cnn", "t", {{"epochs", 10}, {"seed", 7}}});
  ASSERT_TRUE(replaced.program) << replaced.errors();
  EXPECT_EQ(replaced.program.settings,
            (Settings{{"epochs", 10}, {"batch", 32}, {"validation", 0.25}, {"seed", 7}, {"patience", 0}}));
  EXPECT_EQ(replaced.program.rates[0].schedule, "warmup(epochs = 2, then = cosine(epochs = 5))");
  EXPECT_EQ(LoadedTraining(text, {"test.cnn", "", {{"epochs", 0}}}).firstError(),
            "'epochs' is 0; it is an integer of at least 1");
  EXPECT_EQ(LoadedTraining(text, {"test.cnn", "", {{"epoch", 3}}}).firstError(),
            "there is no setting 'epoch'; did you mean 'epochs'?");
}

TEST(Train, BatchNormAndDropoutKnowTheirMode) {
  LoadedTraining t(block(kMinimize,
                         "network net(x: f32[N, 4]) { x -> bn: batch_norm(momentum = 0.25) -> dropout(0.5) -> "
                         "b: dense(3) }\n"));
  ASSERT_TRUE(t.program) << t.errors();
  EXPECT_EQ(t.count<BatchNormOp>(*t.program.step), 0u);
  EXPECT_EQ(t.count<RandomUniformOp>(*t.program.step), 1u);
  EXPECT_EQ(t.named(t.step(), kHyperAttr), (Names{"rate", "seed", "step"}));
  Names changed = t.named(t.step(), kStateAttr, true);
  EXPECT_TRUE(llvm::is_contained(changed, "bn.running_mean") && llvm::is_contained(changed, "bn.running_var"));
  EXPECT_EQ(t.count<BatchNormOp>(*t.program.evaluate), 1u);
  EXPECT_EQ(t.count<RandomUniformOp>(*t.program.evaluate), 0u);
  EXPECT_EQ(t.declared(*t.program.step), t.declared(*t.program.evaluate));

  TrainingRun run(t);
  Tensor x({2, 4}, {1, 2, 3, 4, 3, 2, 1, 0}), labels({2}, {0, 1});
  run.run(*t.program.step,
          {{"x", x}, {"label", labels}, {"rate", Tensor::filled({}, 0.1)}, {"seed", Tensor()}, {"step", Tensor()}});
  // 0.75 * 0 + 0.25 * mean; 0.75 * 1 + 0.25 * variance by count - 1.
  EXPECT_EQ(run.state.at("bn.running_mean").values, (std::vector<double>{0.5, 0.5, 0.5, 0.5}));
  EXPECT_EQ(run.state.at("bn.running_var").values, (std::vector<double>{1.25, 0.75, 1.25, 2.75}));
}

TEST(Train, AFrozenNetworkIsLeftAsItIs) {
  std::string teacher = "network teacher(x: f32[N, 4]) { x -> bn: batch_norm -> dropout -> b: dense(3) }\n";
  LoadedTraining t(block("taught = frozen(teacher)\n"
                         "minimize kl(net(x), taught(x) -> softmax) + cross_entropy_logits(net(x), label)\n"
                         "  over net using sgd(lr = 0.5)",
                         kNet + teacher));
  ASSERT_TRUE(t.program) << t.errors();
  EXPECT_EQ(t.count<BatchNormOp>(*t.program.step), 1u);
  EXPECT_EQ(t.count<RandomUniformOp>(*t.program.step), 0u);
  EXPECT_EQ(t.named(t.step(), kStateAttr, true), (Names{"net.a.weight", "net.a.bias", "net.b.weight", "net.b.bias"}));
  ASSERT_EQ(t.program.networks.size(), 2u);
  for (const TrainingNetwork &network : t.program.networks)
    EXPECT_EQ(network.isTrained, network.name == "net");
}

TEST(Train, PartsAreFrozenAndHaveRatesOfTheirOwn) {
  LoadedTraining frozen(block("freeze(net.a)\n" + kMinimize));
  ASSERT_TRUE(frozen.program) << frozen.errors();
  EXPECT_EQ(frozen.named(frozen.step(), kStateAttr, true), (Names{"b.weight", "b.bias"}));

  LoadedTraining t(block("minimize cross_entropy_logits(net(x), label) over net, net[\"b\"]\n"
                         "  using adam(lr = [1e-4, step(1e-2, epochs = 5)])"));
  ASSERT_TRUE(t.program) << t.errors();
  EXPECT_EQ(t.named(t.step(), kHyperAttr), (Names{"net.rate", "net.b.rate"}));
  ASSERT_EQ(t.program.rates.size(), 2u);
  EXPECT_EQ(t.program.rates[1].schedule, "step(epochs = 5)");
  EXPECT_EQ(t.program.rates[1].minimization, 0u);
  EXPECT_EQ(t.program.minimizations[0].parameters, (Names{"a.weight", "a.bias", "b.weight", "b.bias"}));
  EXPECT_EQ(t.named(t.step(), kOutputAttr, true), Names{"loss"});
  EXPECT_EQ(t.count<MinimizeOp>(*t.program.step), 2u);
}

const std::string kGan = R"(
network generator(code: f32[N, 2]) -> f32[N, 4] { code -> dense(4) -> tanh }
network discriminator(x: f32[N, 4]) -> f32[N, 1] { x -> dense(3) -> leaky_relu(slope = 0.2) -> dense(1) }
train gan(x: f32[N, 4], code: f32[N, 2]) {
  fake = generator(code)
  minimize bce_logits(discriminator(x), 1) + bce_logits(discriminator(stop_gradient(fake)), 0)
    over discriminator using adam(lr = 2e-4, beta1 = 0.5)
  minimize bce_logits(discriminator(fake), 1) over generator using adam(lr = 1e-4, beta1 = 0.5)
  ema(generator, decay = 0.875)
}
)";

TEST(Train, SeveralMinimizationsTakeTurns) {
  LoadedTraining t(kGan);
  ASSERT_TRUE(t.program) << t.errors();
  EXPECT_EQ(t.named(t.step(), kHyperAttr), (Names{"discriminator.rate", "generator.rate"}));
  EXPECT_EQ(t.named(t.step(), kOutputAttr, true), (Names{"loss.discriminator", "loss.generator"}));
  EXPECT_EQ(t.program.networks[0].name, "generator");
  EXPECT_EQ(t.program.networks[0].prefix, "generator.");
  EXPECT_EQ(t.program.networks[0].state, (Names{"generator.dense_0.weight", "generator.dense_0.bias"}));
  // The second loss is computed by the updated discriminator.
  auto minimizations = llvm::to_vector(t.step().getOps<MinimizeOp>());
  ASSERT_EQ(minimizations.size(), 2u);
  EXPECT_FALSE(minimizations[0].getUpdated().front().use_empty());
  EXPECT_TRUE(minimizations[0]->isBeforeInBlock(minimizations[1]));
  unsigned uses = 0;
  for (mlir::Value updated : minimizations[0].getUpdated())
    for (mlir::Operation *user : updated.getUsers())
      uses += mlir::isa<DenseOp>(user);
  EXPECT_EQ(uses, 4u);
}

TEST(Train, LoopsAndBranchesMinimize) {
  LoadedTraining t(block("for i in 0..2 {\n  minimize mse(net(x), label) over net using sgd(lr = 0.1)\n}\n"
                         "if false { report net(x) }\n"));
  ASSERT_TRUE(t.program) << t.errors();
  EXPECT_EQ(t.named(t.step(), kHyperAttr), (Names{"net.rate", "net_2.rate"}));
  EXPECT_EQ(t.named(t.step(), kOutputAttr, true), (Names{"loss.net", "loss.net_2"}));
  EXPECT_TRUE(t.program.reports.empty());

  // Labels are strings as any other, and what is reported is called after its name or its function.
  LoadedTraining labelled(
      block("for i in 0..2 {\n  minimize mse(net(x), label) over net using \"turn{i + 1}\": sgd(lr = 0.1)\n}\n"
            "error = mse(net(x), label)\nreport error, mae(net(x), label)\n"));
  ASSERT_TRUE(labelled.program) << labelled.errors();
  EXPECT_EQ(labelled.named(labelled.step(), kHyperAttr), (Names{"turn1.rate", "turn2.rate"}));
  ASSERT_EQ(labelled.program.reports.size(), 2u);
  EXPECT_EQ(labelled.program.reports[0].name, "error");
  EXPECT_EQ(labelled.program.reports[1].name, "mae");
}

TEST(Train, AveragesAreMeansFirstAndExponentialThen) {
  LoadedTraining t(kGan);
  ASSERT_TRUE(t.program) << t.errors();
  ASSERT_EQ(t.program.averages.size(), 1u);
  EXPECT_EQ(t.program.averages[0].variables[1].state, "generator.dense_0.bias");
  EXPECT_EQ(t.program.averages[0].variables[1].average, "ema.generator.dense_0.bias");
  TrainingRun run(t);
  Tensor x({2, 4}, {1, 0.5, 0, -1, 0.5, 1, 0.25, 0}), code({2, 2}, {1, -1, 0.5, 2});
  double mean = 0;
  for (int step = 1; step <= 12; ++step) {
    run.run(*t.program.step, {{"x", x},
                              {"code", code},
                              {"discriminator.rate", Tensor::filled({}, 0.1)},
                              {"generator.rate", Tensor::filled({}, 0.1)}});
    double now = run.state.at("generator.dense_0.bias").values[0], share = std::max(1.0 / step, 0.125);
    mean += share * (now - mean);
    EXPECT_NEAR(run.state.at("ema.generator.dense_0.bias").values[0], mean, 1e-12);
  }
}

TEST(Train, StateIsDeclaredAlikeBeforeWhatTrainingAdds) {
  LoadedTraining t(kGan);
  ASSERT_TRUE(t.program) << t.errors();
  Names step = t.declared(*t.program.step), evaluation = t.declared(*t.program.evaluate);
  ASSERT_GT(step.size(), evaluation.size());
  step.resize(evaluation.size());
  EXPECT_EQ(step, evaluation);
}

TEST(Train, InitialWeightsAreNamedAsTheFileNamesThem) {
  LoadedTraining t(block("init(net, from = \"w/f.safetensors\", except = \"b\")\n" + kMinimize,
                         kNet + "names \"f\" { \"0\" = a }\n"),
                   {"dir/test.cnn", "", {}});
  ASSERT_TRUE(t.program) << t.errors();
  ASSERT_EQ(t.program.initial.size(), 1u);
  EXPECT_EQ(t.program.initial[0].path, "dir/w/f.safetensors");
  ASSERT_EQ(t.program.initial[0].tensors.size(), 2u);
  EXPECT_EQ(t.program.initial[0].tensors[0].state, "a.weight");
  EXPECT_EQ(t.program.initial[0].tensors[0].name, "0.weight");
}

TEST(Train, PreprocessingComesFromTheNetwork) {
  std::string net =
      "network net(x: f32[N, 1, 2, 2]) -> f32[N, 3] {\n"
      "  preprocess photo -> x { photo -> resize([2, 2]) -> channels(grey) }\n  x -> flatten -> dense(3)\n}\n";
  std::string head = "train t(x: f32[N, 1, 2, 2], label: class(3)[N]) {\n";
  LoadedTraining inherited(net + head + kMinimize + "}\n");
  ASSERT_TRUE(inherited.program) << inherited.errors();
  ASSERT_TRUE(inherited.program.inputs[0].preprocess);
  EXPECT_EQ(inherited.program.inputs[0].preprocess.size(), 2u);
  EXPECT_FALSE(inherited.program.inputs[1].preprocess);
  LoadedTraining own(net + head +
                     "preprocess photo -> x { photo -> resize([2, 2]) -> channels(grey) -> divide(255) }\n" +
                     kMinimize + "}\n");
  ASSERT_TRUE(own.program) << own.errors();
  EXPECT_EQ(own.program.inputs[0].preprocess.size(), 3u);
}

TEST(Train, OrthogonalWeightsHaveOrthonormalRowsOrColumns) {
  LoadedTraining t(block(kMinimize, "network net(x: f32[N, 4]) -> f32[N, 3] {\n"
                                    "  x -> a: dense(9, init = orthogonal) -> b: dense(3, init = orthogonal)\n}\n"));
  ASSERT_TRUE(t.program) << t.errors();
  TrainingRun run(t);
  // 9 x 4 has orthonormal columns, 3 x 9 rows.
  for (auto [name, rows, columns] : {std::tuple{"a.weight", 9, 4}, std::tuple{"b.weight", 3, 9}}) {
    const std::vector<double> &w = run.state.at(name).values;
    bool byColumns = rows > columns;
    for (int i = 0; i < std::min(rows, columns); ++i)
      for (int k = 0; k <= i; ++k) {
        double sum = 0;
        for (int j = 0; j < std::max(rows, columns); ++j)
          sum += byColumns ? w[j * columns + i] * w[j * columns + k] : w[i * columns + j] * w[k * columns + j];
        EXPECT_NEAR(sum, i == k, 1e-6) << name;
      }
  }
}

/// Some steps on one batch of random pictures lower the loss.
void expectLearning(LoadedTraining &t, double rate, unsigned steps, int64_t batch, const std::string &name) {
  ASSERT_TRUE(t.program) << name << "\n" << t.errors();
  TrainingRun run(t);
  ASSERT_TRUE(run.isRight) << name;
  Tensors inputs;
  std::mt19937 random(7);
  for (const TrainingInput &input : t.program.inputs) {
    reference::Shape shape(input.type.getShape());
    shape[0] = batch;
    Tensor tensor(shape);
    for (double &value : tensor.values)
      value = input.classes ? static_cast<double>(random() % input.classes) : random() * 0x1p-32;
    inputs[input.name] = tensor;
  }
  for (const TrainingRate &each : t.program.rates)
    inputs[each.hyper] = Tensor::filled({}, rate);
  // The same draws at each step.
  inputs["seed"] = inputs["step"] = Tensor();
  double first = 0, last = 0;
  const std::string loss = t.program.minimizations.front().lossOutput;
  for (unsigned step = 0; step < steps; ++step) {
    Tensors given = inputs;
    if (t.program.augment)
      for (auto &[output, value] : run.run(*t.program.augment, inputs))
        given[output] = value;
    Tensors outputs = run.run(*t.program.step, given);
    last = outputs.at(loss).values[0];
    ASSERT_TRUE(std::isfinite(last)) << name;
    first = step ? first : last;
  }
  EXPECT_LT(last, first) << name;
  Tensors evaluated = run.run(*t.program.evaluate, inputs);
  EXPECT_TRUE(evaluated.count(loss)) << name;
  for (const TrainingReport &report : t.program.reports)
    for (const ReportOperand &operand : report.operands)
      EXPECT_TRUE(operand.isInput || evaluated.count(operand.name)) << name << ": " << operand.name;
}

TEST(Train, EveryLossLearnsWithEveryOptimizer) {
  const char *losses[] = {
      "mse(net(x), one_hot(label))",
      "mae(net(x), label)",
      "huber(net(x), label, delta = 0.5)",
      "bce_logits(net(x), label)",
      "cross_entropy_logits(net(x), label, smoothing = 0.1, weights = [1, 2, 0.5])",
      "focal(net(x), label)",
      "hinge(net(x), label)",
      "kl(net(x), [0.25, 0.25, 0.5])",
      "dice(net(x) -> sigmoid, label)",
      "gaussian_kl(net(x), net(x)) + l1(net, 1e-4) + 0.5 * l2(net.a, 1e-3) + elastic_net(net, 1e-4, 1e-4)"};
  const char *optimizers[] = {"sgd(lr = 0.1)",
                              "momentum(lr = 0.1, momentum = 0.5)",
                              "nesterov(lr = 0.1)",
                              "adagrad",
                              "adadelta(rho = 0.9)",
                              "rmsprop(epsilon = 1e-6, clip_value = 1)",
                              "adam(beta1 = 0.8)",
                              "adamw(weight_decay = 0.1, clip_norm = 2)",
                              "nadam(momentum_decay = 0.01)"};
  for (unsigned i = 0; i < std::max(std::size(losses), std::size(optimizers)); ++i) {
    std::string optimizer = optimizers[i % std::size(optimizers)];
    std::string body = "minimize " + std::string(losses[i % std::size(losses)]) + " over net using " + optimizer;
    LoadedTraining t(block(body));
    expectLearning(t, 0.01, 20, 5, body);
  }
}

TEST(Train, ExamplesLearn) {
  struct Example {
    const char *file, *train;
    double rate;
    unsigned steps;
  };
  for (const Example &example : std::initializer_list<Example>{
           {"train_xor", "xor", 0.05, 30},
           {"logistic", "digits", 0.1, 5},
           {"mlp", "digits", 1e-3, 3},
           {"lenet5", "digits", 0.05, 5},
           {"mnist_cnn", "digits", 1e-3, 6},
           {"mnist_cnn", "augmented", 1e-3, 3},
           {"fashion_cnn", "fashion", 1e-3, 2},
           {"autoencoder", "digits", 1e-3, 3},
           {"fine_tune", "fashion", 1e-3, 4},
           {"resnet20", "cifar", 0.02, 2},
       }) {
    LoadedTraining t(TrainingRequest{std::string(CNN_EXAMPLES "/") + example.file + ".cnn", example.train, {}});
    expectLearning(t, example.rate, example.steps, 2, std::string(example.file) + ":" + example.train);
  }
}

} // namespace
