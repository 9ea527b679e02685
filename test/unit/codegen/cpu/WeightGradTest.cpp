// Gradients by weights of random shapes against plain loops in double precision, on every instruction set of this
// machine, with both layouts of the result; and the same bits however the work is cut.
#include "codegen/cpu/WeightGradKernel.h"
#include "codegen/cpu/WinogradWeightGrad.h"
#include "test/unit/codegen/cpu/ConvCase.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>

using namespace cnn::cpu;

namespace {

/// A convolution's input and the gradient of its result.
struct Case {
  ConvProblem problem;
  int64_t batch;
  std::vector<float> inputs, gradients; ///< Row-major.

  Case(const ConvProblem &p, int64_t batch, std::mt19937 &random) : problem(p), batch(batch) {
    std::uniform_real_distribution<float> distribution(-1, 1);
    inputs.resize(batch * p.channels * p.height * p.width);
    gradients.resize(batch * p.outputs * p.outHeight * p.outWidth);
    for (std::vector<float> *values : {&inputs, &gradients})
      for (float &value : *values)
        value = distribution(random);
  }

  static Floats toBlocks(const std::vector<float> &values, int64_t batch, int64_t channels, int64_t area) {
    Floats blocks(batch * blocksOf(channels) * area * kBlock);
    for (int64_t n = 0; n < batch; ++n)
      for (int64_t c = 0; c < channels; ++c)
        for (int64_t i = 0; i < area; ++i)
          blocks[((n * blocksOf(channels) + c / kBlock) * area + i) * kBlock + c % kBlock] =
              values[(n * channels + c) * area + i];
    return blocks;
  }
  Floats input() const {
    if (!problem.planarInput)
      return toBlocks(inputs, batch, problem.channels, problem.height * problem.width);
    Floats planes(inputs.size());
    std::copy(inputs.begin(), inputs.end(), planes.data());
    return planes;
  }
  Floats gradient() const { return toBlocks(gradients, batch, problem.outputs, problem.outHeight * problem.outWidth); }

  float pixel(int64_t image, int64_t channel, int64_t y, int64_t x) const {
    const ConvProblem &p = problem;
    bool inside = y >= 0 && y < p.height && x >= 0 && x < p.width;
    return inside ? inputs[((image * p.channels + channel) * p.height + y) * p.width + x] : 0;
  }

  int64_t taps() const { return problem.kernelHeight * problem.kernelWidth; }
  int64_t packedSize() const {
    int64_t channels = problem.planarInput ? problem.channels : blocksOf(problem.channels) * kBlock;
    return blocksOf(problem.outputs) * kBlock * channels * taps();
  }
  /// Where an element of the packed result lies.
  int64_t packedAt(int64_t k, int64_t c, int64_t tap) const {
    int64_t inner = problem.planarInput ? 1 : kBlock;
    int64_t blocks = problem.planarInput ? problem.channels : blocksOf(problem.channels);
    return ((((k / kBlock) * blocks + c / inner) * taps() + tap) * inner + c % inner) * kBlock + k % kBlock;
  }

  /// `error` is relative to the sum of the products' magnitudes.
  void expectResult(const Floats &rows, const Floats &packed, double error) const {
    const ConvProblem &p = problem;
    std::vector<bool> isElement(packedSize(), false);
    for (int64_t k = 0; k < p.outputs; ++k)
      for (int64_t c = 0; c < p.channels; ++c)
        for (int64_t ky = 0; ky < p.kernelHeight; ++ky)
          for (int64_t kx = 0; kx < p.kernelWidth; ++kx) {
            double sum = 0, magnitude = 0;
            for (int64_t n = 0; n < batch; ++n)
              for (int64_t y = 0; y < p.outHeight; ++y)
                for (int64_t x = 0; x < p.outWidth; ++x) {
                  double product = double(gradients[((n * p.outputs + k) * p.outHeight + y) * p.outWidth + x]) *
                                   pixel(n, c, y * p.strideY + ky * p.dilationY - p.padTop,
                                         x * p.strideX + kx * p.dilationX - p.padLeft);
                  sum += product;
                  magnitude += std::abs(product);
                }
            double bound = error * magnitude;
            int64_t tap = ky * p.kernelWidth + kx;
            float actual = rows[(k * p.channels + c) * taps() + tap], other = packed[packedAt(k, c, tap)];
            isElement[packedAt(k, c, tap)] = true;
            ASSERT_LE(std::abs(actual - sum), bound)
                << actual << " for " << sum << ", kernel " << k << ", channel " << c << ", tap " << ky << ", " << kx;
            ASSERT_EQ(actual, other) << "packed, kernel " << k << ", channel " << c << ", tap " << ky << ", " << kx;
          }
    for (int64_t i = 0; i < packedSize(); ++i)
      if (!isElement[i])
        ASSERT_EQ(0.0f, packed[i]) << "padded place " << i;
  }
};

class WeightGradTest : public testing::TestWithParam<Isa> {
protected:
  void SetUp() override {
    if (!hostSupports(GetParam()))
      GTEST_SKIP() << "this machine has no " << isaInfo(GetParam()).name.str();
  }

  struct Result {
    Floats rows, packed;
  };

  /// Calls a kernel for its units in three pieces, the last one first.
  static void call(const KernelJit &jit, const KernelInfo &info, int64_t batch, const std::vector<char *> &buffers,
                   const std::vector<int64_t> &strides) {
    EXPECT_EQ(0, info.unitsPerImage);
    Floats scratch(std::max<int64_t>(info.scratchBytes / 4, 1), NAN);
    int64_t first = info.fixedUnits / 3, second = info.fixedUnits * 2 / 3;
    KernelFunction kernel = jit.lookup(info.symbol);
    for (auto [begin, end] : {std::pair{second, info.fixedUnits}, {first, second}, {int64_t(0), first}})
      kernel(buffers.data(), strides.data(), batch, begin, end, scratch.bytes());
  }

  Result runWinograd(const Case &data) {
    const ConvProblem &p = data.problem;
    KernelInfo sum, transform, rows, packed;
    KernelJit jit(GetParam(), [&](KernelBuilder &b) {
      sum = buildWinogradWeightGradSumKernel(b, "sum", p);
      transform = buildWinogradWeightGradTransformKernel(b, "transform", p);
      rows = buildWeightGradFinishKernel(b, "rows", p, /*packed=*/false, /*slices=*/1);
      packed = buildWeightGradFinishKernel(b, "packed", p, /*packed=*/true, /*slices=*/1);
    });
    WinogradWeightGradSizes sizes = winogradWeightGradSizes(p);
    Floats input = data.input(), gradient = data.gradient(), products(sizes.productBytes / 4, NAN),
           transformed(sizes.transformBytes / 4, NAN);
    Result result{Floats(p.outputs * p.channels * data.taps(), NAN), Floats(data.packedSize(), NAN)};
    call(jit, sum, data.batch, {input.bytes(), gradient.bytes(), products.bytes()},
         {input.size() / data.batch * 4, gradient.size() / data.batch * 4, 0});
    call(jit, transform, data.batch, {products.bytes(), transformed.bytes()}, {0, 0});
    call(jit, rows, data.batch, {transformed.bytes(), result.rows.bytes()}, {0, 0});
    call(jit, packed, data.batch, {transformed.bytes(), result.packed.bytes()}, {0, 0});
    return result;
  }

  /// The gradient by the direct method.
  Result run(const Case &data, const WeightGradPlan &plan) {
    const ConvProblem &p = data.problem;
    KernelInfo sum, rows, packed;
    KernelJit jit(GetParam(), [&](KernelBuilder &b) {
      sum = buildWeightGradSumKernel(b, "sum", p, plan);
      rows = buildWeightGradFinishKernel(b, "rows", p, /*packed=*/false);
      packed = buildWeightGradFinishKernel(b, "packed", p, /*packed=*/true);
    });
    Floats input = data.input(), gradient = data.gradient(), scratch(weightGradScratchBytes(p) / 4, NAN);
    Result result{Floats(p.outputs * p.channels * data.taps(), NAN), Floats(data.packedSize(), NAN)};
    call(jit, sum, data.batch, {input.bytes(), gradient.bytes(), scratch.bytes()},
         {input.size() / data.batch * 4, gradient.size() / data.batch * 4, 0});
    call(jit, rows, data.batch, {scratch.bytes(), result.rows.bytes()}, {0, 0});
    call(jit, packed, data.batch, {scratch.bytes(), result.packed.bytes()}, {0, 0});
    return result;
  }
};

TEST_P(WeightGradTest, RandomShapes) {
  for (unsigned seed = 1; seed <= 16; ++seed) {
    std::mt19937 random(seed);
    ConvProblem p = randomProblem(random);
    p.groups = 1;
    if (p.planarInput)
      p.channels = std::min<int64_t>(p.channels, 4);
    Case data(p, 1 + seed % 3 * 4, random);
    SCOPED_TRACE("seed " + std::to_string(seed) + ", batch " + std::to_string(data.batch) + ": " + p.str());
    Result result = run(data, planWeightGrad(p, GetParam()));
    data.expectResult(result.rows, result.packed, 6e-8 * double(data.batch * p.outHeight * p.outWidth + 10));
    if (HasFatalFailure())
      return;
  }
}

TEST_P(WeightGradTest, WinogradOfRandomShapes) {
  for (unsigned seed = 1; seed <= 8; ++seed) {
    std::mt19937 random(seed);
    auto pick = [&](int64_t from, int64_t to) { return std::uniform_int_distribution<int64_t>(from, to)(random); };
    ConvProblem p{.channels = pick(5, 50), .height = pick(3, 20), .width = pick(3, 20), .outputs = pick(1, 150)};
    p.kernelHeight = p.kernelWidth = 3;
    p.padTop = pick(0, 2), p.padLeft = pick(0, 2);
    p.outHeight = p.height + p.padTop + pick(0, 2) - 2, p.outWidth = p.width + p.padLeft + pick(0, 2) - 2;
    Case data(p, pick(1, 20), random);
    SCOPED_TRACE("seed " + std::to_string(seed) + ", batch " + std::to_string(data.batch) + ": " + p.str());
    Result result = runWinograd(data);
    // The transforms' rounding errors come on top of those of the sums.
    data.expectResult(result.rows, result.packed, 6e-8 * double(data.batch * p.outHeight * p.outWidth + 100));
    if (HasFatalFailure())
      return;
  }
}

TEST_P(WeightGradTest, SameBitsForEveryTile) {
  std::mt19937 random(3);
  for (bool planar : {false, true}) {
    ConvProblem p{.channels = planar ? 3 : 40,
                  .height = 9,
                  .width = 11,
                  .outputs = 100,
                  .outHeight = 9,
                  .outWidth = 11,
                  .kernelHeight = 3,
                  .kernelWidth = 3,
                  .padTop = 1,
                  .padLeft = 1,
                  .planarInput = planar};
    Case data(p, 11, random);
    WeightGradPlan plan = planWeightGrad(p, GetParam());
    Result first = run(data, plan);
    for (auto [rows, blocks, chunk] : {std::tuple{2, 1, 1}, {4, 3, 5}, {1, 2, 2}}) {
      WeightGradPlan other = plan;
      other.rows = rows, other.blocks = blocks, other.chunk = chunk, other.regionParts = 1, other.regionInputs = 2;
      Result second = run(data, other);
      EXPECT_EQ(0, memcmp(first.rows.data(), second.rows.data(), 4 * first.rows.size())) << p.str();
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Isas, WeightGradTest, testing::ValuesIn(allIsas().begin(), allIsas().end()),
                         [](const auto &info) { return isaInfo(info.param).name.str(); });

} // namespace
