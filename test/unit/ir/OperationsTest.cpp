// Element-wise operations, with NaN and Inf; what moves elements; pooling; normalization and reductions.
#include "Support.h"

#include <limits>

using namespace cnn::test;

static const double nan_ = std::nan(""), inf_ = std::numeric_limits<double>::infinity();

static void unary(const std::string &name, const std::string &attributes, std::vector<double> x,
                  std::vector<double> expected) {
  Shape shape = {int64_t(x.size())};
  expectNear(apply(name, attributes, {Tensor(shape, std::move(x))}, shape), Tensor(shape, std::move(expected)), 1e-15,
             name);
}

TEST(Elementwise, Unary) {
  unary("relu", "", {-2, 0, 3, nan_, inf_, -inf_}, {0, 0, 3, nan_, inf_, 0});
  unary("clamp", "min = 0.0 : f64, max = 6.0 : f64", {-1, 2, 7, nan_, inf_}, {0, 2, 6, nan_, 6});
  unary("tanh", "", {0, 0.5, inf_, nan_}, {0, 0.46211715726000975, 1, nan_});
  unary("sigmoid", "", {0, 2, -inf_, inf_}, {0.5, 0.8807970779778823, 0, 1});
  unary("exp", "", {0, 1, -inf_}, {1, 2.718281828459045, 0});
  unary("log", "", {1, 2, 0}, {0, 0.6931471805599453, -inf_});
  unary("sqrt", "", {4, 2, -1}, {2, 1.4142135623730951, nan_});
  unary("abs", "", {-4, 2, nan_}, {4, 2, nan_});
  unary("neg", "", {-4, 2}, {4, -2});
  unary("step", "", {-1, 0, 2, nan_, inf_}, {0, 0, 1, 0, 1});
  unary("softplus", "", {0, 2, -50, 800, nan_, -inf_},
        {0.6931471805599453, 2.1269280110429727, 1.9287498479639178e-22, 800, nan_, 0});
  unary("elu", "alpha = 0.5 : f64", {2, 0, -1, -inf_, nan_}, {2, 0, -0.3160602794142788, -0.5, nan_});
  unary("stop_gradient", "", {-4, nan_}, {-4, nan_});
}

static void binary(const std::string &name, std::vector<double> x, std::vector<double> y,
                   std::vector<double> expected) {
  Shape shape = {int64_t(x.size())};
  expectNear(apply(name, "", {Tensor(shape, std::move(x)), Tensor(shape, std::move(y))}, shape),
             Tensor(shape, std::move(expected)), 0, name);
}

TEST(Elementwise, Binary) {
  binary("add", {1, -2}, {0.5, 3}, {1.5, 1});
  binary("sub", {1, -2}, {0.5, 3}, {0.5, -5});
  binary("mul", {1, -2}, {0.5, 3}, {0.5, -6});
  binary("div", {1, -3}, {0.5, 2}, {2, -1.5});
  binary("max", {1, -2, nan_, 1}, {0.5, 3, 1, nan_}, {1, 3, nan_, nan_});
  binary("min", {1, -2, nan_, 1}, {0.5, 3, 1, nan_}, {0.5, -2, nan_, nan_});
}

TEST(Elementwise, IntegersDivideTowardsZero) {
  std::vector<Tensor> results = evaluateText(R"(func.func @f(%x: tensor<3xi64>, %y: tensor<3xi64>) -> tensor<3xi64> {
    %0 = cnn.div %x, %y : tensor<3xi64>, tensor<3xi64> -> tensor<3xi64>
    return %0 : tensor<3xi64>
  })",
                                             {Tensor({3}, {7, -7, 6}), Tensor({3}, {2, 2, 3})});
  ASSERT_EQ(results.size(), 1u);
  expectNear(results[0], Tensor({3}, {3, -3, 2}), 0);
}

TEST(Elementwise, ConvertRoundsToNearestEvenAndSaturates) {
  auto convert = [](const std::string &to, const std::vector<double> &x) {
    std::string count = std::to_string(x.size()), from = "tensor<" + count + "xf32>",
                type = "tensor<" + count + "x" + to + ">";
    std::vector<Tensor> results =
        evaluateText("func.func @f(%x: " + from + ") -> " + type + " {\n  %0 = cnn.convert %x {to = " + to +
                         "} : " + from + " -> " + type + "\n  return %0 : " + type + "\n}",
                     {Tensor({int64_t(x.size())}, x)});
    return results.empty() ? std::vector<double>() : results[0].values;
  };
  EXPECT_EQ(convert("ui8", {0.5, 1.5, 2.5, -3, 300, nan_}), (std::vector<double>{0, 2, 2, 0, 255, 0}));
  EXPECT_EQ(convert("i8", {-200, 200, -1.5}), (std::vector<double>{-128, 127, -2}));
  EXPECT_EQ(convert("bf16", {1.00390625, 1.01171875, -inf_}), (std::vector<double>{1, 1.015625, -inf_}));
  EXPECT_EQ(convert("f16", {2049, 2051, 1e6}), (std::vector<double>{2048, 2052, inf_}));
}

TEST(Shape, MovesElements) {
  Tensor x({2, 3}, {1, 2, 3, 4, 5, 6});
  expectNear(apply("transpose", "permutation = array<i64: 1, 0>", {x}, {3, 2}), Tensor({3, 2}, {1, 4, 2, 5, 3, 6}), 0);
  expectNear(apply("reshape", "shape = array<i64: 3, 2>", {x}, {3, 2}), Tensor({3, 2}, {1, 2, 3, 4, 5, 6}), 0);
  expectNear(
      apply("slice", "starts = array<i64: 1, 0>, sizes = array<i64: 1, 2>, steps = array<i64: 1, 2>", {x}, {1, 2}),
      Tensor({1, 2}, {4, 6}), 0);
  expectNear(apply("concat", "axis = 1 : i64", {x, Tensor({2, 1}, {7, 8})}, {2, 4}),
             Tensor({2, 4}, {1, 2, 3, 7, 4, 5, 6, 8}), 0);
  expectNear(apply("broadcast", "dims = array<i64: 1>, shape = array<i64: 2, 2, 2>", {Tensor({2}, {1, 2})}, {2, 2, 2}),
             Tensor({2, 2, 2}, {1, 1, 2, 2, 1, 1, 2, 2}), 0);
  expectNear(apply("broadcast", "dims = array<i64: 0, 1>, shape = array<i64: 2, 3>", {Tensor({2, 1}, {1, 2})}, {2, 3}),
             Tensor({2, 3}, {1, 1, 1, 2, 2, 2}), 0);
}

TEST(Shape, PadsWithAConstantOrMirrored) {
  Tensor x({2, 3}, {1, 2, 3, 4, 5, 6});
  expectNear(apply("pad", "low = array<i64: 1, 0>, high = array<i64: 0, 2>, value = 9.0 : f64", {x}, {3, 5}),
             Tensor({3, 5}, {9, 9, 9, 9, 9, 1, 2, 3, 9, 9, 4, 5, 6, 9, 9}), 0);
  expectNear(
      apply("pad", "low = array<i64: 1, 2>, high = array<i64: 1, 1>, mode = #cnn.pad_mode<reflect>", {x}, {4, 6}),
      Tensor({4, 6}, {6, 5, 4, 5, 6, 5, 3, 2, 1, 2, 3, 2, 6, 5, 4, 5, 6, 5, 3, 2, 1, 2, 3, 2}), 0);
}

TEST(Shape, TheBatchIsFilledInWhereNoOperandTellsIt) {
  std::vector<Tensor> results =
      evaluateText(R"(func.func @f(%x: tensor<?x2xf32>, %b: tensor<2xf32>) -> tensor<?x2xf32> {
    %0 = cnn.broadcast %b {dims = array<i64: 1>, shape = array<i64: -1, 2>} : tensor<2xf32> -> tensor<?x2xf32>
    %1 = cnn.add %x, %0 : tensor<?x2xf32>, tensor<?x2xf32> -> tensor<?x2xf32>
    return %1 : tensor<?x2xf32>
  })",
                   {Tensor({3, 2}, {1, 2, 3, 4, 5, 6}), Tensor({2}, {10, 20})});
  ASSERT_EQ(results.size(), 1u);
  expectNear(results[0], Tensor({3, 2}, {11, 22, 13, 24, 15, 26}), 0);
}

TEST(Resizing, BetweenPixels) {
  Tensor x({1, 1, 1, 3}, {0, 4, 8});
  auto to = [](int64_t width, const std::string &mode) {
    return "size = array<i64: 1, " + std::to_string(width) + ">, mode = #cnn.resize_mode<" + mode + ">";
  };
  expectNear(apply("resize", to(6, "nearest"), {x}, {1, 1, 1, 6}), Tensor({1, 1, 1, 6}, {0, 0, 4, 4, 8, 8}), 0);
  expectNear(apply("resize", to(2, "nearest"), {x}, {1, 1, 1, 2}), Tensor({1, 1, 1, 2}, {0, 4}), 0);
  // The first and the last half pixel lie beyond the centres.
  expectNear(apply("resize", to(6, "bilinear"), {x}, {1, 1, 1, 6}), Tensor({1, 1, 1, 6}, {0, 1, 3, 5, 7, 8}), 0);
  expectNear(apply("resize", to(5, "bilinear") + ", align_corners = true", {x}, {1, 1, 1, 5}),
             Tensor({1, 1, 1, 5}, {0, 2, 4, 6, 8}), 0);
  Tensor g({1, 1, 1, 6}, {1, 1, 1, 1, 1, 1});
  expectNear(apply("resize_grad", to(3, "nearest"), {g}, {1, 1, 1, 3}), Tensor({1, 1, 1, 3}, {2, 2, 2}), 0);
  expectNear(apply("resize_grad", to(3, "bilinear"), {Tensor({1, 1, 1, 6}, {0, 4, 0, 0, 0, 0})}, {1, 1, 1, 3}),
             Tensor({1, 1, 1, 3}, {3, 1, 0}), 0);
}

TEST(Pooling, OfTheCourse) {
  Tensor x({1, 1, 4, 4}, {1, 2, 6, 3, 3, 5, 2, 1, 1, 2, 2, 1, 7, 3, 4, 8});
  std::string two = "kernel = array<i64: 2, 2>, strides = array<i64: 2, 2>";
  expectNear(apply("max_pool", two, {x}, {1, 1, 2, 2}), Tensor({1, 1, 2, 2}, {5, 6, 7, 8}), 0);
  expectNear(apply("avg_pool", two, {x}, {1, 1, 2, 2}), Tensor({1, 1, 2, 2}, {2.75, 3, 3.25, 3.75}), 0);
}

TEST(Pooling, BordersDoNotTakePart) {
  Tensor x({1, 1, 3, 3}, {-1, -2, -3, -4, -5, -6, -7, -8, -9});
  std::string attributes = "kernel = array<i64: 2, 2>, strides = array<i64: 2, 2>, padding = array<i64: 1, 0, 1, 0>";
  expectNear(apply("max_pool", attributes, {x}, {1, 1, 2, 2}), Tensor({1, 1, 2, 2}, {-1, -2, -4, -5}), 0);
  expectNear(apply("avg_pool", attributes, {x}, {1, 1, 2, 2}), Tensor({1, 1, 2, 2}, {-1, -2.5, -5.5, -7}), 0);
  expectNear(apply("avg_pool", attributes + ", count_pad = true", {x}, {1, 1, 2, 2}),
             Tensor({1, 1, 2, 2}, {-0.25, -1.25, -2.75, -7}), 0);
}

TEST(Pooling, CeilAddsTheWindowThatBeginsInside) {
  Tensor x({1, 1, 1, 5}, {1, 2, 3, 4, 9});
  std::string attributes = "kernel = array<i64: 1, 2>, strides = array<i64: 1, 2>, ceil = true";
  expectNear(apply("max_pool", attributes, {x}, {1, 1, 1, 3}), Tensor({1, 1, 1, 3}, {2, 4, 9}), 0);
  // The clipped window counts the positions that the input, or the padded input, has.
  expectNear(apply("avg_pool", attributes + ", count_pad = true", {x}, {1, 1, 1, 3}),
             Tensor({1, 1, 1, 3}, {1.5, 3.5, 9}), 0);
}

TEST(Pooling, NanIsTheLargest) {
  std::string attributes = "kernel = array<i64: 1, 2>, strides = array<i64: 1, 2>";
  expectNear(apply("max_pool", attributes, {Tensor({1, 1, 1, 4}, {nan_, 1, 2, nan_})}, {1, 1, 1, 2}),
             Tensor({1, 1, 1, 2}, {nan_, nan_}), 0);
}

TEST(Normalization, BatchNorm) {
  Tensor x({1, 2, 1, 2}, {1, 2, 3, 4});
  expectNear(apply("batch_norm", "epsilon = 0.0 : f64",
                   {x, Tensor({2}, {2, 3}), Tensor({2}, {0.5, -1}), Tensor({2}, {1, 2}), Tensor({2}, {4, 0.25})},
                   {1, 2, 1, 2}),
             Tensor({1, 2, 1, 2}, {0.5, 1.5, 5, 11}), 1e-15);
}

TEST(Normalization, SoftmaxSumsToOneAndSurvivesLargeLogits) {
  double sum = 1 + std::exp(-1.0) + std::exp(-2.0);
  Tensor expected({1, 3}, {std::exp(-2.0) / sum, std::exp(-1.0) / sum, 1 / sum});
  expectNear(apply("softmax", "", {Tensor({1, 3}, {1, 2, 3})}, {1, 3}), expected, 1e-15);
  expectNear(apply("softmax", "", {Tensor({1, 3}, {9998, 9999, 10000})}, {1, 3}), expected, 1e-15);
  Tensor x({1, 2, 2}, {1, 5, 1, 7});
  expectNear(apply("softmax", "axis = 1 : i64", {x}, {1, 2, 2}),
             Tensor({1, 2, 2}, {0.5, 1 / (1 + std::exp(2.0)), 0.5, 1 / (1 + std::exp(-2.0))}), 1e-15);
}

TEST(Normalization, Reductions) {
  Tensor x({2, 3}, {1, 2, 3, 4, 5, nan_}), finite({2, 3}, {1, 2, 3, 4, 5, 6});
  auto reduce = [](const std::string &kind, const std::string &dims, const Tensor &x, const Shape &result) {
    return apply("reduce", "kind = #cnn.reduce_kind<" + kind + ">, dims = array<i64: " + dims + ">", {x}, result);
  };
  expectNear(reduce("sum", "0", finite, {3}), Tensor({3}, {5, 7, 9}), 0);
  expectNear(reduce("sum", "0, 1", finite, {}), Tensor(Shape{}, {21}), 0);
  expectNear(reduce("mean", "1", finite, {2}), Tensor({2}, {2, 5}), 0);
  expectNear(reduce("max", "1", x, {2}), Tensor({2}, {3, nan_}), 0);
  expectNear(reduce("min", "0", x, {3}), Tensor({3}, {1, 2, nan_}), 0);
}

/// One row of [10, 20, 30] sampled at `places` of a map that keeps them.
static void sampled(const std::string &attributes, std::vector<double> places, std::vector<double> expected) {
  int64_t count = int64_t(places.size());
  std::vector<double> by(count, 0);
  by.insert(by.end(), places.begin(), places.end());
  expectNear(apply("warp", "size = array<i64: 1, " + std::to_string(count) + ">" + attributes,
                   {Tensor({1, 1, 1, 3}, {10, 20, 30}), Tensor({1, 2, 3}, {0, 0, 0, 0, 0, 0}),
                    Tensor({1, 2, 1, count}, std::move(by))},
                   {1, 1, 1, count}, "by"),
             Tensor({1, 1, 1, count}, std::move(expected)), 1e-12, attributes);
}

TEST(Resampling, OfEachFilterAndBorder) {
  std::vector<double> places = {0, 0.25, 1, 1.5, 2, 2.5, 3, -0.5, -1, -7, 9, nan_};
  sampled("", places, {10, 12.5, 20, 25, 30, 15, 0, 5, 0, 0, 0, 0});
  sampled(", border = #cnn.warp_border<clamp>", places, {10, 12.5, 20, 25, 30, 30, 30, 10, 10, 10, 30, 10});
  sampled(", border = #cnn.warp_border<reflect>", places, {10, 12.5, 20, 25, 30, 25, 20, 15, 20, 20, 20, 20});
  std::string nearest = ", filter = #cnn.warp_filter<nearest>";
  sampled(nearest, places, {10, 10, 20, 30, 30, 0, 0, 10, 0, 0, 0, 0});
  sampled(nearest + ", border = #cnn.warp_border<clamp>", places, {10, 10, 20, 30, 30, 30, 30, 10, 10, 10, 30, 10});
  sampled(nearest + ", border = #cnn.warp_border<reflect>", places, {10, 10, 20, 30, 30, 30, 20, 20, 20, 20, 20, 20});
}

TEST(Resampling, AlongAMapOfEachImage) {
  // The first image transposed, the second one moved by a row and half a column.
  expectNear(
      apply("warp", "size = array<i64: 2, 2>",
            {Tensor({2, 1, 2, 2}, {1, 2, 3, 4, 5, 6, 7, 8}), Tensor({2, 2, 3}, {0, 1, 0, 1, 0, 0, 1, 0, 1, 0, 1, 0.5})},
            {2, 1, 2, 2}),
      Tensor({2, 1, 2, 2}, {1, 3, 2, 4, 7.5, 4, 0, 0}), 1e-12);
}
