// Reductions in every form, with and without operations in front.
#include "test/unit/codegen/cpu/GroupCase.h"

#include <gtest/gtest.h>

using namespace cnn::testing;
using cnn::cpu::KernelKind;

namespace {

class ReduceKernel : public ::testing::TestWithParam<unsigned> {};

std::string reduce(GroupCase &g, const std::string &value, const std::string &kind, llvm::ArrayRef<int64_t> dims,
                   const std::string &type) {
  return g.op("reduce", {value}, "kind = #cnn.reduce_kind<" + kind + ">, " + ints("dims", dims), type);
}

std::string anyKind(GroupCase &g) { return std::vector<std::string>{"sum", "mean", "max", "min"}[g.pick(0, 3)]; }

/// Images with a few pixels or with more than one chunk of a sum.
std::vector<int64_t> imageShape(GroupCase &g) {
  bool large = g.flip();
  return {-1, g.pick(1, 40), large ? g.pick(11, 20) : g.pick(1, 5), large ? g.pick(11, 20) : g.pick(1, 5)};
}

TEST_P(ReduceKernel, Channels) {
  GroupCase g(GetParam());
  g.batch = g.pick(1, 40);
  std::vector<int64_t> shape = imageShape(g);
  std::string x = g.input(tensor(shape, "#b"));
  for (int64_t count = g.pick(1, 3); count-- > 0;)
    g.result(reduce(g, x, anyKind(g), {0, 2, 3}, tensor({shape[1]}, g.flip() ? "#v" : "")));
  g.check(KernelKind::Reduce);
}

/// Batch norm's backward sums: of g and of g * xhat, g behind a relu's mask.
TEST_P(ReduceKernel, ChannelsBehindElementwise) {
  GroupCase g(GetParam());
  g.batch = g.pick(1, 20);
  std::vector<int64_t> shape = imageShape(g);
  std::string type = tensor(shape, "#b"), channels = tensor({shape[1]}, "#v");
  std::string gradient = g.input(type), x = g.input(type), mean = g.input(channels), scale = g.input(channels);
  auto spread = [&](const std::string &vector) {
    return g.op("broadcast", {vector}, ints("dims", {1}) + ", " + ints("shape", shape), type);
  };
  std::string masked = g.op("mul", {gradient, g.op("step", {x}, "", type)}, "", type);
  std::string hat = g.op("mul", {g.op("sub", {x, spread(mean)}, "", type), spread(scale)}, "", type);
  std::string product = g.op("mul", {masked, hat}, "", type);
  g.result(reduce(g, masked, "sum", {0, 2, 3}, channels));
  g.result(reduce(g, product, g.flip() ? "sum" : "mean", {0, 2, 3}, channels));
  // Padded lanes are not zero before they are left out.
  std::string one =
      g.op("broadcast", {g.constant(1.5, "tensor<f32>")}, ints("dims", {}) + ", " + ints("shape", shape), type);
  g.result(reduce(g, g.op("add", {x, one}, "", type), "max", {0, 2, 3}, channels));
  g.check(KernelKind::Reduce);
}

TEST_P(ReduceKernel, Columns) {
  GroupCase g(GetParam());
  g.batch = g.pick(1, 100);
  int64_t columns = g.flip() ? g.pick(1, 50) : 64 * g.pick(1, 3);
  std::string type = tensor({-1, columns}), x = g.input(type);
  g.result(reduce(g, x, anyKind(g), {0}, tensor({columns}, g.flip() ? "#v" : "")));
  if (g.flip())
    g.result(reduce(g, g.op("mul", {x, g.input(type)}, "", type), "mean", {0}, tensor({columns})));
  g.check(KernelKind::Reduce);
}

TEST_P(ReduceKernel, Scalar) {
  for (int rank : {2, 3, 4}) {
    GroupCase g(GetParam());
    g.batch = g.pick(1, 40);
    std::vector<int64_t> shape = imageShape(g), dims;
    shape.resize(rank);
    for (int dim = 0; dim < rank; ++dim)
      dims.push_back(dim);
    std::string type = tensor(shape, rank == 4 && g.flip() ? "#b" : ""), x = g.input(type), y = g.input(type);
    std::string difference = g.op("sub", {x, y}, "", type);
    g.result(reduce(g, g.op("exp", {difference}, "", type), anyKind(g), dims, "tensor<f32>"));
    g.result(reduce(g, x, anyKind(g), dims, "tensor<f32>"));
    g.check(KernelKind::Reduce);
  }
}

TEST_P(ReduceKernel, ScalarOfAParameter) {
  GroupCase g(GetParam());
  int64_t shape[3] = {g.pick(1, 60), g.pick(1, 60), 3};
  std::string type = tensor(shape), x = g.input(type);
  g.result(reduce(g, g.op("mul", {x, x}, "", type), "sum", {0, 1, 2}, "tensor<f32>"));
  g.result(reduce(g, x, anyKind(g), {0, 1, 2}, "tensor<f32>"));
  g.check(KernelKind::Reduce);
}

TEST_P(ReduceKernel, ImageChannels) {
  GroupCase g(GetParam());
  std::vector<int64_t> shape = imageShape(g);
  std::string type = tensor(shape, "#b"), x = g.input(type);
  g.result(reduce(g, x, anyKind(g), {2, 3}, tensor({-1, shape[1]})));
  g.result(reduce(g, g.op("mul", {x, x}, "", type), "mean", {2, 3}, tensor({-1, shape[1]})));
  g.check(KernelKind::Reduce);
}

TEST_P(ReduceKernel, ImageScalar) {
  for (int rank : {2, 3, 4}) {
    GroupCase g(GetParam());
    std::vector<int64_t> shape = imageShape(g), dims;
    shape.resize(rank);
    for (int dim = 1; dim < rank; ++dim)
      dims.push_back(dim);
    std::string type = tensor(shape, rank == 4 && g.flip() ? "#b" : ""), x = g.input(type);
    for (std::string kind : {"sum", "mean", "max", "min"})
      g.result(reduce(g, x, kind, dims, tensor({-1})));
    g.check(KernelKind::Reduce);
  }
}

/// Many equal numbers, whose roundings all go one way.
TEST(ReduceKernelOnce, LongSumsAreExactEnough) {
  GroupCase g(1);
  g.batch = 2;
  std::string x = g.input(tensor({-1, 3, 300, 300}, "#b"), [](std::mt19937 &) { return 0.1f; });
  g.result(reduce(g, x, "sum", {0, 2, 3}, tensor({3})));
  g.result(reduce(g, x, "mean", {0, 2, 3}, tensor({3})));
  g.check(KernelKind::Reduce);
}

TEST(ReduceKernelOnce, OthersAreNotForThisKernel) {
  for (const std::vector<int64_t> &dims : {std::vector<int64_t>{0, 1}, {1}, {3}}) {
    GroupCase g(1);
    std::vector<int64_t> kept = {-1, 5, 4, 3}, shape;
    for (int64_t dim = 0; dim < 4; ++dim)
      if (!llvm::is_contained(dims, dim))
        shape.push_back(kept[dim]);
    g.result(reduce(g, g.input(tensor(kept)), "sum", dims, tensor(shape)));
    g.check(KernelKind::Generic);
  }
}

INSTANTIATE_TEST_SUITE_P(Seeds, ReduceKernel, ::testing::Range(1u, 9u));

} // namespace
