// See CpuTargetModel.h. Images between groups are in blocks of 16 channels, network inputs and outputs and everything
// of another rank are row-major; what has no kernel of its own works on row-major.
#include "codegen/cpu/CpuTargetModel.h"

#include "codegen/cpu/CpuDialect.h"
#include "codegen/cpu/PoolGradKernel.h"
#include "codegen/cpu/RowConvKernel.h"
#include "codegen/cpu/WeightGradKernel.h"
#include "codegen/cpu/WinogradKernels.h"
#include "codegen/cpu/WinogradWeightGrad.h"
#include "ir/StepBatch.h"
#include "passes/TargetModel.h"

#include "llvm/ADT/StringSwitch.h"
#include "llvm/Support/FormatVariadic.h"

using namespace mlir;

namespace cnn::cpu {
namespace {

/// What is meant for a group before it has layouts; kernelKindOf then confirms it.
enum class Plan {
  FirstConv,
  Conv,
  ExpandedConv,
  Depthwise,
  Winograd,
  ConvTranspose,
  WeightGrad,
  Reduce,
  Dense,
  Gemm,
  Blocked,
  RowMajor
};

RankedTensorType tensorOf(Value value) { return cast<RankedTensorType>(value.getType()); }

/// The group's operand that a value of its body is, if it is one.
Value operandOf(GroupOp group, Value value) {
  auto argument = dyn_cast<BlockArgument>(value);
  return argument ? group.getInputs()[argument.getArgNumber()] : Value();
}

bool isImage(Type type) {
  auto tensor = cast<RankedTensorType>(type);
  return tensor.getRank() == 4 && tensor.getElementType().isF32();
}

/// Positions and taps of an axis for which the tap lies inside the image: a direct convolution computes no others.
int64_t tapsInside(int64_t extent, int64_t outputs, int64_t pad) {
  int64_t inside = 0;
  for (int64_t output = 0; output < outputs; ++output)
    for (int64_t tap = 0; tap < 3; ++tap)
      inside += output + tap >= pad && output + tap - pad < extent;
  return inside;
}

/// Whether Winograd's F(4x4, 3x3) is faster for one image, whose weights come from memory. In cycles of a core with two
/// 512-bit FMAs a cycle and 36 GB/s; measured from 16 channels at 32x32 to 512 at 14x14, where it takes 0.3 to 0.8 of
/// the direct time. It does not pay where few tiles share transformed weights of four times the size (512 channels at
/// 7x7: 1.6). With fewer FMAs a cycle it pays the more. One answer for all instruction sets, as they share the weights.
/// In a step a batch shares the weights, but they are packed each time, written and read again: `stepBatch` images, or
/// 0 where there is no step.
bool winogradPays(const ConvProblem &problem, int64_t stepBatch) {
  constexpr double kProductsPerCycle = 32, kProductEfficiency = 0.9, kBlockTransform = 200, kBytesPerCycle = 9.5,
                   kMargin = 0.9;
  double contraction = static_cast<double>(problem.channels) * problem.outputs;
  double direct = contraction * tapsInside(problem.height, problem.outHeight, problem.padTop) *
                  tapsInside(problem.width, problem.outWidth, problem.padLeft) / kProductsPerCycle;
  double tiles = llvm::divideCeil(problem.outHeight, 4) * llvm::divideCeil(problem.outWidth, 4);
  double blocks = llvm::divideCeil(problem.channels, kBlock) + llvm::divideCeil(problem.outputs, kBlock);
  double winograd =
      36 * contraction * tiles / (kProductsPerCycle * kProductEfficiency) + tiles * blocks * kBlockTransform;
  // Stored memory is read before it is written.
  double weights = stepBatch ? (36 - 9) * contraction * 4 * 3 / kBytesPerCycle / static_cast<double>(stepBatch)
                             : 36 * contraction * 4 / kBytesPerCycle;
  return winograd + weights < kMargin * direct;
}

/// The batch of the step that a group belongs to.
int64_t stepBatch(GroupOp group) {
  constexpr int64_t kLarge = 1 << 20;
  auto batch = group->getParentOfType<func::FuncOp>()->getAttrOfType<IntegerAttr>(kStepBatchAttr);
  return batch ? batch.getInt() : kLarge;
}

Plan planConv(GroupOp group, Conv2dOp conv, bool exact) {
  Value weight = operandOf(group, conv.getWeight());
  if (!weight || isPerImage(weight) || !operandOf(group, conv.getInput()) || !isImage(conv.getInput().getType()) ||
      !tensorOf(conv.getWeight()).getElementType().isF32() || !EpilogueEmitter::whyNot(group).empty())
    return Plan::RowMajor;
  int64_t channels = tensorOf(conv.getInput()).getDimSize(1), outputs = tensorOf(conv.getWeight()).getDimSize(0);
  int64_t groups = conv.getGroups();
  if (groups > 1) {
    if (groups == channels && groups == outputs)
      return Plan::Depthwise;
    // In a step nothing is expanded ahead of time.
    if (!isPacked(weight))
      return Plan::RowMajor;
    return channels / groups % kBlock || outputs / groups % kBlock ? Plan::ExpandedConv : Plan::Conv;
  }
  if (channels <= kPlanarChannels)
    return Plan::FirstConv;
  auto ones = [](ArrayRef<int64_t> values) { return llvm::all_of(values, [](int64_t v) { return v == 1; }); };
  auto steered = conv->getAttrOfType<DictionaryAttr>(kScheduleAttr);
  auto asked = steered ? steered.getAs<StringAttr>("algorithm") : StringAttr();
  bool fits = tensorOf(conv.getWeight()).getShape().drop_front(2) == ArrayRef<int64_t>{3, 3} &&
              ones(conv.getStrides()) && ones(conv.getDilations());
  if (exact || !fits)
    return Plan::Conv;
  if (asked)
    return asked.getValue() == "winograd" ? Plan::Winograd : Plan::Conv;
  return winogradPays(problemOf(group), isPacked(weight) ? 0 : stepBatch(group)) ? Plan::Winograd : Plan::Conv;
}

/// Whether the parts of a concatenation of images are whole blocks of channels.
bool joinsBlocks(ConcatOp concat) {
  if (concat.getAxis() != 1 || !isImage(concat.getResult().getType()))
    return false;
  return llvm::all_of(concat.getInputs().drop_back(),
                      [](Value input) { return tensorOf(input).getDimSize(1) % kBlock == 0; });
}

/// The image that decides how a group reads its images: the first of the shape of `full`, or null.
Value firstImage(GroupOp group, RankedTensorType full) {
  for (Value input : group.getInputs())
    if (tensorOf(input).getShape() == full.getShape() && isPerImage(input))
      return input;
  return {};
}

/// Whether a reduction reads images in blocks of channels: over positions always, else where they are stored so.
bool reducesBlocks(GroupOp group, ReduceOp reduce) {
  Value image = firstImage(group, tensorOf(reduce.getInput()));
  ArrayRef<int64_t> dims = reduce.getDims();
  bool keepsChannels = dims == ArrayRef<int64_t>{0, 2, 3} || dims == ArrayRef<int64_t>{2, 3};
  bool keepsNothing = dims == ArrayRef<int64_t>{0, 1, 2, 3} || dims == ArrayRef<int64_t>{1, 2, 3};
  return image && (keepsChannels || (keepsNothing && getLayout(image.getType())));
}

Plan planOf(GroupOp group, bool exact) {
  Operation *anchor = group.getAnchor();
  if (!anchor) {
    auto full = cast<RankedTensorType>(group.getResult(0).getType());
    if (full.getRank() != 4 || !isPerImage(group.getResult(0)) || !EpilogueEmitter::whyNot(group).empty())
      return Plan::RowMajor;
    // As the first image that it reads is stored.
    for (Value input : group.getInputs())
      if (tensorOf(input).getShape() == full.getShape())
        return getLayout(input.getType()) ? Plan::Blocked : Plan::RowMajor;
    return Plan::RowMajor;
  }
  if (auto conv = dyn_cast<Conv2dOp>(anchor))
    return planConv(group, conv, exact);
  if (isa<WinogradConv2dOp>(anchor))
    return Plan::Winograd;
  if (auto conv = dyn_cast<Conv2dTransposeOp>(anchor)) {
    Value weight = operandOf(group, conv.getWeight());
    bool fits = weight && !isPerImage(weight) && operandOf(group, conv.getInput()) && conv.getGroups() == 1 &&
                isImage(conv.getInput().getType()) && tensorOf(conv.getWeight()).getElementType().isF32() &&
                EpilogueEmitter::whyNot(group).empty();
    for (int axis : {0, 1})
      fits &= conv.getStrides()[axis] == 1 || conv.getDilations()[axis] == 1;
    return fits ? Plan::ConvTranspose : Plan::RowMajor;
  }
  if (auto gradient = dyn_cast<Conv2dWeightGradOp>(anchor)) {
    int64_t groups = gradient.getGroups();
    bool isDepthwise = groups == tensorOf(gradient.getInput()).getDimSize(1) &&
                       groups == tensorOf(gradient.getGradient()).getDimSize(1);
    bool fits = (groups == 1 || isDepthwise) && operandOf(group, gradient.getInput()) &&
                operandOf(group, gradient.getGradient()) && isImage(gradient.getInput().getType()) &&
                isImage(gradient.getGradient().getType()) &&
                llvm::hasSingleElement(group.getBlock().without_terminator());
    return fits ? Plan::WeightGrad : Plan::RowMajor;
  }
  if (auto dense = dyn_cast<DenseOp>(anchor)) {
    Value weight = operandOf(group, dense.getWeight());
    bool fits = weight && !isPerImage(weight) && operandOf(group, dense.getInput()) &&
                tensorOf(dense.getInput()).getElementType().isF32() && EpilogueEmitter::whyNot(group).empty();
    // In a step, where weights change, the kernel packs them by itself.
    return fits ? isPacked(weight) ? Plan::Dense : Plan::Gemm : Plan::RowMajor;
  }
  if (isa<MaxPoolOp, AvgPoolOp, MaxPoolGradOp, AvgPoolGradOp, ResizeOp, ResizeGradOp>(anchor))
    return isImage(anchor->getResult(0).getType()) &&
                   llvm::all_of(anchor->getOperands(), [&](Value operand) { return operandOf(group, operand); }) &&
                   EpilogueEmitter::whyNot(group).empty()
               ? Plan::Blocked
               : Plan::RowMajor;
  if (auto reduce = dyn_cast<ReduceOp>(anchor))
    return isImage(reduce.getInput().getType()) && reducesBlocks(group, reduce) ? Plan::Reduce : Plan::RowMajor;
  // As its input is stored.
  if (movesBlocks(anchor)) {
    Value input = operandOf(group, anchor->getOperand(0));
    bool isBlocked = input && getLayout(input.getType()) && isPerImage(input) && isPerImage(group.getResult(0));
    return isBlocked && llvm::hasSingleElement(group.getBlock().without_terminator()) ? Plan::Blocked : Plan::RowMajor;
  }
  if (auto concat = dyn_cast<ConcatOp>(anchor))
    return joinsBlocks(concat) && llvm::hasSingleElement(group.getBlock().without_terminator()) ? Plan::Blocked
                                                                                                : Plan::RowMajor;
  return Plan::RowMajor;
}

class CpuTargetModel : public TargetModel {
public:
  CpuTargetModel() {
    for (Isa isa : allIsas())
      names.push_back(isaInfo(isa).name);
  }

  StringRef name() const override { return "cpu"; }
  ArrayRef<StringRef> isas() const override { return names; }
  void registerDialects(DialectRegistry &registry) const override { registry.insert<CpuDialect>(); }

  bool fusesInto(GroupOp producer, Operation *consumer, std::string &whyNot) const override {
    Operation *anchor = producer.getAnchor();
    bool isFixedProduct = isa_and_nonnull<MatmulOp>(anchor) && !isPerImage(producer.getResult(0));
    if (anchor && (isFixedProduct || !isa<Conv2dOp, Conv2dTransposeOp, DenseOp, MatmulOp, MaxPoolOp, AvgPoolOp,
                                          MaxPoolGradOp, AvgPoolGradOp, ResizeOp, ResizeGradOp>(anchor))) {
      whyNot = llvm::formatv("the kernel of {0} has no epilogue", anchor->getName());
      return false;
    }
    auto full = cast<RankedTensorType>(anchor ? anchor->getResult(0).getType() : producer.getResult(0).getType());
    whyNot = EpilogueEmitter::whyNot(consumer, full);
    // A result of another element size would change what the blocks of the group's results are aligned to.
    auto result = cast<RankedTensorType>(consumer->getResult(0).getType());
    if (whyNot.empty() && anchor && result.getShape() == full.getShape() && !result.getElementType().isF32())
      whyNot = llvm::formatv("the epilogue stores f32, not {0}", result.getElementType());
    return whyNot.empty();
  }

  GroupLayouts layouts(GroupOp group) const override {
    Plan plan = planOf(group, /*exact=*/false);
    LayoutAttr blocked = LayoutAttr::channelBlocked(group.getContext(), 4, kBlock);
    bool blockedResults = plan != Plan::RowMajor && plan != Plan::Dense && plan != Plan::Gemm;
    auto full = cast<RankedTensorType>(group.getResult(0).getType());
    GroupLayouts layouts;
    if (plan == Plan::WeightGrad) {
      // The result is row-major, as state is; a first layer reads the images as they come.
      auto gradient = cast<Conv2dWeightGradOp>(group.getAnchor());
      bool planar = gradient.getGroups() == 1 && tensorOf(gradient.getInput()).getDimSize(1) <= kPlanarChannels;
      for (BlockArgument argument : group.getBlock().getArguments())
        layouts.operands.push_back(planar && argument == gradient.getInput() ? LayoutAttr() : blocked);
      layouts.results = {LayoutAttr()};
      return layouts;
    }
    if (plan == Plan::Reduce) {
      RankedTensorType images = tensorOf(cast<ReduceOp>(group.getAnchor()).getInput());
      for (Value input : group.getInputs())
        layouts.operands.push_back(tensorOf(input).getShape() == images.getShape() ? blocked : LayoutAttr());
      layouts.results.assign(group->getNumResults(), LayoutAttr());
      return layouts;
    }
    for (auto [index, input] : llvm::enumerate(group.getInputs())) {
      bool isAnchorInput = false, isEpilogueInput = false;
      for (OpOperand &use : group.getBlock().getArgument(index).getUses())
        (use.getOwner() == group.getAnchor() ? isAnchorInput : isEpilogueInput) = true;
      bool imageOperand = isa<RankedTensorType>(input.getType()) && tensorOf(input).getRank() == 4 && isPerImage(input);
      bool block = blockedResults && imageOperand &&
                   (plan == Plan::FirstConv ? !isAnchorInput && isEpilogueInput
                                            : isAnchorInput || tensorOf(input).getShape() == full.getShape());
      // Of what only gives the batch's extent nothing is read.
      bool anyLayout = isa_and_nonnull<BatchSizeOp>(group.getAnchor()) && isAnchorInput;
      layouts.operands.push_back(anyLayout ? getLayout(input.getType()) : block ? blocked : LayoutAttr());
    }
    for (Type type : group.getResultTypes())
      layouts.results.push_back(blockedResults && cast<RankedTensorType>(type).getRank() == 4 ? blocked : LayoutAttr());
    return layouts;
  }

  Packing packing(GroupOp group, unsigned operand, bool exact) const override {
    MLIRContext *context = group.getContext();
    BlockArgument argument = group.getBlock().getArgument(operand);
    Operation *anchor = group.getAnchor();
    Plan plan = planOf(group, exact);
    bool isWeight = anchor && isa<Conv2dOp, Conv2dTransposeOp, WinogradConv2dOp, DenseOp>(anchor) &&
                    anchor->getOperand(1) == argument;
    Packing packing;
    if (isWeight) {
      switch (plan) {
      case Plan::FirstConv:
      case Plan::Depthwise:
        packing.layout = LayoutAttr::tiled(context, 4, {0}, {kBlock});
        break;
      case Plan::ExpandedConv:
        packing.expandGroups = true;
        packing.layout = LayoutAttr::tiled(context, 4, {1, 0}, {kBlock, kBlock});
        break;
      case Plan::Conv:
        packing.layout = LayoutAttr::tiled(context, 4, {1, 0}, {kBlock, kBlock});
        break;
      case Plan::ConvTranspose:
        packing.layout = transposedKernelLayout(context);
        break;
      case Plan::Winograd:
        packing.winograd = 4;
        packing.layout = LayoutAttr::tiled(context, 4, {2}, {kBlock});
        break;
      case Plan::Dense:
        packing.layout = LayoutAttr::tiled(context, 2, {0}, {kBlock});
        break;
      case Plan::WeightGrad:
      case Plan::Gemm:
      case Plan::Reduce:
      case Plan::Blocked:
      case Plan::RowMajor:
        break;
      }
      return packing;
    }
    // Vectors of channels are padded to whole blocks, so that the last one is read like the others.
    if (plan != Plan::RowMajor && plan != Plan::Gemm && tensorOf(argument).getRank() == 1)
      packing.layout = LayoutAttr::tiled(context, 1, {0}, {kBlock});
    return packing;
  }

  Attribute schedule(GroupOp group, StringRef isaName, bool exact) const override {
    std::optional<Isa> isa = parseIsa(isaName);
    std::string whyNot;
    std::optional<KernelKind> kind = kernelKindOf(group, whyNot);
    if (!isa)
      return {};
    if (!kind) {
      group.emitRemark() << "no CPU kernel computes this group: " << whyNot;
      return {};
    }
    ScheduleAttr schedule = chosen(group, *kind, *isa, exact);
    auto steered =
        group.getAnchor() ? group.getAnchor()->getAttrOfType<DictionaryAttr>(kScheduleAttr) : DictionaryAttr();
    return steered ? steer(group, schedule, steered) : schedule;
  }

  bool mayOverwrite(GroupOp group) const override {
    std::string whyNot;
    return kernelKindOf(group, whyNot) == KernelKind::PoolGrad && poolGradMayOverwrite(group);
  }

private:
  /// What the cost models say.
  static ScheduleAttr chosen(GroupOp group, KernelKind kind, Isa isa, bool exact) {
    MLIRContext *context = group.getContext();
    switch (kind) {
    case KernelKind::FirstConv:
      if (ConvProblem problem = problemOf(group); isComputedBy(group, kind, Algorithm::Rows) && rowConvPays(problem))
        return convSchedule(context, Algorithm::Rows, chooseRowConvTile(problem, isa));
      [[fallthrough]];
    case KernelKind::Conv:
      return convSchedule(context, Algorithm::Direct, chooseTile(problemOf(group), isa));
    case KernelKind::WeightGrad: {
      ConvProblem problem = problemOf(group);
      WeightGradPlan plan = planWeightGrad(problem, isa);
      bool winograd = !exact && isComputedBy(group, kind, Algorithm::Winograd) && winogradWeightGradPays(problem);
      ConvTile tile{.rows = plan.rows, .blocks = plan.blocks, .unroll = 1};
      return convSchedule(context, winograd ? Algorithm::Winograd : Algorithm::Direct, tile);
    }
    case KernelKind::ConvTranspose: {
      // One tile for all residues, by the one with the most taps.
      SmallVector<ConvProblem> problems = transposedProblems(group);
      auto largest = llvm::max_element(
          problems, [](const ConvProblem &a, const ConvProblem &b) { return a.multiplyAdds() < b.multiplyAdds(); });
      return convSchedule(context, Algorithm::Direct, chooseTile(*largest, isa));
    }
    case KernelKind::Winograd: {
      ConvProblem problem = problemOf(group);
      WinogradSizes sizes = readsPackedWeights(group) ? winogradSizes(problem)
                                                      : winogradBatchSizes(problem, winogradBatchImages(problem));
      return convSchedule(context, Algorithm::Winograd, chooseTile(sizes.product, isa));
    }
    case KernelKind::Gemm: {
      GemmTile gemm = chooseGemmTile(gemmProblemOf(group), isa);
      return denseSchedule(context, {.rows = gemm.rows, .blocks = gemm.blocks, .concurrent = 1});
    }
    case KernelKind::Dense: {
      auto dense = cast<DenseOp>(group.getAnchor());
      return denseSchedule(context, chooseDenseTile(tensorOf(dense.getInput()).getDimSize(1),
                                                    tensorOf(dense.getWeight()).getDimSize(0), isa));
    }
    default: {
      ConvTile tile;
      tile.unroll = 1;
      return convSchedule(context, algorithmOf(kind), tile);
    }
    }
  }

  /// `schedule` with the numbers that the source asks for; null after an error.
  static ScheduleAttr steer(GroupOp group, ScheduleAttr schedule, DictionaryAttr steered) {
    ConvTile tile = convTile(schedule);
    for (NamedAttribute entry : steered) {
      StringRef key = entry.getName();
      int64_t *number = llvm::StringSwitch<int64_t *>(key)
                            .Case("rows", &tile.rows)
                            .Case("columns", &tile.columns)
                            .Case("blocks", &tile.blocks)
                            .Case("unroll", &tile.unroll)
                            .Case("unit_tiles", &tile.unitTiles)
                            .Default(nullptr);
      if (auto value = dyn_cast<IntegerAttr>(entry.getValue()); number && value) {
        *number = value.getInt();
        continue;
      }
      auto name = dyn_cast<StringAttr>(entry.getValue());
      if (key == "algorithm" && name && symbolizeAlgorithm(name.getValue()))
        continue;
      group.emitError()
          << "'@schedule' does not take '" << key << "' = " << entry.getValue()
          << "; it takes the algorithm 'direct' or 'winograd' and the numbers rows, columns, blocks, unroll and "
             "unit_tiles";
      return {};
    }
    return ScheduleAttr::getChecked([&] { return group.emitError(); }, group.getContext(), schedule.getAlgorithm(),
                                    tile.rows, tile.columns, tile.blocks, tile.unroll, tile.unitTiles,
                                    tile.weightsOuter, tile.prefetchWeights, tile.prefetchNext);
  }

  SmallVector<StringRef> names;
};

} // namespace

void registerCpuTarget() { registerTargetModel(std::make_unique<CpuTargetModel>()); }

} // namespace cnn::cpu
