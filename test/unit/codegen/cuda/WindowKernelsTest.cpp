// Kernels of depthwise convolutions, their gradients and poolings of random shapes on the emulated device, in blocks of
// channels, with windows that overlap, stand apart and reach beyond the image.
#include "test/unit/codegen/cuda/DeviceGroup.h"

#include <gtest/gtest.h>

using namespace cnn;
using namespace cnn::testing;
using cnn::cuda::Algorithm;

namespace {

constexpr const char *kPackedDepthwise = "#cnn.layout<outer = [0, 1, 2, 3], inner = [0 : 16]>";

/// Taps along both axes of an image, each its own.
struct Windows {
  int64_t input[2], taps[2], strides[2], dilations[2], padding[4], output[2];

  Windows(GroupCase &test, bool isDilated) {
    for (int axis : {0, 1}) {
      taps[axis] = test.pick(1, 5);
      strides[axis] = test.pick(1, 3);
      dilations[axis] = isDilated ? test.pick(1, 2) : 1;
      int64_t reach = dilations[axis] * (taps[axis] - 1) + 1;
      input[axis] = test.pick(3, 13);
      for (int side : {0, 1})
        padding[2 * axis + side] = test.pick(0, reach - 1);
      input[axis] = std::max(input[axis], reach - padding[2 * axis] - padding[2 * axis + 1]);
      output[axis] = (input[axis] + padding[2 * axis] + padding[2 * axis + 1] - reach) / strides[axis] + 1;
    }
  }
  std::string image(int64_t channels) const { return tensor({-1, channels, input[0], input[1]}, "#b"); }
  std::string result(int64_t channels) const { return tensor({-1, channels, output[0], output[1]}, "#b"); }
  std::string attributes() const {
    return ints("strides", strides) + ", " + ints("padding", padding) + ", " + ints("dilations", dilations);
  }
};

std::string groups(int64_t channels) { return "groups = " + std::to_string(channels) + " : i64, "; }

class WindowKernels : public ::testing::TestWithParam<unsigned> {};

DeviceOptions randomOptions(GroupCase &test) {
  DeviceOptions options;
  options.architecture = test.flip() ? "sm_75" : "sm_80";
  return options;
}

TEST_P(WindowKernels, Depthwise) {
  GroupCase test(GetParam());
  test.batch = test.pick(1, 3);
  Windows windows(test, /*isDilated=*/true);
  int64_t channels = test.pick(2, 40);
  std::string result = windows.result(channels);
  // The epilogue reads other images, whose padded lanes are zero in memory.
  test.poisonPadding = false;
  std::string x = test.input(windows.image(channels)),
              w = test.input(tensor({channels, 1, windows.taps[0], windows.taps[1]}, kPackedDepthwise)),
              bias = test.input(tensor({channels}, "#v"));
  std::string y = test.op("conv2d", {x, w, bias}, groups(channels) + windows.attributes(), result);
  if (test.flip())
    y = test.op("add", {y, test.input(result)}, "", result);
  test.result(test.op("sigmoid", {y}, "", result));
  DeviceOptions options = randomOptions(test);
  options.columns = test.pick(1, 9);
  checkOnDevice(test, Algorithm::Depthwise, options);
}

TEST_P(WindowKernels, DepthwiseTransposed) {
  GroupCase test(GetParam());
  test.batch = test.pick(1, 3);
  Windows windows(test, /*isDilated=*/true);
  int64_t channels = test.pick(2, 40);
  std::string x = test.input(windows.result(channels)),
              w = test.input(tensor({channels, 1, windows.taps[0], windows.taps[1]}, kPackedDepthwise));
  test.result(test.op("conv2d_transpose", {x, w},
                      groups(channels) + ints("size", windows.input) + ", " + windows.attributes(),
                      windows.image(channels)));
  DeviceOptions options = randomOptions(test);
  options.columns = test.pick(1, 9);
  checkOnDevice(test, Algorithm::Depthwise, options);
}

TEST_P(WindowKernels, DepthwiseByWeights) {
  GroupCase test(GetParam());
  // Several slices of the pixels where the images are large.
  test.batch = test.pick(1, 8);
  Windows windows(test, /*isDilated=*/true);
  int64_t channels = test.pick(2, 40);
  std::string x = test.input(windows.image(channels)), g = test.input(windows.result(channels));
  test.result(test.op("conv2d_weight_grad", {x, g},
                      groups(channels) + ints("kernel", windows.taps) + ", " + windows.attributes(),
                      tensor({channels, 1, windows.taps[0], windows.taps[1]})));
  checkOnDevice(test, Algorithm::DepthwiseGrad, randomOptions(test));
}

TEST_P(WindowKernels, Pool) {
  GroupCase test(GetParam());
  test.batch = test.pick(1, 3);
  Windows windows(test, /*isDilated=*/false);
  int64_t channels = test.pick(1, 40);
  bool isMax = test.flip(), countPad = !isMax && test.flip();
  std::string result = windows.result(channels);
  test.poisonPadding = false;
  std::string attributes = ints("kernel", windows.taps) + ", " + ints("strides", windows.strides) + ", " +
                           ints("padding", windows.padding) + ", count_pad = " + (countPad ? "true" : "false");
  std::string y = test.op(isMax ? "max_pool" : "avg_pool", {test.input(windows.image(channels))}, attributes, result);
  if (test.flip())
    y = test.op("tanh", {y}, "", result);
  test.result(y);
  checkOnDevice(test, Algorithm::Pool, randomOptions(test));
}

INSTANTIATE_TEST_SUITE_P(Seeds, WindowKernels, ::testing::Range(1u, 13u));

// Sums of slices that are joined, and windows of more columns than are loaded together.
TEST(WindowKernelsOnce, LargeImages) {
  GroupCase gradient(1);
  gradient.batch = 2;
  std::string image = tensor({-1, 18, 40, 41}, "#b");
  gradient.result(gradient.op("conv2d_weight_grad", {gradient.input(image), gradient.input(image)},
                              groups(18) + ints("kernel", {3, 3}) + ", " + ints("padding", {1, 1, 1, 1}),
                              tensor({18, 1, 3, 3})));
  checkOnDevice(gradient, Algorithm::DepthwiseGrad);
  for (const char *pool : {"max_pool", "avg_pool"}) {
    GroupCase test(2);
    test.poisonPadding = false;
    test.result(
        test.op(pool, {test.input(tensor({-1, 20, 18, 19}, "#b"))},
                ints("kernel", {18, 18}) + ", " + ints("strides", {1, 1}) + ", " + ints("padding", {0, 0, 2, 1}),
                tensor({-1, 20, 1, 5}, "#b")));
    checkOnDevice(test, Algorithm::Pool);
  }
}

} // namespace
