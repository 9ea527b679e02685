// See Lower.h.
#include "codegen/cpu/Lower.h"

#include "codegen/cpu/Chains.h"
#include "codegen/cpu/GroupKernels.h"
#include "codegen/cpu/ToLLVM.h"
#include "codegen/cpu/WinogradKernels.h"
#include "passes/TargetModel.h"

using namespace mlir;
namespace cnn::cpu {
namespace {

constexpr int64_t kAlignment = 64;

class Lowering {
public:
  Lowering(ModuleOp module, const LowerOptions &options) : module(module), options(options) {}

  FailureOr<Program> lower() {
    FailureOr<PlannedProgram> planned = planProgram(module, options);
    if (failed(planned))
      return failure();
    program = std::move(planned->program);
    groups = std::move(planned->groups);
    if (failed(lowerKernels()))
      return failure();
    chainSteps(program,
               llvm::map_to_vector(program.steps, [&](const Step &step) { return linkOf(groups[step.group]); }));
    return std::move(program);
  }

private:
  /// Whether the group's kernels may compute a part of the batch as if it were all of it. Draws depend on the place in
  /// the batch; products of matrices would pack their weights each time.
  static bool isByImage(GroupOp group) {
    return llvm::all_of(group.getResults(), isPerImage) &&
           llvm::none_of(group.getBlock().without_terminator(), [](Operation &op) {
             auto reduce = dyn_cast<ReduceOp>(op);
             return isDraw(&op) || isa<BatchSizeOp, DenseOp, MatmulOp>(op) ||
                    (reduce && llvm::is_contained(reduce.getDims(), 0));
           });
  }

  static bool isWinogradBatch(GroupOp group) {
    return isa_and_nonnull<WinogradConv2dOp>(group.getAnchor()) && !readsPackedWeights(group);
  }

  static ChainLink linkOf(const PlannedGroup &planned) {
    ChainLink link;
    GroupOp group = planned.group;
    for (Value input : group.getInputs())
      if (!isPerImage(input))
        link.sharedBytes += storedBytes(cast<RankedTensorType>(input.getType()), /*whole=*/true);
    if (isWinogradBatch(group))
      link.grain = winogradBatchImages(problemOf(group));
    return link;
  }

  LogicalResult lowerKernels() {
    for (Isa isa : allIsas()) {
      StringRef name = isaInfo(isa).name;
      bool asked = options.isas.empty()
                       ? llvm::all_of(groups, [&](PlannedGroup &planned) { return scheduleOf(planned.group, name); })
                       : llvm::is_contained(options.isas, name);
      if (asked && failed(lowerKernels(isa)))
        return failure();
    }
    if (program.variants.empty())
      return module.emitError() << "there is no instruction set that all groups have a schedule for";
    return success();
  }

  static ScheduleAttr scheduleOf(GroupOp group, StringRef isa) {
    auto schedules = group.getSchedules();
    return schedules ? dyn_cast_or_null<ScheduleAttr>(schedules->get(isa)) : ScheduleAttr();
  }

  LogicalResult lowerKernels(Isa isa) {
    OwningOpRef<ModuleOp> kernels = ModuleOp::create(module.getLoc(), isaInfo(isa).name);
    KernelBuilder builder(*kernels, isa, module.getLoc());
    llvm::StringMap<SmallVector<GroupKernel>> known;
    llvm::StringMap<int> symbols;
    size_t step = 0;
    for (PlannedGroup &planned : groups) {
      ScheduleAttr schedule = scheduleOf(planned.group, isaInfo(isa).name);
      if (!schedule)
        return planned.group.emitError() << "has no schedule for " << isaInfo(isa).name;
      std::string key = structuralKey(planned.group, schedule);
      auto found = known.find(key);
      if (found == known.end()) {
        std::string symbol = identifier(planned.group.getPath());
        if (int count = symbols[symbol]++)
          symbol += "." + std::to_string(count);
        builder.setLoc(planned.group.getLoc());
        FailureOr<SmallVector<GroupKernel>> built = buildGroupKernels(builder, symbol, planned.group, schedule);
        if (failed(built))
          return failure();
        found = known.try_emplace(key, *std::move(built)).first;
      }
      SmallVector<Operand> operands = planned.operands;
      for (const ScratchPart &part : scratchParts(planned.group, schedule)) {
        if (!planned.scratch)
          return planned.group.emitError() << "has no place for its scratch";
        Operand place = *planned.scratch;
        place.slice += part.offset;
        operands.push_back(place);
      }
      for (const GroupKernel &kernel : found->second) {
        // The first instruction set makes the steps; the algorithm, and so the number of kernels, is the same for all.
        if (program.variants.empty()) {
          Step &made = program.steps.emplace_back();
          made.group = planned.index;
          made.isByImage = isByImage(planned.group);
          for (int64_t operand : kernel.operands)
            made.operands.push_back(operands[operand]);
        }
        if (step == program.steps.size())
          return planned.group.emitError()
                 << "has more kernels for " << isaInfo(isa).name << " than for other instruction sets";
        KernelUse use;
        use.symbol = kernel.info.symbol;
        use.unitsPerImage = kernel.info.unitsPerImage;
        use.fixedUnits = kernel.info.fixedUnits;
        if (isWinogradBatch(planned.group))
          use.grain = linkOf(planned).grain * kernel.info.unitsPerImage;
        program.steps[step++].kernels.push_back(std::move(use));
        program.scratchBytes =
            std::max<int64_t>(program.scratchBytes, llvm::alignTo(kernel.info.scratchBytes, kAlignment));
      }
    }
    if (options.onKernels)
      options.onKernels(*kernels);
    Variant variant;
    variant.name = isaInfo(isa).name.str();
    variant.targetCpu = isaInfo(isa).targetCpu.str();
    variant.context = std::make_unique<llvm::LLVMContext>();
    variant.module = toLLVM(*kernels, *variant.context, isa);
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

} // namespace cnn::cpu
