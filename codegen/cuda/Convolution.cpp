// See Convolution.h.
#include "codegen/cuda/Convolution.h"

#include "passes/TargetModel.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;

namespace cnn::cuda {

static RankedTensorType typeOf(Value value) { return cast<RankedTensorType>(value.getType()); }

Convolution::Convolution(Operation *op) : isTransposed(isa<Conv2dTransposeOp>(op)) {
  auto read = [&](auto op, RankedTensorType out, ArrayRef<int64_t> kernel) {
    input = op.getInput();
    RankedTensorType in = typeOf(input);
    groups = op.getGroups();
    inputs = in.getDimSize(1);
    outputs = out.getDimSize(1);
    auto axis = [&](int number) {
      return Axis{in.getDimSize(2 + number), out.getDimSize(2 + number), kernel[number],
                  op.getStrides()[number],   op.getDilations()[number],  op.getPadding()[2 * number]};
    };
    y = axis(0);
    x = axis(1);
  };
  llvm::TypeSwitch<Operation *>(op)
      .Case<Conv2dOp, Conv2dTransposeOp>([&](auto op) {
        weight = op.getWeight();
        read(op, typeOf(op.getResult()), typeOf(weight).getShape().take_back(2));
      })
      .Case([&](Conv2dWeightGradOp op) {
        weight = op.getGradient();
        read(op, typeOf(weight), op.getKernel());
      });
}

Value Convolution::startOf(DeviceBuilder &b, const Axis &axis, Value output) const {
  return isTransposed ? b.add(output, axis.pad) : b.sub(b.mul(output, axis.stride), axis.pad);
}

std::pair<Value, Value> Convolution::positionOf(DeviceBuilder &b, const Axis &axis, Value start, Value tap) const {
  if (!isTransposed) {
    Value position = b.add(start, b.mul(tap, axis.dilation));
    return {position, isInside(b, position, axis.input)};
  }
  // Negative ones are large as unsigned numbers.
  Value distance = b.sub(start, b.mul(tap, axis.dilation)), position = b.div(distance, axis.stride);
  Value valid = isInside(b, position, axis.input);
  if (axis.stride != 1)
    valid = both(b, valid, b.equal(b.rem(distance, axis.stride), b.index(0)));
  return {position, valid};
}

Value isInside(DeviceBuilder &b, Value position, int64_t extent) {
  return arith::CmpIOp::create(b, arith::CmpIPredicate::ult, position, b.index(extent));
}

std::pair<Value, Value> clipInside(DeviceBuilder &b, Value position, int64_t lowest, int64_t highest, int64_t extent) {
  bool mayBeBefore = lowest < 0, mayBeBehind = highest >= extent;
  Value valid;
  if (mayBeBefore && mayBeBehind)
    valid = isInside(b, position, extent);
  else if (mayBeBefore)
    valid = b.lessThan(b.index(-1), position);
  else if (mayBeBehind)
    valid = b.lessThan(position, b.index(extent));
  if (mayBeBefore)
    position = b.max(position, 0);
  if (mayBeBehind)
    position = b.min(position, extent - 1);
  return {position, valid};
}

Value both(DeviceBuilder &b, Value x, Value y) {
  if (!x || !y)
    return x ? x : y;
  return arith::AndIOp::create(b, x, y);
}

std::string whyNotRead(GroupOp group) {
  Operation *anchor = group.getAnchor();
  for (Value value : anchor->getOperands().take_front(2))
    if (!isa<BlockArgument>(value))
      return "the convolution's operands are computed in the group";
  if (!isPerImage(group.getInputs()[cast<BlockArgument>(anchor->getOperand(0)).getArgNumber()]))
    return "the convolution is not one of images";
  for (Type type : {anchor->getOperand(0).getType(), anchor->getOperand(1).getType(), anchor->getResult(0).getType()})
    if (!getElementTypeOrSelf(type).isF32())
      return "the convolution is not of f32";
  return {};
}

} // namespace cnn::cuda
