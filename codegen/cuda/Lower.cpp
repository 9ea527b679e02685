// See Lower.h.
#include "codegen/cuda/Lower.h"

#include "codegen/cuda/Kernels.h"
#include "codegen/cuda/LaunchOperands.h"
#include "codegen/cuda/ToPtx.h"

using namespace mlir;
namespace cnn::cuda {
namespace {

/// Of blocks of kernels of several groups.
constexpr int64_t kJoinedThreads = 256;

class Lowering {
public:
  Lowering(ModuleOp module, const LowerOptions &options) : module(module), options(options) {}

  FailureOr<Program> lower() {
    FailureOr<PlannedProgram> planned = planProgram(module, options);
    if (failed(planned))
      return failure();
    program = std::move(planned->program);
    program.target = "cuda";
    groups = std::move(planned->groups);
    for (const Architecture &architecture : allArchitectures()) {
      bool asked =
          options.architectures.empty()
              ? llvm::all_of(groups, [&](PlannedGroup &planned) { return scheduleOf(planned.group, architecture); })
              : llvm::is_contained(options.architectures, architecture.name);
      if (asked && failed(lowerKernels(architecture)))
        return failure();
    }
    if (program.variants.empty())
      return module.emitError() << "there is no architecture that all groups have a schedule for";
    return std::move(program);
  }

private:
  static ScheduleAttr scheduleOf(GroupOp group, const Architecture &architecture) {
    auto schedules = group.getSchedules();
    return schedules ? dyn_cast_or_null<ScheduleAttr>(schedules->get(architecture.name)) : ScheduleAttr();
  }

  /// A text that is the same for groups whose kernels are the same.
  static std::string keyOf(GroupOp group, ScheduleAttr schedule, ArrayRef<DeviceOperand> known) {
    std::string key = structuralKey(group, schedule);
    llvm::raw_string_ostream stream(key);
    for (const DeviceOperand &operand : known)
      stream << "\n" << operand.noAlias << operand.readOnly << operand.alignment << " " << operand.bytes;
    return key;
  }

  /// What is made for one architecture.
  struct Kernels {
    Kernels(ModuleOp module, const Architecture &architecture)
        : module(ModuleOp::create(module.getLoc(), architecture.name)),
          builder(*this->module, architecture, module.getLoc()) {}

    OwningOpRef<ModuleOp> module;
    DeviceBuilder builder;
    llvm::StringMap<GroupKernels> known; ///< By what they compute.
    llvm::StringMap<int> symbols;
    size_t step = 0; ///< The next one.

    /// A name for the kernel of a group; PTX has no dots in names.
    std::string symbolOf(GroupOp group) {
      std::string symbol = identifier(group.getPath());
      if (int count = symbols[symbol]++)
        symbol += "$v" + std::to_string(count);
      return symbol;
    }
  };

  LogicalResult lowerGroup(Kernels &kernels, const PlannedGroup &planned) {
    GroupOp group = planned.group;
    ScheduleAttr schedule = scheduleOf(group, kernels.builder.architecture());
    int64_t scratchBytes = schedule.scratchBytes(group) + schedule.scratchBytesPerImage(group);
    if (scratchBytes && !planned.scratch)
      return group.emitError() << "has no place for its scratch";
    LaunchOperands operands = launchOperands(planned, scratchBytes);
    SmallVector<DeviceOperand> known = knownOf(operands);
    std::string key = keyOf(group, schedule, known);
    auto found = kernels.known.find(key);
    if (found == kernels.known.end()) {
      kernels.builder.setLoc(group.getLoc());
      FailureOr<GroupKernels> built =
          buildGroupKernels(kernels.builder, kernels.symbolOf(group), group, schedule, known);
      if (failed(built))
        return failure();
      found = kernels.known.try_emplace(key, *std::move(built)).first;
    }
    return addSteps(kernels, planned, found->second, operands);
  }

  /// The groups from number `first` on that one kernel computes.
  LogicalResult lowerJoined(Kernels &kernels, size_t first, const JoinedGroups &joined) {
    SmallVector<DeviceOperand> known = knownOf(joined.operands);
    SmallVector<Part> parts;
    std::string key;
    int64_t blocks = 0;
    for (auto [number, numbers] : llvm::enumerate(joined.parts)) {
      Part &part = parts.emplace_back();
      part.group = groups[first + number].group;
      part.schedule = scheduleOf(part.group, kernels.builder.architecture());
      part.operands = numbers;
      part.known = knownOf(known, numbers);
      part.units = partUnits(part.group, part.schedule.getAlgorithm());
      part.firstBlock = blocks;
      blocks += llvm::divideCeil(part.units, kJoinedThreads);
      key += keyOf(part.group, part.schedule, part.known);
      llvm::raw_string_ostream stream(key);
      llvm::interleaveComma(numbers, stream << "\n");
    }
    auto found = kernels.known.find(key);
    if (found == kernels.known.end()) {
      kernels.builder.setLoc(parts[0].group.getLoc());
      GroupKernel made;
      made.kernel.symbol = kernels.symbolOf(parts[0].group) + "$with" + std::to_string(parts.size() - 1);
      made.kernel.fixedUnits = blocks;
      made.kernel.launch.unitsPerBlock = 1;
      made.kernel.launch.blockThreads = kJoinedThreads;
      made.operands = llvm::to_vector(llvm::seq<int64_t>(0, joined.operands.size()));
      LogicalResult result = success();
      kernels.builder.deviceKernel(made.kernel.symbol, known, kJoinedThreads,
                                   [&] { result = buildParts(kernels.builder, parts); });
      if (failed(result))
        return failure();
      found = kernels.known.try_emplace(key, GroupKernels{made}).first;
    }
    return addSteps(kernels, groups[first], found->second, joined.operands);
  }

  /// A group in a kernel of several.
  struct Part {
    GroupOp group;
    ScheduleAttr schedule;
    SmallVector<int64_t> operands;
    SmallVector<DeviceOperand> known;
    int64_t units, firstBlock;
  };
  /// Each block of threads finds its part by halves.
  static LogicalResult buildParts(DeviceBuilder &b, ArrayRef<Part> parts) {
    LogicalResult result = success();
    if (parts.size() == 1) {
      const Part &part = parts[0];
      b.part(part.operands, part.firstBlock, part.units,
             [&] { result = success(succeeded(buildGroupKernels(b, "", part.group, part.schedule, part.known))); });
      return result;
    }
    size_t half = parts.size() / 2;
    auto build = [&](ArrayRef<Part> some) {
      if (failed(buildParts(b, some)))
        result = failure();
    };
    b.ifThen(
        b.lessThan(b.blockIndex(), b.index(parts[half].firstBlock)), [&] { build(parts.take_front(half)); },
        [&] { build(parts.drop_front(half)); });
    return result;
  }

  /// The groups from number `first` on that may be computed by one launch.
  JoinedGroups joinedFrom(size_t first, const Architecture &architecture) const {
    JoinedGroups joined;
    for (const PlannedGroup &planned : ArrayRef(groups).drop_front(first)) {
      ScheduleAttr schedule = scheduleOf(planned.group, architecture);
      if (!options.joinsGroups || planned.scratch || !partUnits(planned.group, schedule.getAlgorithm()) ||
          !joined.take(launchOperands(planned, 0)))
        break;
    }
    return joined;
  }

  /// The launches of the kernels of a group, or of several from that one on.
  LogicalResult addSteps(Kernels &kernels, const PlannedGroup &planned, const GroupKernels &made,
                         ArrayRef<LaunchOperand> operands) {
    const Architecture &architecture = kernels.builder.architecture();
    GroupOp group = planned.group;
    for (const GroupKernel &kernel : made) {
      if (kernel.kernel.launch.sharedBytes > architecture.sharedBytesPerBlock)
        return group.emitError() << "a block needs " << kernel.kernel.launch.sharedBytes << " bytes of shared memory, "
                                 << architecture.name << " has " << architecture.sharedBytesPerBlock;
      // The first architecture makes the steps; the algorithm, and so the number of kernels, is the same for all.
      if (program.variants.empty()) {
        Step &step = program.steps.emplace_back();
        step.group = planned.index;
        for (int64_t operand : kernel.operands)
          step.operands.push_back(operands[operand].place);
      }
      if (kernels.step == program.steps.size())
        return group.emitError() << "has more kernels for " << architecture.name << " than for other architectures";
      KernelUse use;
      use.symbol = kernel.kernel.symbol;
      use.unitsPerImage = kernel.kernel.unitsPerImage;
      use.fixedUnits = kernel.kernel.fixedUnits;
      use.device = kernel.kernel.launch;
      program.steps[kernels.step++].kernels.push_back(std::move(use));
    }
    return success();
  }

  LogicalResult lowerKernels(const Architecture &architecture) {
    for (const PlannedGroup &planned : groups)
      if (!scheduleOf(planned.group, architecture))
        return GroupOp(planned.group).emitError() << "has no schedule for " << architecture.name;
    Kernels kernels(module, architecture);
    for (size_t first = 0; first < groups.size();) {
      JoinedGroups joined = joinedFrom(first, architecture);
      size_t count = std::max<size_t>(joined.parts.size(), 1);
      if (failed(count > 1 ? lowerJoined(kernels, first, joined) : lowerGroup(kernels, groups[first])))
        return failure();
      first += count;
    }
    if (options.onKernels)
      options.onKernels(*kernels.module);
    Variant variant;
    variant.name = variant.targetCpu = architecture.name.str();
    variant.context = std::make_unique<llvm::LLVMContext>();
    variant.module = toLLVM(*kernels.module, *variant.context, architecture);
    if (!variant.module)
      return failure();
    program.variants.push_back(std::move(variant));
    return success();
  }

  ModuleOp module;
  const LowerOptions &options;
  Program program;
  std::vector<PlannedGroup> groups;
};

} // namespace

FailureOr<Program> lowerToProgram(ModuleOp module, const LowerOptions &options) {
  return Lowering(module, options).lower();
}

} // namespace cnn::cuda
