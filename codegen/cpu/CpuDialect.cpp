// The `cpu` dialect, and which kernel fits which group.
#include "codegen/cpu/CpuDialect.h"

#include "codegen/cpu/ReduceKernel.h"
#include "codegen/cpu/RowConvKernel.h"
#include "codegen/cpu/WeightGradKernel.h"
#include "codegen/cpu/WinogradKernels.h"
#include "codegen/cpu/WinogradWeightGrad.h"
#include "passes/TargetModel.h"

#include "mlir/IR/DialectImplementation.h"
#include "llvm/Support/FormatVariadic.h"

using namespace mlir;

#include "codegen/cpu/CpuEnums.cpp.inc"

#include "codegen/cpu/CpuDialect.cpp.inc"

#define GET_ATTRDEF_CLASSES
#include "codegen/cpu/CpuAttrs.cpp.inc"

namespace cnn::cpu {

void CpuDialect::registerAttributes() {
  addAttributes<
#define GET_ATTRDEF_LIST
#include "codegen/cpu/CpuAttrs.cpp.inc"
      >();
}
void CpuDialect::initialize() { registerAttributes(); }

bool readsPackedWeights(GroupOp group) {
  auto weight = dyn_cast<BlockArgument>(group.getAnchor()->getOperand(1));
  return weight && isPacked(group.getInputs()[weight.getArgNumber()]);
}

//===-- The schedule
//------------------------------------------------------------------------------------------------------===//

LogicalResult ScheduleAttr::verify(function_ref<InFlightDiagnostic()> emitError, Algorithm, int64_t rows,
                                   int64_t columns, int64_t blocks, int64_t unroll, int64_t unitTiles, bool,
                                   int64_t prefetchWeights, bool) {
  for (int64_t extent : {rows, columns, blocks, unroll, unitTiles})
    if (extent < 1 || extent > 1 << 20)
      return emitError() << "cpu_schedule_c1: the tile's extents must be positive";
  if (unroll > kBlock || !llvm::isPowerOf2_64(unroll))
    return emitError() << "cpu_schedule_c2: 'unroll' must be a power of two up to " << kBlock;
  if (prefetchWeights < 0)
    return emitError() << "cpu_schedule_c3: 'prefetch_weights' must not be negative";
  return success();
}

LogicalResult ScheduleAttr::verifyFor(Operation *op) const {
  auto group = cast<GroupOp>(op);
  std::string whyNot;
  std::optional<KernelKind> kind = kernelKindOf(group, whyNot);
  if (!kind)
    return group.emitOpError("cpu_schedule_c4: no kernel computes this group: ") << whyNot;
  if (!isComputedBy(group, *kind, getAlgorithm()))
    return group.emitOpError("cpu_schedule_c5: the algorithm '")
           << algorithmName() << "' does not fit; the group is computed by '" << stringifyAlgorithm(algorithmOf(*kind))
           << "'";
  if (getAlgorithm() == Algorithm::Rows && getColumns() % kBlock != 0)
    return group.emitOpError("cpu_schedule_c7: 'columns' must be a multiple of ") << kBlock;
  if (*kind == KernelKind::Dense) {
    auto dense = cast<DenseOp>(group.getAnchor());
    int64_t segments =
        denseSegments(dense.getInput().getType().getDimSize(1), dense.getWeight().getType().getDimSize(0));
    if (segments % getColumns() != 0)
      return group.emitOpError("cpu_schedule_c6: 'columns' must divide the ")
             << segments << " segments of the reduction";
  }
  return success();
}

int64_t ScheduleAttr::scratchBytesPerImage(Operation *op) const {
  // In a step a worker's own scratch is enough.
  if (isa_and_nonnull<Conv2dWeightGradOp>(cast<GroupOp>(op).getAnchor()))
    return 0;
  if (getAlgorithm() != Algorithm::Winograd || !readsPackedWeights(cast<GroupOp>(op)))
    return 0;
  WinogradSizes sizes = winogradSizes(problemOf(cast<GroupOp>(op)));
  return sizes.inputBytes + sizes.productBytes;
}

int64_t ScheduleAttr::scratchBytes(Operation *op) const {
  auto group = cast<GroupOp>(op);
  if (isa_and_nonnull<Conv2dWeightGradOp>(group.getAnchor())) {
    if (getAlgorithm() == Algorithm::Direct)
      return weightGradScratchBytes(problemOf(group));
    if (getAlgorithm() == Algorithm::Winograd) {
      WinogradWeightGradSizes sizes = winogradWeightGradSizes(problemOf(group));
      return sizes.productBytes + sizes.transformBytes;
    }
  }
  if (getAlgorithm() == Algorithm::Vector && isa_and_nonnull<ReduceOp>(group.getAnchor()))
    return reduceScratchBytes(group);
  return 0;
}

StringRef ScheduleAttr::algorithmName() const { return stringifyAlgorithm(getAlgorithm()); }

SmallVector<Attribute> ScheduleAttr::neighbours(Operation *) const {
  SmallVector<Attribute> result;
  if (getAlgorithm() != Algorithm::Direct && getAlgorithm() != Algorithm::Winograd)
    return result;
  auto add = [&](int64_t rows, int64_t columns, int64_t blocks, int64_t unroll) {
    if (rows < 1 || columns < 1 || blocks < 1 || unroll < 1 || unroll > kBlock)
      return;
    result.push_back(ScheduleAttr::get(getContext(), getAlgorithm(), rows, columns, blocks, unroll, getUnitTiles(),
                                       getWeightsOuter(), getPrefetchWeights(), getPrefetchNext()));
  };
  for (int64_t step : {-1, 1}) {
    add(getRows() + step, getColumns(), getBlocks(), getUnroll());
    add(getRows(), getColumns() + step, getBlocks(), getUnroll());
    add(getRows(), getColumns(), getBlocks() + step, getUnroll());
  }
  add(getRows(), getColumns(), getBlocks(), getUnroll() / 2);
  add(getRows(), getColumns(), getBlocks(), getUnroll() * 2);
  return result;
}

std::string ScheduleAttr::describe() const {
  if (getAlgorithm() == Algorithm::Vector || getAlgorithm() == Algorithm::Scalar)
    return stringifyAlgorithm(getAlgorithm()).str();
  return llvm::formatv("{0}, {1} x {2} pixels x {3} blocks of channels", stringifyAlgorithm(getAlgorithm()), getRows(),
                       getColumns(), getBlocks());
}

ConvTile convTile(ScheduleAttr schedule) {
  ConvTile tile;
  tile.rows = schedule.getRows();
  tile.columns = schedule.getColumns();
  tile.blocks = schedule.getBlocks();
  tile.unroll = schedule.getUnroll();
  tile.unitTiles = schedule.getUnitTiles();
  tile.weightsOuter = schedule.getWeightsOuter();
  tile.prefetchWeights = schedule.getPrefetchWeights();
  tile.prefetchNext = schedule.getPrefetchNext();
  return tile;
}

ScheduleAttr convSchedule(MLIRContext *context, Algorithm algorithm, const ConvTile &tile) {
  return ScheduleAttr::get(context, algorithm, tile.rows, tile.columns, tile.blocks, tile.unroll, tile.unitTiles,
                           tile.weightsOuter, tile.prefetchWeights, tile.prefetchNext);
}

DenseTile denseTile(ScheduleAttr schedule) {
  DenseTile tile;
  tile.rows = schedule.getRows();
  tile.concurrent = schedule.getColumns();
  tile.blocks = schedule.getBlocks();
  return tile;
}

ScheduleAttr denseSchedule(MLIRContext *context, const DenseTile &tile) {
  ConvTile conv;
  conv.rows = tile.rows;
  conv.columns = tile.concurrent;
  conv.blocks = tile.blocks;
  conv.unroll = 1;
  return convSchedule(context, Algorithm::Direct, conv);
}

//===-- Which kernel
//------------------------------------------------------------------------------------------------------===//

LayoutAttr transposedKernelLayout(MLIRContext *context) {
  return LayoutAttr::get(context, {1, 0, 2, 3}, {0, 1}, {kBlock, kBlock});
}

// One axis: output position p gets weight tap i from input position y where p + pad = y * stride + i * dilation. For
// p = P * stride + first these are the taps i = residue + stride * t with y = P + shift - t * dilation; t backwards is
// a convolution's tap.
namespace {
struct TransposedAxis {
  int64_t first, outputs;       ///< Positions.
  int64_t taps, firstTap, step; ///< In the order of the convolution.
  int64_t pad;

  TransposedAxis(int64_t residue, int64_t extent, int64_t kernel, int64_t stride, int64_t dilation, int64_t padBefore) {
    first = ((residue - padBefore) % stride + stride) % stride;
    outputs = extent > first ? llvm::divideCeil(extent - first, stride) : 0;
    taps = kernel > residue ? llvm::divideCeil(kernel - residue, stride) : 0;
    firstTap = residue + stride * (taps - 1);
    step = -stride;
    pad = (taps - 1) * dilation - (first + padBefore - residue) / stride;
  }
};
} // namespace

SmallVector<ConvProblem> transposedProblems(GroupOp group) {
  auto op = cast<Conv2dTransposeOp>(group.getAnchor());
  auto input = cast<RankedTensorType>(op.getInput().getType()),
       weight = cast<RankedTensorType>(op.getWeight().getType());
  ArrayRef<int64_t> size = op.getSize(), strides = op.getStrides(), dilations = op.getDilations();
  SmallVector<ConvProblem> problems;
  for (int64_t residueY = 0; residueY < strides[0]; ++residueY)
    for (int64_t residueX = 0; residueX < strides[1]; ++residueX) {
      TransposedAxis y(residueY, size[0], weight.getDimSize(2), strides[0], dilations[0], op.getPadding()[0]);
      TransposedAxis x(residueX, size[1], weight.getDimSize(3), strides[1], dilations[1], op.getPadding()[2]);
      if (y.outputs == 0 || x.outputs == 0)
        continue;
      ConvProblem problem;
      problem.channels = input.getDimSize(1);
      problem.height = input.getDimSize(2);
      problem.width = input.getDimSize(3);
      problem.outputs = weight.getDimSize(1);
      problem.outHeight = y.outputs;
      problem.outWidth = x.outputs;
      problem.kernelHeight = y.taps;
      problem.kernelWidth = x.taps;
      problem.dilationY = dilations[0];
      problem.dilationX = dilations[1];
      problem.padTop = y.pad;
      problem.padLeft = x.pad;
      problem.spacing = {
          size[0],    size[1],    y.first, x.first, strides[0], strides[1], weight.getDimSize(2), weight.getDimSize(3),
          y.firstTap, x.firstTap, y.step,  x.step};
      problems.push_back(problem);
    }
  return problems;
}

bool isChannelBlocked(Type type) {
  LayoutAttr layout = getLayout(type);
  return layout && layout.isChannelBlocked() && layout.getInnerSizes()[0] == kBlock;
}

static ConvProblem problemOf(Operation *anchor, ArrayRef<int64_t> padding) {
  auto input = cast<RankedTensorType>(anchor->getOperand(0).getType());
  auto result = cast<RankedTensorType>(anchor->getResult(0).getType());
  ConvProblem problem;
  problem.channels = input.getDimSize(1);
  problem.height = input.getDimSize(2);
  problem.width = input.getDimSize(3);
  problem.outputs = result.getDimSize(1);
  problem.outHeight = result.getDimSize(2);
  problem.outWidth = result.getDimSize(3);
  problem.padTop = padding[0];
  problem.padLeft = padding[2];
  return problem;
}

template <typename Op> static void setWindow(ConvProblem &problem, Op op, ArrayRef<int64_t> kernel) {
  problem.kernelHeight = kernel[0];
  problem.kernelWidth = kernel[1];
  problem.strideY = op.getStrides()[0];
  problem.strideX = op.getStrides()[1];
  problem.dilationY = op.getDilations()[0];
  problem.dilationX = op.getDilations()[1];
  problem.groups = op.getGroups();
  problem.planarInput = !getLayout(op.getInput().getType());
}

ConvProblem problemOf(GroupOp group) {
  if (auto winograd = dyn_cast<WinogradConv2dOp>(group.getAnchor())) {
    ConvProblem problem = problemOf(winograd, winograd.getPadding());
    problem.kernelHeight = problem.kernelWidth = 3;
    return problem;
  }
  if (auto weightGrad = dyn_cast<Conv2dWeightGradOp>(group.getAnchor())) {
    auto gradient = cast<RankedTensorType>(weightGrad.getGradient().getType());
    ConvProblem problem = problemOf(weightGrad, weightGrad.getPadding());
    problem.outputs = gradient.getDimSize(1);
    problem.outHeight = gradient.getDimSize(2);
    problem.outWidth = gradient.getDimSize(3);
    setWindow(problem, weightGrad, weightGrad.getKernel());
    return problem;
  }
  auto conv = cast<Conv2dOp>(group.getAnchor());
  ConvProblem problem = problemOf(conv, conv.getPadding());
  setWindow(problem, conv, conv.getWeight().getType().getShape().drop_front(2));
  return problem;
}

/// The kernel of a convolution with packed weights, by their layout; nullopt with a reason when it is for none.
static std::optional<KernelKind> convKindOf(GroupOp group, std::string &whyNot) {
  Operation *anchor = group.getAnchor();
  auto refuse = [&](const char *why) {
    whyNot = why;
    return std::nullopt;
  };
  Value input = anchor->getOperand(0), weight = anchor->getOperand(1);
  if (!isa<BlockArgument>(input) || !isa<BlockArgument>(weight))
    return refuse("the convolution's operands are computed in the group");
  for (Type type : {input.getType(), weight.getType(), anchor->getResult(0).getType()})
    if (!getElementTypeOrSelf(type).isF32())
      return refuse("the convolution is not of f32");
  if (!isChannelBlocked(anchor->getResult(0).getType()))
    return refuse("the convolution's result is not in blocks of channels");
  if (whyNot = EpilogueEmitter::whyNot(group); !whyNot.empty())
    return std::nullopt;
  MLIRContext *context = group.getContext();
  LayoutAttr layout = getLayout(weight.getType());
  if (isa<WinogradConv2dOp>(anchor)) {
    if (layout != LayoutAttr::tiled(context, 4, {2}, {kBlock}) || !isChannelBlocked(input.getType()))
      return refuse("the transformed kernels are not packed in blocks of outputs");
    return KernelKind::Winograd;
  }
  ConvProblem problem = problemOf(group);
  LayoutAttr outputBlocks = LayoutAttr::tiled(context, 4, {0}, {kBlock});
  if (!getLayout(input.getType())) {
    if (problem.groups != 1 || layout != outputBlocks)
      return refuse("a row-major input takes an ungrouped convolution with weights in blocks of outputs");
    return KernelKind::FirstConv;
  }
  if (!isChannelBlocked(input.getType()))
    return refuse("the convolution's input is not in blocks of channels");
  if (problem.groups == problem.channels && problem.groups == problem.outputs && problem.groups > 1) {
    if (layout != outputBlocks)
      return refuse("the depthwise weights are not packed in blocks of channels");
    return KernelKind::Depthwise;
  }
  if (layout != LayoutAttr::tiled(context, 4, {1, 0}, {kBlock, kBlock}))
    return refuse("the weights are not packed in blocks of inputs and outputs");
  if (problem.groups > 1 && (problem.channels / problem.groups % kBlock || problem.outputs / problem.groups % kBlock))
    return refuse("the channels of a group are not whole blocks");
  return KernelKind::Conv;
}

/// Why the group is not for direct kernels of a transposed convolution; empty when it is.
static std::string whyNotConvTranspose(GroupOp group) {
  auto op = cast<Conv2dTransposeOp>(group.getAnchor());
  if (!isa<BlockArgument>(op.getInput()) || !isa<BlockArgument>(op.getWeight()))
    return "the convolution's operands are computed in the group";
  for (Type type : {op.getInput().getType(), op.getWeight().getType(), op.getResult().getType()})
    if (!getElementTypeOrSelf(type).isF32())
      return "the convolution is not of f32";
  if (op.getGroups() != 1)
    return "the convolution has groups";
  for (int axis : {0, 1})
    if (op.getStrides()[axis] != 1 && op.getDilations()[axis] != 1)
      return "the convolution has both strides and dilations";
  if (!isChannelBlocked(op.getInput().getType()) || !isChannelBlocked(op.getResult().getType()))
    return "the input or the result is not in blocks of channels";
  if (getLayout(op.getWeight().getType()) != transposedKernelLayout(group.getContext()))
    return "the kernels are not packed in blocks of inputs and outputs";
  return EpilogueEmitter::whyNot(group);
}

/// Why the group is not for the kernels of WeightGradKernel.h; empty when it is.
static std::string whyNotWeightGrad(GroupOp group) {
  auto op = cast<Conv2dWeightGradOp>(group.getAnchor());
  if (!isa<BlockArgument>(op.getInput()) || !isa<BlockArgument>(op.getGradient()) ||
      !llvm::hasSingleElement(group.getBlock().without_terminator()) || group->getNumResults() != 1)
    return "the group computes more than the gradient";
  for (Type type : {op.getInput().getType(), op.getGradient().getType(), op.getResult().getType()})
    if (!getElementTypeOrSelf(type).isF32())
      return "the gradient is not of f32";
  int64_t groups = op.getGroups();
  if (groups != 1 && (groups != cast<RankedTensorType>(op.getInput().getType()).getDimSize(1) ||
                      groups != cast<RankedTensorType>(op.getGradient().getType()).getDimSize(1)))
    return "the convolution has groups and is not depthwise";
  bool planar = !getLayout(op.getInput().getType());
  if (!isChannelBlocked(op.getGradient().getType()) || (!planar && !isChannelBlocked(op.getInput().getType())))
    return "an operand is not in blocks of channels";
  if (planar && groups > 1)
    return "the input of a depthwise convolution is row-major";
  if (planar && cast<RankedTensorType>(op.getInput().getType()).getDimSize(1) > kPlanarChannels)
    return "a row-major input has too many channels";
  return getLayout(op.getResult().getType()) ? "the result is not row-major" : "";
}

std::optional<KernelKind> kernelKindOf(GroupOp group, std::string &whyNot) {
  Operation *anchor = group.getAnchor();
  auto otherwiseGeneric = [&](const std::string &why, KernelKind kind) -> std::optional<KernelKind> {
    if (why.empty())
      return kind;
    whyNot = whyNotGeneric(group);
    return whyNot.empty() ? std::optional(KernelKind::Generic) : std::nullopt;
  };
  // What is one for all images.
  if (whyNotWeightPack(group).empty())
    return KernelKind::WeightPack;
  if (isa_and_nonnull<MatmulOp>(anchor))
    return otherwiseGeneric(whyNotGemm(group), KernelKind::Gemm);
  if (isa_and_nonnull<Conv2dWeightGradOp>(anchor))
    return otherwiseGeneric(whyNotWeightGrad(group), KernelKind::WeightGrad);
  if (isa_and_nonnull<ReduceOp>(anchor))
    return otherwiseGeneric(whyNotReduce(group), KernelKind::Reduce);
  if (anchor && llvm::any_of(group.getResults(), [](Value result) { return !isPerImage(result); }))
    return otherwiseGeneric(whyNotPack(group), KernelKind::Pack);
  if (!anchor)
    return otherwiseGeneric(whyNotElementwise(group), KernelKind::Elementwise);
  if (isa<WinogradConv2dOp>(anchor))
    return convKindOf(group, whyNot);
  if (isa<Conv2dOp>(anchor)) {
    std::string why;
    std::optional<KernelKind> kind = convKindOf(group, why);
    return otherwiseGeneric(why, kind.value_or(KernelKind::Generic));
  }
  if (isa<Conv2dTransposeOp>(anchor))
    return otherwiseGeneric(whyNotConvTranspose(group), KernelKind::ConvTranspose);
  if (isa<DenseOp>(anchor))
    return getLayout(anchor->getOperand(1).getType()) ? otherwiseGeneric(whyNotDense(group), KernelKind::Dense)
                                                      : otherwiseGeneric(whyNotGemm(group), KernelKind::Gemm);
  if (isa<MaxPoolOp, AvgPoolOp>(anchor))
    return otherwiseGeneric(whyNotPool(group), KernelKind::Pool);
  if (isa<RandomUniformOp, RandomNormalOp>(anchor))
    return otherwiseGeneric(whyNotRandom(group), KernelKind::Random);
  if (isa<MaxPoolGradOp, AvgPoolGradOp>(anchor))
    return otherwiseGeneric(whyNotPoolGrad(group), KernelKind::PoolGrad);
  if (isa<WarpOp>(anchor))
    return otherwiseGeneric(whyNotWarp(group), KernelKind::Warp);
  if (isa<ResizeOp, ResizeGradOp>(anchor))
    return otherwiseGeneric(whyNotResize(group), KernelKind::Resize);
  if (isa<SoftmaxOp>(anchor))
    return otherwiseGeneric(whyNotSoftmax(group), KernelKind::Softmax);
  if (isa<RelayoutOp, ReshapeOp, ConcatOp>(anchor))
    return otherwiseGeneric(whyNotCopy(group), KernelKind::Copy);
  if (isa<SliceOp, UnsliceOp, PadOp>(anchor))
    return otherwiseGeneric(whyNotMove(group), KernelKind::Move);
  return otherwiseGeneric("no kernel of its own", KernelKind::Generic);
}

Algorithm algorithmOf(KernelKind kind) {
  switch (kind) {
  case KernelKind::FirstConv:
  case KernelKind::Conv:
  case KernelKind::Depthwise:
  case KernelKind::ConvTranspose:
  case KernelKind::WeightGrad:
  case KernelKind::Dense:
  case KernelKind::Gemm:
    return Algorithm::Direct;
  case KernelKind::Winograd:
    return Algorithm::Winograd;
  case KernelKind::Pool:
  case KernelKind::PoolGrad:
  case KernelKind::Resize:
  case KernelKind::Reduce:
  case KernelKind::Random:
  case KernelKind::Softmax:
  case KernelKind::Warp:
  case KernelKind::Elementwise:
  case KernelKind::Copy:
  case KernelKind::Move:
  case KernelKind::Pack:
  case KernelKind::WeightPack:
    return Algorithm::Vector;
  case KernelKind::Generic:
    return Algorithm::Scalar;
  }
  return Algorithm::Scalar;
}

bool isComputedBy(GroupOp group, KernelKind kind, Algorithm algorithm) {
  if (algorithm == algorithmOf(kind))
    return true;
  if (kind == KernelKind::FirstConv && algorithm == Algorithm::Rows)
    return whyNotRowConv(group).empty();
  if (kind != KernelKind::WeightGrad || algorithm != Algorithm::Winograd)
    return false;
  ConvProblem problem = problemOf(group);
  return problem.kernelHeight == 3 && problem.kernelWidth == 3 && problem.strideY == 1 && problem.strideX == 1 &&
         problem.dilationY == 1 && problem.dilationX == 1 && !problem.planarInput && problem.groups == 1;
}

} // namespace cnn::cpu
