// See CudaTargetModel.h. Groups are fused and exchange images as on the CPU: the element-wise part of a kernel is the
// same emitter's, and a pixel's block of 16 channels is 64 bytes that four 16-byte accesses of neighbouring threads
// cover. The weights of convolutions are packed, others stay row-major.
#include "codegen/cuda/CudaTargetModel.h"

#include "codegen/cpu/CpuTargetModel.h"
#include "codegen/cpu/Isa.h"
#include "codegen/cuda/Architecture.h"
#include "codegen/cuda/CudaDialect.h"
#include "codegen/cuda/MatrixKernels.h"
#include "passes/TargetModel.h"

#include "llvm/ADT/StringSwitch.h"

using namespace mlir;

namespace cnn::cuda {
namespace {

class CudaTargetModel : public TargetModel {
public:
  explicit CudaTargetModel(const TargetModel &cpu) : cpu(cpu) {}

  StringRef name() const override { return "cuda"; }
  ArrayRef<StringRef> isas() const override { return architectureNames(); }
  void registerDialects(DialectRegistry &registry) const override { registry.insert<CudaDialect>(); }

  bool fusesInto(GroupOp producer, Operation *consumer, std::string &whyNot) const override {
    return cpu.fusesInto(producer, consumer, whyNot);
  }

  GroupLayouts layouts(GroupOp group) const override { return cpu.layouts(group); }

  Packing packing(GroupOp group, unsigned operand, bool) const override {
    // Vectors of channels are padded to whole blocks, so that the last one is read like the others.
    Packing packing;
    bool isDepthwiseConv = isDepthwise(group) && !isa<Conv2dWeightGradOp>(group.getAnchor());
    if (whyNotConv(group).empty() && group.getAnchor()->getOperand(1) == group.getBlock().getArgument(operand))
      packing.layout = convWeightLayout(group);
    else if (isDepthwiseConv && group.getAnchor()->getOperand(1) == group.getBlock().getArgument(operand))
      packing.layout = depthwiseWeightLayout(group.getContext());
    else if (cast<RankedTensorType>(group.getBlock().getArgument(operand).getType()).getRank() == 1)
      packing.layout = LayoutAttr::tiled(group.getContext(), 1, {0}, {cpu::kBlock});
    return packing;
  }

  Attribute schedule(GroupOp group, StringRef architecture, bool) const override {
    std::string whyNot;
    std::optional<Algorithm> algorithm = algorithmOf(group, whyNot);
    if (!findArchitecture(architecture))
      return {};
    if (!algorithm) {
      group.emitRemark() << "no CUDA kernel computes this group: " << whyNot;
      return {};
    }
    auto steered =
        group.getAnchor() ? group.getAnchor()->getAttrOfType<DictionaryAttr>(cpu::kScheduleAttr) : DictionaryAttr();
    const Architecture &chosen = *findArchitecture(architecture);
    return steered ? steer(group, *algorithm, chosen, steered) : chooseSchedule(group, *algorithm, chosen, kThreads);
  }

private:
  static constexpr int64_t kThreads = 256;

  /// What the cost model says, but for what the source asks for; null after an error.
  static ScheduleAttr steer(GroupOp group, Algorithm algorithm, const Architecture &architecture,
                            DictionaryAttr steered) {
    if (auto name = steered.getAs<StringAttr>("algorithm")) {
      std::optional<Algorithm> asked = symbolizeAlgorithm(name.getValue());
      if (!asked)
        return refuse(group, steered.getNamed("algorithm").value());
      if (std::string why = whyNot(group, *asked); !why.empty()) {
        group.emitError() << "'@schedule' asks for the algorithm '" << name.getValue()
                          << "', which does not fit: " << why;
        return {};
      }
      algorithm = *asked;
    }
    ScheduleAttr chosen = chooseSchedule(group, algorithm, architecture, kThreads);
    MatmulTile tile = matmulTile(chosen);
    int64_t threads = 0, slices = chosen.getSlices(), warpgroups = tile.ofWarpgroups;
    for (NamedAttribute entry : steered) {
      int64_t *number = llvm::StringSwitch<int64_t *>(entry.getName())
                            .Case("threads", &threads)
                            .Case("rows", &tile.rows)
                            .Case("columns", &tile.columns)
                            .Case("depth", &tile.depth)
                            .Case("stages", &tile.stages)
                            .Case("slices", &slices)
                            .Case("warpgroups", &warpgroups)
                            .Default(nullptr);
      auto value = dyn_cast<IntegerAttr>(entry.getValue());
      if (number && value)
        *number = value.getInt();
      else if (entry.getName() != "algorithm")
        return refuse(group, entry);
    }
    tile.ofWarpgroups = warpgroups != 0;
    // A tile says how many threads it has.
    if (threads == 0)
      threads = hasTile(algorithm) && tile.whyNot().empty() ? tile.threads() : chosen.getThreads();
    auto schedule =
        ScheduleAttr::getChecked([&] { return group.emitError(); }, group.getContext(), algorithm, threads, tile.rows,
                                 tile.columns, tile.depth, tile.stages, tile.ofWarpgroups, slices);
    return schedule && succeeded(schedule.verifyFor(group)) ? schedule : ScheduleAttr();
  }

  static ScheduleAttr refuse(GroupOp group, NamedAttribute entry) {
    group.emitError() << "'@schedule' does not take '" << entry.getName().getValue() << "' = " << entry.getValue()
                      << "; it takes an algorithm of the target and the numbers threads, rows, columns, depth, stages, "
                         "slices and warpgroups";
    return {};
  }

  const TargetModel &cpu;
};

} // namespace

void registerCudaTarget() {
  cpu::registerCpuTarget();
  registerTargetModel(std::make_unique<CudaTargetModel>(*findTargetModel("cpu")));
}

} // namespace cnn::cuda
