// See PlannedProgram.h.
#include "codegen/PlannedProgram.h"

#include "ir/reference/Prepare.h"
#include "passes/TargetModel.h"

#include "llvm/ADT/StringExtras.h"

using namespace mlir;
namespace cnn {

std::string identifier(StringRef text) {
  std::string name;
  for (char c : text)
    name += llvm::isAlnum(c) ? c : '_';
  return name.empty() || llvm::isDigit(name[0]) ? "_" + name : name;
}

namespace {

constexpr int64_t kAlignment = 64;

std::optional<host::DType> dtypeOf(Type element) {
  if (element.isF32())
    return host::DType::F32;
  if (element.isF64())
    return host::DType::F64;
  if (element.isInteger(64))
    return host::DType::I64;
  if (element.isInteger(32))
    return host::DType::I32;
  if (element.isInteger(8) && !element.isSignedInteger())
    return host::DType::U8;
  return std::nullopt;
}

class Planner {
public:
  Planner(ModuleOp module, const ProgramOptions &options) : module(module), options(options) {}

  FailureOr<PlannedProgram> plan() {
    run = module.lookupSymbol<func::FuncOp>(kRunFunction);
    if (!run)
      return module.emitError() << "there is no function '" << kRunFunction << "' to lower";
    program.name = options.name.empty() ? identifier(module.getName().value_or("network")) : options.name;
    program.workspaceBytes = plannedBytes("cnn.workspace_bytes");
    program.fixedBytes = plannedBytes("cnn.fixed_bytes");
    if (failed(lowerInputs()) || failed(lowerHyper()) || failed(lowerState()) || failed(lowerPacked()) ||
        failed(lowerGroups()) || failed(lowerOutputs()))
      return failure();
    return PlannedProgram{std::move(program), std::move(groups)};
  }

private:
  //===-- Memory
  //---------------------------------------------------------------------------------------------------------===//

  FailureOr<TensorInfo> tensorInfo(Value value, StringRef name) {
    auto tensor = cast<RankedTensorType>(value.getType());
    std::optional<host::DType> dtype = dtypeOf(tensor.getElementType());
    if (!dtype || getLayout(tensor))
      return run.emitError() << "'" << name << "' cannot be an input or output of a library: " << tensor;
    TensorInfo info;
    info.name = name.str();
    info.dtype = *dtype;
    info.batched = isPerImage(value);
    info.shape.assign(tensor.getShape().begin() + info.batched, tensor.getShape().end());
    if (info.batched && !tensor.isDynamicDim(0)) {
      if (program.batch != 0 && program.batch != tensor.getDimSize(0))
        return run.emitError() << "'" << name << "' has a batch of " << tensor.getDimSize(0) << ", another tensor of "
                               << program.batch;
      program.batch = tensor.getDimSize(0);
    }
    return info;
  }

  LogicalResult lowerInputs() {
    for (BlockArgument argument : run.getArguments()) {
      auto name = run.getArgAttrOfType<StringAttr>(argument.getArgNumber(), kInputAttr);
      if (!name)
        continue;
      FailureOr<TensorInfo> info = tensorInfo(argument, name);
      if (failed(info))
        return failure();
      Operand operand{Segment::Input, static_cast<int64_t>(program.inputs.size()), 0, 0};
      operand.imageStride =
          info->batched ? storedBytes(cast<RankedTensorType>(argument.getType()), /*whole=*/false) : 0;
      places[argument] = operand;
      program.inputs.push_back(*std::move(info));
    }
    return success();
  }

  /// The hyperparameters of a step are further inputs, without a batch.
  LogicalResult lowerHyper() {
    for (BlockArgument argument : run.getArguments()) {
      auto name = run.getArgAttrOfType<StringAttr>(argument.getArgNumber(), kHyperAttr);
      if (!name)
        continue;
      FailureOr<TensorInfo> info = tensorInfo(argument, name);
      if (failed(info))
        return failure();
      places[argument] = Operand{Segment::Input, static_cast<int64_t>(program.inputs.size()), 0, 0};
      program.inputs.push_back(*std::move(info));
      ++program.hypers;
    }
    return success();
  }

  LogicalResult lowerState() {
    SymbolTable symbols(module);
    for (BlockArgument argument : run.getArguments()) {
      auto symbol = run.getArgAttrOfType<FlatSymbolRefAttr>(argument.getArgNumber(), kStateAttr);
      if (!symbol)
        continue;
      auto type = cast<RankedTensorType>(argument.getType());
      std::optional<host::DType> dtype = dtypeOf(type.getElementType());
      Operation *declaration = symbols.lookup(symbol.getValue());
      if (!dtype || !declaration || getLayout(type))
        return run.emitError() << symbol << " cannot be the state of a library: " << type;
      StateVariable variable;
      variable.name = symbol.getValue().str();
      variable.kind = declaration->getName().stripDialect().str();
      variable.dtype = *dtype;
      variable.shape.assign(type.getShape().begin(), type.getShape().end());
      variable.offset = program.stateBytes;
      variable.bytes = storedBytes(type, /*whole=*/true);
      places[argument] = Operand{Segment::State, variable.offset, 0, 0};
      program.stateBytes += llvm::alignTo(variable.bytes, kAlignment);
      program.state.push_back(std::move(variable));
    }
    return success();
  }

  LogicalResult lowerPacked() {
    SmallVector<BlockArgument> packed;
    for (BlockArgument argument : run.getArguments())
      if (run.getArgAttr(argument.getArgNumber(), kPackedAttr))
        packed.push_back(argument);
    auto indexOf = [&](BlockArgument argument) {
      return run.getArgAttrOfType<IntegerAttr>(argument.getArgNumber(), kPackedAttr).getInt();
    };
    llvm::sort(packed, [&](BlockArgument a, BlockArgument b) { return indexOf(a) < indexOf(b); });
    auto prepare = module.lookupSymbol<func::FuncOp>(kPrepareFunction);
    for (auto [number, argument] : llvm::enumerate(packed)) {
      if (indexOf(argument) != static_cast<int64_t>(number) || !prepare || number >= prepare.getNumResults())
        return run.emitError() << "packed values are not numbered from 0 on as '" << kPrepareFunction << "' gives them";
      PackedWeight weight;
      weight.name = packedName(prepare, number);
      weight.offset = program.weightsBytes;
      weight.bytes = storedBytes(cast<RankedTensorType>(argument.getType()), /*whole=*/true);
      places[argument] = Operand{Segment::Weights, weight.offset, 0, 0};
      program.weightsBytes += llvm::alignTo(weight.bytes, kAlignment);
      program.packed.push_back(std::move(weight));
    }
    if (program.weightsBytes > 0)
      program.streamWeights = [prepare, state = options.state, packed = program.packed, total = program.weightsBytes](
                                  WeightSink sink) { return stream(prepare, state, packed, total, sink); };
    return success();
  }

  /// The path of the state variable that a packed value comes from, if it is one.
  static std::string packedName(func::FuncOp prepare, size_t number) {
    Value value = prepare.getBody().front().getTerminator()->getOperand(number);
    while (Operation *op = value.getDefiningOp()) {
      if (op->getNumOperands() == 0)
        break;
      value = op->getOperand(0);
    }
    auto argument = dyn_cast<BlockArgument>(value);
    auto state = argument ? prepare.getArgAttrOfType<FlatSymbolRefAttr>(argument.getArgNumber(), kStateAttr)
                          : FlatSymbolRefAttr();
    return state ? state.getValue().str() : "packed " + std::to_string(number);
  }

  static llvm::Error stream(func::FuncOp prepare, const decltype(ProgramOptions::state) &state,
                            ArrayRef<PackedWeight> packed, int64_t total, WeightSink sink) {
    int64_t at = 0;
    llvm::Error error = llvm::Error::success();
    auto give = [&](ArrayRef<char> bytes) -> LogicalResult {
      if (bytes.empty())
        return success();
      at += bytes.size();
      if (llvm::Error failed = sink(bytes)) {
        error = llvm::joinErrors(std::move(error), std::move(failed));
        return failure();
      }
      return success();
    };
    auto fill = [&](int64_t to) { return give(std::vector<char>(to - at, 0)); };
    auto take = [&](int64_t index, ArrayRef<char> bytes) -> LogicalResult {
      if (failed(fill(packed[index].offset)) || failed(give(bytes)))
        return failure();
      return success();
    };
    auto source = [&](StringRef name, RankedTensorType type) -> FailureOr<reference::Tensor> {
      if (state)
        return state(name, type);
      return mlir::emitError(prepare.getLoc()) << "there is no value for '" << name << "'";
    };
    if (failed(reference::evaluatePrepare(prepare, source, take)) || failed(fill(total))) {
      if (error)
        return error;
      return llvm::createStringError("the weights could not be prepared");
    }
    return error;
  }

  int64_t plannedBytes(StringRef attribute) {
    auto bytes = run->getAttrOfType<IntegerAttr>(attribute);
    return bytes ? bytes.getInt() : 0;
  }

  FailureOr<Operand> operandOf(GroupOp group, PlacementAttr placement, RankedTensorType type, bool isBatched) {
    Operand operand{placement.getSegment(), placement.getOffset(), placement.getSlice(), placement.getImageStride()};
    switch (placement.getSegment()) {
    case Segment::Workspace:
    case Segment::Fixed:
    case Segment::State:
      return operand;
    case Segment::Output:
      operand.imageStride = isBatched ? storedBytes(type, /*whole=*/false) : 0;
      return operand;
    default:
      return group.emitError() << "a result cannot lie in " << placement;
    }
  }

  //===-- Groups
  //---------------------------------------------------------------------------------------------------------===//

  LogicalResult lowerGroups() {
    for (Operation &op : run.getBody().front().without_terminator()) {
      auto group = dyn_cast<GroupOp>(op);
      if (!group)
        return op.emitError() << "is not in a group and cannot be lowered";
      if (failed(lowerGroup(group)))
        return failure();
    }
    return success();
  }

  LogicalResult lowerGroup(GroupOp group) {
    PlannedGroup planned;
    planned.group = group;
    for (Value input : group.getInputs()) {
      auto place = places.find(input);
      if (place == places.end())
        return group.emitError() << "an operand lies nowhere";
      planned.operands.push_back(place->second);
    }
    ArrayAttr placements = group.getPlacements().value_or(ArrayAttr());
    size_t results = group->getNumResults();
    if (!placements && group.getElided() && results == 1) {
      places[group.getResult(0)] = planned.operands.front();
      return success();
    }
    if (!placements || placements.size() < results)
      return group.emitError() << "has no memory plan";
    for (auto [index, result] : llvm::enumerate(group.getResults())) {
      FailureOr<Operand> place = operandOf(group, cast<PlacementAttr>(placements[index]),
                                           cast<RankedTensorType>(result.getType()), isPerImage(result));
      if (failed(place))
        return failure();
      places[result] = *place;
      planned.operands.push_back(*place);
    }
    if (group.getElided())
      return success();
    if (placements.size() > results) {
      FailureOr<Operand> place =
          operandOf(group, cast<PlacementAttr>(placements[results]), RankedTensorType(), /*isBatched=*/true);
      if (failed(place))
        return failure();
      planned.scratch = *place;
    }
    planned.index = program.groups.size();
    program.groups.push_back(describe(planned));
    groups.push_back(std::move(planned));
    return success();
  }

  GroupInfo describe(const PlannedGroup &planned) {
    GroupOp group = planned.group;
    GroupInfo info;
    info.path = group.getPath().str();
    info.kind = group.getKind().str();
    if (auto schedules = group.getSchedules(); schedules && !schedules->empty())
      if (auto schedule = dyn_cast<ScheduleAttrInterface>(schedules->begin()->getValue()))
        info.algorithm = schedule.algorithmName().str();
    for (Operation &op : group.getBlock())
      info.flopsPerImage += 2 * multiplyAdds(&op);
    size_t inputs = group->getNumOperands();
    for (auto [index, operand] : llvm::enumerate(planned.operands)) {
      Value value = index < inputs ? group.getInputs()[index] : group.getResult(index - inputs);
      (index < inputs ? info.operands : info.results).push_back(operand);
      info.bytesPerImage += storedBytes(cast<RankedTensorType>(value.getType()), operand.imageStride == 0);
    }
    return info;
  }

  LogicalResult lowerOutputs() {
    Operation *end = run.getBody().front().getTerminator();
    int64_t outputs = 0;
    for (auto [index, value] : llvm::enumerate(end->getOperands())) {
      if (run.getResultAttr(index, kStateAttr))
        continue;
      int64_t number = outputs++;
      auto name = run.getResultAttrOfType<StringAttr>(index, kOutputAttr);
      FailureOr<TensorInfo> info = tensorInfo(value, name ? name.getValue() : "output");
      if (failed(info))
        return failure();
      auto place = places.find(value);
      if (place == places.end() || place->second.segment != Segment::Output || place->second.offset != number)
        return run.emitError() << "output '" << info->name << "' is not planned to lie where the caller wants it";
      program.outputs.push_back(*std::move(info));
    }
    return success();
  }

  ModuleOp module;
  const ProgramOptions &options;
  func::FuncOp run;
  Program program;
  DenseMap<Value, Operand> places;
  std::vector<PlannedGroup> groups;
};

} // namespace

FailureOr<PlannedProgram> planProgram(ModuleOp module, const ProgramOptions &options) {
  return Planner(module, options).plan();
}

std::string structuralKey(GroupOp group, Attribute schedule) {
  std::string key;
  llvm::raw_string_ostream stream(key);
  stream << schedule;
  DenseMap<Value, int> numbers;
  for (auto [argument, input] : llvm::zip(group.getBlock().getArguments(), group.getInputs())) {
    numbers[argument] = numbers.size();
    stream << "|" << argument.getType() << (isPerImage(input) ? "" : "one");
  }
  for (Operation &op : group.getBlock()) {
    stream << "\n" << op.getName();
    for (Value operand : op.getOperands())
      stream << " " << numbers.lookup(operand);
    // Not the path, which only draws depend on.
    for (NamedAttribute attribute : op.getAttrDictionary())
      if (attribute.getName() != "path" || isDraw(&op))
        stream << " " << attribute.getName().getValue() << "=" << attribute.getValue();
    for (Value result : op.getResults()) {
      numbers[result] = numbers.size();
      stream << " " << result.getType();
    }
  }
  return key;
}

} // namespace cnn
