// Gradients of poolings of channel-blocked images: windows apart, overlapping, beyond the image, with ties and NaN.
#include "test/unit/codegen/cpu/GroupCase.h"

#include <gtest/gtest.h>

#include <limits>

using namespace cnn::testing;
using cnn::cpu::KernelKind;

namespace {

class PoolGradKernel : public ::testing::TestWithParam<unsigned> {};

struct Pool {
  int64_t channels, size[2], kernel[2], strides[2], padding[4] = {}, outputs[2];
  bool ceil = false, countPad = false;

  /// Windows apart in half of the cases.
  explicit Pool(GroupCase &g) {
    bool apart = g.flip();
    channels = g.pick(1, 40);
    for (int axis : {0, 1}) {
      kernel[axis] = g.pick(1, 4);
      size[axis] = g.pick(4, 12);
      strides[axis] = apart ? kernel[axis] + g.pick(0, 1) : g.pick(1, 3);
      for (int side : {0, 1})
        padding[2 * axis + side] = apart ? 0 : g.pick(0, kernel[axis] - 1);
    }
    if (!apart)
      ceil = g.flip(), countPad = g.flip();
    finish();
  }
  Pool(int64_t channels, int64_t extent, int64_t taps, int64_t stride, int64_t pad) : channels(channels) {
    for (int axis : {0, 1})
      size[axis] = extent, kernel[axis] = taps, strides[axis] = stride, padding[2 * axis] = padding[2 * axis + 1] = pad;
    finish();
  }
  void finish() {
    for (int axis : {0, 1})
      outputs[axis] = *cnn::windowedExtent(size[axis], padding[2 * axis], padding[2 * axis + 1], kernel[axis],
                                           strides[axis], 1, ceil);
  }

  std::string image() const { return tensor({-1, channels, size[0], size[1]}, "#b"); }
  std::string pooled() const { return tensor({-1, channels, outputs[0], outputs[1]}, "#b"); }
  std::string attributes() const {
    return ints("kernel", kernel) + ", " + ints("strides", strides) + ", " + ints("padding", padding) +
           ", ceil = " + (ceil ? "true" : "false");
  }
  std::string maxGrad(GroupCase &g, const GroupCase::Source &source = nullptr) const {
    return g.op("max_pool_grad", {g.input(image(), source), g.input(pooled())}, attributes(), image());
  }
  std::string avgGrad(GroupCase &g) const {
    return g.op("avg_pool_grad", {g.input(pooled())},
                attributes() + ", count_pad = " + (countPad ? "true" : "false") + ", " + ints("size", size), image());
  }
};

double coarse(std::mt19937 &random) { return double(random() % 4) - 2; }
double withNan(std::mt19937 &random) {
  return random() % 4 ? coarse(random) : std::numeric_limits<double>::quiet_NaN();
}

TEST_P(PoolGradKernel, Max) {
  for (const GroupCase::Source &source : {GroupCase::Source(), GroupCase::Source(coarse), GroupCase::Source(withNan)}) {
    GroupCase g(GetParam());
    Pool p(g);
    g.result(p.maxGrad(g, source));
    g.check(KernelKind::PoolGrad);
  }
}

TEST_P(PoolGradKernel, Average) {
  GroupCase g(GetParam());
  g.result(Pool(g).avgGrad(g));
  g.check(KernelKind::PoolGrad);
}

/// The mask of the relu before the pooling, and the sum with another gradient.
TEST_P(PoolGradKernel, Epilogue) {
  GroupCase g(GetParam());
  // The epilogue reads other images, whose padded lanes are zero in memory.
  g.poisonPadding = false;
  Pool p(g);
  std::string gradient = g.flip() ? p.maxGrad(g, coarse) : p.avgGrad(g);
  std::string masked = g.op("mul", {gradient, g.op("step", {g.input(p.image())}, "", p.image())}, "", p.image());
  std::string sum = g.op("add", {masked, g.input(p.image())}, "", p.image());
  g.result(g.op("sigmoid", {sum}, "", p.image()));
  if (g.flip())
    g.result(masked);
  g.check(KernelKind::PoolGrad);
}

TEST(PoolGradKernelOnce, WholeImages) {
  for (int64_t extent : {1, 5, 7}) {
    GroupCase max(extent), average(extent);
    Pool p(20, extent, extent, 1, 0);
    max.result(p.maxGrad(max, coarse));
    max.check(KernelKind::PoolGrad);
    average.result(p.avgGrad(average));
    average.check(KernelKind::PoolGrad);
  }
}

TEST(PoolGradKernelOnce, CommonNetworks) {
  for (const Pool &p : {Pool(64, 12, 2, 2, 0), Pool(16, 13, 3, 2, 1), Pool(32, 13, 3, 2, 0)}) {
    GroupCase g(1);
    g.result(p.maxGrad(g));
    g.check(KernelKind::PoolGrad);
  }
}

INSTANTIATE_TEST_SUITE_P(Seeds, PoolGradKernel, ::testing::Range(1u, 17u));

} // namespace
