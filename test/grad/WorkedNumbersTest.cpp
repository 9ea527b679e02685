// Numbers that were worked out by hand, forward and backward: those of the lectures that the project began with, and
// one path through convolution, pooling and relu.
#include "test/grad/Gradients.h"

using namespace mlir;
using namespace cnn;
using namespace cnn::test;

/// sum(x * weights), whose gradient by x is `weights`.
static Value upstream(TensorBuilder &b, Value x, const std::vector<float> &weights) {
  auto type = RankedTensorType::get(TensorBuilder::typeOf(x).getShape(), b.builder().getF32Type());
  auto dense = DenseElementsAttr::get(type, llvm::ArrayRef<float>(weights));
  return b.sum(b.mul(x, ConstantOp::create(b.builder(), b.loc(), dense)));
}

TEST(WorkedNumbers, ASumTimesANumber) {
  Differentiated f({{{}}, {{}}, {{}}}, [](TensorBuilder &b, ValueRange v) { return b.mul(b.add(v[0], v[1]), v[2]); });
  std::vector<Tensor> at = {Tensor(Shape{}, {-2}), Tensor(Shape{}, {5}), Tensor(Shape{}, {-4})};
  EXPECT_EQ(f.value(at), -12);
  std::vector<Tensor> gradients = f.gradients(at);
  EXPECT_EQ(gradients[0].values[0], -4);
  EXPECT_EQ(gradients[1].values[0], -4);
  EXPECT_EQ(gradients[2].values[0], 3);
}

TEST(WorkedNumbers, ASigmoidNeuronOfTwoInputs) {
  // sigmoid(w0 x0 + w1 x1 + w2)
  Differentiated f({{{1, 3}}, {{2}}}, [](TensorBuilder &b, ValueRange v) {
    auto one = DenseElementsAttr::get(RankedTensorType::get({1}, b.builder().getF32Type()), 1.0f);
    Value inputs = b.make<ConcatOp>({v[1], ConstantOp::create(b.builder(), b.loc(), one)}, {b.integer("axis", 0)});
    return b.sum(b.sigmoid(b.matmul(v[0], b.reshape(inputs, {3, 1}))));
  });
  std::vector<Tensor> at = {Tensor({1, 3}, {2, -3, -3}), Tensor({2}, {-1, -2})};
  EXPECT_NEAR(f.value(at), 0.73, 0.005);
  std::vector<Tensor> gradients = f.gradients(at);
  expectNear(gradients[0], Tensor({1, 3}, {-0.20, -0.39, 0.20}), 0.005);
  expectNear(gradients[1], Tensor({2}, {0.39, -0.59}), 0.005);
}

TEST(WorkedNumbers, ConvolutionAsAMatrixProduct) {
  Differentiated f({{{1, 8}}, {{8, 2}}},
                   [](TensorBuilder &b, ValueRange v) { return upstream(b, b.matmul(v[0], v[1]), {1, -0.5}); });
  Tensor row({1, 8}, {0.5, 0.5, 0.5, 1, 0, 0, 1, 0});
  Tensor matrix({8, 2}, {-1, 1, 1, 0, 1, 1, 1, -2, -1, -1, -1, 0, 1, 0, -1, -2});
  // The product is [2.5, -1].
  EXPECT_EQ(f.value({row, matrix}), 2.5 + 0.5);
  expectNear(f.gradients({row, matrix})[0], Tensor({1, 8}, {-1.5, 1, 0.5, 2, -0.5, -1, 1, 0}), 0);
}

TEST(WorkedNumbers, TransposedConvolution) {
  Tensor x({1, 1, 2, 2}, {2, 5, 4, 13}), expected({1, 1, 3, 3}, {0, 4, 0, 18, 127, 57, 0, 8, 0});
  Tensor kernel({1, 1, 3, 3}, {3, 1, 2, 2, 0, 0, 5, 4, 7}), turned({1, 1, 3, 3}, {7, 4, 5, 0, 0, 2, 2, 1, 3});
  // As zero insertion and correlation, and directly, with the kernel turned by 180 degrees.
  Tensor spread = apply(
      "unslice", "starts = array<i64: 0, 0, 1, 1>, steps = array<i64: 1, 1, 2, 2>, shape = array<i64: 1, 1, 5, 5>", {x},
      {1, 1, 5, 5});
  expectNear(apply("conv2d", "", {spread, kernel}, {1, 1, 3, 3}), expected, 0);
  expectNear(apply("conv2d_transpose",
                   "strides = array<i64: 2, 2>, padding = array<i64: 1, 1, 1, 1>, size = array<i64: 3, 3>", {x, turned},
                   {1, 1, 3, 3}),
             expected, 0);
}

TEST(WorkedNumbers, BedOfNails) {
  expectNear(apply("unslice",
                   "starts = array<i64: 0, 0, 0, 0>, steps = array<i64: 1, 1, 2, 2>, shape = array<i64: 1, 1, 4, 4>",
                   {Tensor({1, 1, 2, 2}, {10, 20, 30, 40})}, {1, 1, 4, 4}),
             Tensor({1, 1, 4, 4}, {10, 0, 20, 0, 0, 0, 0, 0, 30, 0, 40, 0, 0, 0, 0, 0}), 0);
}

TEST(WorkedNumbers, MaxUnpooling) {
  Tensor x({1, 1, 4, 4}, {1, 2, 6, 3, 3, 5, 2, 1, 1, 2, 2, 1, 7, 3, 4, 8}), values({1, 1, 2, 2}, {1, 2, 3, 4});
  std::string window = "kernel = array<i64: 2, 2>, strides = array<i64: 2, 2>";
  Tensor unpooled({1, 1, 4, 4}, {0, 0, 2, 0, 0, 1, 0, 0, 0, 0, 0, 0, 3, 0, 0, 4});
  expectNear(apply("max_pool_grad", window, {x, values}, {1, 1, 4, 4}), unpooled, 0);
  expectNear(apply("max_pool_pick", window, {x, unpooled}, {1, 1, 2, 2}), values, 0);
}

TEST(WorkedNumbers, TheFirstOfEqualElementsTakesTheGradient) {
  std::string window = "kernel = array<i64: 2, 2>, strides = array<i64: 1, 1>";
  expectNear(
      apply("max_pool_grad", window, {Tensor::filled({1, 1, 2, 3}, 1), Tensor({1, 1, 1, 2}, {5, 7})}, {1, 1, 2, 3}),
      Tensor({1, 1, 2, 3}, {5, 7, 0, 0, 0, 0}), 0);
  double nan = std::nan("");
  expectNear(
      apply("max_pool_grad", window, {Tensor({1, 1, 2, 2}, {1, nan, 9, nan}), Tensor({1, 1, 1, 1}, {5})}, {1, 1, 2, 2}),
      Tensor({1, 1, 2, 2}, {0, 5, 0, 0}), 0);
}

TEST(WorkedNumbers, MirroredBordersAddUp) {
  // pad of [a b c] by 1 and 2 is [b a b c b a]
  expectNear(apply("pad_grad", "low = array<i64: 1>, high = array<i64: 2>", {Tensor({6}, {1, 2, 3, 4, 5, 6})}, {3}),
             Tensor({3}, {2 + 6, 1 + 3 + 5, 4}), 0);
}

TEST(WorkedNumbers, ThroughConvolutionPoolingAndRelu) {
  // The course's convolution, 12 less: [[6, -26, -6], [-3, -40, 5], [-1, -25, -14]]; its pooling by 2 with stride 1 is
  // [[6, 5], [-1, 5]], and relu stops the third.
  Differentiated f({{{1, 1, 5, 5}}, {{1, 1, 3, 3}}, {{1}}}, [](TensorBuilder &b, ValueRange v) {
    Value y = b.make<MaxPoolOp>(b.make<Conv2dOp>(v), {b.ints("kernel", {2, 2}), b.ints("strides", {1, 1})});
    return upstream(b, b.relu(y), {1, 10, 100, 1000});
  });
  std::vector<Tensor> at = {
      Tensor({1, 1, 5, 5}, {1, 2, -4, 0, 7, -3, 5, 0, 4, -2, 1, 4, -6, 8, 5, 3, 7, -1, 0, 2, 6, 1, 2, -2, 1}),
      Tensor({1, 1, 3, 3}, {-1, 0, -1, 0, 2, 0, -1, 0, -1}), Tensor({1}, {-12})};
  EXPECT_EQ(f.value(at), 6 + 50 + 0 + 5000);
  std::vector<Tensor> gradients = f.gradients(at);
  expectNear(gradients[0], Tensor({1, 1, 5, 5}, {-1,   0, -1, 0, 0,     0, 2,     -1010, 0, -1010, -1, 0, -1,
                                                 2020, 0, 0,  0, -1010, 0, -1010, 0,     0, 0,     0,  0}),
             0);
  expectNear(gradients[1], Tensor({1, 1, 3, 3}, {1, 4042, -2024, -6063, 8085, 5050, -1009, 4, 2014}), 0);
  expectNear(gradients[2], Tensor({1}, {1011}), 0);
}

TEST(WorkedNumbers, NormalDrawsAreQuantilesOfTheUniformOnes) {
  // The same words: the median splits both alike.
  std::string draws = R"(func.func @f(%like: tensor<?x16xf32>) -> (tensor<?x16xf32>, tensor<?x16xf32>) {
    %seed = cnn.constant dense<3> : tensor<i64>
    %u = cnn.random_uniform %seed, %seed like %like {shape = array<i64: -1, 16>, path = "z"} : tensor<i64>, tensor<i64>, tensor<?x16xf32> -> tensor<?x16xf32>
    %z = cnn.random_normal %seed, %seed like %like {shape = array<i64: -1, 16>, mean = 1.0 : f64, deviation = 2.0 : f64, path = "z"} : tensor<i64>, tensor<i64>, tensor<?x16xf32> -> tensor<?x16xf32>
    return %u, %z : tensor<?x16xf32>, tensor<?x16xf32>
  })";
  std::vector<Tensor> drawn = evaluateText(draws, {Tensor({256, 16})});
  ASSERT_EQ(drawn.size(), 2u);
  double sum = 0, squares = 0;
  for (int64_t i = 0; i < drawn[0].elements(); ++i) {
    double z = (drawn[1].values[i] - 1) / 2;
    EXPECT_NEAR(std::erfc(-z / std::sqrt(2)) / 2, drawn[0].values[i], 1e-7) << i;
    sum += z;
    squares += z * z;
  }
  EXPECT_NEAR(sum / 4096, 0, 0.05);
  EXPECT_NEAR(squares / 4096, 1, 0.08);
}
