// The kernels of CPUs behind GroupCase::check.
#include "test/unit/codegen/cpu/GroupCase.h"

#include <gtest/gtest.h>

using namespace mlir;
using namespace cnn::cpu;

namespace cnn::testing {

void GroupCase::check(KernelKind kind) {
  for (Isa isa : allIsas()) {
    if (hostSupports(isa))
      check(isa, kind);
    else
      std::cout << "SKIP " << isaInfo(isa).name.str() << ": this machine does not have it\n";
    if (::testing::Test::HasFailure())
      return;
  }
}

void GroupCase::check(Isa isa, KernelKind kind) {
  std::string source = text();
  SCOPED_TRACE(isaInfo(isa).name.str());
  CompiledGroup compiled(source, isa, kind);
  auto runner = [&](int pieces) -> Runner {
    return [&, pieces](GroupOp group, ArrayRef<Memory> operands) {
      std::string whyNot;
      std::optional<KernelKind> chosen = kernelKindOf(group, whyNot);
      ASSERT_TRUE(chosen) << whyNot;
      ASSERT_EQ(static_cast<int>(*chosen), static_cast<int>(kind)) << whyNot;
      ASSERT_TRUE(compiled.hasKernels());
      std::vector<char *> buffers;
      std::vector<int64_t> strides;
      for (const Memory &operand : operands) {
        buffers.push_back(operand.data);
        strides.push_back(operand.imageStride);
      }
      compiled.run(buffers, strides, batch, pieces);
    };
  };
  compare({runner(1), runner(3)});
}

} // namespace cnn::testing
