// The steps of a `preprocess` block, from the attribute that the frontend leaves on an input to what the host executes.
#pragma once

#include "runtime/host/data/Dataset.h"

#include "mlir/IR/BuiltinAttributes.h"

#include <string>
#include <vector>

namespace cnn {

/// None for the null attribute, which an input without such a block has.
host::Result<std::vector<host::PreprocessStep>> decodePreprocess(mlir::ArrayAttr steps);

/// The steps as the language writes them, "resize(size = 256, ...) -> crop(...)".
std::string preprocessText(mlir::ArrayAttr steps);

/// What a picture goes through for a float input of so many channels: the steps declared, or, where there are none,
/// what training does without them: grey pictures stay grey for one channel, and values become value / 255 (Unit).
std::vector<host::PreprocessStep> stepsFor(const host::Image &picture, std::span<const host::PreprocessStep> declared,
                                           int64_t channels, host::PixelScale scale);

} // namespace cnn
