// Convolution kernels of random shapes against plain loops, on every instruction set of this machine, with NaN in
// padded input lanes; and what their callers rely on: the same bits however the work is cut, and no spills.
#include "codegen/cpu/DepthwiseKernel.h"
#include "codegen/cpu/WinogradKernels.h"
#include "ir/Winograd.h"
#include "test/unit/codegen/cpu/ConvCase.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>

using namespace cnn::cpu;

namespace {

const ConvOperands kOperands{.input = 0, .weights = 1, .bias = 2, .output = 4, .count = 5};

/// Calls a kernel as two threads might, the second half first.
void runHalves(KernelFunction kernel, const std::vector<char *> &buffers, const std::vector<int64_t> &strides,
               int64_t batch, int64_t units) {
  kernel(buffers.data(), strides.data(), batch, units / 2, units, nullptr);
  kernel(buffers.data(), strides.data(), batch, 0, units / 2, nullptr);
}

class ConvKernelTest : public testing::TestWithParam<Isa> {
protected:
  void SetUp() override {
    if (!hostSupports(GetParam()))
      GTEST_SKIP() << "this machine has no " << isaInfo(GetParam()).name.str();
  }

  /// The result of a direct convolution.
  Floats run(const ConvCase &data, const ConvTile &tile) {
    KernelInfo info;
    KernelJit jit(GetParam(), [&](KernelBuilder &b) {
      info = buildConvKernel(b, "conv", data.problem, tile, kOperands, residualAndRelu(3));
    });
    Floats input = data.input(NAN), weights = data.weights(), bias = data.bias(), residual = data.residual(),
           output = data.output();
    runHalves(jit.lookup("conv"), {input.bytes(), weights.bytes(), bias.bytes(), residual.bytes(), output.bytes()},
              {data.inputStride(), 0, 0, data.outputStride(), data.outputStride()}, data.batch,
              info.unitsPerImage * data.batch);
    return output;
  }
};

TEST_P(ConvKernelTest, RandomShapes) {
  for (unsigned seed = 1; seed <= 24; ++seed) {
    std::mt19937 random(seed);
    ConvCase data(randomProblem(random), seed % 3 + 1, random);
    ConvTile tile = chooseTile(data.problem, GetParam());
    if (seed % 4 == 0)
      tile.weightsOuter = !tile.weightsOuter;
    if (seed % 3 == 0)
      tile.unitTiles = 1;
    SCOPED_TRACE("seed " + std::to_string(seed) + ", batch " + std::to_string(data.batch) + ": " + data.problem.str());
    data.expectResult(run(data, tile));
    if (HasFatalFailure())
      return;
  }
}

TEST_P(ConvKernelTest, SeveralRowsInATile) {
  for (unsigned seed = 1; seed <= 5; ++seed) {
    std::mt19937 random(seed);
    ConvCase data(randomProblem(random), 1, random);
    SCOPED_TRACE("seed " + std::to_string(seed) + ": " + data.problem.str());
    data.expectResult(run(data, {.rows = 2 + seed % 2, .columns = 3, .blocks = 1}));
    if (HasFatalFailure())
      return;
  }
}

TEST_P(ConvKernelTest, FirstLayers) {
  std::mt19937 random(1);
  for (ConvProblem p : {ConvProblem{.channels = 3,
                                    .height = 37,
                                    .width = 45,
                                    .outputs = 64,
                                    .outHeight = 19,
                                    .outWidth = 23,
                                    .kernelHeight = 7,
                                    .kernelWidth = 7,
                                    .strideY = 2,
                                    .strideX = 2,
                                    .padTop = 3,
                                    .padLeft = 3,
                                    .planarInput = true},
                        ConvProblem{.channels = 1,
                                    .height = 28,
                                    .width = 28,
                                    .outputs = 6,
                                    .outHeight = 28,
                                    .outWidth = 28,
                                    .kernelHeight = 5,
                                    .kernelWidth = 5,
                                    .padTop = 2,
                                    .padLeft = 2,
                                    .planarInput = true}}) {
    SCOPED_TRACE(p.str());
    ConvCase data(p, 2, random);
    data.expectResult(run(data, chooseTile(p, GetParam())));
  }
}

// What a pixel's sum is may not depend on how the work is cut.
TEST_P(ConvKernelTest, SameBitsForEveryTile) {
  std::mt19937 random(5);
  ConvCase data({.channels = 40,
                 .height = 9,
                 .width = 11,
                 .outputs = 64,
                 .outHeight = 9,
                 .outWidth = 11,
                 .kernelHeight = 3,
                 .kernelWidth = 3,
                 .padTop = 1,
                 .padLeft = 1},
                1, random);
  Floats first = run(data, {.columns = 6});
  for (ConvTile tile : {ConvTile{.columns = 2, .blocks = 2}, ConvTile{.columns = 3, .unroll = 8, .unitTiles = 4},
                        ConvTile{.rows = 2, .columns = 3, .weightsOuter = true}}) {
    Floats other = run(data, tile);
    EXPECT_EQ(0, memcmp(first.data(), other.data(), 4 * first.size()));
  }
}

TEST_P(ConvKernelTest, SameBitsForEveryPlaceInTheBatch) {
  std::mt19937 random(6);
  ConvProblem p{.channels = 20,
                .height = 8,
                .width = 8,
                .outputs = 40,
                .outHeight = 8,
                .outWidth = 8,
                .kernelHeight = 3,
                .kernelWidth = 3,
                .padTop = 1,
                .padLeft = 1};
  ConvTile tile = chooseTile(p, GetParam());
  KernelInfo info;
  KernelJit jit(GetParam(),
                [&](KernelBuilder &b) { info = buildConvKernel(b, "conv", p, tile, {.output = 2, .count = 3}); });
  ConvCase data(p, 5, random);
  Floats input = data.input(NAN), weights = data.weights(), all = data.output(), one = data.output();
  KernelFunction kernel = jit.lookup("conv");
  std::vector<int64_t> strides = {data.inputStride(), 0, data.outputStride()};
  runKernel(kernel, {input.bytes(), weights.bytes(), all.bytes()}, strides, 5, 5 * info.unitsPerImage);
  for (int64_t n = 0; n < 5; ++n)
    runKernel(kernel, {input.bytes() + n * data.inputStride(), weights.bytes(), one.bytes() + n * data.outputStride()},
              strides, 1, info.unitsPerImage);
  EXPECT_EQ(0, memcmp(all.data(), one.data(), 4 * all.size()));
}

TEST_P(ConvKernelTest, NoSpills) {
  for (ConvProblem p :
       {ConvProblem{.channels = 64,
                    .height = 56,
                    .width = 56,
                    .outputs = 64,
                    .outHeight = 56,
                    .outWidth = 56,
                    .kernelHeight = 3,
                    .kernelWidth = 3,
                    .padTop = 1,
                    .padLeft = 1},
        ConvProblem{.channels = 256, .height = 14, .width = 14, .outputs = 1024, .outHeight = 14, .outWidth = 14},
        ConvProblem{.channels = 512,
                    .height = 7,
                    .width = 7,
                    .outputs = 512,
                    .outHeight = 7,
                    .outWidth = 7,
                    .kernelHeight = 3,
                    .kernelWidth = 3,
                    .padTop = 1,
                    .padLeft = 1},
        ConvProblem{.channels = 3,
                    .height = 224,
                    .width = 224,
                    .outputs = 64,
                    .outHeight = 112,
                    .outWidth = 112,
                    .kernelHeight = 7,
                    .kernelWidth = 7,
                    .strideY = 2,
                    .strideX = 2,
                    .padTop = 3,
                    .padLeft = 3,
                    .planarInput = true},
        ConvProblem{.channels = 128,
                    .height = 56,
                    .width = 56,
                    .outputs = 128,
                    .outHeight = 28,
                    .outWidth = 28,
                    .kernelHeight = 3,
                    .kernelWidth = 3,
                    .strideY = 2,
                    .strideX = 2,
                    .padTop = 1,
                    .padLeft = 1}}) {
    KernelJit jit(GetParam(), [&](KernelBuilder &b) {
      buildConvKernel(b, "conv", p, chooseTile(p, GetParam()),
                      {.input = 0, .weights = 1, .bias = 2, .output = 3, .count = 4});
    });
    EXPECT_EQ(0, countSpills(jit.assembly())) << p.str();
  }
}

TEST_P(ConvKernelTest, Depthwise) {
  for (unsigned seed = 1; seed <= 12; ++seed) {
    std::mt19937 random(seed);
    ConvCase data(randomProblem(random, /*depthwise=*/true), seed % 3 + 1, random);
    SCOPED_TRACE("seed " + std::to_string(seed) + ", batch " + std::to_string(data.batch) + ": " + data.problem.str());
    KernelInfo info;
    KernelJit jit(GetParam(), [&](KernelBuilder &b) {
      info = buildDepthwiseKernel(b, "depthwise", data.problem, kOperands, residualAndRelu(3));
    });
    Floats input = data.input(0), weights = data.weights(/*depthwise=*/true), bias = data.bias(),
           residual = data.residual(), output = data.output();
    runHalves(jit.lookup("depthwise"), {input.bytes(), weights.bytes(), bias.bytes(), residual.bytes(), output.bytes()},
              {data.inputStride(), 0, 0, data.outputStride(), data.outputStride()}, data.batch,
              info.unitsPerImage * data.batch);
    data.expectResult(output);
    if (HasFatalFailure())
      return;
  }
}

/// U = G g Gᵀ as [36][K/16][C][16].
Floats winogradWeights(const ConvCase &data) {
  namespace w = cnn::winograd;
  const ConvProblem &p = data.problem;
  Floats packed(36 * blocksOf(p.outputs) * p.channels * kBlock);
  for (int64_t k = 0; k < p.outputs; ++k)
    for (int64_t c = 0; c < p.channels; ++c)
      for (int64_t i = 0; i < w::kTile; ++i)
        for (int64_t j = 0; j < w::kTile; ++j) {
          double sum = 0;
          for (int64_t y = 0; y < w::kKernel; ++y)
            for (int64_t x = 0; x < w::kKernel; ++x)
              sum += w::G[i][y] * data.weight(k, c, y, x) * w::G[j][x];
          packed[(((i * w::kTile + j) * blocksOf(p.outputs) + k / kBlock) * p.channels + c) * kBlock + k % kBlock] =
              float(sum);
        }
  return packed;
}

TEST_P(ConvKernelTest, Winograd) {
  for (unsigned seed = 1; seed <= 5; ++seed) {
    std::mt19937 random(seed);
    auto pick = [&](int64_t from, int64_t to) { return std::uniform_int_distribution<int64_t>(from, to)(random); };
    ConvProblem p{.channels = pick(1, 40),
                  .height = pick(1, 12),
                  .width = pick(1, 12),
                  .outputs = pick(1, 70),
                  .kernelHeight = 3,
                  .kernelWidth = 3,
                  .padTop = pick(1, 2),
                  .padLeft = pick(1, 2)};
    p.outHeight = p.height + p.padTop + pick(1, 2) - 2;
    p.outWidth = p.width + p.padLeft + pick(1, 2) - 2;
    ConvCase data(p, seed % 2 + 1, random);
    SCOPED_TRACE("seed " + std::to_string(seed) + ", batch " + std::to_string(data.batch) + ": " + p.str());
    WinogradSizes sizes = winogradSizes(p);
    KernelInfo in, product, out;
    KernelJit jit(GetParam(), [&](KernelBuilder &b) {
      in = buildWinogradInputKernel(b, "input", p, {.input = 0, .output = 1, .count = 2});
      product = buildWinogradProductKernel(b, "product", p, chooseTile(sizes.product, GetParam()),
                                           {.input = 0, .weights = 1, .output = 2, .count = 3});
      out = buildWinogradOutputKernel(b, "output", p, {.input = 0, .bias = 1, .output = 3, .count = 4},
                                      residualAndRelu(2));
    });
    Floats input = data.input(0), weights = winogradWeights(data), bias = data.bias(), residual = data.residual(),
           output = data.output(), v(data.batch * sizes.inputBytes / 4, NAN),
           m(data.batch * sizes.productBytes / 4, NAN);
    runHalves(jit.lookup("input"), {input.bytes(), v.bytes()}, {data.inputStride(), sizes.inputBytes}, data.batch,
              in.unitsPerImage * data.batch);
    runHalves(jit.lookup("product"), {v.bytes(), weights.bytes(), m.bytes()}, {sizes.inputBytes, 0, sizes.productBytes},
              data.batch, product.unitsPerImage * data.batch);
    runHalves(jit.lookup("output"), {m.bytes(), bias.bytes(), residual.bytes(), output.bytes()},
              {sizes.productBytes, 0, data.outputStride(), data.outputStride()}, data.batch,
              out.unitsPerImage * data.batch);
    // The sums of the transforms cancel: an output's error follows the largest of its tile's values, not its own
    // products.
    data.expectResult(output, 20);
    if (HasFatalFailure())
      return;
  }
}

INSTANTIATE_TEST_SUITE_P(Isas, ConvKernelTest, testing::ValuesIn(allIsas().begin(), allIsas().end()),
                         [](const testing::TestParamInfo<Isa> &info) { return isaInfo(info.param).name.str(); });

} // namespace
