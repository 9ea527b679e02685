// The element-wise kernel on what is one for all images: parameters with their optimizer's variables, and scalars.
#include "test/unit/codegen/cpu/GroupCase.h"

#include <gtest/gtest.h>

using namespace cnn::testing;
using cnn::cpu::KernelKind;

namespace {

class ElementKernels : public ::testing::TestWithParam<unsigned> {};

double positive(std::mt19937 &random) { return std::uniform_real_distribution<float>(0.1f, 2.0f)(random); }

std::string spread(GroupCase &g, const std::string &scalar, llvm::ArrayRef<int64_t> shape, const std::string &type) {
  return g.op("broadcast", {scalar}, ints("dims", {}) + ", " + ints("shape", shape), type);
}

/// Adam's update of a parameter; the results are the parameter and its two averages.
void adam(GroupCase &g, llvm::ArrayRef<int64_t> shape, const std::string &layout) {
  std::string type = tensor(shape), ours = tensor(shape, layout);
  std::string p = g.input(type), gradient = g.input(ours), mean = g.input(type), squares = g.input(type, positive);
  std::string rate = g.input("tensor<f32>", positive), correction = g.input("tensor<f32>", positive);
  auto constant = [&](double value) { return spread(g, g.constant(value, "tensor<f32>"), shape, ours); };
  auto average = [&](const std::string &old, const std::string &now, double beta) {
    return g.op("add", {g.op("mul", {old, constant(beta)}, "", ours), g.op("mul", {now, constant(1 - beta)}, "", ours)},
                "", ours);
  };
  std::string first = average(mean, gradient, 0.9);
  std::string second = average(squares, g.op("mul", {gradient, gradient}, "", ours), 0.999);
  std::string root = g.op("div", {g.op("sqrt", {second}, "", ours), spread(g, correction, shape, ours)}, "", ours);
  std::string step = g.op("mul", {spread(g, rate, shape, ours), first}, "", ours);
  std::string change = g.op("div", {step, g.op("add", {root, constant(1e-8)}, "", ours)}, "", ours);
  g.result(g.op("sub", {p, change}, "", ours));
  g.result(first);
  g.result(second);
}

TEST_P(ElementKernels, Update) {
  GroupCase g(GetParam());
  std::vector<int64_t> shape;
  for (int64_t dim = g.pick(1, 4); dim-- > 0;)
    shape.push_back(g.pick(1, 24));
  adam(g, shape, "");
  g.check(KernelKind::Elementwise);
}

TEST_P(ElementKernels, UpdateOfVectorsInBlocks) {
  GroupCase g(GetParam());
  adam(g, {g.pick(1, 5000)}, "#v");
  g.check(KernelKind::Elementwise);
}

TEST_P(ElementKernels, Scalars) {
  GroupCase g(GetParam());
  std::string x = g.input("tensor<f32>", positive), y = g.op("log", {x}, "", "tensor<f32>");
  g.result(g.op("mul", {y, g.constant(0.25, "tensor<f32>")}, "", "tensor<f32>"));
  g.result(y);
  g.check(KernelKind::Elementwise);
}

TEST_P(ElementKernels, Counters) {
  GroupCase g(GetParam());
  std::string x = g.input("tensor<i64>", [](std::mt19937 &random) { return double(random() % 1000); });
  g.result(g.op("add", {x, x}, "", "tensor<i64>"));
  g.result(g.op("convert", {x}, "to = f32", "tensor<f32>"));
  g.check(KernelKind::Elementwise);
}

TEST_P(ElementKernels, OneValueAChannelIsNotForThisKernel) {
  GroupCase g(GetParam());
  std::string type = tensor({g.pick(1, 9), 20, 3});
  std::string perChannel =
      g.op("broadcast", {g.input(tensor({20}))},
           "dims = array<i64: 1>, shape = array<i64: " + type.substr(7, type.find('x') - 7) + ", 20, 3>", type);
  g.result(g.op("mul", {g.input(type), perChannel}, "", type));
  g.check(KernelKind::Generic);
}

/// Parts of images and zeros around and between pixels: channels stay in their lanes or move to others.
TEST_P(ElementKernels, Moves) {
  for (int kind = 0; kind < 3; ++kind) {
    GroupCase g(GetParam() * 3 + kind);
    int64_t part[4] = {-1, g.pick(1, 40), g.pick(1, 6), g.pick(1, 6)}, starts[4] = {}, steps[4] = {1, 1, 1, 1};
    int64_t whole[4] = {-1}, high[4] = {};
    for (int dim = 1; dim < 4; ++dim) {
      starts[dim] = dim == 1 && g.flip() ? 16 * g.pick(0, 2) : g.pick(0, dim == 1 ? 40 : 3);
      steps[dim] = dim == 1 || kind == 2 ? 1 : g.pick(1, 3);
      high[dim] = g.pick(0, dim == 1 ? 20 : 2);
      whole[dim] = starts[dim] + (part[dim] - 1) * steps[dim] + 1 + high[dim];
    }
    std::string small = tensor(part, "#b"), large = tensor(whole, "#b");
    if (kind == 0)
      g.result(g.op("slice", {g.input(large)},
                    ints("starts", starts) + ", " + ints("steps", steps) + ", " + ints("sizes", part), small));
    else if (kind == 1)
      g.result(g.op("unslice", {g.input(small)},
                    ints("starts", starts) + ", " + ints("steps", steps) + ", " + ints("shape", whole), large));
    else
      g.result(g.op("pad", {g.input(small)}, ints("low", starts) + ", " + ints("high", high), large));
    g.check(KernelKind::Move);
  }
}

/// `like`: whose batch the draws have. The words come from a counter of all elements.
void draw(GroupCase &g, const std::string &op, const std::string &attributes, llvm::ArrayRef<int64_t> shape) {
  auto any = [](std::mt19937 &random) { return double(random()) * double(random() % 1000); };
  std::string seed = g.input("tensor<i64>", any), step = g.input("tensor<i64>", any);
  g.result(g.op(op, {seed, step, g.input(tensor({-1, 2}))}, ints("shape", shape) + attributes + ", path = \"noise\"",
                tensor(shape)));
  g.check(KernelKind::Random);
}

TEST_P(ElementKernels, Draws) {
  GroupCase g(GetParam()), n(GetParam());
  // Images that begin with a block of four draws, or not.
  int64_t factor = g.flip() ? 4 : 1;
  int64_t shape[3] = {-1, factor * g.pick(1, 30), g.pick(1, 50)};
  draw(g, "random_uniform", ", low = -1.0 : f64, high = 2.0 : f64", shape);
  draw(n, "random_normal", ", mean = 0.5 : f64, deviation = 2.0 : f64", shape);
}

/// Enough draws for all of the quantile's ranges.
TEST(ElementKernelsOnce, DrawsOfTheTails) {
  GroupCase g(1);
  g.batch = 2;
  draw(g, "random_normal", "", {-1, 100000});
}

INSTANTIATE_TEST_SUITE_P(Seeds, ElementKernels, ::testing::Range(1u, 9u));

} // namespace
