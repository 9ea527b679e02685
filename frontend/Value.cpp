// Values in words.
#include "frontend/Value.h"

#include "frontend/Layers.h"

#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/Format.h"
#include "llvm/Support/raw_ostream.h"

#include <algorithm>
#include <cstdio>

namespace cnn {

bool holdsPoison(const Value &value) {
  auto anyOf = [](const std::vector<Value> &values) {
    return std::any_of(values.begin(), values.end(), [](const Value &v) { return v.isPoison(); });
  };
  if (const List *list = value.get<List>())
    return anyOf(**list);
  if (const Tuple *tuple = value.get<Tuple>())
    return anyOf((*tuple)->elements);
  return value.isPoison();
}

std::string shapeText(llvm::ArrayRef<int64_t> shape, llvm::StringRef batch) {
  std::string text = "[";
  for (size_t i = 0; i < shape.size(); ++i) {
    if (i)
      text += ", ";
    text += mlir::ShapedType::isDynamic(shape[i]) ? batch.str() : std::to_string(shape[i]);
  }
  return text + "]";
}

std::string typeText(mlir::RankedTensorType type, llvm::StringRef batch) {
  std::string element;
  llvm::raw_string_ostream os(element);
  mlir::Type elementType = type.getElementType();
  if (elementType.isSignlessInteger(64))
    os << "class";
  else if (elementType.isUnsignedInteger())
    os << 'u' << elementType.getIntOrFloatBitWidth();
  else
    os << elementType;
  return element + shapeText(type.getShape(), batch);
}

std::string numberText(double value) {
  // The shortest text that reads back as the same number.
  char text[40];
  for (int digits = 6; digits <= 17; ++digits) {
    std::snprintf(text, sizeof text, "%.*g", digits, value);
    if (std::strtod(text, nullptr) == value)
      break;
  }
  return text;
}

std::string describe(const Value &value, llvm::StringRef batch) {
  struct Describe {
    llvm::StringRef batch;
    std::string operator()(const Poison &) { return "an error"; }
    std::string operator()(const Nothing &) { return "nothing"; }
    std::string operator()(const mlir::Value &tensor) {
      return "the tensor " + typeText(llvm::cast<mlir::RankedTensorType>(tensor.getType()), batch);
    }
    std::string operator()(const int64_t &integer) { return "the integer " + std::to_string(integer); }
    std::string operator()(const double &number) { return "the number " + numberText(number); }
    std::string operator()(const bool &value) { return value ? "true" : "false"; }
    std::string operator()(const Text &text) { return "the string \"" + text.text.substr(0, 60) + "\""; }
    std::string operator()(const Word &word) { return "the word '" + word.text + "'"; }
    std::string operator()(const Batch &symbol) { return "the batch " + symbol.name; }
    std::string operator()(const List &list) { return "a list of " + std::to_string(list->size()); }
    std::string operator()(const Tuple &tuple) { return std::to_string(tuple->elements.size()) + " values"; }
    std::string operator()(const LayerInfo *const &layer) { return "the layer '" + layer->name.str() + "'"; }
    std::string operator()(const BlockRef &block) { return "the block '" + block.decl->name.text.str() + "'"; }
    std::string operator()(const NetworkRef &network) { return "the network '" + network.decl->name.text.str() + "'"; }
    std::string operator()(const Shared &) { return "a shared layer"; }
    std::string operator()(const ParameterGroup &group) {
      return "the part '" + group.path + "' of the network '" + group.network.decl->name.text.str() + "'";
    }
    std::string operator()(const std::shared_ptr<const ScheduleValue> &) { return "a schedule of learning rates"; }
    std::string operator()(const std::shared_ptr<const OptimizerValue> &) { return "an optimizer"; }
    std::string operator()(const std::shared_ptr<const MetricValue> &) { return "a metric, which 'report' takes"; }
  };
  return std::visit(Describe{batch}, value.data);
}

} // namespace cnn
