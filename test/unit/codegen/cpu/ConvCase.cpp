// See ConvCase.h.
#include "test/unit/codegen/cpu/ConvCase.h"

#include <gtest/gtest.h>

#include <cmath>

namespace cnn::cpu {

int64_t blocksOf(int64_t channels) { return (channels + kBlock - 1) / kBlock; }

ConvProblem randomProblem(std::mt19937 &random, bool depthwise) {
  auto pick = [&](int64_t from, int64_t to) { return std::uniform_int_distribution<int64_t>(from, to)(random); };
  ConvProblem p;
  if (depthwise) {
    p.groups = p.channels = p.outputs = pick(1, 50);
  } else {
    p.groups = pick(0, 3) ? 1 : pick(2, 3);
    p.channels = p.groups > 1 ? p.groups * kBlock * pick(1, 2) : pick(1, 50);
    p.outputs = p.groups > 1 ? p.groups * kBlock * pick(1, 3) : pick(1, 90);
    p.planarInput = pick(0, 4) == 0;
  }
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

ConvCase::ConvCase(const ConvProblem &p, int64_t batch, std::mt19937 &random) : problem(p), batch(batch) {
  auto fill = [&](std::vector<float> &values, int64_t size) {
    std::uniform_real_distribution<float> distribution(-1, 1);
    values.resize(size);
    for (float &value : values)
      value = distribution(random);
  };
  fill(inputs, batch * p.channels * p.height * p.width);
  fill(kernels, p.outputs * groupChannels() * p.kernelHeight * p.kernelWidth);
  fill(biases, p.outputs);
  fill(residuals, batch * p.outputs * p.outHeight * p.outWidth);
}

float ConvCase::pixel(int64_t image, int64_t channel, int64_t y, int64_t x) const {
  if (y < 0 || y >= problem.height || x < 0 || x >= problem.width)
    return 0;
  return inputs[((image * problem.channels + channel) * problem.height + y) * problem.width + x];
}

float ConvCase::weight(int64_t output, int64_t channel, int64_t ky, int64_t kx) const {
  return kernels[((output * groupChannels() + channel) * problem.kernelHeight + ky) * problem.kernelWidth + kx];
}

static Floats toBlocks(const std::vector<float> &values, int64_t batch, int64_t channels, int64_t area, float padding) {
  Floats blocks(batch * blocksOf(channels) * area * kBlock, padding);
  for (int64_t n = 0; n < batch; ++n)
    for (int64_t c = 0; c < channels; ++c)
      for (int64_t i = 0; i < area; ++i)
        blocks[((n * blocksOf(channels) + c / kBlock) * area + i) * kBlock + c % kBlock] =
            values[(n * channels + c) * area + i];
  return blocks;
}

Floats ConvCase::input(float padding) const {
  if (!problem.planarInput)
    return toBlocks(inputs, batch, problem.channels, problem.height * problem.width, padding);
  Floats planes(inputs.size());
  std::copy(inputs.begin(), inputs.end(), planes.data());
  return planes;
}

Floats ConvCase::bias() const { return toBlocks(biases, 1, problem.outputs, 1, 0); }
Floats ConvCase::residual() const {
  return toBlocks(residuals, batch, problem.outputs, problem.outHeight * problem.outWidth, 0);
}

Floats ConvCase::output() const { return Floats(batch * outputStride() / 4, NAN); }

int64_t ConvCase::inputStride() const {
  int64_t area = problem.height * problem.width * 4;
  return area * (problem.planarInput ? problem.channels : blocksOf(problem.channels) * kBlock);
}
int64_t ConvCase::outputStride() const {
  return blocksOf(problem.outputs) * problem.outHeight * problem.outWidth * kBlock * 4;
}

Floats ConvCase::weights(bool depthwise) const {
  int64_t taps = problem.kernelHeight * problem.kernelWidth, inner = problem.planarInput || depthwise ? 1 : kBlock;
  int64_t blocks = (groupChannels() + inner - 1) / inner;
  Floats packed(blocksOf(problem.outputs) * blocks * taps * inner * kBlock);
  for (int64_t k = 0; k < problem.outputs; ++k)
    for (int64_t c = 0; c < groupChannels(); ++c)
      for (int64_t tap = 0; tap < taps; ++tap)
        packed[((((k / kBlock) * blocks + c / inner) * taps + tap) * inner + c % inner) * kBlock + k % kBlock] =
            kernels[(k * groupChannels() + c) * taps + tap];
  return packed;
}

void ConvCase::expectResult(const Floats &output, double slack) const {
  const ConvProblem &p = problem;
  for (int64_t n = 0; n < batch; ++n)
    for (int64_t k = 0; k < blocksOf(p.outputs) * kBlock; ++k)
      for (int64_t y = 0; y < p.outHeight; ++y)
        for (int64_t x = 0; x < p.outWidth; ++x) {
          float actual = output[(((n * blocksOf(p.outputs) + k / kBlock) * p.outHeight + y) * p.outWidth + x) * kBlock +
                                k % kBlock];
          if (k >= p.outputs) {
            ASSERT_EQ(0.0f, actual) << "padded lane " << k << " at " << y << ", " << x << " of image " << n;
            continue;
          }
          double residual = residuals[((n * p.outputs + k) * p.outHeight + y) * p.outWidth + x];
          double sum = biases[k] + residual, magnitude = std::abs(biases[k]) + std::abs(residual);
          for (int64_t c = 0; c < groupChannels(); ++c)
            for (int64_t ky = 0; ky < p.kernelHeight; ++ky)
              for (int64_t kx = 0; kx < p.kernelWidth; ++kx) {
                double product =
                    double(weight(k, c, ky, kx)) * pixel(n, k / (p.outputs / p.groups) * groupChannels() + c,
                                                         y * p.strideY + ky * p.dilationY - p.padTop,
                                                         x * p.strideX + kx * p.dilationX - p.padLeft);
                sum += product;
                magnitude += std::abs(product);
              }
          double length = double(groupChannels() * p.kernelHeight * p.kernelWidth) + 3;
          // Half an ulp a rounding; a NaN is no less than any bound.
          ASSERT_LE(std::abs(actual - std::max(sum, 0.0)), slack * 6e-8 * length * magnitude)
              << actual << " for " << std::max(sum, 0.0) << ", channel " << k << " at " << y << ", " << x
              << " of image " << n;
        }
}

Epilogue residualAndRelu(int operand) {
  return [operand](KernelBuilder &b, mlir::Value value, const EpiloguePosition &at) {
    mlir::Value residual = b.loadBlock(b.offset(b.imageOf(operand, at.image), at.bytes), at.displacement);
    return b.maxf(b.splat(0.0f), b.addf(value, residual));
  };
}

} // namespace cnn::cpu
