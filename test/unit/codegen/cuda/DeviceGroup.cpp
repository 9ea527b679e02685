// See DeviceGroup.h.
#include "test/unit/codegen/cuda/DeviceGroup.h"

#include "codegen/cuda/MatrixKernels.h"
#include "codegen/cuda/ToPtx.h"
#include "test/unit/codegen/cuda/emulator/EmulatedDevice.h"

#include <gtest/gtest.h>

#include <numeric>

using namespace mlir;
using namespace cnn::cuda;

namespace cnn::testing {

namespace {

ScheduleAttr scheduleOf(GroupOp group, Algorithm algorithm, const DeviceOptions &options) {
  ScheduleAttr chosen = chooseSchedule(group, algorithm, *findArchitecture(options.architecture), /*threads=*/128);
  MatmulTile tile = matmulTile(chosen);
  auto choose = [](int64_t &size, int64_t asked) { size = asked ? asked : size; };
  choose(tile.rows, options.rows);
  choose(tile.columns, options.columns);
  choose(tile.depth, options.depth);
  choose(tile.stages, options.stages);
  tile.ofWarpgroups |= options.warpgroups;
  if (tile.ofWarpgroups)
    tile.depth = MatmulTile::kWarpgroupDepth;
  int64_t slices = chosen.getSlices();
  choose(slices, options.slices);
  if (algorithm == Algorithm::Depthwise)
    return ScheduleAttr::get(group.getContext(), algorithm, chosen.getThreads(), tile.columns);
  return hasTile(algorithm) ? cuda::scheduleOf(group.getContext(), algorithm, tile, slices) : chosen;
}

/// The kernels of a group on an emulated device.
class DeviceGroup {
public:
  DeviceGroup(GroupOp group, Algorithm algorithm, const DeviceOptions &options)
      : group(group), schedule(scheduleOf(group, algorithm, options)) {
    const Architecture &architecture = *findArchitecture(options.architecture);
    OwningOpRef<ModuleOp> code = ModuleOp::create(group.getLoc(), "kernels");
    DeviceBuilder builder(*code, architecture, group.getLoc());
    auto built = buildGroupKernels(builder, "group", group, schedule, known());
    llvm::LLVMContext context;
    std::unique_ptr<llvm::Module> module = succeeded(built) ? toLLVM(*code, context, architecture) : nullptr;
    if (!module)
      return;
    kernels = *built;
    EXPECT_EQ("", device.load(*module));
  }

  std::string describe() const {
    std::string text;
    llvm::raw_string_ostream(text) << schedule;
    return text;
  }

  void run(ArrayRef<GroupCase::Memory> operands, int64_t batch, const EmulatorOptions &options) {
    setEmulatorOptions(options);
    std::vector<uint64_t> addresses, imageStrides;
    for (const GroupCase::Memory &operand : operands) {
      addresses.push_back(device.upload(std::vector<char>(operand.data, operand.data + operand.bytes)));
      imageStrides.push_back(operand.imageStride);
    }
    int64_t perImage = schedule.scratchBytesPerImage(group);
    if (int64_t bytes = perImage * batch + schedule.scratchBytes(group)) {
      addresses.push_back(device.upload(std::vector<char>(bytes, char(0xff))));
      imageStrides.push_back(perImage);
    }
    ASSERT_FALSE(kernels.empty());
    for (const GroupKernel &kernel : kernels) {
      const DeviceLaunch &launch = kernel.kernel.launch;
      uint64_t units = kernel.kernel.fixedUnits + batch * kernel.kernel.unitsPerImage;
      std::vector<uint64_t> parameters;
      for (int64_t operand : kernel.operands)
        parameters.push_back(addresses[operand]);
      for (int64_t operand : kernel.operands)
        parameters.push_back(imageStrides[operand]);
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
    for (size_t i = group->getNumOperands(); i < operands.size(); ++i) {
      std::vector<char> result = device.download<char>(addresses[i], operands[i].bytes);
      std::copy(result.begin(), result.end(), operands[i].data);
    }
  }

private:
  /// As lowering knows operands that have memory of their own and images without gaps.
  SmallVector<DeviceOperand> known() const {
    SmallVector<Type> types(group->getOperandTypes());
    llvm::append_range(types, group->getResultTypes());
    SmallVector<DeviceOperand> known;
    for (auto [number, type] : llvm::enumerate(types)) {
      auto tensor = cast<RankedTensorType>(type);
      bool ofImages = tensor.getRank() && tensor.isDynamicDim(0);
      int64_t alignment = std::gcd(int64_t(64), ofImages ? storedBytes(tensor, /*whole=*/false) : 0);
      known.push_back({/*noAlias=*/true, /*readOnly=*/number < group->getNumOperands(), alignment});
    }
    known.push_back({/*noAlias=*/true, /*readOnly=*/false, /*alignment=*/64});
    return known;
  }

  mutable GroupOp group; ///< A handle, whose queries are not const.
  ScheduleAttr schedule;
  GroupKernels kernels;
  EmulatedDevice device;
};

} // namespace

void checkOnDevice(GroupCase &test, Algorithm algorithm, const DeviceOptions &options) {
  MLIRContext context(MLIRContext::Threading::DISABLED);
  context.loadDialect<CudaDialect>();
  OwningOpRef<ModuleOp> module = parseGroup(context, test.text());
  ASSERT_TRUE(module) << test.text();
  DeviceGroup compiled(groupOf(*module), algorithm, options);
  SCOPED_TRACE(options.architecture + ", " + compiled.describe());
  auto runner = [&](ThreadOrder order, CopyTime copies) -> GroupCase::Runner {
    EmulatorOptions emulator;
    emulator.order = order;
    emulator.copies = copies;
    emulator.countBankConflicts = order == ThreadOrder::Forward;
    return [&, emulator](GroupOp, ArrayRef<GroupCase::Memory> operands) {
      takeBankCounts();
      compiled.run(operands, test.batch, emulator);
      if (hasTile(algorithm))
        for (const BankCount &count : takeBankCounts())
          EXPECT_EQ(0, count.extra) << count.kernel << ": " << count.instruction << " needs " << count.extra
                                    << " more passes in " << count.accesses;
    };
  };
  test.compare({runner(ThreadOrder::Forward, CopyTime::Early), runner(ThreadOrder::Reverse, CopyTime::Late),
                runner(ThreadOrder::Shuffled, CopyTime::Mixed)});
}

} // namespace cnn::testing
