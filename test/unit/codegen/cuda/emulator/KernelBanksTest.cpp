// How matrix kernels use the banks of shared memory.
#include "test/unit/codegen/cuda/emulator/NetworkKernels.h"

#include <gtest/gtest.h>

using namespace cnn;
using namespace cnn::cuda;

namespace {

std::vector<BankCount> countBanks(const NetworkKernels &network) {
  EmulatorOptions options;
  options.countBankConflicts = true;
  llvm::LLVMContext context;
  std::vector<std::vector<char>> memory;
  takeBankCounts();
  const Outcome outcome = network.run(*network.kernels(context), options, memory);
  EXPECT_EQ(outcome.code, CUDA_SUCCESS) << outcome.fault;
  return takeBankCounts();
}

// Copies to shared memory, loads of fragments: none of them waits for a bank.
TEST(KernelBanks, MatrixKernelsHaveNoConflicts) {
  for (Precision precision : {Precision::TF32, Precision::F16})
    for (int64_t channels : {32, 96}) {
      const std::string c = std::to_string(channels);
      SCOPED_TRACE(stringifyPrecision(precision).str() + ", " + c + " channels");
      std::vector<BankCount> counts =
          countBanks(NetworkKernels("x: f32[N, " + c + ", 8, 8]) -> f32[N, " + c + ", 8, 8]",
                                    "  x -> c: conv(" + c + ", kernel = 3, pad = 1)", {.precision = precision}));
      int64_t accesses = 0;
      for (const BankCount &count : counts) {
        accesses += count.accesses;
        EXPECT_EQ(count.extra, 0) << count.kernel << ", " << count.instruction << ": " << count.accesses << " accesses";
      }
      EXPECT_GT(accesses, 0);
    }
}

} // namespace
