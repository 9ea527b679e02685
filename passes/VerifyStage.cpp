// What is legal after each stage; the table is in Passes.td. Everything is checked from the module alone, by other code
// than that which made it so. The simulation of a memory plan is in VerifyPlan.cpp.
#include "passes/Passes.h"
#include "passes/Pipeline.h"
#include "passes/VerifyPlan.h"

using namespace mlir;

namespace cnn {
#define GEN_PASS_DEF_VERIFYSTAGE
#include "passes/Passes.h.inc"

static FailureOr<func::FuncOp> functionOf(ModuleOp module, StringRef name) {
  auto function = module.lookupSymbol<func::FuncOp>(name);
  if (!function || function.isDeclaration() || !llvm::hasSingleElement(function.getBody()))
    return module.emitError() << "there is no function @" << name << " of one block";
  return function;
}

/// Each argument has one of `argumentAttributes`, each result `resultAttribute`.
static LogicalResult verifySignature(func::FuncOp function, ArrayRef<StringRef> argumentAttributes,
                                     ArrayRef<StringRef> resultAttributes) {
  for (unsigned index = 0; index < function.getNumArguments(); ++index)
    if (llvm::none_of(argumentAttributes, [&](StringRef name) { return bool(function.getArgAttr(index, name)); }))
      return function.emitError() << "argument " << index << " of @" << function.getName() << " has none of "
                                  << llvm::join(argumentAttributes, ", ");
  for (unsigned index = 0; index < function.getNumResults(); ++index)
    if (llvm::none_of(resultAttributes, [&](StringRef name) { return bool(function.getResultAttr(index, name)); }))
      return function.emitError() << "result " << index << " of @" << function.getName() << " has no "
                                  << llvm::join(resultAttributes, " or ");
  return success();
}

/// Operations of the dialect on tensors without layout.
static LogicalResult verifyTensorLevel(func::FuncOp function) {
  for (Operation &op : function.getBody().front().without_terminator()) {
    if (!isa_and_nonnull<CnnDialect>(op.getDialect()) || isa<GroupOp, YieldOp, RelayoutOp, WinogradConv2dOp>(op))
      return op.emitError() << "'" << op.getName() << "' does not belong into @" << function.getName()
                            << " before fusion";
    for (Type type : op.getResultTypes())
      if (getLayout(type))
        return op.emitError() << "has a layout before layouts are chosen";
  }
  return success();
}

static LogicalResult verifyOnly(ModuleOp module, func::FuncOp only) {
  for (func::FuncOp function : module.getOps<func::FuncOp>())
    if (function != only)
      return function.emitError() << "@" << function.getName() << " is a second function beside @" << only.getName();
  return success();
}

/// The signature of a training step, before and after it is called @run.
static LogicalResult verifyStepSignature(func::FuncOp step) {
  if (failed(verifySignature(step, {kInputAttr, kHyperAttr, kStateAttr}, {kOutputAttr, kStateAttr})))
    return failure();
  DenseSet<Attribute> arguments, results;
  for (unsigned index = 0; index < step.getNumArguments(); ++index)
    if (Attribute state = step.getArgAttr(index, kStateAttr); state && !arguments.insert(state).second)
      return step.emitError() << state << " is an argument of @" << step.getName() << " twice";
  for (unsigned index = 0; index < step.getNumResults(); ++index) {
    Attribute state = step.getResultAttr(index, kStateAttr);
    if (state && (!arguments.contains(state) || !results.insert(state).second))
      return step.emitError() << state << ", which result " << index << " gives anew, must be one argument of @"
                              << step.getName() << " and one result";
  }
  return success();
}

static LogicalResult verifyElaborated(ModuleOp module, bool isDifferentiated) {
  bool isStep = bool(module.lookupSymbol<func::FuncOp>(kStepFunction));
  FailureOr<func::FuncOp> function = functionOf(module, isStep ? kStepFunction : kInferFunction);
  if (failed(function) || failed(verifyTensorLevel(*function)) || failed(verifyOnly(module, *function)) ||
      failed(isStep ? verifyStepSignature(*function)
                    : verifySignature(*function, {kInputAttr, kStateAttr}, {kOutputAttr})))
    return failure();
  for (Operation &op : function->getBody().front().without_terminator()) {
    if (!isa<ConstantOp>(op) && getPath(&op).empty())
      return op.emitError() << "has no path";
    if (isDifferentiated && isa<MinimizeOp, StopGradientOp>(op))
      return op.emitError() << "does not belong into a differentiated function";
  }
  return success();
}

/// `cnn.packed` 0, 1, .. on the first arguments of @run and on the results of @prepare, of the same types.
static LogicalResult verifyPacked(func::FuncOp prepare, func::FuncOp run) {
  if (failed(verifySignature(prepare, {kStateAttr}, {kPackedAttr})) ||
      failed(verifySignature(run, {kPackedAttr, kInputAttr}, {kOutputAttr})))
    return failure();
  unsigned count = prepare.getNumResults();
  for (unsigned index = 0; index < run.getNumArguments(); ++index) {
    auto number = run.getArgAttrOfType<IntegerAttr>(index, kPackedAttr);
    if (bool(number) != (index < count) || (number && number.getInt() != index))
      return run.emitError() << "@" << kPrepareFunction << " gives " << count
                             << " packed values, which must be the first arguments of @" << kRunFunction
                             << " in order; argument " << index << " is not";
    if (number && run.getArgument(index).getType() != prepare.getResultTypes()[index])
      return run.emitError() << "packed value " << index << " is " << prepare.getResultTypes()[index] << " in @"
                             << kPrepareFunction << " and " << run.getArgument(index).getType() << " in @"
                             << kRunFunction;
  }
  if (run.getNumArguments() < count)
    return run.emitError() << "@" << kPrepareFunction << " gives " << count << " packed values, @" << kRunFunction
                           << " takes " << run.getNumArguments() << " arguments";
  for (unsigned index = 0; index < count; ++index)
    if (prepare.getResultAttrOfType<IntegerAttr>(index, kPackedAttr).getInt() != index)
      return prepare.emitError() << "result " << index << " of @" << kPrepareFunction << " has another number";
  return success();
}

static LogicalResult verifyHoisted(func::FuncOp run) {
  if (failed(verifyTensorLevel(run)))
    return failure();
  for (Operation &op : run.getBody().front())
    if (isa<BatchNormOp>(op))
      return op.emitError() << "batch normalization must be folded before hoist";
  return success();
}

static LogicalResult verifyFused(func::FuncOp run) {
  for (Operation &op : run.getBody().front().without_terminator()) {
    if (!isa<GroupOp>(op))
      return op.emitError() << "@" << kRunFunction << " must consist of groups, not '" << op.getName() << "'";
    if (op.use_empty())
      return op.emitError() << "nothing reads a result of this group";
  }
  return success();
}

static LogicalResult verifyLaidOut(func::FuncOp run) {
  for (BlockArgument argument : run.getArguments())
    if (!isPacked(argument) && getLayout(argument.getType()))
      return run.emitError() << "input " << argument.getArgNumber() << " must be row-major";
  DenseSet<Value> seen;
  for (auto [index, value] : llvm::enumerate(run.getBody().front().getTerminator()->getOperands())) {
    if (getLayout(value.getType()))
      return run.emitError() << "output " << index << " must be row-major";
    if (!value.getDefiningOp<GroupOp>())
      return run.emitError() << "output " << index << " must be the result of a group";
    if (!seen.insert(value).second)
      return run.emitError() << "output " << index << " is another output, too";
  }
  return success();
}

static LogicalResult verifyScheduled(func::FuncOp run) {
  std::optional<SmallVector<StringAttr>> isas;
  for (GroupOp group : run.getBody().front().getOps<GroupOp>()) {
    DictionaryAttr schedules = group.getSchedulesAttr();
    if (!schedules || schedules.empty())
      return group.emitError() << "has no schedule";
    SmallVector<StringAttr> names;
    StringRef algorithm;
    for (NamedAttribute entry : schedules) {
      auto schedule = dyn_cast<ScheduleAttrInterface>(entry.getValue());
      if (!schedule)
        return group.emitError() << "'" << entry.getName() << "' is no schedule";
      if (failed(schedule.verifyFor(group)))
        return failure();
      if (!algorithm.empty() && algorithm != schedule.algorithmName())
        return group.emitError() << "has two algorithms, " << algorithm << " and " << schedule.algorithmName();
      algorithm = schedule.algorithmName();
      names.push_back(entry.getName());
    }
    if (isas && *isas != names)
      return group.emitError() << "has schedules for other instruction sets than the groups before";
    isas = names;
  }
  return success();
}

LogicalResult verifyStage(StringRef stage, ModuleOp module) {
  const auto *at = llvm::find(pipelineStages(), stage);
  if (at == pipelineStages().end())
    return module.emitError() << "there is no stage '" << stage << "'; the stages are "
                              << llvm::join(pipelineStages(), ", ");
  auto isAfter = [&](StringRef other) { return at >= llvm::find(pipelineStages(), other); };
  if (!isAfter("hoist"))
    return verifyElaborated(module, isAfter("differentiate"));

  FailureOr<func::FuncOp> run = functionOf(module, kRunFunction);
  if (failed(run))
    return failure();
  if (module.lookupSymbol(kPrepareFunction)) {
    FailureOr<func::FuncOp> prepare = functionOf(module, kPrepareFunction);
    if (failed(prepare) || failed(verifyPacked(*prepare, *run)) ||
        (!isAfter("fuse") && failed(verifyTensorLevel(*prepare))))
      return failure();
  } else if (failed(verifyOnly(module, *run)) || failed(verifyStepSignature(*run))) {
    return failure();
  }
  for (StringRef before : {kInferFunction, kStepFunction})
    if (module.lookupSymbol<func::FuncOp>(before))
      return module.emitError() << "@" << before << " is still there after hoist";
  if (!isAfter("fuse"))
    return verifyHoisted(*run);
  if (failed(verifyFused(*run)) || (isAfter("layout") && failed(verifyLaidOut(*run))) ||
      (isAfter("schedule") && failed(verifyScheduled(*run))) || (isAfter("plan") && failed(verifyPlan(*run))))
    return failure();
  return success();
}

namespace {
struct VerifyStage : impl::VerifyStageBase<VerifyStage> {
  using Base::Base;
  void runOnOperation() override {
    if (failed(verifyStage(stage, getOperation())))
      signalPassFailure();
  }
};
} // namespace
} // namespace cnn
