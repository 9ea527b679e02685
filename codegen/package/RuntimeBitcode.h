// The embedded runtime's bitcode, which the build puts into the compiler (runtime/embedded/Bitcode.c).
#pragma once

#include "llvm/ADT/StringRef.h"

extern "C" const char cnn_runtime_bitcode[], cnn_runtime_bitcode_end[];

namespace cnn {
inline llvm::StringRef runtimeBitcode() {
  return {cnn_runtime_bitcode, static_cast<size_t>(cnn_runtime_bitcode_end - cnn_runtime_bitcode)};
}
} // namespace cnn
