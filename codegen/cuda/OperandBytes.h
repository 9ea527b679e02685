// How kernels say how large their operands are, to whoever checks them: the emulated device.
#pragma once

#include "llvm/ADT/StringRef.h"

namespace cnn::cuda {

/// The attribute of a kernel with a decimal number of bytes for each operand, separated by commas. The operands are the
/// first parameters; as many parameters follow them, the bytes from one image of each to the next, and then the number
/// of images. An operand's number is that of one image, or of all of it where the distance is 0. An access through an
/// operand has to stay inside it.
inline constexpr llvm::StringLiteral kOperandBytes = "cnn-operand-bytes";

} // namespace cnn::cuda
