// The kernels of NVIDIA GPUs behind GroupCase::check, on the emulated device: the best algorithm for the group, and a
// thread an element besides unless the order of a sum's terms matters; the threads of a block in one order and in the
// reverse.
#include "codegen/cuda/MatrixKernels.h"
#include "codegen/cuda/ToPtx.h"
#include "passes/TargetModel.h"
#include "test/unit/codegen/cpu/GroupCase.h"
#include "test/unit/codegen/cuda/emulator/EmulatedDevice.h"

#include <gtest/gtest.h>

#include <numeric>

using namespace mlir;
using namespace cnn::cuda;

namespace cnn::testing {

namespace {

void runOnDevice(GroupOp group, ArrayRef<GroupCase::Memory> operands, int64_t batch, ScheduleAttr schedule,
                 ThreadOrder order) {
  SmallVector<GroupCase::Memory> all(operands);
  int64_t perImage = schedule.scratchBytesPerImage(group);
  std::vector<char> scratch(schedule.scratchBytes(group) + batch * perImage);
  if (!scratch.empty())
    all.push_back({scratch.data(), static_cast<int64_t>(scratch.size()), perImage});
  SmallVector<DeviceOperand> known;
  for (auto [number, operand] : llvm::enumerate(all))
    known.push_back({/*noAlias=*/true, /*readOnly=*/number < group->getNumOperands(),
                     std::gcd(int64_t(16), operand.imageStride),
                     /*bytes=*/operand.imageStride ? operand.imageStride : operand.bytes});

  const Architecture &architecture = *findArchitecture("sm_80");
  OwningOpRef<ModuleOp> kernels = ModuleOp::create(group.getLoc());
  DeviceBuilder builder(*kernels, architecture, group.getLoc());
  FailureOr<GroupKernels> built = buildGroupKernels(builder, "group", group, schedule, known);
  ASSERT_TRUE(succeeded(built));
  llvm::LLVMContext context;
  std::unique_ptr<llvm::Module> module = toLLVM(*kernels, context, architecture);
  ASSERT_TRUE(module);

  EmulatorOptions options;
  options.order = order;
  EmulatedDevice device(options);
  ASSERT_EQ("", device.load(*module));
  SmallVector<CUdeviceptr> addresses;
  for (const GroupCase::Memory &operand : all)
    addresses.push_back(device.upload(std::vector<char>(operand.data, operand.data + operand.bytes)));
  for (const GroupKernel &kernel : *built) {
    std::vector<uint64_t> parameters;
    for (int64_t operand : kernel.operands)
      parameters.push_back(addresses[operand]);
    for (int64_t operand : kernel.operands)
      parameters.push_back(all[operand].imageStride);
    const DeviceLaunch &launch = kernel.kernel.launch;
    int64_t units = kernel.kernel.fixedUnits + batch * kernel.kernel.unitsPerImage;
    parameters.push_back(batch);
    parameters.push_back(units);
    EmulatedDevice::Shape shape;
    shape.grid[0] = llvm::divideCeil(units, launch.unitsPerBlock);
    shape.grid[1] = launch.gridY;
    shape.grid[2] = launch.gridZ;
    shape.block = launch.blockThreads;
    shape.sharedBytes = launch.sharedBytes;
    Outcome outcome = device.run(kernel.kernel.symbol, shape, parameters);
    ASSERT_EQ(CUDA_SUCCESS, outcome.code) << outcome.fault;
  }
  for (auto [operand, address] : llvm::zip_equal(all, addresses)) {
    std::vector<char> bytes = device.download<char>(address, operand.bytes);
    std::copy(bytes.begin(), bytes.end(), operand.data);
  }
}

} // namespace

void GroupCase::check(cpu::KernelKind) {
  SmallVector<Algorithm> algorithms;
  {
    MLIRContext context(MLIRContext::Threading::DISABLED);
    OwningOpRef<ModuleOp> module = parseGroup(context, text());
    ASSERT_TRUE(module);
    std::string whyNot;
    std::optional<Algorithm> best = algorithmOf(groupOf(*module), whyNot);
    ASSERT_TRUE(best) << whyNot;
    algorithms.push_back(*best);
    if (*best != Algorithm::Element && *best != Algorithm::Reduce)
      algorithms.push_back(Algorithm::Element);
  }
  for (Algorithm algorithm : algorithms) {
    SCOPED_TRACE(stringifyAlgorithm(algorithm).str());
    auto runner = [&](ThreadOrder order) -> Runner {
      return [&, order](GroupOp group, ArrayRef<Memory> operands) {
        group->getContext()->loadDialect<CudaDialect>();
        ScheduleAttr schedule = chooseSchedule(group, algorithm, *findArchitecture("sm_80"), /*threads=*/64);
        runOnDevice(group, operands, batch, schedule, order);
      };
    };
    compare({runner(ThreadOrder::Forward), runner(ThreadOrder::Reverse)});
  }
}

} // namespace cnn::testing
