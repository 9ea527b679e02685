// A program's packed weights as a weights file in memory (cnn_abi.h): what goes into the library, is written beside it,
// or is given to a library that a tool loads.
#pragma once

#include "codegen/Program.h"
#include "codegen/package/HugeMemory.h"

namespace cnn {

struct WeightsImage {
  HugeMemory file; ///< The whole file; empty when the program has no weights.
  uint64_t hash = 0;

  llvm::ArrayRef<char> bytes() const; ///< The packed weights alone.
};

/// Asks the program for its weights once; an error when it gives too few or too many bytes.
llvm::Expected<WeightsImage> collectWeights(const Program &program);

/// Adds the first values of the program's state, stateBytes of them, to its weights.
void setInitialState(Program &program, std::vector<char> values);

} // namespace cnn
