// The table of architectures; see Architecture.h.
#include "codegen/cuda/Architecture.h"

#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/SmallVector.h"

using namespace cnn::cuda;

static constexpr int64_t KiB = 1024;

static const Architecture kTable[] = {
    {"sm_120", 120, false, 87, 99 * KiB, 100 * KiB, 1536, 24, {"GeForce RTX 5090", 104.8, 1792}},
    {"sm_100", 100, false, 86, 227 * KiB, 228 * KiB, 2048, 32, {"B200", 75, 8000}},
    {"sm_90a", 90, true, 80, 227 * KiB, 228 * KiB, 2048, 32, {"H100 SXM", 66.9, 3350}},
    {"sm_90", 90, false, 78, 227 * KiB, 228 * KiB, 2048, 32, {"H100 SXM", 66.9, 3350}},
    {"sm_89", 89, false, 78, 99 * KiB, 100 * KiB, 1536, 24, {"GeForce RTX 4090", 82.6, 1008}},
    {"sm_86", 86, false, 71, 99 * KiB, 100 * KiB, 1536, 16, {"GeForce RTX 3090", 35.6, 936}},
    {"sm_80", 80, false, 70, 163 * KiB, 164 * KiB, 2048, 32, {"A100", 19.5, 1555}},
    {"sm_75", 75, false, 63, 64 * KiB, 64 * KiB, 1024, 16, {"T4", 8.1, 320}},
};

llvm::ArrayRef<Architecture> cnn::cuda::allArchitectures() { return kTable; }

llvm::ArrayRef<llvm::StringRef> cnn::cuda::architectureNames() {
  static const auto names = llvm::map_to_vector(kTable, [](const Architecture &entry) { return entry.name; });
  return names;
}

const Architecture *cnn::cuda::findArchitecture(llvm::StringRef name) {
  for (const Architecture &architecture : kTable)
    if (architecture.name == name)
      return &architecture;
  return nullptr;
}
