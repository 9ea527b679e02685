// Layers of training that are compositions of operations, written once for all who build networks. What has a
// derivative at every point as an operation (softplus, elu) is one; these are differentiated through their parts.
#pragma once

#include "ir/TensorBuilder.h"

namespace cnn {

/// x where x > 0, else slope * x. The derivative at 0 is the slope.
mlir::Value leakyRelu(TensorBuilder &b, mlir::Value x, double slope);

/// x - log of the sum of exp(x) along `axis`, by x - max first.
mlir::Value logSoftmax(TensorBuilder &b, mlir::Value x, int64_t axis = 1);

/// 1 where the label is the index along axis 1, else 0: labels [N, ...] of integers or integral floats to
/// [N, classes, ...] of `element`. A label that is no class gives zeros.
mlir::Value oneHot(TensorBuilder &b, mlir::Value labels, int64_t classes, mlir::Type element);

/// Dropout (Srivastava et al. 2014): zero with probability `rate` < 1, else x / (1 - rate). `seed` and `step` are
/// tensor<i64>.
mlir::Value dropout(TensorBuilder &b, mlir::Value x, double rate, mlir::Value seed, mlir::Value step);

struct BatchNormTraining {
  mlir::Value result, mean, variance;
};
/// Batch normalization in training (Ioffe and Szegedy 2015) of x [N, C, ...] by the statistics of the batch, the
/// variance from the deviations, in a second pass. `mean` and `variance` are the running ones to go on with: (1 -
/// momentum) * before + momentum * new, the new variance without bias (by count - 1), as PyTorch's.
BatchNormTraining batchNormTraining(TensorBuilder &b, mlir::Value x, mlir::Value scale, mlir::Value offset,
                                    mlir::Value runningMean, mlir::Value runningVariance, double momentum = 0.1,
                                    double epsilon = 1e-5);

} // namespace cnn
