// The table of architectures; see Architecture.h.
#include "codegen/cuda/Architecture.h"

#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/SmallVector.h"

using namespace cnn::cuda;

static constexpr int64_t KiB = 1024;

static const Architecture kTable[] = {
    {"sm_120", 120, false, 87, 99 * KiB, 100 * KiB, 1536, 24},
    {"sm_100", 100, false, 86, 227 * KiB, 228 * KiB, 2048, 32},
    {"sm_90a", 90, true, 80, 227 * KiB, 228 * KiB, 2048, 32},
    {"sm_90", 90, false, 78, 227 * KiB, 228 * KiB, 2048, 32},
    {"sm_89", 89, false, 78, 99 * KiB, 100 * KiB, 1536, 24},
    {"sm_86", 86, false, 71, 99 * KiB, 100 * KiB, 1536, 16},
    {"sm_80", 80, false, 70, 163 * KiB, 164 * KiB, 2048, 32},
    {"sm_75", 75, false, 63, 64 * KiB, 64 * KiB, 1024, 16},
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
