// Subscripts: elements and ranges of lists and tensors.
#include "frontend/Elaborator.h"

#include "llvm/ADT/STLExtras.h"

namespace cnn {
using namespace ast;

Value Elaborator::evaluateIndex(const IndexExpr &expr) {
  Value base = evaluate(expr.base);
  if (base.isPoison())
    return {};
  if (const Word *word = base.get<Word>())
    return unknownName(word->text, expr.base->range, false);
  if (base.is<List>())
    return indexList(expr, base);
  if (base.isTensor())
    return indexTensor(expr, base);
  if (base.is<NetworkRef>() || base.is<ParameterGroup>()) {
    Value path = expr.subscripts.size() == 1 && !expr.subscripts[0].isSlice ? evaluate(expr.subscripts[0].start)
                                                                            : Value(Nothing{}, expr.range);
    if (path.isPoison())
      return {};
    return path.is<Text>() ? partOf(base, path.as<Text>().text, expr.range)
                           : error(expr.range, "a part of a network is named by a string, as in net[\"layer1.0\"]");
  }
  return error(expr.range, "lists and tensors take subscripts; met " + describe(base));
}

/// An index or a slice's bound; negative ones count from the end. Nullopt after an error.
std::optional<int64_t> Elaborator::bound(const Expr *expr, int64_t extent, int64_t otherwise, llvm::StringRef what) {
  if (!expr)
    return otherwise;
  Value value = evaluate(expr);
  if (value.isPoison())
    return std::nullopt;
  if (const Word *word = value.get<Word>()) {
    unknownName(word->text, expr->range, false);
    return std::nullopt;
  }
  const int64_t *integer = value.get<int64_t>();
  if (!integer) {
    error(expr->range, what.str() + " is an integer; met " + describe(value));
    return std::nullopt;
  }
  int64_t at = *integer < 0 && *integer >= -extent ? *integer + extent : *integer;
  if (at < 0 || at > extent) {
    error(expr->range, what.str() + " is " + std::to_string(*integer) + ", beyond the " + std::to_string(extent) +
                           (extent == 1 ? " entry" : " entries"));
    return std::nullopt;
  }
  return at;
}

/// A slice's step; one beyond the extent leaves the first entry alone. Nullopt after an error.
std::optional<int64_t> Elaborator::stride(const Expr *expr, int64_t extent) {
  if (!expr)
    return 1;
  Value value = evaluate(expr);
  const int64_t *integer = value.get<int64_t>();
  if (value.isPoison() || (integer && *integer >= 1))
    return integer ? std::optional(std::min(*integer, std::max<int64_t>(extent, 1))) : std::nullopt;
  if (const Word *word = value.get<Word>())
    unknownName(word->text, expr->range, false);
  else
    error(expr->range, integer ? "the step is " + std::to_string(*integer) + "; it is at least 1"
                               : "the step is an integer; met " + describe(value));
  return std::nullopt;
}

Value Elaborator::indexList(const IndexExpr &expr, const Value &base) {
  Value current = base;
  for (const Subscript &subscript : expr.subscripts) {
    if (!current.is<List>())
      return error(subscript.range, "a list takes subscripts; met " + describe(current));
    const List list = current.as<List>();
    int64_t size = list->size();
    auto start = bound(subscript.start, size, 0, subscript.isSlice ? "the start" : "the index");
    if (!start)
      return {};
    if (!subscript.isSlice) {
      if (*start == size)
        return error(subscript.range, "the index is " + std::to_string(size) + ", beyond the " + std::to_string(size) +
                                          (size == 1 ? " entry" : " entries"));
      current = (*list)[*start];
      continue;
    }
    auto stop = bound(subscript.stop, size, size, "the stop");
    auto step = stride(subscript.step, size);
    if (!stop || !step)
      return {};
    auto part = std::make_shared<std::vector<Value>>();
    for (int64_t i = *start; i < *stop; i += *step)
      part->push_back((*list)[i]);
    if (!this->step(expr.range, part->size() / 16))
      return {};
    current = Value(List(std::move(part)), expr.range);
  }
  return current;
}

Value Elaborator::indexTensor(const IndexExpr &expr, const Value &base) {
  auto type = base.tensorType();
  if (static_cast<int64_t>(expr.subscripts.size()) > type.getRank())
    return error(expr.range, std::to_string(expr.subscripts.size()) + " subscripts for " + typeText(type));
  llvm::SmallVector<int64_t> starts(type.getRank(), 0), sizes, steps(type.getRank(), 1), kept;
  for (int64_t extent : type.getShape())
    sizes.push_back(mlir::ShapedType::isDynamic(extent) ? -1 : extent);
  llvm::SmallVector<bool> dropped(type.getRank(), false);
  for (auto [dim, subscript] : llvm::enumerate(expr.subscripts)) {
    int64_t extent = type.getDimSize(dim);
    bool whole = subscript.isSlice && !subscript.start && !subscript.stop && !subscript.step;
    if (whole)
      continue;
    if (mlir::ShapedType::isDynamic(extent))
      return error(subscript.range, "the batch is taken whole, as ':'");
    auto start = bound(subscript.start, extent, 0, subscript.isSlice ? "the start" : "the index");
    auto stop = bound(subscript.stop, extent, extent, "the stop");
    auto step = stride(subscript.step, extent);
    if (!start || !stop || !step)
      return {};
    if (!subscript.isSlice) {
      if (*start == extent)
        return error(subscript.range, "the index is " + std::to_string(extent) + ", dimension " + std::to_string(dim) +
                                          " of " + typeText(type) + " has that many");
      stop = *start + 1;
      dropped[dim] = true;
    }
    if (*start >= *stop)
      return error(subscript.range,
                   "the slice of dimension " + std::to_string(dim) + " of " + typeText(type) + " is empty");
    starts[dim] = *start;
    steps[dim] = *step;
    sizes[dim] = (*stop - *start + *step - 1) / *step;
  }
  std::string path = ordinalPath("slice", expr.range);
  if (path.empty())
    return {};
  mlir::Value value =
      SliceOp::create(builder, location(expr.range), base.tensor(), starts, sizes, steps, builder.getStringAttr(path));
  if (llvm::is_contained(dropped, true)) {
    for (auto [dim, extent] : llvm::enumerate(llvm::cast<mlir::RankedTensorType>(value.getType()).getShape()))
      if (!dropped[dim])
        kept.push_back(extent);
    value = reshapeTo(value, kept, expr.range, path);
  }
  return Value(value, expr.range);
}

} // namespace cnn
