// The generic kernel on the operations of training and on results that are one for all images, in any layout.
#include "test/unit/codegen/cpu/GroupCase.h"

#include <gtest/gtest.h>

#include <limits>

using namespace cnn::testing;
using cnn::cpu::KernelKind;

namespace {

class GenericKernel : public ::testing::TestWithParam<unsigned> {};

/// Of three or four values, so that windows have ties.
double coarse(std::mt19937 &random) { return double(random() % 4) - 2; }

std::string blockedOrNot(GroupCase &g) { return g.flip() ? "#b" : ""; }

int64_t pooled(int64_t extent, int64_t kernel, int64_t stride, int64_t before, int64_t after, bool ceil) {
  return *cnn::windowedExtent(extent, before, after, kernel, stride, 1, ceil);
}

/// A pooling's shapes and attributes.
struct Pool {
  int64_t channels, height, width, kernel[2], strides[2], padding[4], rows, columns;
  bool ceil, countPad;

  explicit Pool(GroupCase &g) {
    channels = g.pick(1, 20), height = g.pick(4, 9), width = g.pick(4, 9);
    for (int axis : {0, 1}) {
      kernel[axis] = g.pick(1, 4), strides[axis] = g.pick(1, 3);
      for (int side : {0, 1})
        padding[2 * axis + side] = g.pick(0, kernel[axis] - 1);
    }
    ceil = g.flip(), countPad = g.flip();
    rows = pooled(height, kernel[0], strides[0], padding[0], padding[1], ceil);
    columns = pooled(width, kernel[1], strides[1], padding[2], padding[3], ceil);
  }
  std::string attributes(bool withCount = false) const {
    return ints("kernel", kernel) + ", " + ints("strides", strides) + ", " + ints("padding", padding) +
           ", ceil = " + (ceil ? "true" : "false") +
           (withCount ? std::string(", count_pad = ") + (countPad ? "true" : "false") : "");
  }
  std::string image(const std::string &layout = "") const { return tensor({-1, channels, height, width}, layout); }
  std::string output(const std::string &layout = "") const { return tensor({-1, channels, rows, columns}, layout); }
};

TEST_P(GenericKernel, TransposedConvolution) {
  GroupCase g(GetParam());
  int64_t groups = g.pick(1, 2), outputs = groups * g.pick(1, 4), perGroup = g.pick(1, 4);
  int64_t kernel[2] = {g.pick(1, 3), g.pick(1, 3)}, strides[2] = {g.pick(1, 3), g.pick(1, 3)},
          dilations[2] = {g.pick(1, 2), g.pick(1, 2)},
          padding[4] = {g.pick(0, 2), g.pick(0, 2), g.pick(0, 2), g.pick(0, 2)};
  int64_t size[2] = {g.pick(5, 9), g.pick(5, 9)};
  int64_t rows = *cnn::windowedExtent(size[0], padding[0], padding[1], kernel[0], strides[0], dilations[0]);
  int64_t columns = *cnn::windowedExtent(size[1], padding[2], padding[3], kernel[1], strides[1], dilations[1]);
  std::vector<std::string> operands = {g.input(tensor({-1, outputs, rows, columns}, blockedOrNot(g))),
                                       g.input(tensor({outputs, perGroup, kernel[0], kernel[1]}))};
  if (g.flip())
    operands.push_back(g.input(tensor({groups * perGroup})));
  g.result(g.op("conv2d_transpose", operands,
                ints("size", size) + ", " + ints("strides", strides) + ", " + ints("padding", padding) + ", " +
                    ints("dilations", dilations) + ", groups = " + std::to_string(groups) + " : i64",
                tensor({-1, groups * perGroup, size[0], size[1]}, blockedOrNot(g))));
  // A device multiplies whole blocks of channels, whose padding every producer keeps zero.
  g.poisonPadding = false;
  g.check(KernelKind::Generic);
}

TEST_P(GenericKernel, WeightGradient) {
  GroupCase g(GetParam());
  int64_t groups = g.pick(1, 2), outputs = groups * g.pick(1, 4), perGroup = g.pick(1, 4);
  int64_t kernel[2] = {g.pick(1, 3), g.pick(1, 3)}, strides[2] = {g.pick(1, 3), g.pick(1, 3)},
          dilations[2] = {g.pick(1, 2), g.pick(1, 2)},
          padding[4] = {g.pick(0, 2), g.pick(0, 2), g.pick(0, 2), g.pick(0, 2)};
  int64_t size[2] = {g.pick(5, 9), g.pick(5, 9)};
  int64_t rows = *cnn::windowedExtent(size[0], padding[0], padding[1], kernel[0], strides[0], dilations[0]);
  int64_t columns = *cnn::windowedExtent(size[1], padding[2], padding[3], kernel[1], strides[1], dilations[1]);
  // Row-major gradients have no kernel of their own.
  std::string x = g.input(tensor({-1, groups * perGroup, size[0], size[1]})),
              gradient = g.input(tensor({-1, outputs, rows, columns}));
  g.result(g.op("conv2d_weight_grad", {x, gradient},
                ints("kernel", kernel) + ", " + ints("strides", strides) + ", " + ints("padding", padding) + ", " +
                    ints("dilations", dilations) + ", groups = " + std::to_string(groups) + " : i64",
                tensor({outputs, perGroup, kernel[0], kernel[1]})));
  g.check(KernelKind::Generic);
}

TEST_P(GenericKernel, PoolingGradients) {
  for (int which = 0; which < 3; ++which) {
    GroupCase g(GetParam() * 3 + which);
    Pool p(g);
    auto source = g.flip() ? GroupCase::Source(coarse) : GroupCase::Source();
    // Row-major images have no kernel of their own.
    if (which == 0)
      g.result(g.op("max_pool_grad", {g.input(p.image(), source), g.input(p.output())}, p.attributes(), p.image()));
    else if (which == 1)
      g.result(g.op("max_pool_pick", {g.input(p.image(blockedOrNot(g)), source), g.input(p.image())}, p.attributes(),
                    p.output(blockedOrNot(g))));
    else
      g.result(g.op("avg_pool_grad", {g.input(p.output())},
                    p.attributes(true) + ", " + ints("size", {p.height, p.width}), p.image()));
    g.check(KernelKind::Generic);
  }
}

TEST_P(GenericKernel, NanIsTheLargest) {
  GroupCase g(GetParam());
  Pool p(g);
  std::string x = g.input(p.image(), [](std::mt19937 &random) {
    return random() % 3 ? coarse(random) : std::numeric_limits<double>::quiet_NaN();
  });
  g.result(g.op("max_pool_pick", {x, g.input(p.image())}, p.attributes(), p.output()));
  g.check(KernelKind::Generic);
}

TEST_P(GenericKernel, Shapes) {
  GroupCase g(GetParam());
  int64_t c = g.pick(1, 20), h = g.pick(3, 6), w = g.pick(3, 6);
  std::string x = g.input(tensor({-1, c, h, w}, blockedOrNot(g)));
  int64_t steps[4] = {1, g.pick(1, 2), g.pick(1, 3), g.pick(1, 3)},
          starts[4] = {0, g.pick(0, 2), g.pick(0, 2), g.pick(0, 2)};
  int64_t shape[4] = {-1, starts[1] + (c - 1) * steps[1] + g.pick(1, 3), starts[2] + (h - 1) * steps[2] + g.pick(1, 3),
                      starts[3] + (w - 1) * steps[3] + g.pick(1, 3)};
  g.result(g.op("unslice", {x}, ints("starts", starts) + ", " + ints("steps", steps) + ", " + ints("shape", shape),
                tensor(shape, blockedOrNot(g))));
  int64_t low[4] = {0, 0, g.pick(0, h - 2), g.pick(0, w - 2)}, high[4] = {0, 0, g.pick(0, h - 2), g.pick(0, w - 2)};
  std::string padded = g.input(tensor({-1, c, h + low[2] + high[2], w + low[3] + high[3]}, blockedOrNot(g)));
  // Another shape and another layout than the first result.
  g.result(
      g.op("pad_grad", {padded}, ints("low", low) + ", " + ints("high", high), tensor({-1, c, h, w}, blockedOrNot(g))));
  g.check(KernelKind::Generic);
}

TEST_P(GenericKernel, Draws) {
  GroupCase g(GetParam());
  auto any = [](std::mt19937 &random) { return double(random()); };
  std::string seed = g.input("tensor<i64>", any), step = g.input("tensor<i64>", any);
  int64_t shape[3] = {-1, g.pick(1, 7), g.pick(1, 40)};
  std::string draw =
      g.op("random_normal", {seed, step, g.input(tensor({-1, 2}))},
           ints("shape", shape) + ", mean = 0.5 : f64, deviation = 2.0 : f64, path = \"noise\"", tensor(shape));
  g.result(draw);
  g.result(g.op("neg", {draw}, "", tensor(shape)));
  g.check(KernelKind::Generic);
}

TEST_P(GenericKernel, SumsOverTheBatch) {
  GroupCase g(GetParam());
  g.batch = g.pick(1, 9);
  int64_t c = g.pick(1, 20), h = g.pick(1, 6), w = g.pick(1, 6);
  std::string x = g.input(tensor({-1, c, h, w})),
              y = g.op("reduce", {x}, "kind = #cnn.reduce_kind<max>, " + ints("dims", {0, 2, 3}),
                       tensor({c}, g.flip() ? "#v" : ""));
  g.result(y);
  // A scalar, and one value an image beside them.
  g.result(g.op("reduce", {x}, "kind = #cnn.reduce_kind<sum>, " + ints("dims", {0, 1, 2, 3}), "tensor<f32>"));
  g.result(g.op("reduce", {x}, "kind = #cnn.reduce_kind<mean>, " + ints("dims", {1, 2, 3}), tensor({-1})));
  std::string rows = g.input(tensor({-1, h}));
  g.result(g.op("matmul", {rows, g.input(tensor({-1, w}))}, "transpose_lhs = true", tensor({h, w})));
  g.result(g.op("batch_size", {rows}, "", "tensor<f32>"));
  g.check(KernelKind::Generic);
}

TEST_P(GenericKernel, Counters) {
  GroupCase g(GetParam());
  auto small = [](std::mt19937 &random) { return double(random() % 10); };
  std::string label = g.input(tensor({-1}, "", "i64"), small), counter = g.input("tensor<i64>", small);
  std::string one = g.op("convert", {label}, "to = f32", tensor({-1}));
  std::string step = g.op("add", {counter, counter}, "", "tensor<i64>");
  // Scalars of integers and floats, beside what each image has.
  g.result(g.op("broadcast", {one}, ints("dims", {0}) + ", " + ints("shape", {-1, 10}), tensor({-1, 10})));
  g.result(step);
  g.result(g.op("convert", {step}, "to = f32", "tensor<f32>"));
  g.check(KernelKind::Generic);
}

TEST_P(GenericKernel, PackedWeights) {
  GroupCase g(GetParam());
  int64_t o = g.pick(1, 40), i = g.pick(1, 40);
  std::string w = g.input(tensor({o, i, 3, 2}));
  g.result(
      g.op("relayout", {w}, "", tensor({o, i, 3, 2}, "#cnn.layout<outer = [0, 1, 2, 3], inner = [1 : 16, 0 : 16]>")));
  g.result(g.op("relayout", {w}, "", tensor({o, i, 3, 2}, "#cnn.layout<outer = [0, 1, 2, 3], inner = [0 : 16]>")));
  g.check(KernelKind::Generic);
}

INSTANTIATE_TEST_SUITE_P(Seeds, GenericKernel, ::testing::Range(1u, 9u));

} // namespace
