// The kernel of warp against the reference: any map, displacement, filter, border and size; maps of whole pixels, which
// are exact; and maps that are no numbers, which must read nothing outside of the image.
#include "test/unit/codegen/cpu/GroupCase.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

using namespace cnn::testing;
using cnn::cpu::KernelKind;

namespace {

const char *const filters[] = {"bilinear", "nearest"}, *const borders[] = {"zero", "clamp", "reflect"};

class WarpKernel : public ::testing::TestWithParam<unsigned> {
protected:
  GroupCase g{GetParam()};
  int64_t channels = g.pick(1, 4), height = g.pick(1, 20), width = g.pick(1, 40), rows = g.pick(1, 9),
          columns = g.pick(1, 40);
  std::string filter = filters[g.pick(0, 1)], border = borders[g.pick(0, 2)];

  void check(const GroupCase::Source &matrix, const GroupCase::Source &displacement) {
    std::vector<std::string> operands = {g.input(tensor({-1, channels, height, width})),
                                         g.input(tensor({-1, 2, 3}), matrix)};
    if (displacement)
      operands.push_back(g.input(tensor({-1, 2, rows, columns}), displacement));
    int64_t size[2] = {rows, columns};
    g.result(g.op("warp", operands,
                  ints("size", size) + ", filter = #cnn.warp_filter<" + filter + ">, border = #cnn.warp_border<" +
                      border + ">",
                  tensor({-1, channels, rows, columns})));
    g.check(KernelKind::Warp);
  }
};

double around(std::mt19937 &random) { return std::normal_distribution<float>(0, 2)(random); }

TEST_P(WarpKernel, AnyMap) { check(around, nullptr); }

TEST_P(WarpKernel, AnyMapWithADisplacement) {
  check(around, [](std::mt19937 &random) { return std::normal_distribution<float>(0, 5)(random); });
}

TEST_P(WarpKernel, WholePixels) {
  check([](std::mt19937 &random) { return double(random() % 5) - 2; },
        [](std::mt19937 &random) { return double(random() % 41) - 20; });
}

/// The bounds are infinite there; what counts is that the pages around the image are not touched.
TEST_P(WarpKernel, MapsThatAreNoNumbers) {
  auto wild = [](std::mt19937 &random) {
    const double values[] = {std::nan(""),
                             std::numeric_limits<float>::infinity(),
                             -std::numeric_limits<float>::infinity(),
                             3e38,
                             -3e38,
                             1e10,
                             -1e10,
                             0.0};
    return values[random() % 8];
  };
  std::string operands[2] = {g.input(tensor({-1, channels, height, width})), g.input(tensor({-1, 2, 3}), wild)};
  int64_t size[2] = {rows, columns};
  g.result(g.op("warp", {operands[0], operands[1]},
                ints("size", size) + ", filter = #cnn.warp_filter<" + filter + ">, border = #cnn.warp_border<" +
                    border + ">",
                tensor({-1, channels, rows, columns})));
  for (cnn::cpu::Isa isa : cnn::cpu::allIsas()) {
    if (!cnn::cpu::hostSupports(isa))
      continue;
    CompiledGroup compiled(g.text(), isa, KernelKind::Warp);
    ASSERT_TRUE(compiled.hasKernels());
    cnn::cpu::Floats image(channels * height * width, 2.0f), map(6, 0.0f), result(channels * rows * columns, -1.0f);
    for (int64_t i = 0; i < 6; ++i)
      map[i] = static_cast<float>(wild(g.random));
    compiled.run({image.bytes(), map.bytes(), result.bytes()}, {0, 0, 0}, 1);
    for (int64_t i = 0; i < channels * rows * columns; ++i)
      EXPECT_TRUE(result[i] >= 0 && result[i] <= 2) << result[i];
  }
}

INSTANTIATE_TEST_SUITE_P(Seeds, WarpKernel, ::testing::Range(1u, 25u));

} // namespace
