// See Epilogue.h.
#include "codegen/cpu/Epilogue.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "llvm/ADT/TypeSwitch.h"
#include "llvm/Support/FormatVariadic.h"

#include <cmath>

using namespace mlir;

namespace cnn::cpu {

/// The only dimension of a static tensor that is not 1; -1 when all are 1, nullopt when there are several.
static std::optional<int64_t> onlyDimension(RankedTensorType type) {
  if (!type.hasStaticShape())
    return std::nullopt;
  int64_t found = -1;
  for (auto [dim, extent] : llvm::enumerate(type.getShape())) {
    if (extent == 1)
      continue;
    if (found >= 0)
      return std::nullopt;
    found = dim;
  }
  return found;
}

static int64_t channelsOf(RankedTensorType full) { return full.getRank() >= 2 ? full.getDimSize(1) : 1; }

/// Whether a value of this type can be had at any position of `full`: it has its shape, or it is a scalar or a vector
/// of channels.
static bool isReachable(RankedTensorType type, RankedTensorType full) {
  if (type.getShape() == full.getShape())
    return true;
  std::optional<int64_t> dim = onlyDimension(type);
  return dim && (*dim < 0 || type.getDimSize(*dim) == channelsOf(full));
}

std::string EpilogueEmitter::whyNot(Operation *op, RankedTensorType full) {
  for (Type type : op->getOperandTypes())
    if (!isReachable(cast<RankedTensorType>(type), full))
      return llvm::formatv("an operand of {0} has neither the result's shape nor one value a channel", op->getName());
  auto result = cast<RankedTensorType>(op->getResult(0).getType());
  if (!isReachable(result, full))
    return llvm::formatv("the result of {0} has another shape", op->getName());
  if (!valueType(result.getElementType(), 1))
    return llvm::formatv("the CPU target does not compute with {0}", result.getElementType());
  if (auto broadcast = dyn_cast<BroadcastOp>(op)) {
    std::optional<int64_t> dim = onlyDimension(broadcast.getInput().getType());
    if (broadcast.getInput().getType().getShape() == result.getShape())
      return {};
    if (!dim || (*dim >= 0 && (broadcast.getDims()[*dim] != 1 || result.getRank() < 2)))
      return "only scalars and one value a channel are broadcast in a group";
    return {};
  }
  if (auto constant = dyn_cast<ConstantOp>(op)) {
    bool isSplat =
        isa<DenseElementsAttr>(constant.getValue()) && cast<DenseElementsAttr>(constant.getValue()).isSplat();
    return isSplat || result.getShape() != full.getShape() ? "" : "a constant of the result's shape is no splat";
  }
  return whyNoElementOp(op);
}

/// The type of the values that results are computed from.
static RankedTensorType fullType(GroupOp group) {
  Operation *anchor = group.getAnchor();
  return cast<RankedTensorType>(anchor ? anchor->getResult(0).getType() : group.getResult(0).getType());
}

std::string EpilogueEmitter::whyNot(GroupOp group) {
  RankedTensorType full = fullType(group);
  LayoutAttr layout = getLayout(full);
  for (Type type : group.getResultTypes())
    if (cast<RankedTensorType>(type).getShape() != full.getShape() || getLayout(type) != layout)
      return "a result has another shape or layout";
  for (Operation &op : group.getBlock().without_terminator()) {
    if (&op == group.getAnchor())
      continue;
    if (std::string why = whyNot(&op, full); !why.empty())
      return why;
    for (Value operand : op.getOperands()) {
      auto type = cast<RankedTensorType>(operand.getType());
      if (type.getShape() == full.getShape() && type.getRank() > 1 && getLayout(type) != layout &&
          isa<BlockArgument>(operand))
        return "an operand has another layout";
    }
  }
  return {};
}

/// The value of `op` on constants.
static std::optional<double> fold(Operation *op, ArrayRef<std::optional<double>> operands) {
  for (const std::optional<double> &operand : operands)
    if (!operand)
      return std::nullopt;
  double x = *operands[0], y = operands.size() > 1 ? *operands[1] : 0.0;
  return llvm::TypeSwitch<Operation *, std::optional<double>>(op)
      .Case<ConvertOp, BroadcastOp>([&](auto) { return x; })
      .Case([&](ReluOp) { return std::max(x, 0.0); })
      .Case([&](TanhOp) { return std::tanh(x); })
      .Case([&](SqrtOp) { return std::sqrt(x); })
      .Case([&](AbsOp) { return std::abs(x); })
      .Case([&](NegOp) { return -x; })
      .Case([&](StepOp) { return x > 0 ? 1.0 : 0.0; })
      .Case([&](EluOp op) { return x > 0 ? x : op.getAlpha().convertToDouble() * std::expm1(x); })
      .Case([&](StopGradientOp) { return x; })
      .Case([&](ClampOp op) { return std::clamp(x, op.getMin().convertToDouble(), op.getMax().convertToDouble()); })
      .Case([&](AddOp) { return x + y; })
      .Case([&](SubOp) { return x - y; })
      .Case([&](MulOp) { return x * y; })
      .Case([&](DivOp) { return x / y; })
      .Case([&](MaxOp) { return std::max(x, y); })
      .Case([&](MinOp) { return std::min(x, y); })
      .Default([](Operation *) { return std::nullopt; });
}

static std::optional<double> splatValue(ConstantOp constant) {
  auto dense = dyn_cast<DenseElementsAttr>(constant.getValue());
  if (!dense || !dense.isSplat())
    return std::nullopt;
  if (isa<FloatType>(dense.getElementType()))
    return dense.getSplatValue<APFloat>().convertToDouble();
  APInt value = dense.getSplatValue<APInt>();
  return dense.getElementType().isUnsignedInteger() || dense.getElementType().isInteger(1)
             ? static_cast<double>(value.getZExtValue())
             : static_cast<double>(value.getSExtValue());
}

EpilogueEmitter::EpilogueEmitter(GroupOp group, Lanes lanes)
    : group_(group), anchor_(group.getAnchor()), full_(fullType(group)), lanes_(lanes), channels_(channelsOf(full_)) {
  LayoutAttr layout = getLayout(full_);
  blocked_ = layout && layout.isChannelBlocked();

  // What the body computes in a padded lane, where every tensor and every vector of channels is zero.
  DenseMap<Value, std::optional<double>> atZero;
  for (BlockArgument argument : group.getBlock().getArguments())
    atZero[argument] = access(argument.getType()) == Access::Scalar ? std::nullopt : std::optional<double>(0.0);
  for (Operation &op : group.getBlock().without_terminator()) {
    std::optional<double> value;
    if (&op == anchor_) {
      // A zero weight times an infinite input is NaN, so that a contraction's padded lanes are zero only for finite
      // inputs.
      if (isa<MaxPoolOp, AvgPoolOp, MaxPoolGradOp, AvgPoolGradOp, ResizeOp, ResizeGradOp>(op))
        value = 0.0;
    } else if (auto constant = dyn_cast<ConstantOp>(op)) {
      value = access(constant.getType()) == Access::Channel ? std::optional<double>(0.0) : splatValue(constant);
    } else {
      SmallVector<std::optional<double>> operands;
      for (Value operand : op.getOperands())
        operands.push_back(atZero.lookup(operand));
      value = fold(&op, operands);
    }
    atZero[op.getResult(0)] = value;
    if (!isa<BroadcastOp>(op) && &op != anchor_)
      for (Value operand : op.getOperands())
        usesChannels_ |= access(operand.getType()) == Access::Channel;
    if (auto broadcast = dyn_cast<BroadcastOp>(op))
      usesChannels_ |= access(broadcast.getInput().getType()) == Access::Channel;
  }
  if (anchor_ && isa<Conv2dOp, Conv2dTransposeOp, DenseOp, WinogradConv2dOp>(anchor_))
    usesChannels_ |= anchor_->getNumOperands() > 2;
  bool tail = lanes_ == Lanes::Channels && channels_ % kBlock != 0;
  for (Value result : group_.getYield().getOperands()) {
    masked_.push_back(tail && blocked_ && atZero.lookup(result) != 0.0);
    usesChannels_ |= masked_.back();
  }
  usesChannels_ |= tail && !blocked_;
}

EpilogueEmitter::Access EpilogueEmitter::access(Type type) const {
  auto tensor = cast<RankedTensorType>(type);
  if (tensor.getShape() == full_.getShape())
    return Access::Full;
  // What only the anchor reads may be of any shape.
  if (!tensor.hasStaticShape())
    return Access::Anchor;
  return tensor.hasStaticShape() && tensor.getNumElements() == 1 ? Access::Scalar : Access::Channel;
}

SmallVector<Value> EpilogueEmitter::images(KernelBuilder &b, Value image) const {
  SmallVector<Type> types(group_.getOperandTypes());
  llvm::append_range(types, group_.getResultTypes());
  SmallVector<Value> addresses;
  for (auto [index, type] : llvm::enumerate(types)) {
    // The stride of what all images share is 0; another vector or a scalar is always shared.
    bool hasImages = cast<RankedTensorType>(type).getRank() > 1 || access(type) == Access::Full;
    addresses.push_back(hasImages ? b.imageOf(index, image) : b.buffer(index));
  }
  return addresses;
}

Value EpilogueEmitter::mask(KernelBuilder &b, const Position &at) const {
  return lanesBelow(b, b.sub(b.index(channels_), at.channel), at.width);
}

Value EpilogueEmitter::elementAddress(KernelBuilder &b, const Position &at, size_t operand, Type element,
                                      int64_t &displacement) const {
  int64_t bytes = elementBytes(element);
  displacement = at.displacement / 4 * bytes;
  return b.offset(at.images[operand], bytes == 4 ? at.bytes : b.mul(b.div(at.bytes, 4), bytes));
}

Value EpilogueEmitter::load(KernelBuilder &b, const Position &at, Value leaf, Value mask) const {
  size_t index = cast<BlockArgument>(leaf).getArgNumber();
  auto type = cast<RankedTensorType>(leaf.getType());
  Type element = type.getElementType();
  int64_t bytes = elementBytes(element);
  switch (access(type)) {
  case Access::Full: {
    int64_t displacement = 0;
    Value address = elementAddress(b, at, index, element, displacement);
    // A blocked tensor's blocks are aligned and its padded lanes may be read.
    if (blocked_)
      return loadElements(b, element, address, displacement, at.width, nullptr, at.width * bytes);
    return loadElements(b, element, address, displacement, at.width, mask, at.multiple * bytes);
  }
  case Access::Channel: {
    Value address = b.offset(at.images[index], b.mul(at.channel, bytes));
    if (lanes_ == Lanes::Elements)
      return splatTo(b, loadElements(b, element, address, 0, 1), at.width);
    return loadElements(b, element, address, 0, at.width, mask);
  }
  case Access::Scalar:
    return splatTo(b, loadElements(b, element, at.images[index], 0, 1), at.width);
  case Access::Anchor:
    break;
  }
  return {};
}

Value EpilogueEmitter::loadConstant(KernelBuilder &b, const Position &at, ConstantOp constant) const {
  auto type = cast<RankedTensorType>(constant.getType());
  Type element = type.getElementType();
  if (std::optional<double> value = splatValue(constant)) {
    Value splat = elementConstant(b, element, at.width, *value);
    return splat;
  }
  // A vector of channels: a table, padded to whole blocks, in the library's read-only data.
  Value address = b.offset(constantTable(b, constant, llvm::alignTo(type.getNumElements(), kBlock)),
                           b.mul(at.channel, elementBytes(element)));
  if (lanes_ == Lanes::Elements)
    return splatTo(b, loadElements(b, element, address, 0, 1), at.width);
  return loadElements(b, element, address, 0, at.width);
}

SmallVector<Value> EpilogueEmitter::emit(KernelBuilder &b, const Position &at, Value anchor) const {
  bool tail = lanes_ == Lanes::Channels && channels_ % kBlock != 0 && at.channel && !at.isWhole;
  Value mask;
  auto lanes = [&]() {
    if (!mask && tail)
      mask = this->mask(b, at);
    return mask;
  };
  IRMapping values;
  auto valueOf = [&](Value value) -> Value {
    if (Value known = values.lookupOrNull(value))
      return known;
    Value loaded;
    if (auto constant = value.getDefiningOp<ConstantOp>()) {
      loaded = loadConstant(b, at, constant);
    } else {
      // Vectors of channels may end with the last channel; rows end with the row.
      bool bounded = access(value.getType()) == Access::Channel ? !getLayout(value.getType()) : !blocked_;
      loaded = load(b, at, value, bounded && access(value.getType()) != Access::Scalar ? lanes() : Value());
    }
    values.map(value, loaded);
    return loaded;
  };
  for (Operation &op : group_.getBlock().without_terminator()) {
    if (isa<ConstantOp>(op))
      continue;
    if (&op == anchor_) {
      Value value = anchor;
      if (isa<Conv2dOp, Conv2dTransposeOp, DenseOp, WinogradConv2dOp>(op) && op.getNumOperands() > 2)
        value = b.addf(value, valueOf(op.getOperand(2)));
      values.map(op.getResult(0), value);
    } else if (isa<BroadcastOp>(op)) {
      values.map(op.getResult(0), valueOf(op.getOperand(0)));
    } else {
      SmallVector<Value> operands;
      for (Value operand : op.getOperands())
        operands.push_back(valueOf(operand));
      values.map(op.getResult(0), buildElementOp(b, &op, operands));
    }
  }
  SmallVector<Value> results;
  for (auto [index, result] : llvm::enumerate(group_.getYield().getOperands())) {
    Value value = valueOf(result);
    if (masked_[index]) {
      Type element = cast<RankedTensorType>(result.getType()).getElementType();
      value = arith::SelectOp::create(b, lanes(), value, elementConstant(b, element, at.width, 0));
    }
    results.push_back(value);
  }
  return results;
}

void EpilogueEmitter::store(KernelBuilder &b, const Position &at, ArrayRef<Value> results, size_t first) const {
  Value mask;
  if (!blocked_ && lanes_ == Lanes::Channels && channels_ % kBlock != 0 && !at.isWhole)
    mask = this->mask(b, at);
  for (size_t index = first; index < results.size(); ++index) {
    Type element = cast<RankedTensorType>(group_.getResult(index).getType()).getElementType();
    int64_t displacement = 0;
    Value address = elementAddress(b, at, inputs() + index, element, displacement);
    storeElements(b, element, results[index], address, displacement, mask,
                  (blocked_ ? at.width : at.multiple) * elementBytes(element));
  }
}

Epilogue EpilogueEmitter::hook() const {
  return [emitter = *this](KernelBuilder &b, Value value, const EpiloguePosition &position) {
    SmallVector<Value> images = emitter.images(b, position.image);
    Position at;
    at.images = images;
    at.bytes = position.bytes;
    at.displacement = position.displacement;
    at.channel = emitter.usesChannels() ? b.mul(position.block, kBlock) : Value();
    SmallVector<Value> results = emitter.emit(b, at, value);
    emitter.store(b, at, results, 1);
    return results.front();
  };
}

} // namespace cnn::cpu
