// cnn.group: text form, verifier and queries.
#include "ir/CnnOps.h"

#include "mlir/IR/Builders.h"

using namespace mlir;
using namespace cnn;

void GroupOp::build(OpBuilder &builder, OperationState &state, TypeRange results, ValueRange inputs, StringRef path,
                    StringRef kind) {
  state.addTypes(results);
  state.addOperands(inputs);
  state.addAttribute(getPathAttrName(state.name), builder.getStringAttr(path));
  state.addAttribute(getKindAttrName(state.name), builder.getStringAttr(kind));
  Block &block = state.addRegion()->emplaceBlock();
  for (Value input : inputs)
    block.addArgument(input.getType(), state.location);
}

RegionKind GroupOp::getRegionKind(unsigned) { return RegionKind::SSACFG; }

YieldOp GroupOp::getYield() { return cast<YieldOp>(getBlock().getTerminator()); }

Operation *GroupOp::getAnchor() {
  for (Operation &op : getBlock().without_terminator())
    if (!isElementwise(&op) && !isa<ConstantOp, BroadcastOp>(op))
      return &op;
  return nullptr;
}

// `"path" kind "conv2d" (%a = %x : type, ...) -> type {attributes} { body }`
ParseResult GroupOp::parse(OpAsmParser &parser, OperationState &state) {
  StringAttr path, kind;
  SmallVector<OpAsmParser::Argument> arguments;
  SmallVector<OpAsmParser::UnresolvedOperand> operands;
  SmallVector<Type> types, results;
  auto binding = [&]() -> ParseResult {
    return failure(parser.parseArgument(arguments.emplace_back()) || parser.parseEqual() ||
                   parser.parseOperand(operands.emplace_back()) || parser.parseColonType(types.emplace_back()));
  };
  if (parser.parseAttribute(path, getPathAttrName(state.name), state.attributes) || parser.parseKeyword("kind") ||
      parser.parseAttribute(kind, getKindAttrName(state.name), state.attributes) ||
      parser.parseCommaSeparatedList(AsmParser::Delimiter::Paren, binding) || parser.parseArrowTypeList(results) ||
      parser.parseOptionalAttrDictWithKeyword(state.attributes) ||
      parser.resolveOperands(operands, types, parser.getNameLoc(), state.operands))
    return failure();
  for (auto [argument, type] : llvm::zip(arguments, types))
    argument.type = type;
  state.addTypes(results);
  return parser.parseRegion(*state.addRegion(), arguments);
}

void GroupOp::print(OpAsmPrinter &printer) {
  printer << " " << getPathAttr() << " kind " << getKindAttr() << " (";
  llvm::interleaveComma(llvm::zip(getBlock().getArguments(), getInputs()), printer, [&](auto pair) {
    printer << std::get<0>(pair) << " = " << std::get<1>(pair) << " : " << std::get<1>(pair).getType();
  });
  printer << ")";
  printer.printArrowTypeList(getResultTypes());
  printer.printOptionalAttrDictWithKeyword((*this)->getAttrs(), {"path", "kind"});
  printer << " ";
  printer.printRegion(getBody(), /*printEntryBlockArgs=*/false);
}

LogicalResult GroupOp::verify() {
  Block &block = getBlock();
  if (block.getArgumentTypes() != getInputs().getTypes())
    return emitOpError("group_c1: the body must take one argument of the same type for each operand");
  auto yield = dyn_cast_or_null<YieldOp>(block.empty() ? nullptr : &block.back());
  if (!yield)
    return emitOpError("group_c2: the body must end with cnn.yield");
  if (yield.getOperandTypes() != getResultTypes())
    return emitOpError("group_c2: the body yields ")
           << yield.getOperandTypes() << ", the group's results are " << getResultTypes();
  if (auto schedules = getSchedules())
    for (NamedAttribute entry : *schedules) {
      auto schedule = dyn_cast<ScheduleAttrInterface>(entry.getValue());
      if (!schedule)
        return emitOpError("group_c3: '") << entry.getName().getValue() << "' is not a schedule: " << entry.getValue();
      if (failed(schedule.verifyFor(*this)))
        return failure();
    }
  if (auto placements = getPlacements())
    for (Attribute placement : *placements)
      if (!isa<PlacementAttr>(placement))
        return emitOpError("group_c4: not a placement: ") << placement;
  return success();
}
