// Matrix kernels of random shapes on the emulated device: every way to read factors, every precision, tiles that fit
// and that stand over.
#include "codegen/cuda/MatrixKernels.h"
#include "test/unit/codegen/cuda/DeviceGroup.h"

#include <gtest/gtest.h>

using namespace cnn;
using namespace cnn::testing;
using cnn::cuda::Algorithm;

namespace {

constexpr const char *kPrecisions[] = {"f32", "tf32", "f16", "bf16"};
constexpr const char *kPackedConv = "#cnn.layout<outer = [0, 1, 2, 3], inner = [1 : 16]>";
constexpr const char *kPackedPlanar = "#cnn.layout<outer = [0, 1, 2, 3], inner = [0 : 16]>";
constexpr const char *kPackedTransposed = "#cnn.layout<outer = [1, 0, 2, 3], inner = [0 : 16]>";

std::string precision(const std::string &name) { return "precision = #cnn.precision<" + name + ">"; }

/// Numbers that every precision has: products and their sums are exact in f32, so that a term that is missing, counted
/// twice or read from elsewhere is seen.
double exactNumber(std::mt19937 &random) { return (int(random() % 33) - 16) / 8.0; }

template <typename T> const T &oneOf(std::mt19937 &random, llvm::ArrayRef<T> list) {
  return list[random() % list.size()];
}

DeviceOptions randomOptions(GroupCase &test, const std::string &inPrecision) {
  DeviceOptions options;
  bool onTensorCores = inPrecision != "f32";
  options.architecture = onTensorCores || test.flip() ? oneOf<const char *>(test.random, {"sm_80", "sm_90"}) : "sm_75";
  options.rows = oneOf<int64_t>(test.random, {32, 64});
  options.columns = oneOf<int64_t>(test.random, {32, 64});
  options.depth = oneOf<int64_t>(test.random, {16, 32});
  options.stages = test.pick(2, 4);
  return options;
}

class MatrixKernels : public ::testing::TestWithParam<const char *> {};

TEST_P(MatrixKernels, DenseWithEpilogue) {
  for (unsigned seed = 0; seed < 3; ++seed) {
    GroupCase test(seed);
    test.batch = test.pick(1, 70);
    int64_t inputs = test.pick(1, 70), outputs = test.pick(1, 90);
    if (seed) {
      inputs = 4 * test.pick(1, 20);
      outputs = 4 * test.pick(1, 20);
    }
    std::string x = test.input(tensor({-1, inputs}), exactNumber),
                w = test.input(tensor({outputs, inputs}), exactNumber),
                bias = test.input(tensor({outputs}, "#v"), exactNumber);
    std::string y = test.op("dense", {x, w, bias}, precision(GetParam()), tensor({-1, outputs}));
    test.result(test.op("relu", {y}, "", tensor({-1, outputs})));
    checkOnDevice(test, Algorithm::Matmul, randomOptions(test, GetParam()));
  }
}

TEST_P(MatrixKernels, ProductsInEveryTransposition) {
  for (unsigned seed = 0; seed < 4; ++seed) {
    GroupCase test(seed);
    bool left = seed & 1, right = seed & 2;
    int64_t rows = test.pick(1, 80), columns = test.pick(1, 80), depth = test.pick(1, 70);
    if (test.flip()) {
      columns = llvm::alignTo(columns, 4);
      depth = llvm::alignTo(depth, 4);
    }
    std::string a = test.input(left ? tensor({depth, rows}) : tensor({rows, depth}), exactNumber),
                b = test.input(right ? tensor({columns, depth}) : tensor({depth, columns}), exactNumber);
    std::string attributes = precision(GetParam()) + ", transpose_lhs = " + (left ? "true" : "false") +
                             ", transpose_rhs = " + (right ? "true" : "false");
    test.result(test.op("matmul", {a, b}, attributes, tensor({rows, columns})));
    checkOnDevice(test, Algorithm::Matmul, randomOptions(test, GetParam()));
  }
}

TEST_P(MatrixKernels, SumOverTheBatch) {
  GroupCase test(1);
  test.batch = test.pick(1, 80);
  int64_t rows = 4 * test.pick(1, 20), columns = test.pick(1, 80);
  std::string a = test.input(tensor({-1, rows}), exactNumber), b = test.input(tensor({-1, columns}), exactNumber);
  test.result(test.op("matmul", {a, b}, precision(GetParam()) + ", transpose_lhs = true", tensor({rows, columns})));
  checkOnDevice(test, Algorithm::Matmul, randomOptions(test, GetParam()));
}

struct Window {
  int64_t taps, stride, dilation, pad;
  int64_t output(int64_t input) const { return (input + 2 * pad - dilation * (taps - 1) - 1) / stride + 1; }
  std::string attributes() const {
    return ints("strides", {stride, stride}) + ", " + ints("padding", {pad, pad, pad, pad}) + ", " +
           ints("dilations", {dilation, dilation});
  }
};
constexpr Window kWindows[] = {{1, 1, 1, 0}, {3, 1, 1, 1}, {3, 2, 1, 1}, {2, 2, 1, 0}, {3, 1, 2, 2}, {5, 1, 1, 2}};

TEST_P(MatrixKernels, Convolution) {
  for (unsigned seed = 0; seed < 6; ++seed) {
    GroupCase test(seed);
    test.batch = test.pick(1, 3);
    const Window &window = kWindows[seed];
    bool planar = seed == 1 || seed == 4;
    int64_t inputs = planar ? test.pick(1, 4) : test.pick(1, 40), outputs = test.pick(1, 40);
    int64_t height = test.pick(5, 9), width = test.pick(5, 9);
    auto result = tensor({-1, outputs, window.output(height), window.output(width)}, "#b");
    std::string packed = seed == 5 ? "" : planar ? kPackedPlanar : kPackedConv;
    test.poisonPadding = false;
    std::string x = test.input(tensor({-1, inputs, height, width}, planar ? "" : "#b"), exactNumber),
                w = test.input(tensor({outputs, inputs, window.taps, window.taps}, packed), exactNumber),
                bias = test.input(tensor({outputs}, "#v"), exactNumber), other = test.input(result, exactNumber);
    std::string y = test.op("conv2d", {x, w, bias}, precision(GetParam()) + ", " + window.attributes(), result);
    std::string sum = test.op("add", {y, other}, "", result);
    test.result(test.op("relu", {sum}, "", result));
    checkOnDevice(test, Algorithm::Conv, randomOptions(test, GetParam()));
  }
}

TEST_P(MatrixKernels, TransposedConvolution) {
  for (unsigned seed = 0; seed < 5; ++seed) {
    GroupCase test(seed);
    test.batch = test.pick(1, 3);
    const Window &window = kWindows[seed];
    int64_t inputs = test.pick(1, 40), outputs = test.pick(1, 40), height = test.pick(5, 9), width = test.pick(5, 9);
    auto result = tensor({-1, outputs, height, width}, "#b");
    test.poisonPadding = false;
    std::string x = test.input(tensor({-1, inputs, window.output(height), window.output(width)}, "#b"), exactNumber),
                w = test.input(tensor({inputs, outputs, window.taps, window.taps}, seed == 4 ? "" : kPackedTransposed),
                               exactNumber);
    test.result(test.op("conv2d_transpose", {x, w},
                        precision(GetParam()) + ", " + ints("size", {height, width}) + ", " + window.attributes(),
                        result));
    checkOnDevice(test, Algorithm::Conv, randomOptions(test, GetParam()));
  }
}

TEST_P(MatrixKernels, GradientByWeights) {
  for (unsigned seed = 0; seed < 5; ++seed) {
    GroupCase test(seed);
    test.batch = test.pick(1, 5);
    const Window &window = kWindows[seed];
    bool planar = seed == 1 || seed == 4;
    int64_t inputs = planar ? test.pick(1, 4) : test.pick(1, 40), outputs = test.pick(1, 40);
    int64_t height = test.pick(5, 12), width = test.pick(5, 12);
    test.poisonPadding = false;
    std::string x = test.input(tensor({-1, inputs, height, width}, planar ? "" : "#b"), exactNumber),
                g = test.input(tensor({-1, outputs, window.output(height), window.output(width)}, "#b"), exactNumber);
    test.result(
        test.op("conv2d_weight_grad", {x, g},
                precision(GetParam()) + ", " + ints("kernel", {window.taps, window.taps}) + ", " + window.attributes(),
                tensor({outputs, inputs, window.taps, window.taps})));
    checkOnDevice(test, Algorithm::WeightGrad, randomOptions(test, GetParam()));
  }
}

class WarpgroupKernels : public ::testing::TestWithParam<const char *> {};

// Whole tiles and edges of every factor, both ways to lie, long and short k.
TEST_P(WarpgroupKernels, Products) {
  DeviceOptions options;
  options.architecture = "sm_90a";
  options.warpgroups = true;
  for (unsigned seed = 0; seed < 4; ++seed) {
    GroupCase test(seed);
    bool left = seed & 1, right = seed & 2;
    options.rows = seed == 0 ? 128 : 64;
    options.columns = seed == 1 ? 128 : seed == 3 ? 32 : 64;
    options.stages = test.pick(3, 5);
    int64_t rows = test.pick(1, 150), columns = 4 * test.pick(1, 40), depth = 4 * test.pick(1, 40);
    if (seed == 3) {
      columns = test.pick(1, 90);
      depth = test.pick(1, 99);
    }
    std::string a = test.input(left ? tensor({depth, rows}) : tensor({rows, depth}), exactNumber),
                b = test.input(right ? tensor({columns, depth}) : tensor({depth, columns}), exactNumber);
    std::string attributes = precision(GetParam()) + ", transpose_lhs = " + (left ? "true" : "false") +
                             ", transpose_rhs = " + (right ? "true" : "false");
    test.result(test.op("matmul", {a, b}, attributes, tensor({rows, columns})));
    checkOnDevice(test, Algorithm::Matmul, options);
  }
}

// k in slices, whose sums go through memory; as one where the batch makes enough blocks.
TEST_P(MatrixKernels, InSlices) {
  for (unsigned seed = 0; seed < 3; ++seed) {
    GroupCase test(seed);
    test.batch = test.pick(1, 3);
    int64_t inputs = test.pick(17, 60), outputs = test.pick(1, 40), extent = seed == 2 ? 64 : test.pick(3, 6);
    if (seed == 2) {
      inputs = 3;
      test.batch = 1;
    }
    auto result = tensor({-1, outputs, extent, extent}, "#b");
    test.poisonPadding = false;
    std::string x = test.input(tensor({-1, inputs, extent, extent}, "#b"), exactNumber),
                w = test.input(tensor({outputs, inputs, 3, 3}, kPackedConv), exactNumber),
                bias = test.input(tensor({outputs}, "#v"), exactNumber);
    std::string y =
        test.op("conv2d", {x, w, bias}, precision(GetParam()) + ", " + ints("padding", {1, 1, 1, 1}), result);
    test.result(test.op("relu", {y}, "", result));
    DeviceOptions options = randomOptions(test, GetParam());
    options.rows = options.columns = 32;
    options.slices = test.pick(2, 9);
    checkOnDevice(test, Algorithm::Conv, options);
  }
  for (unsigned seed = 0; seed < 3; ++seed) {
    GroupCase test(seed);
    test.batch = test.pick(1, 40);
    int64_t inputs = test.pick(20, 200), outputs = seed == 1 ? 4 * test.pick(1, 20) : test.pick(1, 90);
    std::string x = test.input(tensor({-1, inputs}), exactNumber),
                w = test.input(tensor({outputs, inputs}), exactNumber),
                bias = test.input(tensor({outputs}, "#v"), exactNumber);
    std::string y = test.op("dense", {x, w, bias}, precision(GetParam()), tensor({-1, outputs}));
    test.result(test.op("relu", {y}, "", tensor({-1, outputs})));
    DeviceOptions options = randomOptions(test, GetParam());
    options.slices = test.pick(2, 9);
    checkOnDevice(test, Algorithm::Matmul, options);
  }
}

TEST_P(WarpgroupKernels, Convolution) {
  DeviceOptions options;
  options.architecture = "sm_90a";
  options.warpgroups = true;
  options.rows = options.columns = 64;
  options.stages = 4;
  for (unsigned seed = 0; seed < 4; ++seed) {
    GroupCase test(seed);
    test.batch = test.pick(1, 3);
    const Window &window = kWindows[seed];
    bool planar = seed == 1;
    int64_t inputs = planar ? 3 : test.pick(1, 40), outputs = test.pick(1, 70);
    auto result = tensor({-1, outputs, window.output(9), window.output(7)}, "#b");
    test.poisonPadding = false;
    std::string x = test.input(tensor({-1, inputs, 9, 7}, planar ? "" : "#b"), exactNumber),
                w = test.input(
                    tensor({outputs, inputs, window.taps, window.taps}, planar ? kPackedPlanar : kPackedConv),
                    exactNumber);
    std::string y = test.op("conv2d", {x, w}, precision(GetParam()) + ", " + window.attributes(), result);
    test.result(test.op("relu", {y}, "", result));
    checkOnDevice(test, Algorithm::Conv, options);
  }
}

TEST_P(WarpgroupKernels, InSlices) {
  GroupCase test(5);
  test.batch = test.pick(1, 20);
  int64_t inputs = test.pick(100, 300), outputs = test.pick(1, 90);
  std::string x = test.input(tensor({-1, inputs}), exactNumber), w = test.input(tensor({outputs, inputs}), exactNumber);
  test.result(test.op("dense", {x, w}, precision(GetParam()), tensor({-1, outputs})));
  DeviceOptions options;
  options.architecture = "sm_90a";
  options.warpgroups = true;
  options.rows = options.columns = 64;
  options.stages = 4;
  options.slices = 5;
  checkOnDevice(test, Algorithm::Matmul, options);
}

// Numbers that are rounded: within the bounds of the precision.
TEST_P(MatrixKernels, RoundsFactorsToThePrecision) {
  GroupCase test(7);
  test.batch = 33;
  std::string x = test.input(tensor({-1, 100})), w = test.input(tensor({40, 100}));
  test.result(test.op("dense", {x, w}, precision(GetParam()), tensor({-1, 40})));
  checkOnDevice(test, Algorithm::Matmul);
  DeviceOptions options;
  options.architecture = "sm_90a";
  options.warpgroups = std::string(GetParam()) != "f32";
  options.rows = options.columns = 64;
  options.depth = 32;
  checkOnDevice(test, Algorithm::Matmul, options);
}

INSTANTIATE_TEST_SUITE_P(Precisions, WarpgroupKernels, ::testing::Values("tf32", "f16", "bf16"),
                         [](const auto &info) { return std::string(info.param); });
INSTANTIATE_TEST_SUITE_P(Precisions, MatrixKernels, ::testing::ValuesIn(kPrecisions),
                         [](const auto &info) { return std::string(info.param); });

// The tiles that the target chooses by itself, for sizes that make it choose others.
TEST(MatrixTiles, Chosen) {
  for (const char *architecture : {"sm_75", "sm_80"})
    for (int64_t columns : {128, 64, 24}) {
      GroupCase test(3);
      test.batch = 1;
      auto result = tensor({-1, columns, 33, 32}, "#b");
      test.poisonPadding = false;
      std::string x = test.input(tensor({-1, 16, 33, 32}, "#b"), exactNumber),
                  w = test.input(tensor({columns, 16, 1, 1}, kPackedConv), exactNumber);
      test.result(test.op("conv2d", {x, w}, precision("tf32"), result));
      DeviceOptions options;
      options.architecture = architecture;
      checkOnDevice(test, Algorithm::Conv, options);
    }
}

TEST(MatrixTiles, OfWarpgroupsOnOneArchitecture) {
  using namespace cnn::cuda;
  const MatmulSizes large = {3136, 256, 576};
  const Architecture &hopper = *findArchitecture("sm_90a");
  for (Precision precision : {Precision::TF32, Precision::F16, Precision::BF16}) {
    MatmulTile tile = chooseMatmulTile(large, hopper, precision);
    EXPECT_TRUE(tile.ofWarpgroups);
    EXPECT_EQ("", tile.whyNot());
    EXPECT_EQ("", whyNotTile(tile, precision, hopper));
    EXPECT_LE(tile.sharedBytes(precision), hopper.sharedBytesPerBlock);
    EXPECT_EQ("wgmma multiplies in tf32, f16 or bf16, not in f32", whyNotTile(tile, Precision::F32, hopper));
    for (const char *name : {"sm_80", "sm_90", "sm_100", "sm_120"}) {
      EXPECT_EQ(std::string("there is no wgmma on ") + name, whyNotTile(tile, precision, *findArchitecture(name)));
      EXPECT_FALSE(chooseMatmulTile(large, *findArchitecture(name), precision).ofWarpgroups) << name;
    }
    EXPECT_FALSE(chooseMatmulTile({3136, 256, 64}, hopper, precision).ofWarpgroups) << "k is short";
    EXPECT_FALSE(chooseMatmulTile({3136, 16, 576}, hopper, precision).ofWarpgroups) << "few columns";
  }
  EXPECT_FALSE(chooseMatmulTile(large, hopper, Precision::F32).ofWarpgroups);
  EXPECT_NE("", (MatmulTile{64, 64, 16, 3, true}).whyNot());
  EXPECT_NE("", (MatmulTile{32, 64, 32, 3, true}).whyNot());
  EXPECT_NE("", (MatmulTile{256, 256, 32, 3, true}).whyNot());
  EXPECT_NE("", (MatmulTile{64, 64, 32, 2, true}).whyNot());
}

} // namespace
