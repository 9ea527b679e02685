// Gives the tensors between groups their layouts (Passes.td). Layouts belong to what groups exchange, so this comes
// after fusion; weights are packed by schedule.
#include "passes/Passes.h"
#include "passes/StatePlan.h"

#include "mlir/IR/Builders.h"

using namespace mlir;

namespace cnn {
#define GEN_PASS_DEF_LAYOUT
#include "passes/Passes.h.inc"

namespace {

class Layouts {
public:
  Layouts(func::FuncOp run, const TargetModel &model) : run(run), model(model) {}

  LogicalResult layOut() {
    for (GroupOp group : llvm::to_vector(run.getBody().front().getOps<GroupOp>()))
      if (failed(layOut(group)))
        return failure();
    layOutOutputs();
    return success();
  }

private:
  LogicalResult layOut(GroupOp group);
  void layOutOutputs();
  /// `value` in `layout`: itself, or the result of a copy group before `user`, one for all who need it.
  Value inLayout(Value value, LayoutAttr layout, Operation *user);
  Value copy(Value value, LayoutAttr layout, Operation *before);

  func::FuncOp run;
  const TargetModel &model;
  llvm::DenseMap<std::pair<Value, Attribute>, Value> copies;
};

RankedTensorType typeOf(Value value) { return cast<RankedTensorType>(value.getType()); }

} // namespace

Value Layouts::copy(Value value, LayoutAttr layout, Operation *before) {
  std::string path;
  if (auto producer = value.getDefiningOp<GroupOp>())
    path = producer.getPath().str();
  else if (auto name = run.getArgAttrOfType<StringAttr>(cast<BlockArgument>(value).getArgNumber(), kInputAttr))
    path = name.str();
  else if (auto state = run.getArgAttrOfType<FlatSymbolRefAttr>(cast<BlockArgument>(value).getArgNumber(), kStateAttr))
    path = state.getValue().str();
  else
    path = "packed";
  path += layout ? ".to_blocks" : ".to_rows";
  OpBuilder builder(before);
  RankedTensorType type = withLayout(value.getType(), layout);
  auto group = GroupOp::create(builder, value.getLoc(), TypeRange{type}, ValueRange{value}, path, "copy");
  builder.setInsertionPointToStart(&group.getBlock());
  auto relayout =
      RelayoutOp::create(builder, value.getLoc(), type, group.getBlock().getArgument(0), builder.getStringAttr(path));
  YieldOp::create(builder, value.getLoc(), relayout.getResult());
  return group.getResult(0);
}

Value Layouts::inLayout(Value value, LayoutAttr layout, Operation *user) {
  if (getLayout(value.getType()) == layout)
    return value;
  Value &known = copies[{value, layout}];
  if (!known)
    known = copy(value, layout, user);
  return known;
}

LogicalResult Layouts::layOut(GroupOp group) {
  GroupLayouts layouts = model.layouts(group);
  if (layouts.operands.size() != group->getNumOperands() || layouts.results.size() != group->getNumResults())
    return group.emitError() << "target '" << model.name() << "' named " << layouts.operands.size() << " and "
                             << layouts.results.size() << " layouts for " << group->getNumOperands() << " operands and "
                             << group->getNumResults() << " results";
  Block &block = group.getBlock();
  for (auto [number, layout] : llvm::enumerate(layouts.operands)) {
    Value operand = group.getInputs()[number];
    if (isPacked(operand))
      continue;
    Value laidOut = inLayout(operand, layout, group);
    group->setOperand(number, laidOut);
    block.getArgument(number).setType(laidOut.getType());
  }

  // Inside, a value is stored nowhere; it has the layout of what it is computed from or for.
  auto resultLayout = [&](RankedTensorType type) -> std::optional<LayoutAttr> {
    for (auto [result, layout] : llvm::zip(group.getResults(), layouts.results))
      if (typeOf(result).getShape() == type.getShape())
        return layout;
    return std::nullopt;
  };
  for (Operation &op : block.without_terminator()) {
    auto type = typeOf(op.getResult(0));
    std::optional<LayoutAttr> layout;
    if (isElementwise(&op))
      for (Value operand : op.getOperands())
        if (!layout && typeOf(operand).getShape() == type.getShape() && getLayout(operand.getType()))
          layout = getLayout(operand.getType());
    if (!layout)
      layout = resultLayout(type);
    op.getResult(0).setType(withLayout(type, layout.value_or(LayoutAttr())));
  }
  for (auto [value, result, layout] : llvm::zip(group.getYield().getValues(), group.getResults(), layouts.results)) {
    result.setType(withLayout(result.getType(), layout));
    if (value.getType() == result.getType())
      continue;
    if (isa<BlockArgument>(value))
      return group.emitError() << "yields an operand in another layout than it is read";
    value.setType(result.getType());
  }
  return success();
}

/// Whether the group of `value` can write it over the variable `before`: nothing reads that afterwards, and the group
/// itself, if it reads it, does so element by element.
static bool canReplace(BlockArgument before, Value value) {
  auto group = value.getDefiningOp<GroupOp>();
  return llvm::all_of(before.getUsers(), [&](Operation *user) {
    return user == group ? !group.getAnchor() : user->isBeforeInBlock(group);
  });
}

/// Outputs are row-major, each the result of a group of its own, and so are new values of state variables. What is
/// copied is copied at once, so that it need not be kept.
void Layouts::layOutOutputs() {
  Operation *terminator = run.getBody().front().getTerminator();
  llvm::DenseSet<Value> taken;
  for (OpOperand &output : terminator->getOpOperands()) {
    auto afterwards = [](Value value) {
      Operation *producer = value.getDefiningOp();
      return producer ? producer->getNextNode() : &cast<BlockArgument>(value).getOwner()->front();
    };
    Value value = inLayout(output.get(), LayoutAttr(), afterwards(output.get()));
    if (!value.getDefiningOp<GroupOp>() || !taken.insert(value).second)
      value = copy(value, LayoutAttr(), afterwards(value));
    Attribute state = run.getResultAttr(output.getOperandNumber(), kStateAttr);
    if (state && !canReplace(stateArgument(run, state), value)) {
      taken.erase(value);
      value = copy(value, LayoutAttr(), terminator);
    }
    taken.insert(value);
    output.set(value);
  }
}

namespace {
struct LayOut : impl::LayOutBase<LayOut> {
  using LayOutBase::LayOutBase;

  void runOnOperation() override {
    ModuleOp module = getOperation();
    auto run = module.lookupSymbol<func::FuncOp>(kRunFunction);
    const TargetModel *model = findTargetModel(target);
    if (!run || !model) {
      if (!run)
        module.emitError() << "there is no function '" << kRunFunction << "' to lay out: hoist makes it";
      else
        module.emitError() << "there is no target '" << target << "'; there are "
                           << llvm::join(targetModelNames(), ", ");
      return signalPassFailure();
    }
    if (failed(Layouts(run, *model).layOut()))
      signalPassFailure();
  }
};
} // namespace

} // namespace cnn
