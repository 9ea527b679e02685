// The state of a training step in memory: parameters, statistics, optimizer slots and counters, each row-major at its
// place (codegen/Program.h). Steps update it in place; files and other modules see it by name.
#pragma once

#include "codegen/Program.h"
#include "codegen/package/HugeMemory.h"
#include "runtime/host/Safetensors.h"

#include "llvm/ADT/StringMap.h"

namespace cnn {

class StateBlock {
public:
  /// Zeros. An error where there is no such memory.
  static host::Result<StateBlock> create(std::vector<StateVariable> variables, int64_t bytes);

  const std::vector<StateVariable> &variables() const { return all; }
  const StateVariable *find(llvm::StringRef name) const;
  void *data() { return memory.data(); }
  int64_t bytes() const { return size; }

  std::span<uint8_t> bytesOf(const StateVariable &variable) {
    return {reinterpret_cast<uint8_t *>(memory.data()) + variable.offset, static_cast<size_t>(variable.bytes)};
  }
  host::TensorView view(const StateVariable &variable) const;

  /// Takes everything from a block of the same layout.
  void copyFrom(const StateBlock &other);
  /// Takes the values of the variables that both have. Returns the first of its own that `other` lacks, or null.
  const StateVariable *copyByName(const StateBlock &other);

  /// The first variable that holds a NaN or an infinity, or null.
  const StateVariable *firstNotFinite() const;

private:
  StateBlock() = default;

  std::vector<StateVariable> all;
  llvm::StringMap<size_t> indices;
  int64_t size = 0;
  HugeMemory memory;
};

/// Whether all elements are finite; integers are.
bool isFinite(const host::TensorView &tensor);

} // namespace cnn
