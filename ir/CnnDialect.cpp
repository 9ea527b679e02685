// The dialect object, the attributes of function arguments and results, and small queries that passes share.
#include "ir/CnnOps.h"

#include "mlir/IR/DialectImplementation.h"
#include "mlir/Interfaces/FunctionInterfaces.h"

using namespace mlir;

#include "ir/CnnDialect.cpp.inc"

namespace cnn {

void CnnDialect::initialize() {
  registerAttributes();
  addOperations<
#define GET_OP_LIST
#include "ir/CnnOps.cpp.inc"
      >();
}

Operation *CnnDialect::materializeConstant(OpBuilder &builder, Attribute value, Type type, Location loc) {
  auto elements = dyn_cast<ElementsAttr>(value);
  if (!elements || elements.getShapedType() != type)
    return nullptr;
  return ConstantOp::create(builder, loc, type, elements);
}

/// The operations that can be referred to from `op` by name. The module may be wrong in any way: a name that stands
/// twice means the first, as in a lookup.
static DenseMap<StringAttr, Operation *> symbolsAround(Operation *op) {
  DenseMap<StringAttr, Operation *> symbols;
  if (Operation *table = SymbolTable::getNearestSymbolTable(op))
    for (Block &block : table->getRegion(0))
      for (Operation &symbol : block)
        if (auto name = symbol.getAttrOfType<StringAttr>(SymbolTable::getSymbolAttrName()))
          symbols.try_emplace(name, &symbol);
  return symbols;
}

/// `cnn.state` names a state declaration of the module whose type is the value's.
static LogicalResult verifyStateTie(Operation *op, const DenseMap<StringAttr, Operation *> &symbols, Attribute tie,
                                    Type type, StringRef what, unsigned index) {
  auto symbol = dyn_cast<FlatSymbolRefAttr>(tie);
  if (!symbol)
    return op->emitError() << "'cnn.state' of " << what << " " << index << " must name a state variable";
  Operation *state = symbols.lookup(symbol.getAttr());
  if (!state || !isState(state))
    return op->emitError() << "'cnn.state' of " << what << " " << index << ": there is no state variable " << symbol;
  Type declared = cast<TypeAttr>(state->getAttr("type")).getValue();
  if (!agreeButForLayout(declared, type))
    return op->emitError() << "'cnn.state' of " << what << " " << index << ": " << symbol << " is " << declared
                           << ", the " << what << " is " << type;
  return success();
}

/// The ties of all arguments or all results, at the first that has one: a lookup of its own for each would take time
/// quadratic in the number of states.
template <typename AttrOf>
static LogicalResult verifyStateTies(Operation *op, TypeRange types, StringRef what, unsigned first, AttrOf attrOf) {
  for (unsigned index = 0; index < first; ++index)
    if (attrOf(index))
      return success();
  DenseMap<StringAttr, Operation *> symbols = symbolsAround(op);
  for (unsigned index = first; index < types.size(); ++index)
    if (Attribute tie = attrOf(index))
      if (failed(verifyStateTie(op, symbols, tie, types[index], what, index)))
        return failure();
  return success();
}

static LogicalResult verifyFunctionAttribute(Operation *op, NamedAttribute attribute, Type type, StringRef what,
                                             unsigned index) {
  StringRef name = attribute.getName();
  if (name == kPackedAttr) {
    if (!isa<IntegerAttr>(attribute.getValue()))
      return op->emitError() << "'cnn.packed' of " << what << " " << index << " must be an integer";
    return success();
  }
  bool isArgument = what == "argument";
  if (name == (isArgument ? kInputAttr : kOutputAttr)) {
    if (!isa<StringAttr>(attribute.getValue()))
      return op->emitError() << "'" << name << "' of " << what << " " << index << " must be a string";
    return success();
  }
  if (name == kHyperAttr && isArgument) {
    auto tensor = dyn_cast<RankedTensorType>(type);
    if (!isa<StringAttr>(attribute.getValue()) || !tensor || tensor.getRank() != 0)
      return op->emitError() << "'cnn.hyper' of argument " << index << " must be a string, on a scalar";
    return success();
  }
  if (name == kClassesAttr && isArgument) {
    auto classes = dyn_cast<IntegerAttr>(attribute.getValue());
    if (!classes || classes.getInt() < 1 || !isa<IntegerType>(cast<RankedTensorType>(type).getElementType()))
      return op->emitError() << "'cnn.classes' of argument " << index << " must be a number of classes, on integers";
    return success();
  }
  if (name == kPreprocessAttr && isArgument) {
    if (!isa<ArrayAttr>(attribute.getValue()))
      return op->emitError() << "'cnn.preprocess' of argument " << index << " must be an array of steps";
    return success();
  }
  return op->emitError() << "'" << name << "' has no meaning on " << what << " " << index;
}

LogicalResult CnnDialect::verifyRegionArgAttribute(Operation *op, unsigned region, unsigned argument,
                                                   NamedAttribute attribute) {
  auto function = dyn_cast<FunctionOpInterface>(op);
  if (!function)
    return op->emitError() << "'" << attribute.getName() << "' belongs on a function";
  if (attribute.getName() == kStateAttr)
    return verifyStateTies(op, function.getArgumentTypes(), "argument", argument,
                           [&](unsigned index) { return function.getArgAttr(index, kStateAttr); });
  return verifyFunctionAttribute(op, attribute, function.getArgumentTypes()[argument], "argument", argument);
}

LogicalResult CnnDialect::verifyRegionResultAttribute(Operation *op, unsigned region, unsigned result,
                                                      NamedAttribute attribute) {
  auto function = dyn_cast<FunctionOpInterface>(op);
  if (!function)
    return op->emitError() << "'" << attribute.getName() << "' belongs on a function";
  if (attribute.getName() == kStateAttr)
    return verifyStateTies(op, function.getResultTypes(), "result", result,
                           [&](unsigned index) { return function.getResultAttr(index, kStateAttr); });
  return verifyFunctionAttribute(op, attribute, function.getResultTypes()[result], "result", result);
}

bool agreeButForLayout(TypeRange a, TypeRange b) {
  return a.size() == b.size() && llvm::all_of(llvm::zip(a, b), [](auto pair) {
           auto x = dyn_cast<RankedTensorType>(std::get<0>(pair)), y = dyn_cast<RankedTensorType>(std::get<1>(pair));
           return x && y && x.getShape() == y.getShape() && x.getElementType() == y.getElementType();
         });
}

bool isState(Operation *op) { return isa<ParamOp, StatisticOp, SlotOp, CounterOp>(op); }

bool isDraw(Operation *op) { return isa<RandomUniformOp, RandomNormalOp>(op); }

StringRef getPath(Operation *op) {
  auto path = op->getAttrOfType<StringAttr>("path");
  return path ? path.getValue() : StringRef();
}

void setPath(Operation *op, StringRef path) { op->setAttr("path", StringAttr::get(op->getContext(), path)); }

} // namespace cnn
