// `--only` and `--except`: the samples of some classes.
#pragma once

#include "runtime/host/data/Dataset.h"

#include "llvm/ADT/StringRef.h"

namespace cnn {

/// The samples of the classes that `list` names, or, without `keep`, of all others. The list has names of the data's
/// classes, numbers and ranges of them, with commas: "cat,dog", "9", "0-4,7". An error where there is no such class,
/// where the samples have none, and where no sample is left.
host::Result<host::Dataset> chooseClasses(const host::Dataset &data, llvm::StringRef list, bool keep);

} // namespace cnn
