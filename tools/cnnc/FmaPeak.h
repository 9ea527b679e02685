// What this machine's floating-point units can do at most, measured, so that `bench` can say what share of it is used.
#pragma once

#include "llvm/ADT/StringRef.h"

namespace cnn {

/// GFLOP/s in f32 of `threads` threads at once, in multiply-adds of independent registers without memory: 512-bit FMA
/// for `avx512`, 256-bit FMA for `avx2`, otherwise 128-bit multiply and add (what x86-64-v2 has). Takes about 0.1 s;
/// the instruction set must be one that this machine runs.
double measurePeakGflops(llvm::StringRef isa, int threads);

} // namespace cnn
