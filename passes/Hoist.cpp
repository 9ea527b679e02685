// Splits the network at the border between what depends on state and constants alone, computed once by the reference
// implementation when weights are packed, and what is computed for each image.
//
// Before: @infer(state and inputs). After: @prepare(state) -> packed values and @run(packed values, inputs) -> outputs.
// The state of a training step changes from call to call, so that there is nothing to prepare: @step becomes @run.
#include "passes/Passes.h"
#include "passes/Simplify.h"

#include "mlir/IR/IRMapping.h"

using namespace mlir;

namespace cnn {
#define GEN_PASS_DEF_HOIST
#include "passes/Passes.h.inc"

namespace {

class Splitter {
public:
  Splitter(func::FuncOp infer) : infer(infer), loc(infer.getLoc()), b(infer) {}

  void split() {
    mergeEqual(infer);
    findHoisted();
    beginPrepare();
    buildRun();
    finishPrepare();
    dropUnusedState();
  }

private:
  bool isState(BlockArgument argument) { return bool(infer.getArgAttr(argument.getArgNumber(), kStateAttr)); }

  bool isHoisted(Value value) {
    if (auto argument = dyn_cast<BlockArgument>(value))
      return isState(argument);
    return hoisted.contains(value.getDefiningOp());
  }

  void findHoisted() {
    for (Operation &op : infer.getBody().front().without_terminator())
      if (!isDraw(&op) &&
          llvm::all_of(op.getResultTypes(), [](Type type) { return cast<RankedTensorType>(type).hasStaticShape(); }) &&
          llvm::all_of(op.getOperands(), [&](Value operand) { return isHoisted(operand); }))
        hoisted.insert(&op);
  }

  /// @prepare with every hoisted operation; what turns out to be unused is erased at the end.
  void beginPrepare() {
    SmallVector<Type> types;
    SmallVector<DictionaryAttr> attributes;
    SmallVector<BlockArgument> state;
    for (BlockArgument argument : infer.getArguments())
      if (isState(argument)) {
        state.push_back(argument);
        types.push_back(argument.getType());
        attributes.push_back(infer.getArgAttrDict(argument.getArgNumber()));
      }
    prepare = func::FuncOp::create(b, loc, kPrepareFunction, b.getFunctionType(types, {}), {}, attributes);
    Block *body = prepare.addEntryBlock();
    for (auto [from, to] : llvm::zip(state, body->getArguments()))
      inPrepare.map(from, to);
    OpBuilder builder = OpBuilder::atBlockEnd(body);
    for (Operation &op : infer.getBody().front())
      if (hoisted.contains(&op))
        builder.clone(op, inPrepare);
  }

  void buildRun() {
    run = func::FuncOp::create(b, loc, kRunFunction, b.getFunctionType({}, {}));
    Block *body = run.addEntryBlock();
    // Inputs follow the packed values, which are appended as they are met.
    SmallVector<std::pair<Type, DictionaryAttr>> inputs;
    SmallVector<BlockArgument> inputArguments;
    for (BlockArgument argument : infer.getArguments())
      if (!isState(argument)) {
        inputArguments.push_back(argument);
        inputs.push_back({argument.getType(), infer.getArgAttrDict(argument.getArgNumber())});
        inRun.map(argument, body->addArgument(argument.getType(), argument.getLoc()));
      }
    OpBuilder builder = OpBuilder::atBlockEnd(body);
    for (Operation &op : infer.getBody().front()) {
      if (hoisted.contains(&op))
        continue;
      SmallVector<Value> operands;
      for (Value operand : op.getOperands())
        operands.push_back(isHoisted(operand) ? bring(operand, &op, builder) : inRun.lookup(operand));
      Operation *clone = op.cloneWithoutRegions(inRun);
      clone->setOperands(operands);
      builder.insert(clone);
    }
    SmallVector<Type> types;
    SmallVector<DictionaryAttr> attributes, resultAttributes;
    for (auto [index, value] : llvm::enumerate(packed)) {
      types.push_back(value.getType());
      attributes.push_back(packedAttribute(index));
    }
    for (auto [type, attribute] : inputs) {
      types.push_back(type);
      attributes.push_back(attribute);
    }
    for (unsigned index = 0; index < infer.getNumResults(); ++index)
      resultAttributes.push_back(infer.getResultAttrDict(index));
    run.setFunctionType(b.getFunctionType(types, infer.getResultTypes()));
    run.setAllArgAttrs(attributes);
    run.setAllResultAttrs(resultAttributes);
  }

  /// A hoisted value as `user` reads it in @run: a packed argument, or for element-wise operations, which read less
  /// that way, a number or a broadcast.
  Value bring(Value value, Operation *user, OpBuilder &builder) {
    Operation *op = value.getDefiningOp();
    auto constant = dyn_cast_or_null<ConstantOp>(op);
    auto dense = constant ? dyn_cast<DenseElementsAttr>(constant.getValue()) : DenseElementsAttr();
    if ((isElementwise(user) || isa<BroadcastOp>(user)) &&
        ((dense && dense.isSplat()) || isa_and_nonnull<BroadcastOp>(op))) {
      if (Value copy = copies.lookup(value))
        return copy;
      SmallVector<Value> operands;
      for (Value operand : op->getOperands())
        operands.push_back(bring(operand, op, builder));
      IRMapping none;
      Operation *clone = op->cloneWithoutRegions(none);
      clone->setOperands(operands);
      builder.insert(clone);
      return copies[value] = clone->getResult(0);
    }
    auto [at, isNew] = arguments.try_emplace(value, Value());
    if (isNew) {
      at->second = run.getBody().front().insertArgument(packed.size(), value.getType(), value.getLoc());
      packed.push_back(value);
    }
    return at->second;
  }

  DictionaryAttr packedAttribute(int64_t index) {
    return b.getDictionaryAttr(b.getNamedAttr(kPackedAttr, b.getI64IntegerAttr(index)));
  }

  void finishPrepare() {
    SmallVector<Value> values;
    SmallVector<DictionaryAttr> attributes;
    for (auto [index, value] : llvm::enumerate(packed)) {
      values.push_back(inPrepare.lookup(value));
      attributes.push_back(packedAttribute(index));
    }
    OpBuilder builder = OpBuilder::atBlockEnd(&prepare.getBody().front());
    func::ReturnOp::create(builder, loc, values);
    for (Operation &op : llvm::make_early_inc_range(llvm::reverse(prepare.getBody().front())))
      if (op.use_empty() && !op.hasTrait<OpTrait::IsTerminator>())
        op.erase();
    llvm::BitVector unused(prepare.getNumArguments());
    for (BlockArgument argument : prepare.getArguments())
      if (argument.use_empty())
        unused.set(argument.getArgNumber());
    (void)prepare.eraseArguments(unused);
    prepare.setFunctionType(b.getFunctionType(prepare.getArgumentTypes(), ValueRange(values).getTypes()));
    prepare.setAllResultAttrs(attributes);
  }

  void dropUnusedState() {
    ModuleOp module = infer->getParentOfType<ModuleOp>();
    DenseSet<Attribute> used;
    for (unsigned index = 0; index < prepare.getNumArguments(); ++index)
      used.insert(prepare.getArgAttr(index, kStateAttr));
    infer.erase();
    for (Operation &op : llvm::make_early_inc_range(module.getBody()->getOperations()))
      if (cnn::isState(&op) &&
          !used.contains(FlatSymbolRefAttr::get(op.getAttrOfType<StringAttr>(SymbolTable::getSymbolAttrName()))))
        op.erase();
  }

  func::FuncOp infer, prepare, run;
  Location loc;
  OpBuilder b;
  DenseSet<Operation *> hoisted;
  IRMapping inPrepare, inRun;
  DenseMap<Value, Value> copies, arguments; ///< Of hoisted values, in @run.
  SmallVector<Value> packed;
};

struct Hoist : impl::HoistBase<Hoist> {
  using Base::Base;

  void runOnOperation() override {
    if (auto step = getOperation().lookupSymbol<func::FuncOp>(kStepFunction))
      return step.setSymName(kRunFunction);
    auto infer = getOperation().lookupSymbol<func::FuncOp>(kInferFunction);
    if (!infer || infer.isDeclaration()) {
      getOperation().emitError() << "there is no function @" << kInferFunction << " to split";
      return signalPassFailure();
    }
    Splitter(infer).split();
  }
};

} // namespace
} // namespace cnn
