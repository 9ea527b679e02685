// Convolutions and products of matrices: worked numbers, and random cases against formulations of their own.
#include "Support.h"

using namespace cnn::test;

TEST(Contraction, ConvolutionOfTheCourse) {
  Tensor image({1, 1, 5, 5}, {1, 2, -4, 0, 7, -3, 5, 0, 4, -2, 1, 4, -6, 8, 5, 3, 7, -1, 0, 2, 6, 1, 2, -2, 1});
  Tensor kernel({1, 1, 3, 3}, {-1, 0, -1, 0, 2, 0, -1, 0, -1});
  expectNear(apply("conv2d", "", {image, kernel}, {1, 1, 3, 3}),
             Tensor({1, 1, 3, 3}, {18, -14, 6, 9, -28, 17, 11, -13, -2}), 0);
}

TEST(Contraction, TransposedConvolutionOfTheCourseAsZeroInsertion) {
  Tensor spread({1, 1, 5, 5});
  spread.values[6] = 2, spread.values[8] = 5, spread.values[16] = 4, spread.values[18] = 13;
  Tensor kernel({1, 1, 3, 3}, {3, 1, 2, 2, 0, 0, 5, 4, 7});
  expectNear(apply("conv2d", "", {spread, kernel}, {1, 1, 3, 3}), Tensor({1, 1, 3, 3}, {0, 4, 0, 18, 127, 57, 0, 8, 0}),
             0);
}

TEST(Contraction, MatrixProductAndGradientOfTheCourse) {
  Tensor row({1, 8}, {0.5, 0.5, 0.5, 1, 0, 0, 1, 0});
  Tensor matrix({8, 2}, {-1, 1, 1, 0, 1, 1, 1, -2, -1, -1, -1, 0, 1, 0, -1, -2});
  expectNear(apply("matmul", "", {row, matrix}, {1, 2}), Tensor({1, 2}, {2.5, -1}), 0);
  expectNear(apply("matmul", "transpose_rhs = true", {Tensor({1, 2}, {1, -0.5}), matrix}, {1, 8}),
             Tensor({1, 8}, {-1.5, 1, 0.5, 2, -0.5, -1, 1, 0}), 0);
}

TEST(Contraction, VerticalLinesVanishOnAFlatArea) {
  Tensor kernel({1, 1, 3, 3}, {-1, 2, -1, -1, 2, -1, -1, 2, -1});
  expectNear(apply("conv2d", "", {Tensor::filled({1, 1, 4, 6}, 7), kernel}, {1, 1, 2, 4}), Tensor({1, 1, 2, 4}), 0);
}

TEST(Contraction, DenseAddsItsBias) {
  Tensor x({2, 3}, {1, 2, 3, 4, 5, 6}), weight({2, 3}, {1, 0, -1, 2, 2, 2}), bias({2}, {10, 20});
  expectNear(apply("dense", "", {x, weight, bias}, {2, 2}, "bias"), Tensor({2, 2}, {8, 32, 8, 50}), 0);
}

/// The convolution as a product of matrices: each output is the product of its patch, zeros outside, and the flattened
/// kernel.
static Tensor byPatches(const Tensor &x, const Tensor &weight, const Tensor &bias, const Shape &out,
                        const Shape &strides, const Shape &padding, const Shape &dilations, int64_t groups) {
  Tensor result(out);
  int64_t channels = weight.shape[1], kh = weight.shape[2], kw = weight.shape[3];
  for (int64_t i = 0; i < result.elements(); ++i) {
    int64_t column = i % out[3], row = i / out[3] % out[2], o = i / out[3] / out[2] % out[1],
            n = i / out[3] / out[2] / out[1];
    std::vector<double> patch;
    for (int64_t c = 0; c < channels; ++c)
      for (int64_t a = 0; a < kh; ++a)
        for (int64_t b = 0; b < kw; ++b) {
          int64_t y = row * strides[0] - padding[0] + a * dilations[0],
                  z = column * strides[1] - padding[2] + b * dilations[1];
          int64_t channel = o * groups / out[1] * channels + c;
          bool inside = y >= 0 && y < x.shape[2] && z >= 0 && z < x.shape[3];
          patch.push_back(inside ? x.values[((n * x.shape[1] + channel) * x.shape[2] + y) * x.shape[3] + z] : 0);
        }
    double sum = bias.values[o];
    for (size_t k = 0; k < patch.size(); ++k)
      sum += patch[k] * weight.values[o * patch.size() + k];
    result.values[i] = sum;
  }
  return result;
}

TEST(Contraction, ConvolutionIsAProductOfPatches) {
  for (unsigned seed = 1; seed <= 200; ++seed) {
    Random random(seed);
    int64_t groups = random.integer(1, 3), channels = random.integer(1, 4), outputs = groups * random.integer(1, 4);
    Shape kernel = {random.integer(1, 4), random.integer(1, 4)}, strides = {random.integer(1, 3), random.integer(1, 3)};
    Shape dilations = {random.integer(1, 3), random.integer(1, 3)}, padding, out = {random.integer(1, 3), outputs};
    Shape image = {out[0], groups * channels};
    for (int axis = 0; axis < 2; ++axis) {
      padding.push_back(random.integer(0, 3));
      padding.push_back(random.integer(0, 3));
      int64_t span = dilations[axis] * (kernel[axis] - 1) + 1;
      image.push_back(std::max<int64_t>(1, span - padding[2 * axis] - padding[2 * axis + 1]) + random.integer(0, 6));
      out.push_back((image.back() + padding[2 * axis] + padding[2 * axis + 1] - span) / strides[axis] + 1);
    }
    Tensor x = random.tensor(image), weight = random.tensor({outputs, channels, kernel[0], kernel[1]});
    Tensor bias = random.tensor({outputs});
    std::string attributes = "strides = " + list(strides) + ", padding = " + list(padding) +
                             ", dilations = " + list(dilations) + ", groups = " + std::to_string(groups) + " : i64";
    expectNear(apply("conv2d", attributes, {x, weight, bias}, out, "bias"),
               byPatches(x, weight, bias, out, strides, padding, dilations, groups), 1e-12,
               "seed " + std::to_string(seed) + ": image " + list(image) + ", " + attributes);
    if (HasFailure())
      return;
  }
}

TEST(Contraction, ExpandedGroupsGiveTheSameConvolution) {
  Random random(7);
  Tensor x = random.tensor({2, 6, 5, 5}), weight = random.tensor({9, 2, 3, 3});
  Tensor expanded = apply("expand_groups", "groups = 3 : i64", {weight}, {9, 6, 3, 3});
  expectNear(apply("conv2d", "", {x, expanded}, {2, 9, 3, 3}),
             apply("conv2d", "groups = 3 : i64", {x, weight}, {2, 9, 3, 3}), 1e-13);
}

TEST(Contraction, WinogradIsTheDirectConvolution) {
  for (unsigned seed = 1; seed <= 40; ++seed) {
    Random random(seed);
    Shape padding = {random.integer(0, 2), random.integer(0, 2), random.integer(0, 2), random.integer(0, 2)};
    int64_t n = random.integer(1, 2), c = random.integer(1, 5), o = random.integer(1, 5);
    int64_t h = random.integer(3, 11), w = random.integer(3, 11);
    Tensor x = random.tensor({n, c, h, w}), weight = random.tensor({o, c, 3, 3}), bias = random.tensor({o});
    Shape out = {n, o, h + padding[0] + padding[1] - 2, w + padding[2] + padding[3] - 2};
    std::string attributes = "padding = " + list(padding);
    Tensor transformed = apply("winograd_weights", "", {weight}, {6, 6, o, c});
    expectNear(apply("winograd_conv2d", attributes, {x, transformed, bias}, out, "bias"),
               apply("conv2d", attributes, {x, weight, bias}, out, "bias"), 1e-12,
               "seed " + std::to_string(seed) + ": image " + list(x.shape) + ", " + attributes);
  }
}

TEST(Contraction, MatmulTakesEachOperandTransposedOrNot) {
  Random random(11);
  Tensor a = random.tensor({3, 4}), b = random.tensor({4, 5});
  Tensor at = apply("transpose", "permutation = array<i64: 1, 0>", {a}, {4, 3});
  Tensor bt = apply("transpose", "permutation = array<i64: 1, 0>", {b}, {5, 4});
  Tensor expected({3, 5});
  for (int i = 0; i < 15; ++i)
    for (int k = 0; k < 4; ++k)
      expected.values[i] += a.values[i / 5 * 4 + k] * b.values[k * 5 + i % 5];
  expectNear(apply("matmul", "", {a, b}, {3, 5}), expected, 1e-15);
  expectNear(apply("matmul", "transpose_lhs = true", {at, b}, {3, 5}), expected, 1e-15);
  expectNear(apply("matmul", "transpose_rhs = true", {a, bt}, {3, 5}), expected, 1e-15);
  expectNear(apply("matmul", "transpose_lhs = true, transpose_rhs = true", {at, bt}, {3, 5}), expected, 1e-15);
}
