// Groups of a product of matrices, or of a dense layer with row-major weights, on the kernel of GemmKernel.h.
#include "codegen/cpu/GemmKernel.h"
#include "codegen/cpu/Kernels.h"
#include "passes/TargetModel.h"

using namespace mlir;
namespace cnn::cpu {

static RankedTensorType typeOf(Value value) { return cast<RankedTensorType>(value.getType()); }

GemmProblem gemmProblemOf(GroupOp group) {
  Operation *anchor = group.getAnchor();
  Value lhs = anchor->getOperand(0);
  GemmProblem problem;
  if (auto product = dyn_cast<MatmulOp>(anchor)) {
    problem.transposeLhs = product.getTransposeLhs();
    problem.transposeRhs = product.getTransposeRhs();
  } else {
    problem.transposeRhs = true;
  }
  problem.rows = typeOf(anchor->getResult(0)).getDimSize(0);
  problem.columns = typeOf(anchor->getResult(0)).getDimSize(1);
  problem.depth = typeOf(lhs).getDimSize(problem.transposeLhs ? 0 : 1);
  if (isPerImage(group.getResult(0)))
    problem.batch = GemmBatch::Rows;
  else if (isPerImage(group.getInputs()[cast<BlockArgument>(lhs).getArgNumber()]))
    problem.batch = GemmBatch::Depth;
  return problem;
}

std::string whyNotGemm(GroupOp group) {
  Operation *anchor = group.getAnchor();
  if (!isa_and_nonnull<MatmulOp, DenseOp>(anchor))
    return "the anchor is no product of matrices";
  for (Value operand : {anchor->getOperand(0), anchor->getOperand(1)})
    if (!isa<BlockArgument>(operand))
      return "an operand of the product is computed in the group";
  for (Type type : {anchor->getOperand(0).getType(), anchor->getOperand(1).getType(), anchor->getResult(0).getType()})
    if (getLayout(type) || !getElementTypeOrSelf(type).isF32())
      return "an operand or the result of the product is not a row-major matrix of f32";
  auto perImage = [&](int operand) {
    return isPerImage(group.getInputs()[cast<BlockArgument>(anchor->getOperand(operand)).getArgNumber()]);
  };
  bool lhs = perImage(0), rhs = perImage(1), result = isPerImage(group.getResult(0));
  GemmProblem problem = gemmProblemOf(group);
  if (result)
    return lhs && !rhs && !problem.transposeLhs ? EpilogueEmitter::whyNot(group)
                                                : "the rows of the result are no images";
  if (group->getNumResults() != 1 || !llvm::hasSingleElement(group.getBlock().without_terminator()) ||
      anchor->getNumOperands() > 2)
    return "a product that is one for all images has no epilogue";
  if (lhs != rhs || (lhs && (!problem.transposeLhs || problem.transposeRhs)))
    return "the product is not summed over the batch";
  return {};
}

KernelInfo buildGemmKernel(KernelBuilder &b, StringRef symbol, GroupOp group, const GemmTile &tile) {
  Operation *anchor = group.getAnchor();
  GemmProblem problem = gemmProblemOf(group);
  GemmOperands operands;
  operands.lhs = cast<BlockArgument>(anchor->getOperand(0)).getArgNumber();
  operands.rhs = cast<BlockArgument>(anchor->getOperand(1)).getArgNumber();
  operands.result = group->getNumOperands();
  operands.count = group->getNumOperands() + group->getNumResults();
  if (problem.batch != GemmBatch::Rows)
    return buildGemmKernel(b, symbol, problem, tile, operands);
  EpilogueEmitter emitter(group);
  return buildGemmKernel(b, symbol, problem, tile, operands,
                         [&](KernelBuilder &b, Value sums, Value row, Value block, int64_t column) {
                           SmallVector<Value> images = emitter.images(b, row);
                           EpilogueEmitter::Position at;
                           at.images = images;
                           at.channel = b.mul(b.add(block, column), kBlock);
                           at.bytes = b.mul(at.channel, 4);
                           emitter.emitAndStore(b, at, sums);
                         });
}

} // namespace cnn::cpu
