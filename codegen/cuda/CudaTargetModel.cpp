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
    if (whyNotConv(group).empty() && group.getAnchor()->getOperand(1) == group.getBlock().getArgument(operand))
      packing.layout = convWeightLayout(group);
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
    return chooseSchedule(group, *algorithm, *findArchitecture(architecture), /*threads=*/256);
  }

private:
  const TargetModel &cpu;
};

} // namespace

void registerCudaTarget() {
  cpu::registerCpuTarget();
  registerTargetModel(std::make_unique<CudaTargetModel>(*findTargetModel("cpu")));
}

} // namespace cnn::cuda
