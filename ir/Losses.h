// Losses and regularizers as IR. Each gives a scalar: the mean over all elements, or over all positions (the batch and
// what lies behind the channels, dimension 1) where a position has one loss. Logits are what a network returns; all
// that takes logits is finite for every finite one.
#pragma once

#include "ir/TensorBuilder.h"

namespace cnn {

/// Mean of (x - t)^2, of |x - t|, and of Huber's (1964): (x - t)^2 / 2 within delta, then linear.
mlir::Value meanSquaredError(TensorBuilder &b, mlir::Value x, mlir::Value target);
mlir::Value meanAbsoluteError(TensorBuilder &b, mlir::Value x, mlir::Value target);
mlir::Value huber(TensorBuilder &b, mlir::Value x, mlir::Value target, double delta = 1);

/// Mean of -(t log p + (1 - t) log(1 - p)) with p = sigmoid(logit) and t in [0, 1], of the logits' shape.
mlir::Value binaryCrossEntropy(TensorBuilder &b, mlir::Value logits, mlir::Value target);

/// Mean over positions of weight * -(sum over classes of t log softmax(logits)). Target [N, C, ...] of probabilities,
/// which `smoothing` mixes with the uniform distribution; `weights` [N, ...], one a position (Ronneberger et al. 2015),
/// or null.
mlir::Value crossEntropy(TensorBuilder &b, mlir::Value logits, mlir::Value target, double smoothing = 0,
                         mlir::Value weights = nullptr);

/// Mean over positions of the sum over classes of t (log t - log softmax(logits)): KL(t || softmax(logits)).
mlir::Value klDivergence(TensorBuilder &b, mlir::Value logits, mlir::Value target);

/// KL of the normal distributions with these means and logarithms of variance s from the standard one, summed over an
/// image's components and averaged over the batch: (s - log s - 1 + m^2) / 2 (Kingma and Welling 2014).
mlir::Value gaussianKl(TensorBuilder &b, mlir::Value mean, mlir::Value logVariance);

/// Mean of max(0, 1 - t x) with t of -1 and 1.
mlir::Value hinge(TensorBuilder &b, mlir::Value x, mlir::Value target);

/// Mean over the batch of 1 - (2 sum(p t) + 1) / (sum(p) + sum(t) + 1), sums over an image (Milletari et al. 2016), of
/// probabilities.
mlir::Value dice(TensorBuilder &b, mlir::Value probabilities, mlir::Value target);

/// Mean of -a (1 - q)^gamma log q, q the probability that the sigmoid gives the right answer and a = alpha for t = 1,
/// 1 - alpha for t = 0 (Lin et al. 2017).
mlir::Value focal(TensorBuilder &b, mlir::Value logits, mlir::Value target, double gamma = 2, double alpha = 0.25);

/// Sums over all elements of all the parameters: l1 |w| + l2 w^2; one of the two, or both for the elastic net.
mlir::Value regularizer(TensorBuilder &b, llvm::ArrayRef<mlir::Value> parameters, double l1, double l2);

/// Each value within [-limit, limit].
llvm::SmallVector<mlir::Value> clipByValue(TensorBuilder &b, llvm::ArrayRef<mlir::Value> gradients, double limit);
/// All scaled by min(1, limit / norm), the norm that of all elements of all the gradients (Pascanu et al. 2013).
llvm::SmallVector<mlir::Value> clipByNorm(TensorBuilder &b, llvm::ArrayRef<mlir::Value> gradients, double limit);

} // namespace cnn
