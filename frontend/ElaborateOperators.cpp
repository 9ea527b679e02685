// Operators on numbers, words, lists and tensors, and the tensors that they need: constants, broadcasts.
#include "frontend/Elaborator.h"

#include <cmath>

namespace cnn {
using namespace ast;

Value Elaborator::evaluateUnary(const UnaryExpr &expr) {
  Value operand = evaluate(expr.operand);
  if (operand.isPoison())
    return {};
  if (const Word *word = operand.get<Word>())
    return unknownName(word->text, expr.operand->range, false);
  if (expr.op == UnaryOp::Not) {
    if (operand.is<bool>())
      return Value(!operand.as<bool>(), expr.range);
    return error(expr.operand->range, "'not' takes true or false; met " + describe(operand));
  }
  if (const int64_t *integer = operand.get<int64_t>()) {
    int64_t negated;
    if (__builtin_sub_overflow(int64_t(0), *integer, &negated))
      return error(expr.range, "the result does not fit 64 bits");
    return Value(negated, expr.range);
  }
  if (operand.is<double>())
    return Value(-operand.as<double>(), expr.range);
  if (operand.isTensor()) {
    std::string path = ordinalPath("neg", expr.range);
    if (path.empty())
      return {};
    mlir::Value value = NegOp::create(builder, location(expr.range), operand.tensor(), builder.getStringAttr(path));
    return Value(value, expr.range);
  }
  return error(expr.operand->range, "'-' takes a number or a tensor; met " + describe(operand));
}

/// Chains of operators lean to the left and may be long, so they are walked, not recursed into.
Value Elaborator::evaluateBinary(const BinaryExpr &expr) {
  std::vector<const BinaryExpr *> spine = {&expr};
  while (const auto *next = dyn_cast<BinaryExpr>(spine.back()->lhs))
    spine.push_back(next);
  Value value = evaluate(spine.back()->lhs);
  for (const BinaryExpr *op : llvm::reverse(spine)) {
    if (!step(op->range))
      return {};
    if (op->op == BinaryOp::And || op->op == BinaryOp::Or) {
      value = evaluateLogic(*op, value);
      continue;
    }
    Value rhs = evaluate(op->rhs);
    bool equality = op->op == BinaryOp::Equal || op->op == BinaryOp::NotEqual;
    // A word may be compared with a word; elsewhere it is a name that nothing is bound to.
    if (!equality || !(value.is<Word>() || rhs.is<Word>()) || value.is<int64_t>() || rhs.is<int64_t>()) {
      if (value.is<Word>())
        value = unknownName(value.as<Word>().text, op->lhs->range, false);
      if (rhs.is<Word>())
        rhs = unknownName(rhs.as<Word>().text, op->rhs->range, false);
    }
    if (value.isPoison() || rhs.isPoison()) {
      value = Value();
      continue;
    }
    switch (op->op) {
    case BinaryOp::Equal:
    case BinaryOp::NotEqual:
    case BinaryOp::Less:
    case BinaryOp::LessEqual:
    case BinaryOp::Greater:
    case BinaryOp::GreaterEqual:
      value = compare(*op, value, rhs);
      break;
    case BinaryOp::Range:
      value = range(*op, value, rhs);
      break;
    default:
      value = arithmetic(*op, value, rhs);
      break;
    }
  }
  return value;
}

Value Elaborator::evaluateLogic(const BinaryExpr &expr, const Value &lhs) {
  bool isAnd = expr.op == BinaryOp::And;
  auto check = [&](const Value &value, SourceRange range) {
    if (value.is<bool>())
      return true;
    if (const Word *word = value.get<Word>())
      unknownName(word->text, range, false);
    else if (!value.isPoison())
      error(range, std::string(isAnd ? "'and'" : "'or'") + " joins conditions; met " + describe(value));
    return false;
  };
  if (!check(lhs, expr.lhs->range))
    return {};
  if (lhs.as<bool>() != isAnd)
    return Value(!isAnd, expr.range);
  Value rhs = evaluate(expr.rhs);
  return check(rhs, expr.rhs->range) ? Value(rhs.as<bool>(), expr.range) : Value();
}

static llvm::StringRef textOfOperator(BinaryOp op) {
  switch (op) {
  case BinaryOp::Or:
    return "or";
  case BinaryOp::And:
    return "and";
  case BinaryOp::Equal:
    return "==";
  case BinaryOp::NotEqual:
    return "!=";
  case BinaryOp::Less:
    return "<";
  case BinaryOp::LessEqual:
    return "<=";
  case BinaryOp::Greater:
    return ">";
  case BinaryOp::GreaterEqual:
    return ">=";
  case BinaryOp::Range:
    return "..";
  case BinaryOp::Add:
    return "+";
  case BinaryOp::Subtract:
    return "-";
  case BinaryOp::Multiply:
    return "*";
  case BinaryOp::Divide:
    return "/";
  case BinaryOp::Remainder:
    return "%";
  }
  return "";
}

/// Words, strings and the names of layers compare by their text.
static std::optional<std::string> comparableText(const Value &value) {
  if (const Text *text = value.get<Text>())
    return text->text;
  if (const Word *word = value.get<Word>())
    return word->text;
  return std::nullopt;
}

Value Elaborator::compare(const BinaryExpr &expr, const Value &lhs, const Value &rhs) {
  BinaryOp op = expr.op;
  bool equality = op == BinaryOp::Equal || op == BinaryOp::NotEqual;
  std::optional<int> order;
  if (lhs.is<int64_t>() && rhs.is<int64_t>())
    order = lhs.as<int64_t>() < rhs.as<int64_t>() ? -1 : lhs.as<int64_t>() > rhs.as<int64_t>();
  else if (lhs.isNumber() && rhs.isNumber())
    order = lhs.number() < rhs.number() ? -1 : lhs.number() > rhs.number();
  else if (equality && lhs.is<bool>() && rhs.is<bool>())
    order = lhs.as<bool>() != rhs.as<bool>();
  else if (equality && comparableText(lhs) && comparableText(rhs))
    order = *comparableText(lhs) != *comparableText(rhs);
  else if (equality && lhs.is<Batch>() && rhs.is<Batch>())
    order = 0;
  if (!order)
    return error(expr.opRange,
                 "'" + textOfOperator(op).str() + "' cannot compare " + describe(lhs) + " and " + describe(rhs));
  bool result = op == BinaryOp::Equal       ? *order == 0
                : op == BinaryOp::NotEqual  ? *order != 0
                : op == BinaryOp::Less      ? *order < 0
                : op == BinaryOp::LessEqual ? *order <= 0
                : op == BinaryOp::Greater   ? *order > 0
                                            : *order >= 0;
  return Value(result, expr.range);
}

Value Elaborator::range(const BinaryExpr &expr, const Value &lhs, const Value &rhs) {
  if (!lhs.is<int64_t>() || !rhs.is<int64_t>())
    return error(expr.opRange, "'..' stands between integers; met " + describe(lhs) + " and " + describe(rhs));
  int64_t from = lhs.as<int64_t>(), to = rhs.as<int64_t>();
  if (to > from && static_cast<uint64_t>(to) - static_cast<uint64_t>(from) > kMaxListLength)
    return error(expr.range, "a range has at most " + std::to_string(kMaxListLength) + " integers");
  auto list = std::make_shared<std::vector<Value>>();
  for (int64_t i = from; i < to; ++i)
    list->push_back(Value(i, expr.range));
  if (!step(expr.range, list->size() / 16))
    return {};
  return Value(List(std::move(list)), expr.range);
}

Value Elaborator::integerArithmetic(const BinaryExpr &expr, int64_t lhs, int64_t rhs) {
  int64_t result = 0;
  bool overflow = false;
  switch (expr.op) {
  case BinaryOp::Add:
    overflow = __builtin_add_overflow(lhs, rhs, &result);
    break;
  case BinaryOp::Subtract:
    overflow = __builtin_sub_overflow(lhs, rhs, &result);
    break;
  case BinaryOp::Multiply:
    overflow = __builtin_mul_overflow(lhs, rhs, &result);
    break;
  default:
    if (rhs == 0)
      return error(expr.opRange, "division by zero");
    overflow = lhs == std::numeric_limits<int64_t>::min() && rhs == -1;
    if (overflow)
      break;
    if (expr.op == BinaryOp::Remainder) {
      result = lhs % rhs;
    } else if (lhs % rhs != 0) {
      return error(expr.opRange, std::to_string(lhs) + " / " + std::to_string(rhs) + " is not an integer; write " +
                                     std::to_string(lhs) + ".0 for a fraction, or '%' for the remainder");
    } else {
      result = lhs / rhs;
    }
  }
  if (overflow)
    return error(expr.opRange, std::to_string(lhs) + " " + textOfOperator(expr.op).str() + " " + std::to_string(rhs) +
                                   " does not fit 64 bits");
  return Value(result, expr.range);
}

Value Elaborator::arithmetic(const BinaryExpr &expr, const Value &lhs, const Value &rhs) {
  if (lhs.is<int64_t>() && rhs.is<int64_t>())
    return integerArithmetic(expr, lhs.as<int64_t>(), rhs.as<int64_t>());
  if (expr.op == BinaryOp::Remainder)
    return error(expr.opRange, "'%' stands between integers; met " + describe(lhs) + " and " + describe(rhs));
  if (lhs.isNumber() && rhs.isNumber()) {
    double a = lhs.number(), b = rhs.number();
    double result = expr.op == BinaryOp::Add        ? a + b
                    : expr.op == BinaryOp::Subtract ? a - b
                    : expr.op == BinaryOp::Multiply ? a * b
                                                    : a / b;
    if (!std::isfinite(result))
      return error(expr.opRange,
                   b == 0 && expr.op == BinaryOp::Divide ? "division by zero" : "the result is not finite");
    return Value(result, expr.range);
  }
  if (lhs.isTensor() || rhs.isTensor()) {
    llvm::StringRef kind = expr.op == BinaryOp::Add        ? "add"
                           : expr.op == BinaryOp::Subtract ? "sub"
                           : expr.op == BinaryOp::Multiply ? "mul"
                                                           : "div";
    std::string path = ordinalPath(kind, expr.range);
    return path.empty() ? Value() : binary(kind, lhs, rhs, expr.opRange, path);
  }
  if (expr.op == BinaryOp::Add && lhs.is<List>() && rhs.is<List>()) {
    const auto &a = *lhs.as<List>(), &b = *rhs.as<List>();
    if (a.size() + b.size() > kMaxListLength)
      return error(expr.opRange, "a list has at most " + std::to_string(kMaxListLength) + " entries");
    if (!step(expr.range, (a.size() + b.size()) / 16))
      return {};
    auto list = std::make_shared<std::vector<Value>>(a);
    list->insert(list->end(), b.begin(), b.end());
    return Value(List(std::move(list)), expr.range);
  }
  if (expr.op == BinaryOp::Add && lhs.is<Text>() && rhs.is<Text>())
    return error(expr.opRange, "strings are joined by braces, as in \"{a}{b}\"");
  return error(expr.opRange, "'" + textOfOperator(expr.op).str() + "' takes numbers, tensors or lists; met " +
                                 describe(lhs) + " and " + describe(rhs));
}

//===-- Tensors
//------------------------------------------------------------------------------------------------------------===//

bool Elaborator::checkSize(llvm::ArrayRef<int64_t> shape, SourceRange range, llvm::StringRef what) {
  if (shape.size() > kMaxRank) {
    error(range, what.str() + ": " + std::to_string(shape.size()) + " dimensions; a tensor has at most " +
                     std::to_string(kMaxRank));
    return false;
  }
  int64_t elements = 1;
  for (int64_t extent : shape) {
    if (mlir::ShapedType::isDynamic(extent))
      continue;
    if (__builtin_mul_overflow(elements, extent, &elements)) {
      error(range, what.str() + ": the size of " + shapeText(shape) + " overflows 64 bits");
      return false;
    }
  }
  if (elements <= kMaxElements)
    return true;
  error(range, what.str() + ": " + shapeText(shape) + " has more than 2^47 elements");
  return false;
}

namespace {
/// The numbers of a nested list and its extents; false when it is ragged or holds something else.
struct Flattened {
  std::vector<int64_t> shape;
  std::vector<float> values;
  std::string problem;

  bool add(const Value &value, size_t level) {
    if (value.isNumber()) {
      if (level != shape.size())
        return fail("it mixes numbers and lists at one level");
      if (values.size() >= kMaxListLength)
        return fail("it has more than " + std::to_string(kMaxListLength) + " numbers");
      values.push_back(static_cast<float>(value.number()));
      return true;
    }
    const List *list = value.get<List>();
    if (!list)
      return fail("it holds something else than numbers");
    if ((*list)->empty())
      return fail("it holds an empty list");
    if (level == shape.size()) {
      if (!values.empty())
        return fail("it mixes numbers and lists at one level");
      if (level >= 8)
        return fail("it is nested more than 8 deep");
      shape.push_back((*list)->size());
    } else if (shape[level] != static_cast<int64_t>((*list)->size())) {
      return fail("one list has " + std::to_string(shape[level]) + " entries and another one " +
                  std::to_string((*list)->size()));
    }
    for (const Value &element : **list)
      if (!add(element, level + 1))
        return false;
    return true;
  }

  bool fail(std::string why) {
    problem = std::move(why);
    return false;
  }
};
} // namespace

mlir::Value Elaborator::toTensor(const Value &value, SourceRange range, llvm::StringRef what) {
  if (value.isTensor())
    return value.tensor();
  if (value.isPoison())
    return {};
  if (!value.is<List>() && !value.isNumber()) {
    if (const Word *word = value.get<Word>())
      unknownName(word->text, range, false);
    else
      error(range, what.str() + " is a tensor, a number or a list of numbers; met " + describe(value));
    return {};
  }
  Flattened flat;
  if (!flat.add(value, 0)) {
    std::vector<Note> notes;
    if (value.origin.begin != range.begin || value.origin.file != range.file)
      addOrigin(notes, value, "the list");
    error(range, what.str() + ": this list is no tensor: " + flat.problem, std::move(notes));
    return {};
  }
  if (!step(range, flat.values.size() / 64) || !entry)
    return {};
  auto type = mlir::RankedTensorType::get(flat.shape, builder.getF32Type());
  return ConstantOp::create(builder, location(range), type,
                            mlir::DenseElementsAttr::get(type, llvm::ArrayRef<float>(flat.values)));
}

mlir::Value Elaborator::broadcastTo(mlir::Value value, llvm::ArrayRef<int64_t> shape, SourceRange range,
                                    llvm::StringRef path) {
  auto type = llvm::cast<mlir::RankedTensorType>(value.getType());
  if (type.getShape() == shape)
    return value;
  llvm::SmallVector<int64_t> dims, extents(shape);
  for (int64_t dim = 0; dim < type.getRank(); ++dim)
    dims.push_back(static_cast<int64_t>(shape.size()) - type.getRank() + dim);
  if (!extents.empty() && mlir::ShapedType::isDynamic(extents[0]))
    extents[0] = -1;
  return BroadcastOp::create(builder, location(range), value, dims, extents, builder.getStringAttr(path));
}

mlir::Value Elaborator::reshapeTo(mlir::Value value, llvm::ArrayRef<int64_t> shape, SourceRange range,
                                  llvm::StringRef path) {
  llvm::SmallVector<int64_t> extents(shape);
  if (!extents.empty() && mlir::ShapedType::isDynamic(extents[0]))
    extents[0] = -1;
  return ReshapeOp::create(builder, location(range), value, builder.getDenseI64ArrayAttr(extents),
                           builder.getStringAttr(path));
}

Value Elaborator::binary(llvm::StringRef kind, const Value &lhs, const Value &rhs, SourceRange range,
                         llvm::StringRef path) {
  mlir::Value a = toTensor(lhs, range, "an operand"), b = toTensor(rhs, range, "an operand");
  if (!a || !b)
    return {};
  auto x = llvm::cast<mlir::RankedTensorType>(a.getType()), y = llvm::cast<mlir::RankedTensorType>(b.getType());
  std::vector<Note> notes;
  addOrigin(notes, lhs, typeText(x));
  addOrigin(notes, rhs, typeText(y));
  if (!x.getElementType().isF32() || !y.getElementType().isF32())
    return error(range,
                 kind.str() + ": the operands are " + typeText(x) + " and " + typeText(y) +
                     ", expected f32; write -> convert(f32) before",
                 std::move(notes));
  // NumPy's rule: aligned at the last dimension, each extent is equal or 1.
  llvm::SmallVector<int64_t> shape(std::max(x.getRank(), y.getRank()));
  for (int64_t i = 0, rank = shape.size(); i < rank; ++i) {
    int64_t dimX = i - (rank - x.getRank()), dimY = i - (rank - y.getRank());
    int64_t extentX = dimX < 0 ? 1 : x.getDimSize(dimX), extentY = dimY < 0 ? 1 : y.getDimSize(dimY);
    int64_t extent = extentX == 1 ? extentY : extentX;
    bool fits = extentX == extentY || extentX == 1 || extentY == 1;
    if (!fits || (mlir::ShapedType::isDynamic(extent) && i != 0)) {
      std::string hint;
      if (std::min(x.getRank(), y.getRank()) == 1 && rank > 1)
        hint = "; a value a channel has the shape [C, 1, 1]";
      return error(range,
                   kind.str() + ": the shapes " + shapeText(x.getShape()) + " and " + shapeText(y.getShape()) +
                       " do not go together: dimension " + std::to_string(i) + " is " +
                       shapeText({extentX}).substr(1, shapeText({extentX}).size() - 2) + " and " +
                       shapeText({extentY}).substr(1, shapeText({extentY}).size() - 2) + hint,
                   std::move(notes));
    }
    shape[i] = extent;
  }
  if (!checkSize(shape, range, kind))
    return {};
  a = broadcastTo(a, shape, range, path);
  b = broadcastTo(b, shape, range, path);
  mlir::Location loc = location(range);
  auto name = builder.getStringAttr(path);
  mlir::Value result = kind == "add"   ? AddOp::create(builder, loc, a, b, name).getResult()
                       : kind == "sub" ? SubOp::create(builder, loc, a, b, name).getResult()
                       : kind == "mul" ? MulOp::create(builder, loc, a, b, name).getResult()
                       : kind == "div" ? DivOp::create(builder, loc, a, b, name).getResult()
                       : kind == "max" ? MaxOp::create(builder, loc, a, b, name).getResult()
                                       : MinOp::create(builder, loc, a, b, name).getResult();
  return Value(result, range);
}

} // namespace cnn
