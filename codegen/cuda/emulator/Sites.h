// Places in a kernel that call the emulator: accesses to memory, and operations that a CPU does not have. Generated
// code holds the addresses of these descriptions.
#pragma once

#include "llvm/ADT/StringRef.h"

#include <array>
#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <vector>

namespace cnn::cuda::emulator {

struct Thread;
struct Site;

/// Does one operation of a thread. Arguments and results are the operands of the instruction as bits, each in a word of
/// its own; those of a vector lie in one word.
using Handler = void (*)(Thread &thread, const Site &site, const uint64_t *arguments, uint64_t *results);

/// An operation that the emulator knows, with what its name says beside its kind (sizes, types).
struct Operation {
  Handler handler = nullptr;
  std::array<int64_t, 4> variant = {};
  bool isAsync = false; ///< Something that goes on beside the threads (AsyncProxy.h).
};

enum class Space : uint8_t { Generic, Global, Shared };

struct Site {
  std::string kernel; ///< The function that it stands in.
  std::string text;   ///< The instruction, and its number in the function.
  Operation operation;
  uint32_t bytes = 0, align = 1;
  Space space = Space::Generic;
  bool writes = false, atomic = false;
  uint32_t number = 0;  ///< Among the sites of its module.
  int32_t operand = -1; ///< The parameter that the address is derived from, if that is one of the kernel's operands.
};

/// What inline assembly with so many operands does (products of warpgroups), or nothing.
std::optional<Operation> findAssembly(llvm::StringRef assembly, int64_t operandCount);

/// The operation that an intrinsic of LLVM's NVPTX target stands for, or nothing when the emulator does not know it.
/// `name` has no suffix for overloaded types.
std::optional<Operation> findOperation(llvm::StringRef name);

// The parts of findOperation.
std::optional<Operation> findAsyncOperation(llvm::StringRef name);
std::optional<Operation> findBarrierOperation(llvm::StringRef name);
std::optional<Operation> findCopyOperation(llvm::StringRef name);
std::optional<Operation> findLaneOperation(llvm::StringRef name);
std::optional<Operation> findMathOperation(llvm::StringRef name);
std::optional<Operation> findMatrixOperation(llvm::StringRef name);

/// What a kernel says of one of its parameters.
struct Parameter {
  uint32_t bytes = 8;
  uint32_t align = 1; ///< Of the address that it is.
  bool isPointer = false, isReadOnly = false, isNoAlias = false;
};

/// A kernel that can be launched: `entry` takes the addresses of its parameters.
struct Kernel {
  std::string name;
  void (*entry)(void **parameters) = nullptr;
  std::vector<Parameter> parameters;
  std::vector<uint64_t> operandBytes; ///< See OperandBytes.h; empty: nothing is said.
  uint32_t staticSharedBytes = 0;
  unsigned sharedGranule = 4; ///< The smallest access to shared memory, at most 4 bytes.
  unsigned globalGranule = 4;
  bool usesAsyncProxy = false;
  uint32_t maxThreads = 1024;
  std::array<uint32_t, 3> requiredThreads = {}; ///< 0: not said.
};

} // namespace cnn::cuda::emulator
