// See GroupKernels.h.
#include "codegen/cpu/GroupKernels.h"

#include "codegen/cpu/DepthwiseKernel.h"
#include "codegen/cpu/ReduceKernel.h"
#include "codegen/cpu/RowConvKernel.h"
#include "codegen/cpu/WeightGradKernel.h"
#include "codegen/cpu/WinogradKernels.h"
#include "codegen/cpu/WinogradWeightGrad.h"
#include "passes/TargetModel.h"

using namespace mlir;
namespace cnn::cpu {

SmallVector<ScratchPart> scratchParts(GroupOp group, ScheduleAttr schedule) {
  if (isa_and_nonnull<Conv2dWeightGradOp>(group.getAnchor()) && schedule.getAlgorithm() == Algorithm::Winograd) {
    WinogradWeightGradSizes sizes = winogradWeightGradSizes(problemOf(group));
    return {{0, sizes.productBytes}, {sizes.productBytes, sizes.transformBytes}};
  }
  if (int64_t bytes = schedule.scratchBytes(group))
    return {{0, bytes}};
  if (schedule.getAlgorithm() != Algorithm::Winograd || !readsPackedWeights(group))
    return {};
  WinogradSizes sizes = winogradSizes(problemOf(group));
  return {{0, sizes.inputBytes}, {sizes.inputBytes, sizes.productBytes}};
}

static int operandNumber(Value value) { return cast<BlockArgument>(value).getArgNumber(); }

FailureOr<SmallVector<GroupKernel>> buildGroupKernels(KernelBuilder &b, StringRef symbol, GroupOp group,
                                                      ScheduleAttr schedule) {
  std::string whyNot;
  std::optional<KernelKind> kind = kernelKindOf(group, whyNot);
  if (!kind || !isComputedBy(group, *kind, schedule.getAlgorithm()))
    return group.emitError() << "no CPU kernel computes this group" << (whyNot.empty() ? "" : ": ") << whyNot;

  Operation *anchor = group.getAnchor();
  int64_t inputs = group->getNumOperands(), count = inputs + group->getNumResults();
  SmallVector<int64_t> all = llvm::to_vector(llvm::seq<int64_t>(0, count));
  auto one = [&](KernelInfo info) { return SmallVector<GroupKernel>{{std::move(info), all}}; };
  ConvOperands operands;
  if (*kind == KernelKind::Conv || *kind == KernelKind::FirstConv || *kind == KernelKind::Depthwise ||
      *kind == KernelKind::ConvTranspose || *kind == KernelKind::Winograd) {
    operands.input = operandNumber(anchor->getOperand(0));
    operands.weights = operandNumber(anchor->getOperand(1));
    operands.output = inputs;
    operands.count = count;
    // What the epilogue reads element by element, so that the kernel fetches it early.
    for (auto [number, input] : llvm::enumerate(group.getInputs()))
      if (int(number) != operands.input && input.getType() == group->getResult(0).getType())
        operands.residuals.push_back(number);
  }
  switch (*kind) {
  case KernelKind::FirstConv:
    if (schedule.getAlgorithm() == Algorithm::Rows)
      return one(buildRowConvKernel(b, symbol, group, convTile(schedule)));
    [[fallthrough]];
  case KernelKind::Conv:
    return one(
        buildConvKernel(b, symbol, problemOf(group), convTile(schedule), operands, EpilogueEmitter(group).hook()));
  case KernelKind::Depthwise:
    return one(buildDepthwiseKernel(b, symbol, problemOf(group), operands, EpilogueEmitter(group).hook()));
  case KernelKind::ConvTranspose: {
    SmallVector<GroupKernel> kernels;
    for (auto [number, problem] : llvm::enumerate(transposedProblems(group)))
      kernels.push_back({buildConvKernel(b, (symbol + ".phase" + Twine(number)).str(), problem, convTile(schedule),
                                         operands, EpilogueEmitter(group).hook()),
                         all});
    return kernels;
  }
  case KernelKind::WeightGrad: {
    ConvProblem problem = problemOf(group);
    auto op = cast<Conv2dWeightGradOp>(anchor);
    SmallVector<int64_t> sum = {operandNumber(op.getInput()), operandNumber(op.getGradient()), count};
    if (schedule.getAlgorithm() == Algorithm::Winograd)
      return SmallVector<GroupKernel>{
          {buildWinogradWeightGradSumKernel(b, (symbol + ".sum").str(), problem), sum},
          {buildWinogradWeightGradTransformKernel(b, (symbol + ".transform").str(), problem), {count, count + 1}},
          {buildWeightGradFinishKernel(b, symbol, problem, /*packed=*/false, /*slices=*/1), {count + 1, inputs}}};
    WeightGradPlan plan = planWeightGrad(problem, b.isa());
    return SmallVector<GroupKernel>{
        {buildWeightGradSumKernel(b, (symbol + ".sum").str(), problem, plan), sum},
        {buildWeightGradFinishKernel(b, symbol, problem, /*packed=*/false), {count, inputs}}};
  }
  case KernelKind::Gemm:
    return one(buildGemmKernel(b, symbol, group, {schedule.getRows(), schedule.getBlocks()}));
  case KernelKind::Dense:
    return one(buildDenseKernel(b, symbol, group, denseTile(schedule)));
  case KernelKind::Pool:
    return one(buildPoolKernel(b, symbol, group));
  case KernelKind::PoolGrad:
    return one(buildPoolGradKernel(b, symbol, group));
  case KernelKind::Resize:
    return one(buildResizeKernel(b, symbol, group));
  case KernelKind::Random:
    return one(buildRandomKernel(b, symbol, group));
  case KernelKind::Reduce: {
    SmallVector<KernelInfo> infos = buildReduceKernels(b, symbol, group);
    if (infos.size() == 1)
      return one(infos[0]);
    // From the inputs to the scratch, and from there to the results.
    SmallVector<int64_t> sums(ArrayRef(all).take_front(inputs)), finish = {count};
    sums.push_back(count);
    finish.append(all.begin() + inputs, all.end());
    return SmallVector<GroupKernel>{{infos[0], sums}, {infos[1], finish}};
  }
  case KernelKind::Softmax:
    return one(buildSoftmaxKernel(b, symbol, group));
  case KernelKind::Warp:
    return one(buildWarpKernel(b, symbol, group));
  case KernelKind::Elementwise:
    return one(buildElementwiseKernel(b, symbol, group));
  case KernelKind::Copy:
    return one(buildCopyKernel(b, symbol, group));
  case KernelKind::Move:
    return one(buildMoveKernel(b, symbol, group));
  case KernelKind::WeightPack:
    return one(buildWeightPackKernel(b, symbol, group));
  case KernelKind::Pack:
    return one(buildPackKernel(b, symbol, group));
  case KernelKind::Generic:
    return one(buildGenericKernel(b, symbol, group));
  case KernelKind::Winograd:
    break;
  }
  ConvProblem problem = problemOf(group);
  if (!readsPackedWeights(group))
    return one(
        buildWinogradBatchKernel(b, symbol, problem, convTile(schedule), operands, EpilogueEmitter(group).hook()));
  int64_t transformed = count, products = count + 1;
  SmallVector<GroupKernel> kernels;
  ConvOperands input;
  input.input = 0;
  input.output = 1;
  input.count = 2;
  kernels.push_back({buildWinogradInputKernel(b, (symbol + ".input").str(), problem, input),
                     {operandNumber(anchor->getOperand(0)), transformed}});
  ConvOperands product;
  kernels.push_back({buildWinogradProductKernel(b, (symbol + ".product").str(), problem, convTile(schedule), product),
                     {transformed, operandNumber(anchor->getOperand(1)), products}});
  ConvOperands output;
  output.input = count;
  output.weights = -1;
  output.output = inputs;
  output.count = count + 1;
  all.push_back(products);
  kernels.push_back(
      {buildWinogradOutputKernel(b, (symbol + ".output").str(), problem, output, EpilogueEmitter(group).hook()), all});
  return kernels;
}

} // namespace cnn::cpu
