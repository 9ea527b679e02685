// Resizing of channel-blocked images and its transpose: larger and smaller, one pixel, corners aligned or not.
#include "test/unit/codegen/cpu/GroupCase.h"

#include <gtest/gtest.h>

#include <limits>

using namespace cnn::testing;
using cnn::cpu::KernelKind;

namespace {

class ResizeKernel : public ::testing::TestWithParam<unsigned> {};

struct Resize {
  int64_t channels, image[2], size[2];
  std::string mode;
  bool alignCorners = false;

  explicit Resize(GroupCase &g) {
    channels = g.pick(1, 40);
    bool wholeFactor = g.flip();
    for (int axis : {0, 1}) {
      image[axis] = g.pick(1, 9);
      size[axis] = wholeFactor ? image[axis] * g.pick(1, 4) : g.pick(1, 20);
    }
    mode = g.flip() ? "bilinear" : "nearest";
    alignCorners = mode == "bilinear" && g.flip();
  }
  std::string small(const std::string &layout) const { return tensor({-1, channels, image[0], image[1]}, layout); }
  std::string large(const std::string &layout) const { return tensor({-1, channels, size[0], size[1]}, layout); }
  std::string attributes(const int64_t (&to)[2]) const {
    return ints("size", to) + ", mode = #cnn.resize_mode<" + mode +
           ">, align_corners = " + (alignCorners ? "true" : "false");
  }
  std::string forward(GroupCase &g, const std::string &layout, const GroupCase::Source &source = nullptr) const {
    return g.op("resize", {g.input(small(layout), source)}, attributes(size), large(layout));
  }
  std::string grad(GroupCase &g, const std::string &layout) const {
    return g.op("resize_grad", {g.input(large(layout))}, attributes(image), small(layout));
  }
};

double withNan(std::mt19937 &random) {
  return random() % 8 ? double(random() % 5) - 2 : std::numeric_limits<double>::quiet_NaN();
}

TEST_P(ResizeKernel, Forward) {
  for (const GroupCase::Source &source : {GroupCase::Source(), GroupCase::Source(withNan)}) {
    GroupCase g(GetParam());
    g.poisonPadding = false;
    g.result(Resize(g).forward(g, "#b", source));
    g.check(KernelKind::Resize);
  }
}

TEST_P(ResizeKernel, Transpose) {
  GroupCase g(GetParam());
  g.poisonPadding = false;
  g.result(Resize(g).grad(g, "#b"));
  g.check(KernelKind::Resize);
}

/// A sum with another image and an activation that is not 0 at 0.
TEST_P(ResizeKernel, Epilogue) {
  GroupCase g(GetParam());
  g.poisonPadding = false;
  Resize r(g);
  bool isGrad = g.flip();
  std::string type = isGrad ? r.small("#b") : r.large("#b"), value = isGrad ? r.grad(g, "#b") : r.forward(g, "#b");
  std::string sum = g.op("add", {value, g.input(type)}, "", type);
  g.result(g.op("sigmoid", {sum}, "", type));
  g.check(KernelKind::Resize);
}

TEST_P(ResizeKernel, RowMajor) {
  GroupCase forward(GetParam()), grad(GetParam());
  forward.result(Resize(forward).forward(forward, ""));
  forward.check(KernelKind::Generic);
  grad.result(Resize(grad).grad(grad, ""));
  grad.check(KernelKind::Generic);
}

INSTANTIATE_TEST_SUITE_P(Seeds, ResizeKernel, ::testing::Range(1u, 17u));

} // namespace
