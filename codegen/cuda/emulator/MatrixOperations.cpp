// Matrix fragments and their products on tensor cores. Which element lies where: PTX ISA, "Matrix multiply-accumulate
// operation using mma instruction" and "ldmatrix". With g = lane / 4 and t = lane % 4, an m16n8 accumulator holds rows
// g and g + 8, columns 2t and 2t + 1; a lane of A has rows g and g + 8, a lane of B has column g.
//
// Products are exact in f32 for f16, bf16 and tf32 (whose operands lose their low 13 bits here, as in hardware that was
// not asked to round); sums are rounded to f32 in the order of k, which is not what any GPU promises.
#include "codegen/cuda/emulator/Block.h"

#include "llvm/ADT/StringSwitch.h"

#include <bit>
#include <cstring>

namespace cnn::cuda::emulator {

namespace {
enum Type { kF16, kBf16, kTf32 };

float toFloat(uint32_t bits, Type type) {
  if (type == kTf32)
    return std::bit_cast<float>(bits & 0xffffe000u);
  if (type == kBf16)
    return std::bit_cast<float>(bits << 16);
  return static_cast<float>(std::bit_cast<_Float16>(static_cast<uint16_t>(bits)));
}

/// Element `i` of register `word`: a tf32 fills it, two halves share it, the first in the low bits.
float element(uint64_t word, int i, Type type) {
  return toFloat(type == kTf32 ? static_cast<uint32_t>(word) : static_cast<uint32_t>(word >> 16 * i & 0xffff), type);
}

/// Variant: k, type, whether accumulators are f16.
void multiplyAll(Block &, Thread *const *lanes, uint32_t, const Site &site) {
  const int depth = static_cast<int>(site.operation.variant[0]);
  const auto type = static_cast<Type>(site.operation.variant[1]);
  const bool halfSums = site.operation.variant[2];
  // A register holds `each` neighbours along k; fragments repeat every 4 * each.
  const int each = type == kTf32 ? 1 : 2, step = 4 * each, steps = depth / step;
  using Row = float __attribute__((vector_size(32)));
  float a[16][16];
  Row b[16];
  float sums[16][8];
  for (int lane = 0; lane < 32; ++lane) {
    const int g = lane / 4, t = lane % 4;
    const uint64_t *registers = lanes[lane]->arguments;
    const uint64_t *second = registers + 2 * steps, *third = second + steps;
    for (int s = 0; s < steps; ++s)
      for (int i = 0; i < each; ++i) {
        const int k = s * step + t * each + i;
        a[g][k] = element(registers[2 * s], i, type);
        a[g + 8][k] = element(registers[2 * s + 1], i, type);
        b[k][g] = element(second[s], i, type);
      }
    for (int half = 0; half < 2; ++half)
      for (int i = 0; i < 2; ++i)
        sums[g + 8 * half][2 * t + i] = halfSums ? toFloat(third[half] >> 16 * i & 0xffff, kF16)
                                                 : std::bit_cast<float>(static_cast<uint32_t>(third[2 * half + i]));
  }
  for (int row = 0; row < 16; ++row) {
    Row sum;
    memcpy(&sum, sums[row], sizeof sum);
    for (int k = 0; k < depth; ++k)
      sum += a[row][k] * b[k];
    memcpy(sums[row], &sum, sizeof sum);
  }
  for (int lane = 0; lane < 32; ++lane) {
    const int g = lane / 4, t = lane % 4;
    for (int half = 0; half < 2; ++half) {
      const float *from = &sums[g + 8 * half][2 * t];
      uint64_t *to = lanes[lane]->results;
      if (halfSums)
        to[half] = std::bit_cast<uint16_t>(static_cast<_Float16>(from[0])) |
                   uint64_t(std::bit_cast<uint16_t>(static_cast<_Float16>(from[1]))) << 16;
      else
        for (int i = 0; i < 2; ++i)
          to[2 * half + i] = std::bit_cast<uint32_t>(from[i]);
    }
  }
}

/// ldmatrix and stmatrix: lane 8 * i + r gives the address of row r of matrix i, 8 elements of 2 bytes. Variant: number
/// of matrices, transposed or not, stored or not.
void moveMatrices(Block &block, Thread *const *lanes, uint32_t, const Site &site) {
  const int count = static_cast<int>(site.operation.variant[0]);
  const bool transposed = site.operation.variant[1], stores = site.operation.variant[2];
  const bool counts = block.countsBankConflicts();
  int64_t extra = 0;
  for (int matrix = 0; matrix < count; ++matrix) {
    uint16_t *rows[8];
    uint32_t offsets[8];
    for (int row = 0; row < 8; ++row) {
      Thread &lane = *lanes[matrix * 8 + row];
      const uint64_t address = lane.arguments[0];
      block.checkShared(lane, site, address, 16, 16);
      block.access(lane, site, address, 16, 16, stores);
      rows[row] = reinterpret_cast<uint16_t *>(address);
      offsets[row] = static_cast<uint32_t>(address);
    }
    if (counts)
      extra += BankCounter::extraPasses(offsets, 8, 16);
    for (int lane = 0; lane < 32; ++lane) {
      const int g = lane / 4, t = lane % 4;
      uint16_t *first = transposed ? &rows[2 * t][g] : &rows[g][2 * t];
      uint16_t *second = transposed ? &rows[2 * t + 1][g] : &rows[g][2 * t + 1];
      if (stores) {
        const uint64_t word = lanes[lane]->arguments[1 + matrix];
        *first = static_cast<uint16_t>(word);
        *second = static_cast<uint16_t>(word >> 16);
      } else {
        lanes[lane]->results[matrix] = *first | uint32_t(*second) << 16;
      }
    }
  }
  if (counts)
    block.banks().add(site, extra);
}

template <WarpFunction ACT>
void meetAll(Thread &thread, const Site &site, const uint64_t *arguments, uint64_t *results) {
  thread.block->meet(thread, site, arguments, results, UINT32_MAX, ACT);
}
} // namespace

std::optional<Operation> findMatrixOperation(llvm::StringRef name) {
  if (name.consume_front("llvm.nvvm.mma.m16n8k")) {
    const auto [k, types] = name.split(".row.col.");
    int64_t depth = 0;
    if (k.getAsInteger(10, depth))
      return std::nullopt;
    const int type = llvm::StringSwitch<int>(types)
                         .Cases({"f32.f32", "f16.f16"}, kF16)
                         .Case("bf16", kBf16)
                         .Case("tf32", kTf32)
                         .Default(-1);
    const int64_t step = type == kTf32 ? 4 : 8;
    if (type < 0 || (depth != step && depth != 2 * step))
      return std::nullopt;
    return Operation{meetAll<multiplyAll>, {depth, type, types == "f16.f16"}};
  }
  const bool stores = name.starts_with("llvm.nvvm.stmatrix");
  if (!name.consume_front("llvm.nvvm.ldmatrix.sync.aligned.m8n8.x") &&
      !name.consume_front("llvm.nvvm.stmatrix.sync.aligned.m8n8.x"))
    return std::nullopt;
  const bool transposed = name.split('.').second == "trans.b16";
  if (!transposed && name.split('.').second != "b16")
    return std::nullopt;
  const int64_t count = name.front() - '0';
  return Operation{meetAll<moveMatrices>, {count, transposed, stores}};
}

} // namespace cnn::cuda::emulator
