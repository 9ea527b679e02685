// The settings of every optimizer: their names, defaults and limits. The attribute's verifier, the language and the
// optimizers themselves read this one table.
#pragma once

#include "ir/CnnOps.h"

namespace cnn {

struct OptimizerSetting {
  llvm::StringLiteral name;
  /// The value of the paper that `optimizerSettings` cites.
  double initial;
  /// Values lie in [low, high).
  double low, high;
};

llvm::ArrayRef<OptimizerSetting> optimizerSettings(OptimizerKind kind);

} // namespace cnn
