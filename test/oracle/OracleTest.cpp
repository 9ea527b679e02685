// Whole networks of examples/ against PyTorch: vectors/NAME.txt, written by make_vectors.py. Weights and inputs are
// drawn from a seed on both sides, so that neither PyTorch nor a weights file is needed here.
#include "tools/cnnc/Driver.h"
#include "tools/cnnc/Target.h"

#include <gtest/gtest.h>

#include <fstream>

using namespace cnn;

namespace {
struct Case {
  const char *network;
  const char *target;
  /// The largest error in parts of the largest output: the reference computes in double and its outputs are rounded to
  /// f32; compiled code computes in f32.
  double tolerance;
  /// NAME=SHAPE of the input where it is not the network's own.
  const char *shape = nullptr;
};

class Oracle : public testing::TestWithParam<Case> {};
} // namespace

TEST_P(Oracle, ComputesWhatPyTorchDoes) {
  auto [name, targetName, tolerance, shape] = GetParam();
  std::string folder = ORACLE_FOLDER;
  std::vector<double> expected;
  std::ifstream file(folder + "/vectors/" + name + ".txt");
  for (double value; file >> value;)
    expected.push_back(value);
  ASSERT_FALSE(expected.empty()) << name;

  mlir::MLIRContext context;
  NetworkOptions networkOptions;
  networkOptions.net = folder + "/../../examples/" + name + ".cnn";
  if (shape)
    networkOptions.shapes = {shape};
  auto module = loadNetwork(context, networkOptions);
  ASSERT_TRUE(module) << networkOptions.net;
  auto infer = module->lookupSymbol<mlir::func::FuncOp>(kInferFunction);
  int64_t outputs = 1;
  for (int64_t extent : outputsOf(infer).front().type.getShape().drop_front())
    outputs *= extent;
  ASSERT_EQ(int64_t(expected.size()) % outputs, 0) << name;

  WeightOptions weightOptions;
  weightOptions.seed = 1;
  auto weights = Weights::open(*module, weightOptions);
  ASSERT_TRUE(weights) << weights.error().message;
  std::vector<host::Tensor> inputs = randomInputs(inputsOf(infer), int64_t(expected.size()) / outputs, /*seed=*/1);

  TargetOptions targetOptions;
  targetOptions.target = targetName;
  auto target = createTarget(*module, *weights, targetOptions);
  ASSERT_TRUE(target) << target.error().message;
  auto results = (*target)->run(inputs);
  ASSERT_TRUE(results) << results.error().message;
  std::vector<double> actual = results->front().view().toDoubles();
  ASSERT_EQ(actual.size(), expected.size());
  double largest = 0, error = 0;
  size_t worst = 0;
  for (size_t i = 0; i < expected.size(); ++i) {
    largest = std::max(largest, std::fabs(expected[i]));
    // A NaN must not pass for a small error.
    if (double here = std::fabs(actual[i] - expected[i]); !(here <= error)) {
      error = here;
      worst = i;
    }
  }
  EXPECT_LE(error, tolerance * largest) << name << " on " << targetName << ": output " << worst << " is "
                                        << actual[worst] << ", PyTorch's " << expected[worst];
}

static std::vector<Case> cases() {
  std::vector<Case> all;
  for (const char *network :
       {"lenet5", "mnist_cnn", "resnet20", "resnet56", "squeezenet", "squeezenet1_1", "mobilenet_v2", "resnet18",
        "resnet50", "vgg16", "alexnet", "googlenet", "inception_v3", "densenet121"}) {
    if (network != std::string("inception_v3")) // half a minute
      all.push_back({network, "reference", 1e-7});
    all.push_back({network, "cpu", 1e-5});
  }
  all.push_back({"unet", "reference", 1e-7, "image=1x32x32"});
  all.push_back({"unet", "cpu", 1e-5, "image=1x32x32"});
  return all;
}

INSTANTIATE_TEST_SUITE_P(Networks, Oracle, testing::ValuesIn(cases()), [](const testing::TestParamInfo<Case> &info) {
  return std::string(info.param.network) + "_" + info.param.target;
});
