// The example networks: their published numbers of parameters, and the names that published weights have.
#include "FrontendTesting.h"
#include "frontend/Training.h"

#include "llvm/Support/FileSystem.h"
#include "llvm/Support/Path.h"

#include <gtest/gtest.h>

using namespace cnn;
using namespace cnn::testing;

namespace {

struct Example {
  mlir::MLIRContext context;
  Diagnostics diagnostics;
  mlir::OwningOpRef<mlir::ModuleOp> module;

  explicit Example(const std::string &name) {
    module = loadNetwork(context, {CNN_EXAMPLES "/" + name + ".cnn", "", {}}, diagnostics);
    std::string text;
    llvm::raw_string_ostream os(text);
    diagnostics.render(os, false);
    EXPECT_TRUE(module) << text;
  }
  int64_t parameters() {
    int64_t count = 0;
    for (ParamOp param : module->getOps<ParamOp>())
      count += llvm::cast<mlir::RankedTensorType>(param.getType()).getNumElements();
    return count;
  }
};

TEST(Examples, NumbersOfParameters) {
  const std::pair<const char *, int64_t> expected[] = {
      {"filters", 0},
      {"xor", 0},
      {"mlp", 669'706},
      {"lenet5", 61'706},
      {"mnist_cnn", 121'930},
      {"vgg16", 138'357'544},
      {"squeezenet", 1'248'424},
      {"squeezenet1_1", 1'235'496},
      {"resnet18", 11'689'512},
      {"resnet50", 25'557'032},
      {"mobilenet_v2", 3'504'872},
      {"resnet20", 269'722},
      {"resnet56", 853'018},
      {"alexnet", 61'100'840},
      {"googlenet", 6'624'904},
      {"inception_v3", 23'834'568},
      {"densenet121", 7'978'856},
      {"unet", 31'036'546},
      {"fashion_cnn", 288'170},
  };
  for (auto [name, count] : expected) {
    Example example(name);
    if (example.module) {
      EXPECT_EQ(example.parameters(), count) << name;
    }
  }
}

TEST(Examples, AllAreNetworksOrImported) {
  unsigned networks = 0;
  std::error_code error;
  for (llvm::sys::fs::directory_iterator at(CNN_EXAMPLES, error), end; at != end && !error; at.increment(error)) {
    if (llvm::sys::path::extension(at->path()) != ".cnn")
      continue;
    mlir::MLIRContext context;
    Diagnostics diagnostics;
    auto module = loadNetwork(context, {at->path(), "", {}}, diagnostics);
    networks += module ? 1 : 0;
    if (!module && declarationsOf(at->path()).networks.empty()) {
      ASSERT_EQ(diagnostics.all().size(), 1u) << at->path();
      EXPECT_EQ(diagnostics.all()[0].message, "'" + at->path() + "' holds no network");
    }
  }
  EXPECT_GE(networks, 14u);
}

TEST(Examples, TorchvisionNames) {
  const std::pair<const char *, std::vector<const char *>> expected[] = {
      {"vgg16", {"features.0.weight", "features.28.bias", "classifier.6.weight"}},
      {"resnet50", {"conv1.weight", "bn1.running_var", "layer1.0.downsample.0.weight", "layer4.2.bn3.bias", "fc.bias"}},
      {"mobilenet_v2",
       {"features.0.0.weight", "features.1.conv.0.0.weight", "features.1.conv.1.weight",
        "features.1.conv.2.running_mean", "features.17.conv.3.weight", "features.18.1.bias", "classifier.1.weight"}},
      {"squeezenet1_1", {"features.3.squeeze.weight", "features.12.expand3x3.bias", "classifier.1.weight"}},
      {"alexnet", {"features.0.weight", "features.10.bias", "classifier.6.weight"}},
      {"googlenet", {"conv1.conv.weight", "inception4e.branch3.1.bn.running_var", "fc.bias"}},
      {"inception_v3", {"Conv2d_1a_3x3.bn.weight", "Mixed_7b.branch3x3dbl_3b.conv.weight", "fc.weight"}},
      {"densenet121",
       {"features.conv0.weight", "features.denseblock4.denselayer16.norm2.bias", "features.transition3.conv.weight",
        "features.norm5.running_mean", "classifier.weight"}},
      {"squeezenet", {"fire2/conv1x1_1.weight", "fire9/conv3x3_2.bias", "conv_final.weight"}},
  };
  for (const auto &[name, paths] : expected) {
    Example example(name);
    for (const char *path : paths)
      EXPECT_TRUE(example.module && example.module->lookupSymbol(path)) << name << ": " << path;
  }
}

TEST(Examples, SequentialNamesAreMapped) {
  Example example("lenet5");
  ASSERT_TRUE(example.module);
  EXPECT_EQ(example.module->lookupSymbol<ParamOp>("f6.bias").getSourceName(), "9.bias");
}

} // namespace
