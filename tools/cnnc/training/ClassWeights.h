// Class weights by the order of samples: a class with twice the weight of another has its samples come twice as often,
// whatever the loss is.
#pragma once

#include "runtime/host/data/Dataset.h"

#include "llvm/ADT/StringRef.h"

namespace cnn {

/// `balanced`, which gives every class the same share of an epoch, or a positive number a class, separated by commas.
/// The smallest weight is once an epoch; parts of a time go to as many samples of the class, chosen by the seed.
host::Result<host::Dataset> weightClasses(const host::Dataset &data, llvm::StringRef weights, uint64_t seed);

} // namespace cnn
