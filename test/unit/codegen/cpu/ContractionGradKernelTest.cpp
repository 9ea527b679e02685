// The contractions of training steps as groups: gradients by weights, products of matrices, transposed convolutions,
// packing of kernels and convolutions by transformed kernels that are computed in the step.
#include "ir/Winograd.h"
#include "test/unit/codegen/cpu/GroupCase.h"

#include <gtest/gtest.h>

using namespace cnn::testing;
using cnn::cpu::KernelKind;

namespace {

class ContractionGradKernel : public ::testing::TestWithParam<unsigned> {};

/// A convolution of random shape.
struct Conv {
  int64_t channels, outputs, image[2], result[2], kernel[2], strides[2], dilations[2], padding[4];

  Conv(GroupCase &g, bool strided) {
    channels = g.pick(1, 40), outputs = g.pick(1, 40);
    for (int axis : {0, 1}) {
      kernel[axis] = g.pick(1, 4);
      strides[axis] = strided ? g.pick(1, 3) : 1;
      dilations[axis] = strides[axis] == 1 ? g.pick(1, 2) : 1;
      int64_t reach = (kernel[axis] - 1) * dilations[axis];
      for (int side : {0, 1})
        padding[2 * axis + side] = g.pick(0, reach + 1);
      image[axis] = reach + g.pick(1, 9);
      result[axis] = (image[axis] + padding[2 * axis] + padding[2 * axis + 1] - reach - 1) / strides[axis] + 1;
    }
  }
  std::string imageType(const std::string &layout) const { return tensor({-1, channels, image[0], image[1]}, layout); }
  std::string resultType() const { return tensor({-1, outputs, result[0], result[1]}, "#b"); }
  std::string weightType(const std::string &layout = "") const {
    return tensor({outputs, channels, kernel[0], kernel[1]}, layout);
  }
  std::string window() const {
    return ints("strides", strides) + ", " + ints("dilations", dilations) + ", " + ints("padding", padding);
  }
};

TEST_P(ContractionGradKernel, WeightGrad) {
  GroupCase g(GetParam());
  // Padded lanes of what is multiplied end in padded places.
  Conv c(g, true);
  bool planar = g.flip();
  if (planar)
    c.channels = g.pick(1, 4);
  g.batch = g.pick(1, 20);
  g.result(g.op("conv2d_weight_grad", {g.input(c.imageType(planar ? "" : "#b")), g.input(c.resultType())},
                c.window() + ", " + ints("kernel", c.kernel), c.weightType()));
  g.check(KernelKind::WeightGrad);
}

TEST_P(ContractionGradKernel, DepthwiseWeightGrad) {
  GroupCase g(GetParam());
  Conv c(g, true);
  c.outputs = c.channels = g.pick(2, 40);
  if (GetParam() == 1) // More taps than a register tile has.
    for (int axis : {0, 1}) {
      c.kernel[axis] = 6, c.strides[axis] = 1, c.dilations[axis] = 1;
      c.image[axis] = 9, c.result[axis] = 9 + c.padding[2 * axis] + c.padding[2 * axis + 1] - 5;
    }
  g.batch = g.pick(1, 20);
  g.result(g.op("conv2d_weight_grad", {g.input(c.imageType("#b")), g.input(c.resultType())},
                c.window() + ", " + ints("kernel", c.kernel) + ", groups = " + std::to_string(c.channels),
                tensor({c.outputs, 1, c.kernel[0], c.kernel[1]})));
  g.check(KernelKind::WeightGrad);
}

TEST_P(ContractionGradKernel, Transposed) {
  GroupCase g(GetParam());
  g.poisonPadding = false;
  Conv c(g, true);
  std::vector<std::string> operands = {
      g.input(c.resultType()), g.input(c.weightType("#cnn.layout<outer = [1, 0, 2, 3], inner = [0 : 16, 1 : 16]>"))};
  std::string result = g.op("conv2d_transpose", operands, c.window() + ", " + ints("size", c.image), c.imageType("#b"));
  if (g.flip())
    result = g.op("mul", {result, g.input(c.imageType("#b"))}, "", c.imageType("#b"));
  g.result(result);
  g.check(KernelKind::ConvTranspose);
}

TEST_P(ContractionGradKernel, Gemm) {
  GroupCase g(GetParam());
  int64_t rows = g.pick(1, 70), columns = g.pick(1, 70);
  g.batch = g.pick(1, 40);
  std::string x = g.input(tensor({-1, rows})), y;
  switch (g.pick(0, 3)) {
  case 0:
    y = g.op("matmul", {x, g.input(tensor({-1, columns}))}, "transpose_lhs = true", tensor({rows, columns}));
    break;
  case 1:
    y = g.op("matmul", {x, g.input(tensor({rows, columns}))}, "", tensor({-1, columns}));
    y = g.op("mul", {y, g.input(tensor({-1, columns}))}, "", tensor({-1, columns}));
    break;
  case 2:
    y = g.op("matmul", {x, g.input(tensor({columns, rows}))}, "transpose_rhs = true", tensor({-1, columns}));
    break;
  default:
    y = g.op("dense", {x, g.input(tensor({columns, rows}))}, "", tensor({-1, columns}));
    y = g.op("relu", {y}, "", tensor({-1, columns}));
  }
  g.result(y);
  g.check(KernelKind::Gemm);
}

TEST_P(ContractionGradKernel, WeightPack) {
  GroupCase g(GetParam());
  int64_t groups = g.flip() ? 1 : g.pick(1, 3), outputs = groups * g.pick(1, 20), channels = g.pick(1, 20);
  bool flip = g.flip(), winograd = g.flip();
  int64_t height = winograd ? 3 : g.pick(1, 5), width = winograd ? 3 : g.pick(1, 5);
  std::string value = g.input(tensor({outputs, channels, height, width}));
  if (flip) {
    std::swap(outputs, channels);
    outputs *= groups, channels /= groups;
    value =
        g.op("flip_kernels", {value}, "groups = " + std::to_string(groups), tensor({outputs, channels, height, width}));
  }
  if (winograd) {
    value = g.op("winograd_weights", {value}, "m = 4", tensor({6, 6, outputs, channels}));
    value = g.op("relayout", {value}, "",
                 tensor({6, 6, outputs, channels}, "#cnn.layout<outer = [0, 1, 2, 3], inner = [2 : 16]>"));
  } else if (!flip || g.flip()) {
    const char *const layouts[] = {"#cnn.layout<outer = [0, 1, 2, 3], inner = [0 : 16]>",
                                   "#cnn.layout<outer = [0, 1, 2, 3], inner = [1 : 16, 0 : 16]>",
                                   "#cnn.layout<outer = [1, 0, 2, 3], inner = [0 : 16, 1 : 16]>"};
    value = g.op("relayout", {value}, "", tensor({outputs, channels, height, width}, layouts[g.pick(0, flip ? 1 : 2)]));
  }
  g.result(value);
  g.check(KernelKind::WeightPack);
}

/// What `winograd_weights` makes of `count` random kernels, in the order of its elements.
GroupCase::Source transformedKernels(int64_t count) {
  return [count, values = std::vector<double>(), next = size_t(0)](std::mt19937 &random) mutable {
    if (next == values.size()) {
      values.assign(36 * count, 0.0);
      next = 0;
      for (int64_t kernel = 0; kernel < count; ++kernel)
        for (int tap = 0; tap < 9; ++tap) {
          double value = std::uniform_real_distribution<double>(-1, 1)(random);
          for (int point = 0; point < 36; ++point)
            values[point * count + kernel] +=
                cnn::winograd::G[point / 6][tap / 3] * value * cnn::winograd::G[point % 6][tap % 3];
        }
    }
    return values[next++];
  };
}

TEST_P(ContractionGradKernel, WinogradInAStep) {
  GroupCase g(GetParam());
  g.poisonPadding = false;
  int64_t channels = g.pick(1, 40), outputs = g.pick(1, g.flip() ? 40 : 140), height = g.pick(3, 14),
          width = g.pick(3, 14);
  // As the gradient of an unpadded convolution has it in half of the cases.
  bool isWhole = g.flip();
  int64_t padding[4];
  for (int64_t &pad : padding)
    pad = isWhole ? 2 : g.pick(0, 2);
  g.batch = g.pick(1, 20);
  std::string type =
      tensor({-1, outputs, height + padding[0] + padding[1] - 2, width + padding[2] + padding[3] - 2}, "#b");
  std::string value =
      g.op("winograd_conv2d",
           {g.input(tensor({-1, channels, height, width}, "#b")),
            g.input(tensor({6, 6, outputs, channels}, "#cnn.layout<outer = [0, 1, 2, 3], inner = [2 : 16]>"),
                    transformedKernels(outputs * channels))},
           ints("padding", padding), type);
  value = g.op("add", {value, g.input(type)}, "", type);
  g.result(value);
  g.check(KernelKind::Winograd);
}

INSTANTIATE_TEST_SUITE_P(Seeds, ContractionGradKernel, ::testing::Range(1u, 13u));

} // namespace
