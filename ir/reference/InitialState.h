// How state variables start: drawn by Philox from their initializer, or at random for a network without weights
// (`--random-weights SEED`). The numbers depend on the seed and the variable's name alone and can be reproduced in a
// few lines of another language: test/oracle/random_state.py does it in NumPy.
//
// Element i (row-major) of the variable NAME takes word i % 4 of block i / 4 of Draws(seed, "init:" + NAME, step 0) of
// Philox.h; a word w gives u = (w >> 8) * 2^-24 for uniform draws, low + (high - low) * u, and its normal quantile z
// for normal draws, mean + deviation * z, in double and rounded to f32. An orthogonal matrix comes from normal draws in
// double, whose rows (of the transpose, where it has more rows than columns) are made orthonormal in order by Gram and
// Schmidt's method, done twice.
#pragma once

#include "ir/CnnOps.h"
#include "ir/reference/Tensor.h"

#include "llvm/ADT/StringMap.h"

namespace cnn::reference {

/// What a variable without data gets.
enum class Start {
  /// As its initializer says. Without one: parameters as He et al. 2015 from rank 2 on, all else zeros.
  Training,
  /// Quick, and so that every value matters, none being a constant but counters, which start at zero. By what the
  /// variable is
  /// to the operation that takes it: batch norm's scale and variance uniform in [0.8, 1.2), its offset and mean
  /// normal(0, 0.1).
  /// An initializer `uniform` or `normal` is obeyed. Any other of rank 0 or 1 is uniform in [-0.1, 0.1), from rank 2 on
  /// uniform in
  /// [-l, l) with l = sqrt(6 / fan_in), whose variance is He's.
  Random,
};

/// The start of every state variable of a network. It is made from the network as elaborated, because passes fold away
/// the operations that tell what a variable is; afterwards it stands on its own and may be used by several threads.
class InitialState {
public:
  InitialState(mlir::ModuleOp network, uint64_t seed, Start start, unsigned threads = 0);

  /// Fills one element of the variable's type each; false where there is no variable of that name and number of
  /// elements.
  bool draw(llvm::StringRef name, llvm::MutableArrayRef<float> values) const;

  /// The same as a tensor: a StateSource of Prepare.h. Failure, without a message, where draw() is false.
  llvm::FailureOr<Tensor> operator()(llvm::StringRef name, mlir::RankedTensorType type) const;

private:
  /// What is drawn: `a` and `b` are the value, the bounds, or mean and standard deviation.
  struct Distribution {
    enum Kind { Constant, Uniform, Normal, Orthogonal } kind;
    double a = 0, b = 0;
    int64_t elements = 0;
    /// Of an orthogonal matrix.
    int64_t rows = 0;
  };
  static Distribution training(mlir::Operation *state);
  static Distribution random(mlir::Operation *state, mlir::OpOperand *batchNormUse);

  llvm::StringMap<Distribution> variables;
  uint64_t seed;
  unsigned threads;
};

} // namespace cnn::reference
