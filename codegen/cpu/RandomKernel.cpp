// The draws of random_uniform and random_normal, 16 at a time (Kernels.h). A vector of 16 Philox blocks gives 64
// elements in a row, where the images begin with a block; elsewhere, and at the end of an image, 16 lanes compute the
// block of each element.
#include "codegen/cpu/ElementOps.h"
#include "codegen/cpu/Kernels.h"
#include "codegen/cpu/Math.h"
#include "codegen/cpu/Random.h"
#include "passes/TargetModel.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"

using namespace mlir;

namespace cnn::cpu {

/// Elements of a work unit.
static constexpr int64_t kRun = 4096;

std::string whyNotRandom(GroupOp group) {
  Block &block = group.getBlock();
  if (group->getNumResults() != 1 || !llvm::hasSingleElement(block.without_terminator()))
    return "the group does more than draw";
  Operation *op = &block.front();
  if (!isa<RandomUniformOp, RandomNormalOp>(op) || group.getYield().getValues()[0] != op->getResult(0))
    return "the group does not draw";
  auto type = cast<RankedTensorType>(op->getResult(0).getType());
  if (!isPerImage(group.getResult(0)) || getLayout(type))
    return "the result is not row-major or has no batch";
  return type.getElementType().isF32() ? "" : "draws are of f32";
}

namespace {

class RandomBuilder {
public:
  RandomBuilder(KernelBuilder &b, GroupOp group)
      : b(b), inputs(group->getNumOperands()), op(&group.getBlock().front()),
        elements(storedElements(cast<RankedTensorType>(op->getResult(0).getType()), /*whole=*/false)) {}

  KernelInfo build(StringRef symbol) {
    int64_t units = llvm::divideCeil(elements, kRun);
    b.kernel(symbol, inputs + 1, [&] {
      seed = operand(0), step = operand(1);
      b.forUnits([&](Value unit) {
        SmallVector<Value> at = b.delinearize(unit, {Value(), b.index(units)});
        image = b.imageOf(inputs, at[0]);
        first = b.mul(at[0], elements);
        Value from = b.mul(at[1], kRun), to = b.min(b.add(from, kRun), elements);
        buildRun(from, to);
      });
    });
    KernelInfo info;
    info.symbol = symbol.str();
    info.unitsPerImage = units;
    return info;
  }

private:
  Value operand(unsigned number) {
    return b.load(b.i64(), b.buffer(cast<BlockArgument>(op->getOperand(number)).getArgNumber()), 0, 8);
  }

  Value number(Value word) {
    if (auto uniform = dyn_cast<RandomUniformOp>(op))
      return buildUniform(b, word, uniform.getLow().convertToDouble(), uniform.getHigh().convertToDouble());
    auto normal = cast<RandomNormalOp>(op);
    return buildNormal(b, word, normal.getMean().convertToDouble(), normal.getDeviation().convertToDouble());
  }

  /// scalar + [0, 1, ..., 15]
  Value countFrom(Value scalar) {
    auto type = VectorType::get({kBlock}, b.i64());
    SmallVector<int64_t> numbers = llvm::to_vector(llvm::seq<int64_t>(0, kBlock));
    Value lanes = arith::ConstantOp::create(b, DenseElementsAttr::get(type, ArrayRef(numbers)));
    return arith::AddIOp::create(b, splatTo(b, scalar, kBlock), lanes);
  }

  std::array<Value, 4> words(Value block) { return buildPhilox(b, block, seed, step, getPath(op)); }

  /// Elements [from, to) of the image.
  void buildRun(Value from, Value to) {
    Value single = from;
    if (elements % 4 == 0) {
      single = b.add(from, b.mul(b.div(b.sub(to, from), 4 * kBlock), 4 * kBlock));
      b.forLoop(from, single, 4 * kBlock, [&](Value element) { buildBlocks(element); });
    }
    b.forLoop(single, to, kBlock, [&](Value element) {
      Value linear = countFrom(b.add(first, element));
      auto constant = [&](int64_t value) { return integerConstant(b, linear.getType(), value); };
      std::array<Value, 4> all = words(arith::ShRUIOp::create(b, linear, constant(2)));
      Value place = arith::AndIOp::create(b, linear, constant(3)), word = all[3];
      for (int k = 2; k >= 0; --k)
        word = arith::SelectOp::create(
            b, arith::CmpIOp::create(b, arith::CmpIPredicate::eq, place, constant(k)).getResult(), all[k], word);
      storeElements(b, b.f32(), number(word), b.offset(image, b.mul(element, 4)), 0,
                    lanesBelow(b, b.sub(to, element), kBlock));
    });
  }

  /// 64 elements, which begin with a block.
  void buildBlocks(Value element) {
    std::array<Value, 4> all = words(countFrom(b.div(b.add(first, element), 4)));
    for (Value &word : all)
      word = number(word);
    // Element 4 i + k is lane i of the numbers from words k.
    auto interleave = [&](Value even, Value odd) -> Value {
      int64_t width = cast<VectorType>(even.getType()).getNumElements();
      SmallVector<int64_t> lanes;
      for (int64_t lane = 0; lane < width; ++lane)
        lanes.append({lane, width + lane});
      return vector::ShuffleOp::create(b, even, odd, lanes);
    };
    Value row = interleave(interleave(all[0], all[2]), interleave(all[1], all[3]));
    b.store(row, b.offset(image, b.mul(element, 4)), 0, 4);
  }

  KernelBuilder &b;
  int inputs;
  Operation *op;
  int64_t elements;
  // Of the kernel and the unit.
  Value seed, step, image, first;
};

} // namespace

KernelInfo buildRandomKernel(KernelBuilder &b, StringRef symbol, GroupOp group) {
  return RandomBuilder(b, group).build(symbol);
}

} // namespace cnn::cpu
