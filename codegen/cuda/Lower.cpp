// See Lower.h.
#include "codegen/cuda/Lower.h"

#include "codegen/cuda/Kernels.h"
#include "codegen/cuda/ToPtx.h"
#include "passes/TargetModel.h"
#include "runtime/cuda/cnn_cuda_abi.h"

#include <numeric>

using namespace mlir;
namespace cnn::cuda {
namespace {

/// A group's operands as its kernels get them: inputs, results and the scratch, if it has one.
struct Operands {
  SmallVector<Operand> places;
  SmallVector<DeviceOperand> known;
};

/// What is known of an operand's alignment, whatever the batch is: buffers of a session begin at multiples of 64 bytes,
/// inputs and outputs at multiples of 16, without gaps between images (runtime/cuda/cnn_cuda_abi.h).
int64_t alignmentOf(const Operand &place) {
  bool isCallers = place.segment == Segment::Input || place.segment == Segment::Output;
  // offset * batch is a multiple of the offset.
  int64_t begin = isCallers ? CNN_CUDA_TENSOR_ALIGNMENT : std::gcd(int64_t(CNN_ALIGNMENT), place.offset);
  return std::gcd(begin, std::gcd(place.slice, place.imageStride));
}

/// Bytes [begin, end) of a buffer that an operand takes, of each image or of all.
struct Range {
  int64_t begin, end;
};

bool overlap(const Operand &a, Range x, const Operand &b, Range y) {
  // A caller may have a network write over what it reads.
  auto isCallers = [](const Operand &place) {
    return place.segment == Segment::Input || place.segment == Segment::Output;
  };
  if (isCallers(a) && isCallers(b))
    return a.segment != b.segment || a.offset == b.offset;
  // Buffers that are alive together lie apart; parts of one share its offset.
  return a.segment == b.segment && a.offset == b.offset && x.begin < y.end && y.begin < x.end;
}

Operands operandsOf(PlannedGroup &planned, int64_t scratchBytes) {
  Operands all;
  SmallVector<Range> ranges;
  GroupOp group = planned.group;
  size_t inputs = group->getNumOperands();
  auto add = [&](const Operand &place, int64_t bytes) {
    all.places.push_back(place);
    ranges.push_back({place.slice, place.slice + bytes});
    DeviceOperand operand;
    operand.alignment = alignmentOf(place);
    operand.bytes = bytes;
    all.known.push_back(operand);
  };
  for (auto [number, place] : llvm::enumerate(planned.operands)) {
    Value value = number < inputs ? group.getInputs()[number] : group.getResult(number - inputs);
    auto type = cast<RankedTensorType>(value.getType());
    add(place, storedBytes(type, /*whole=*/place.imageStride == 0));
  }
  if (planned.scratch)
    add(*planned.scratch, scratchBytes);
  size_t count = all.places.size();
  for (size_t i = 0; i < count; ++i) {
    bool isShared = false;
    for (size_t j = 0; j < count; ++j)
      if (i != j && (i >= inputs || j >= inputs))
        isShared |= overlap(all.places[i], ranges[i], all.places[j], ranges[j]);
    all.known[i].noAlias = !isShared;
    all.known[i].readOnly = !isShared && i < inputs;
  }
  return all;
}

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

  LogicalResult lowerKernels(const Architecture &architecture) {
    OwningOpRef<ModuleOp> kernels = ModuleOp::create(module.getLoc(), architecture.name);
    DeviceBuilder builder(*kernels, architecture, module.getLoc());
    llvm::StringMap<GroupKernels> known;
    llvm::StringMap<int> symbols;
    size_t step = 0;
    for (PlannedGroup &planned : groups) {
      ScheduleAttr schedule = scheduleOf(planned.group, architecture);
      if (!schedule)
        return planned.group.emitError() << "has no schedule for " << architecture.name;
      int64_t scratchBytes = schedule.scratchBytes(planned.group);
      if (scratchBytes + schedule.scratchBytesPerImage(planned.group) && !planned.scratch)
        return planned.group.emitError() << "has no place for its scratch";
      Operands operands = operandsOf(planned, scratchBytes + schedule.scratchBytesPerImage(planned.group));
      std::string key = keyOf(planned.group, schedule, operands.known);
      auto found = known.find(key);
      if (found == known.end()) {
        // PTX has no dots in names.
        std::string symbol = identifier(planned.group.getPath());
        if (int count = symbols[symbol]++)
          symbol += "$v" + std::to_string(count);
        builder.setLoc(planned.group.getLoc());
        FailureOr<GroupKernels> built = buildGroupKernels(builder, symbol, planned.group, schedule, operands.known);
        if (failed(built))
          return failure();
        found = known.try_emplace(key, *std::move(built)).first;
      }
      for (const GroupKernel &kernel : found->second) {
        if (kernel.kernel.launch.sharedBytes > architecture.sharedBytesPerBlock)
          return planned.group.emitError()
                 << "a block needs " << kernel.kernel.launch.sharedBytes << " bytes of shared memory, "
                 << architecture.name << " has " << architecture.sharedBytesPerBlock;
        // The first architecture makes the steps; the algorithm, and so the number of kernels, is the same for all.
        if (program.variants.empty()) {
          Step &made = program.steps.emplace_back();
          made.group = planned.index;
          for (int64_t operand : kernel.operands)
            made.operands.push_back(operands.places[operand]);
        }
        if (step == program.steps.size())
          return planned.group.emitError()
                 << "has more kernels for " << architecture.name << " than for other architectures";
        KernelUse use;
        use.symbol = kernel.kernel.symbol;
        use.unitsPerImage = kernel.kernel.unitsPerImage;
        use.fixedUnits = kernel.kernel.fixedUnits;
        use.device = kernel.kernel.launch;
        program.steps[step++].kernels.push_back(std::move(use));
      }
    }
    if (options.onKernels)
      options.onKernels(*kernels);
    Variant variant;
    variant.name = variant.targetCpu = architecture.name.str();
    variant.context = std::make_unique<llvm::LLVMContext>();
    variant.module = toLLVM(*kernels, *variant.context, architecture);
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
