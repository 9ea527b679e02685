// A convolution with random data, its result by plain loops in double precision, and its tensors in the layouts of the
// kernels. The result is relu(convolution + bias + residual), the latter by an epilogue.
#pragma once

#include "codegen/cpu/ConvKernel.h"
#include "test/unit/codegen/cpu/KernelJit.h"

#include <random>

namespace cnn::cpu {

int64_t blocksOf(int64_t channels);

/// A convolution of up to 90 channels; `depthwise` has as many groups as channels.
ConvProblem randomProblem(std::mt19937 &random, bool depthwise = false);

class ConvCase {
public:
  ConvCase(const ConvProblem &problem, int64_t batch, std::mt19937 &random);

  /// The input in blocks, with `padding` in padded lanes, or planar where the problem says so.
  Floats input(float padding) const;
  /// [K/16][C/16][kh][kw][16][16], or for a planar input [K/16][C][kh][kw][16]; for a depthwise convolution
  /// [C/16][kh][kw][16].
  Floats weights(bool depthwise = false) const;
  Floats bias() const;
  Floats residual() const;
  float weight(int64_t output, int64_t channel, int64_t ky, int64_t kx) const;

  /// Fails the running test where `output`, in blocks, is not the result within the rounding error of its sums times
  /// `slack`, or where a padded lane is not zero.
  void expectResult(const Floats &output, double slack = 1) const;

  int64_t inputStride() const; ///< Bytes of an image, as stored.
  int64_t outputStride() const;
  Floats output() const; ///< Room for the result, full of NaN.

  const ConvProblem problem;
  const int64_t batch;

private:
  float pixel(int64_t image, int64_t channel, int64_t y, int64_t x) const;
  int64_t groupChannels() const { return problem.channels / problem.groups; }

  std::vector<float> inputs, kernels, biases, residuals; ///< Row-major, without padding.
};

/// Adds operand `operand` and takes the positive part.
Epilogue residualAndRelu(int operand);

} // namespace cnn::cpu
