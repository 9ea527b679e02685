// Libraries for several kinds of machines: a whole library for each inside, and a front that chooses between them when
// a model is made.
#pragma once

#include "codegen/Program.h"

namespace cnn {

/// One program out of several of the same network or step, which become its parts: what users of the library see of
/// them together. Its weights are theirs one after the other, its groups likewise. `target` is the front's. An error
/// where they do not have the same interface.
llvm::Expected<Program> joinPrograms(std::vector<Program> parts, llvm::StringRef target);

} // namespace cnn
