// The memory of a step's state; StateBlock.h has the contract.
#include "tools/cnnc/training/StateBlock.h"

#include <cstring>

using namespace cnn;
using host::DType;
using host::TensorView;

host::Result<StateBlock> StateBlock::create(std::vector<StateVariable> variables, int64_t bytes) {
  StateBlock block;
  std::optional<HugeMemory> memory = HugeMemory::allocate(static_cast<size_t>(bytes) + 64);
  if (!memory)
    return host::makeError("there is no memory for {} bytes of state", bytes);
  block.memory = std::move(*memory);
  block.size = bytes;
  block.all = std::move(variables);
  for (size_t i = 0; i < block.all.size(); ++i)
    block.indices[block.all[i].name] = i;
  return block;
}

const StateVariable *StateBlock::find(llvm::StringRef name) const {
  auto found = indices.find(name);
  return found == indices.end() ? nullptr : &all[found->second];
}

TensorView StateBlock::view(const StateVariable &variable) const {
  auto *begin = reinterpret_cast<const uint8_t *>(memory.data()) + variable.offset;
  return {variable.dtype, variable.shape, {begin, static_cast<size_t>(variable.bytes)}};
}

void StateBlock::copyFrom(const StateBlock &other) {
  assert(size == other.size && "blocks of different layouts");
  std::memcpy(memory.data(), other.memory.data(), static_cast<size_t>(size));
}

const StateVariable *StateBlock::copyByName(const StateBlock &other) {
  const StateVariable *missing = nullptr;
  for (const StateVariable &variable : all) {
    const StateVariable *from = other.find(variable.name);
    if (from && from->bytes == variable.bytes)
      std::memcpy(bytesOf(variable).data(), other.view(*from).bytes.data(), static_cast<size_t>(variable.bytes));
    else if (!missing)
      missing = &variable;
  }
  return missing;
}

/// Whether no word has all bits of the exponent set. One pass without branches, so that it costs what reading costs.
template <typename Word> static bool wordsAreFinite(std::span<const uint8_t> bytes, Word exponent) {
  uint64_t bad = 0;
  for (size_t i = 0; i + sizeof(Word) <= bytes.size(); i += sizeof(Word)) {
    Word word;
    std::memcpy(&word, bytes.data() + i, sizeof word);
    bad |= static_cast<uint64_t>((word & exponent) == exponent);
  }
  return bad == 0;
}

bool cnn::isFinite(const TensorView &tensor) {
  switch (tensor.dtype) {
  case DType::F32:
    return wordsAreFinite<uint32_t>(tensor.bytes, 0x7F800000);
  case DType::F64:
    return wordsAreFinite<uint64_t>(tensor.bytes, 0x7FF0000000000000);
  case DType::F16:
    return wordsAreFinite<uint16_t>(tensor.bytes, 0x7C00);
  case DType::BF16:
    return wordsAreFinite<uint16_t>(tensor.bytes, 0x7F80);
  case DType::U8:
  case DType::I32:
  case DType::I64:
    break;
  }
  return true;
}

const StateVariable *StateBlock::firstNotFinite() const {
  for (const StateVariable &variable : all)
    if (!isFinite(view(variable)))
      return &variable;
  return nullptr;
}
