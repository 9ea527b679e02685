// Decides how weights are packed and how groups are computed (Passes.td). Runs after layouts are known and before
// memory is planned, as schedules say how much scratch a group needs. The target decides; this pass obeys and verifies.
#include "passes/Passes.h"

#include "mlir/IR/Builders.h"

using namespace mlir;

namespace cnn {
#define GEN_PASS_DEF_SCHEDULE
#include "passes/Passes.h.inc"

namespace {

/// The packed values of a module: results of @prepare and arguments of @run, which are the first ones. New ones are
/// arguments of the block alone, and the functions change once, at the end: each insertion is linear in the arguments.
class Packer {
public:
  Packer(func::FuncOp prepare, func::FuncOp run) : prepare(prepare), run(run) {
    auto terminator = cast<func::ReturnOp>(prepare.getBody().front().getTerminator());
    for (BlockArgument argument : run.getArguments().take_front(terminator->getNumOperands()))
      entries.push_back({argument, terminator->getOperand(entries.size())});
  }

  /// The argument of @run that is `argument` packed in this way; `groups` of the convolution that reads it.
  BlockArgument packed(BlockArgument argument, const Packing &packing, int64_t groups);
  /// Drops the packed values that nothing reads and numbers the others.
  void finish();

private:
  struct Packed {
    Packing packing;
    int64_t groups = 1;
    BlockArgument argument;
  };

  struct Entry {
    BlockArgument argument;
    Value value; ///< In @prepare.
  };

  func::FuncOp prepare, run;
  SmallVector<Entry> entries;
  llvm::DenseMap<BlockArgument, SmallVector<Packed>> known;
};

} // namespace

static StringRef pathOf(Value value) {
  Operation *op = value.getDefiningOp();
  return op ? getPath(op) : StringRef();
}

/// The operations that pack `value`.
static Value applyPacking(OpBuilder &builder, Value value, const Packing &packing, int64_t groups, StringAttr path) {
  Location loc = value.getLoc();
  if (packing.expandGroups)
    value = ExpandGroupsOp::create(builder, loc, value, builder.getI64IntegerAttr(groups), path);
  if (packing.winograd)
    value = WinogradWeightsOp::create(builder, loc, value, packing.winograd, path);
  if (packing.layout != getLayout(value.getType()))
    value = RelayoutOp::create(builder, loc, withLayout(value.getType(), packing.layout), value, path);
  return value;
}

BlockArgument Packer::packed(BlockArgument argument, const Packing &packing, int64_t groups) {
  if (packing == Packing())
    return argument;
  SmallVector<Packed> &versions = known[argument];
  for (const Packed &version : versions)
    if (version.packing == packing && version.groups == groups)
      return version.argument;

  OpBuilder builder(prepare.getBody().front().getTerminator());
  Value value = entries[argument.getArgNumber()].value;
  StringAttr path = builder.getStringAttr(pathOf(value));
  if (path.empty())
    path = StringAttr();
  value = applyPacking(builder, value, packing, groups, path);
  BlockArgument result = run.getBody().front().addArgument(value.getType(), argument.getLoc());
  entries.push_back({result, value});
  versions.push_back({packing, groups, result});
  return result;
}

void Packer::finish() {
  Block &body = run.getBody().front();
  unsigned before = body.getNumArguments();
  Builder builder(run.getContext());
  SmallVector<Type> types;
  SmallVector<DictionaryAttr> attributes;
  auto append = [&](BlockArgument old, DictionaryAttr attribute) {
    old.replaceAllUsesWith(body.addArgument(old.getType(), old.getLoc()));
    types.push_back(old.getType());
    attributes.push_back(attribute);
  };
  SmallVector<Value> values;
  for (const Entry &entry : entries)
    if (!entry.argument.use_empty()) {
      append(entry.argument,
             builder.getDictionaryAttr(builder.getNamedAttr(kPackedAttr, builder.getI64IntegerAttr(values.size()))));
      values.push_back(entry.value);
    }
  SmallVector<DictionaryAttr> results(attributes);
  unsigned declared = run.getNumArguments();
  for (unsigned number = prepare.getNumResults(); number < declared; ++number)
    append(body.getArgument(number), run.getArgAttrDict(number));
  body.eraseArguments(0, before);
  run.setFunctionType(builder.getFunctionType(types, run.getResultTypes()));
  run.setAllArgAttrs(attributes);
  prepare.getBody().front().getTerminator()->setOperands(values);
  prepare.setFunctionType(builder.getFunctionType(prepare.getArgumentTypes(), ValueRange(values).getTypes()));
  prepare.setAllResultAttrs(results);
}

namespace {
/// In a step, where weights change from call to call: the groups that pack what is one for all images.
class StepPacker {
public:
  /// `value` packed in this way, by a group before `user`, which is the first one that reads it so.
  Value packed(Value value, const Packing &packing, int64_t groups, GroupOp user) {
    if (packing == Packing())
      return value;
    SmallVector<Packed> &versions = known[value];
    for (const Packed &version : versions)
      if (version.packing == packing && version.groups == groups)
        return version.value;
    OpBuilder builder(user);
    std::string path = nameOf(value) + ".packed";
    // Flipping is a part of packing.
    FlipKernelsOp flip = flipOf(value);
    Value source = flip ? value.getDefiningOp<GroupOp>().getInputs()[0] : value;
    auto group = GroupOp::create(builder, value.getLoc(), TypeRange{value.getType()}, ValueRange{source}, path, "copy");
    builder.setInsertionPointToStart(&group.getBlock());
    Value result = group.getBlock().getArgument(0);
    if (flip)
      result = FlipKernelsOp::create(builder, flip.getLoc(), result, flip.getGroupsAttr(), flip.getPathAttr());
    result = applyPacking(builder, result, packing, groups, builder.getStringAttr(path));
    YieldOp::create(builder, value.getLoc(), result);
    group.getResult(0).setType(result.getType());
    versions.push_back({packing, groups, group.getResult(0)});
    return group.getResult(0);
  }

private:
  struct Packed {
    Packing packing;
    int64_t groups = 1;
    Value value;
  };

  /// The operation of a group that only flips kernels, or null.
  static FlipKernelsOp flipOf(Value value) {
    auto group = value.getDefiningOp<GroupOp>();
    if (!group || group->getNumResults() != 1 || !llvm::hasSingleElement(group.getBlock().without_terminator()))
      return {};
    return dyn_cast<FlipKernelsOp>(group.getBlock().front());
  }

  static std::string nameOf(Value value) {
    if (auto producer = value.getDefiningOp<GroupOp>())
      return producer.getPath().str();
    auto argument = cast<BlockArgument>(value);
    auto function = cast<func::FuncOp>(argument.getOwner()->getParentOp());
    for (StringRef name : {kStateAttr, kInputAttr, kHyperAttr}) {
      Attribute attribute = function.getArgAttr(argument.getArgNumber(), name);
      if (auto symbol = dyn_cast_or_null<FlatSymbolRefAttr>(attribute))
        return symbol.getValue().str();
      if (auto text = dyn_cast_or_null<StringAttr>(attribute))
        return text.str();
    }
    return "value";
  }

  llvm::DenseMap<Value, SmallVector<Packed>> known;
};
} // namespace

/// Makes the body say what its kernels read: transformed weights, or an ungrouped convolution.
static void rewriteAnchor(GroupOp group, const Packing &packing) {
  auto conv = dyn_cast_or_null<Conv2dOp>(group.getAnchor());
  if (!conv)
    return;
  if (packing.expandGroups)
    conv.setGroups(1);
  if (!packing.winograd)
    return;
  OpBuilder builder(conv);
  auto winograd =
      WinogradConv2dOp::create(builder, conv.getLoc(), conv.getResult().getType(), conv.getInput(), conv.getWeight(),
                               conv.getBias(), conv.getPaddingAttr(), conv.getPrecisionAttr(), conv.getPathAttr());
  conv.replaceAllUsesWith(winograd.getResult());
  conv.erase();
}

namespace {
struct Schedule : impl::ScheduleBase<Schedule> {
  using ScheduleBase::ScheduleBase;

  void getDependentDialects(DialectRegistry &registry) const override {
    ScheduleBase::getDependentDialects(registry);
    if (const TargetModel *model = findTargetModel(target))
      model->registerDialects(registry);
  }

  void runOnOperation() override {
    ModuleOp module = getOperation();
    auto prepare = module.lookupSymbol<func::FuncOp>(kPrepareFunction);
    auto run = module.lookupSymbol<func::FuncOp>(kRunFunction);
    const TargetModel *model = findTargetModel(target);
    if (!run || !model) {
      module.emitError() << (model ? "there is no function 'run' to schedule: hoist makes it"
                                   : "there is no target '" + target + "'");
      return signalPassFailure();
    }
    SmallVector<StringRef> names(isas.begin(), isas.end());
    if (names.empty())
      llvm::append_range(names, model->isas());
    for (StringRef name : names)
      if (!llvm::is_contained(model->isas(), name)) {
        module.emitError() << "target '" << target << "' has no instruction set '" << name << "'; it has "
                           << llvm::join(model->isas(), ", ");
        return signalPassFailure();
      }

    std::optional<Packer> packer;
    if (prepare)
      packer.emplace(prepare, run);
    StepPacker stepPacker;
    for (GroupOp group : llvm::to_vector(run.getBody().front().getOps<GroupOp>()))
      pack(group, *model, packer ? &*packer : nullptr, stepPacker);
    if (packer)
      packer->finish();
    // Kernels that were flipped in order to be packed.
    for (GroupOp group : llvm::make_early_inc_range(run.getBody().front().getOps<GroupOp>()))
      if (group->use_empty() && isa_and_nonnull<FlipKernelsOp>(group.getAnchor()))
        group.erase();
    for (GroupOp group : run.getBody().front().getOps<GroupOp>())
      if (failed(schedule(group, *model, names)))
        return signalPassFailure();
  }

private:
  void pack(GroupOp group, const TargetModel &model, Packer *packer, StepPacker &stepPacker) {
    // All answers first: the target is asked about the group as it was laid out.
    SmallVector<std::pair<unsigned, Packing>> packings;
    for (auto [number, operand] : llvm::enumerate(group.getInputs()))
      if (packer ? isPacked(operand) : !isPerImage(operand))
        packings.emplace_back(number, model.packing(group, number, exact));
    for (const auto &[number, packing] : packings) {
      auto conv = dyn_cast_or_null<Conv2dOp>(group.getAnchor());
      int64_t groups = conv && packing.expandGroups ? conv.getGroups() : 1;
      Value value = group.getInputs()[number];
      value = packer ? packer->packed(cast<BlockArgument>(value), packing, groups)
                     : stepPacker.packed(value, packing, groups, group);
      group->setOperand(number, value);
      group.getBlock().getArgument(number).setType(value.getType());
      rewriteAnchor(group, packing);
    }
  }

  LogicalResult schedule(GroupOp group, const TargetModel &model, ArrayRef<StringRef> names) {
    SmallVector<NamedAttribute> schedules;
    StringRef algorithm;
    for (StringRef name : names) {
      auto schedule = dyn_cast_or_null<ScheduleAttrInterface>(model.schedule(group, name, exact));
      if (!schedule)
        return group.emitError() << "target '" << target << "' cannot compute '" << group.getPath()
                                 << "', a group of kind " << group.getKind() << ", on " << name;
      if (!algorithm.empty() && schedule.algorithmName() != algorithm)
        return group.emitError() << "'" << group.getPath() << "' would be computed by " << schedule.algorithmName()
                                 << " on " << name << " and by " << algorithm << " elsewhere";
      algorithm = schedule.algorithmName();
      schedules.emplace_back(StringAttr::get(&getContext(), name), schedule);
    }
    group.setSchedulesAttr(DictionaryAttr::get(&getContext(), schedules));
    if (group.getAnchor() && model.mayOverwrite(group))
      group->setAttr(kMayOverwriteAttr, UnitAttr::get(&getContext()));
    return success();
  }
};
} // namespace

} // namespace cnn
