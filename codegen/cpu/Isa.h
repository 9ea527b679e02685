// The x86 instruction sets that a CPU library carries code for, and what the cost models need to know about each. A
// channel block is 16 f32 on every one of them: one zmm, two ymm or four xmm registers.
#pragma once

#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/StringRef.h"

#include <cstdint>
#include <optional>

namespace cnn::cpu {

/// The number of channels of a block in the NCHW16c layout.
constexpr int64_t kBlock = 16;

enum class Isa { Sse, Avx2, Avx512 };

struct IsaInfo {
  Isa isa;
  llvm::StringRef name;      ///< "sse", "avx2", "avx512": as on the command line and in schedules.
  llvm::StringRef targetCpu; ///< LLVM's CPU name: x86-64-v2, x86-64-v3, x86-64-v4.
  int registers;             ///< Vector registers.
  int registersPerBlock;     ///< Registers that one block of 16 f32 takes.
};

const IsaInfo &isaInfo(Isa isa);
std::optional<Isa> parseIsa(llvm::StringRef name);

/// All instruction sets, the most capable first.
llvm::ArrayRef<Isa> allIsas();

/// Whether this machine (CPU and operating system) can run code for `isa`.
bool hostSupports(Isa isa);

} // namespace cnn::cpu
