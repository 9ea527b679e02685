// Convolution kernels of random shapes against plain loops in double precision, on every instruction set of this
// machine, with NaN in padded input lanes.
#include "codegen/cpu/ConvKernel.h"
#include "test/unit/codegen/cpu/KernelJit.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <random>

using namespace cnn::cpu;

namespace {

int64_t blocksOf(int64_t channels) { return (channels + kBlock - 1) / kBlock; }

struct Data {
  Data(const ConvProblem &p, int64_t batch, std::mt19937 &random)
      : input(batch * blocksOf(p.channels) * p.height * p.width * kBlock, NAN),
        weights(blocksOf(p.outputs) * blocksOf(p.channels / p.groups) * p.kernelHeight * p.kernelWidth * kBlock *
                kBlock),
        bias(blocksOf(p.outputs) * kBlock), residual(batch * blocksOf(p.outputs) * p.outHeight * p.outWidth * kBlock),
        output(residual.size(), NAN), expected(residual.size()), bound(residual.size()) {
    std::uniform_real_distribution<float> values(-1, 1);
    auto fill = [&](Floats &to, int64_t planes, int64_t channels, int64_t area) {
      for (int64_t n = 0; n < planes; ++n)
        for (int64_t c = 0; c < channels; ++c)
          for (int64_t i = 0; i < area; ++i)
            to[((n * blocksOf(channels) + c / kBlock) * area + i) * kBlock + c % kBlock] = values(random);
    };
    fill(input, batch, p.channels, p.height * p.width);
    fill(residual, batch, p.outputs, p.outHeight * p.outWidth);
    fill(bias, 1, p.outputs, 1);
    int64_t taps = p.kernelHeight * p.kernelWidth, groupChannels = p.channels / p.groups;
    auto weight = [&](int64_t k, int64_t c, int64_t tap) -> float & {
      return weights[((((k / kBlock) * blocksOf(groupChannels) + c / kBlock) * taps + tap) * kBlock + c % kBlock) *
                         kBlock +
                     k % kBlock];
    };
    for (int64_t k = 0; k < p.outputs; ++k)
      for (int64_t c = 0; c < groupChannels; ++c)
        for (int64_t tap = 0; tap < taps; ++tap)
          weight(k, c, tap) = values(random);

    // relu(conv(x) + bias + residual), with the sum of magnitudes that bounds the error.
    for (int64_t n = 0; n < batch; ++n)
      for (int64_t k = 0; k < p.outputs; ++k)
        for (int64_t y = 0; y < p.outHeight; ++y)
          for (int64_t x = 0; x < p.outWidth; ++x) {
            double sum = bias[k], magnitude = std::abs(sum);
            for (int64_t c = 0; c < groupChannels; ++c)
              for (int64_t ky = 0; ky < p.kernelHeight; ++ky)
                for (int64_t kx = 0; kx < p.kernelWidth; ++kx) {
                  int64_t iy = y * p.strideY + ky * p.dilationY - p.padTop,
                          ix = x * p.strideX + kx * p.dilationX - p.padLeft;
                  if (iy < 0 || iy >= p.height || ix < 0 || ix >= p.width)
                    continue;
                  int64_t channel = k / (p.outputs / p.groups) * groupChannels + c;
                  double product =
                      double(weight(k, c, ky * p.kernelWidth + kx)) *
                      input[(((n * blocksOf(p.channels) + channel / kBlock) * p.height + iy) * p.width + ix) * kBlock +
                            channel % kBlock];
                  sum += product;
                  magnitude += std::abs(product);
                }
            int64_t at =
                (((n * blocksOf(p.outputs) + k / kBlock) * p.outHeight + y) * p.outWidth + x) * kBlock + k % kBlock;
            sum += residual[at];
            expected[at] = std::max(sum, 0.0);
            bound[at] = magnitude + std::abs(residual[at]);
          }
  }

  Floats input, weights, bias, residual, output, expected, bound;
};

Epilogue residualAndRelu(int operand) {
  return [operand](KernelBuilder &b, mlir::Value value, const EpiloguePosition &at) {
    mlir::Value residual = b.loadBlock(b.offset(b.imageOf(operand, at.image), at.bytes), at.displacement);
    return b.maxf(b.splat(0.0f), b.addf(value, residual));
  };
}

constexpr ConvOperands kOperands{.input = 0, .weights = 1, .bias = 2, .output = 4, .count = 5};

void runConv(const KernelJit &jit, const KernelInfo &info, const ConvProblem &p, const Data &data, int64_t batch) {
  int64_t in = blocksOf(p.channels) * p.height * p.width * 64,
          out = blocksOf(p.outputs) * p.outHeight * p.outWidth * 64;
  // In two calls, as threads would.
  std::vector<char *> buffers = {data.input.bytes(), data.weights.bytes(), data.bias.bytes(), data.residual.bytes(),
                                 data.output.bytes()};
  std::vector<int64_t> strides = {in, 0, 0, out, out};
  int64_t units = info.unitsPerImage * batch;
  KernelFunction kernel = jit.lookup(info.symbol);
  kernel(buffers.data(), strides.data(), batch, units / 3, units, nullptr);
  kernel(buffers.data(), strides.data(), batch, 0, units / 3, nullptr);
}

void expectResult(const ConvProblem &p, const Data &data) {
  double length = double(p.channels / p.groups) * p.kernelHeight * p.kernelWidth + 2;
  for (int64_t i = 0; i < data.output.size(); ++i) {
    double error = std::abs(double(data.output[i]) - data.expected[i]);
    ASSERT_LE(error, 6e-8 * (length + 2) * data.bound[i])
        << "at " << i << ": " << data.output[i] << " for " << data.expected[i];
  }
}

void checkConv(Isa isa, const ConvProblem &p, const ConvTile &tile, int64_t batch, std::mt19937 &random) {
  Data data(p, batch, random);
  KernelInfo info;
  KernelJit jit(isa,
                [&](KernelBuilder &b) { info = buildConvKernel(b, "conv", p, tile, kOperands, residualAndRelu(3)); });
  runConv(jit, info, p, data, batch);
  expectResult(p, data);
}

ConvProblem randomProblem(std::mt19937 &random) {
  auto pick = [&](int64_t from, int64_t to) { return std::uniform_int_distribution<int64_t>(from, to)(random); };
  ConvProblem p;
  p.groups = pick(0, 3) ? 1 : pick(2, 3);
  p.channels = p.groups > 1 ? p.groups * kBlock * pick(1, 2) : pick(1, 50);
  p.outputs = p.groups > 1 ? p.groups * kBlock * pick(1, 3) : pick(1, 90);
  if (pick(0, 3) == 0) { // Pointwise.
    p.height = p.outHeight = pick(1, 12);
    p.width = p.outWidth = pick(1, 12);
    return p;
  }
  p.kernelHeight = pick(1, 5), p.kernelWidth = pick(1, 5);
  p.strideY = pick(1, 3), p.strideX = pick(1, 3);
  p.dilationY = pick(1, 2), p.dilationX = pick(1, 2);
  int64_t reachY = (p.kernelHeight - 1) * p.dilationY, reachX = (p.kernelWidth - 1) * p.dilationX;
  p.padTop = pick(0, reachY + 1), p.padLeft = pick(0, reachX + 1);
  int64_t padBottom = pick(0, reachY + 1), padRight = pick(0, reachX + 1);
  p.height = pick(std::max<int64_t>(1, reachY + 1 - p.padTop - padBottom), reachY + 15);
  p.width = pick(std::max<int64_t>(1, reachX + 1 - p.padLeft - padRight), reachX + 40);
  p.outHeight = (p.height + p.padTop + padBottom - reachY - 1) / p.strideY + 1;
  p.outWidth = (p.width + p.padLeft + padRight - reachX - 1) / p.strideX + 1;
  return p;
}

class ConvKernelTest : public testing::TestWithParam<Isa> {
protected:
  void SetUp() override {
    if (!hostSupports(GetParam()))
      GTEST_SKIP() << "this machine has no " << isaInfo(GetParam()).name.str();
  }
};

TEST_P(ConvKernelTest, RandomShapes) {
  for (unsigned seed = 1; seed <= 40; ++seed) {
    std::mt19937 random(seed);
    ConvProblem problem = randomProblem(random);
    int64_t batch = seed % 3 + 1;
    ConvTile tile = chooseTile(problem, GetParam());
    if (seed % 4 == 0)
      tile.weightsOuter = !tile.weightsOuter;
    if (seed % 3 == 0)
      tile.unitTiles = 1;
    SCOPED_TRACE("seed " + std::to_string(seed) + ", batch " + std::to_string(batch) + ": " + problem.str());
    checkConv(GetParam(), problem, tile, batch, random);
    if (HasFatalFailure())
      return;
  }
}

TEST_P(ConvKernelTest, SeveralRowsInATile) {
  for (unsigned seed = 1; seed <= 10; ++seed) {
    std::mt19937 random(seed);
    ConvProblem problem = randomProblem(random);
    ConvTile tile = chooseTile(problem, GetParam());
    tile.rows = 2 + seed % 2;
    tile.columns = 3;
    tile.blocks = 1;
    SCOPED_TRACE("seed " + std::to_string(seed) + ": " + problem.str());
    checkConv(GetParam(), problem, tile, 1, random);
    if (HasFatalFailure())
      return;
  }
}

// What a pixel's sum is may not depend on how the work is cut.
TEST_P(ConvKernelTest, SameBitsForEveryTile) {
  std::mt19937 random(5);
  ConvProblem p{.channels = 40,
                .height = 9,
                .width = 11,
                .outputs = 64,
                .outHeight = 9,
                .outWidth = 11,
                .kernelHeight = 3,
                .kernelWidth = 3,
                .padTop = 1,
                .padLeft = 1};
  Data data(p, 1, random);
  std::vector<float> first;
  for (ConvTile tile :
       {ConvTile{.columns = 6}, ConvTile{.columns = 2, .blocks = 2}, ConvTile{.columns = 3, .unroll = 16},
        ConvTile{.rows = 2, .columns = 3, .weightsOuter = true}}) {
    KernelInfo info;
    KernelJit jit(GetParam(),
                  [&](KernelBuilder &b) { info = buildConvKernel(b, "conv", p, tile, kOperands, residualAndRelu(3)); });
    runConv(jit, info, p, data, 1);
    if (first.empty())
      first.assign(data.output.data(), data.output.data() + data.output.size());
    EXPECT_EQ(0, memcmp(first.data(), data.output.data(), 4 * first.size()));
  }
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

INSTANTIATE_TEST_SUITE_P(Isas, ConvKernelTest, testing::ValuesIn(allIsas().begin(), allIsas().end()),
                         [](const testing::TestParamInfo<Isa> &info) { return isaInfo(info.param).name.str(); });

} // namespace
