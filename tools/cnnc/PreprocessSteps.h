// The steps of a `preprocess` block, from the attribute that the frontend leaves on an input to what the host executes.
#pragma once

#include "runtime/host/Preprocess.h"

#include "mlir/IR/BuiltinAttributes.h"

#include <vector>

namespace cnn {

/// None for the null attribute, which an input without such a block has.
host::Result<std::vector<host::PreprocessStep>> decodePreprocess(mlir::ArrayAttr steps);

} // namespace cnn
