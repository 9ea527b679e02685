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

/// `cnn.state` names a state declaration of the module whose type is the value's.
static LogicalResult verifyStateTie(Operation *op, NamedAttribute attribute, Type type, StringRef what,
                                    unsigned index) {
  auto symbol = dyn_cast<FlatSymbolRefAttr>(attribute.getValue());
  if (!symbol)
    return op->emitError() << "'cnn.state' of " << what << " " << index << " must name a state variable";
  Operation *state = SymbolTable::lookupNearestSymbolFrom(op, symbol);
  if (!state || !isState(state))
    return op->emitError() << "'cnn.state' of " << what << " " << index << ": there is no state variable " << symbol;
  Type declared = cast<TypeAttr>(state->getAttr("type")).getValue();
  if (!agreeButForLayout(declared, type))
    return op->emitError() << "'cnn.state' of " << what << " " << index << ": " << symbol << " is " << declared
                           << ", the " << what << " is " << type;
  return success();
}

static LogicalResult verifyFunctionAttribute(Operation *op, NamedAttribute attribute, Type type, StringRef what,
                                             unsigned index) {
  StringRef name = attribute.getName();
  if (name == kStateAttr)
    return verifyStateTie(op, attribute, type, what, index);
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
  return verifyFunctionAttribute(op, attribute, function.getArgumentTypes()[argument], "argument", argument);
}

LogicalResult CnnDialect::verifyRegionResultAttribute(Operation *op, unsigned region, unsigned result,
                                                      NamedAttribute attribute) {
  auto function = dyn_cast<FunctionOpInterface>(op);
  if (!function)
    return op->emitError() << "'" << attribute.getName() << "' belongs on a function";
  return verifyFunctionAttribute(op, attribute, function.getResultTypes()[result], "result", result);
}

bool agreeButForLayout(TypeRange a, TypeRange b) {
  return a.size() == b.size() && llvm::all_of(llvm::zip(a, b), [](auto pair) {
           auto x = dyn_cast<RankedTensorType>(std::get<0>(pair)), y = dyn_cast<RankedTensorType>(std::get<1>(pair));
           return x && y && x.getShape() == y.getShape() && x.getElementType() == y.getElementType();
         });
}

bool isState(Operation *op) { return isa<ParamOp, StatisticOp, SlotOp, CounterOp>(op); }

StringRef getPath(Operation *op) {
  auto path = op->getAttrOfType<StringAttr>("path");
  return path ? path.getValue() : StringRef();
}

void setPath(Operation *op, StringRef path) { op->setAttr("path", StringAttr::get(op->getContext(), path)); }

} // namespace cnn
