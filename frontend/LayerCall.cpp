// Typed access to a layer's arguments, and the table of all layers.
#include "frontend/LayerCall.h"

#include "frontend/TrainElaborator.h"

#include "llvm/ADT/StringMap.h"

#include <cmath>

namespace cnn {

llvm::ArrayRef<const LayerInfo *> allLayers() {
  static const std::vector<const LayerInfo *> layers = [] {
    std::vector<const LayerInfo *> all;
    for (auto family : {activationLayers(), augmentationLayers(), convolutionLayers(), denseLayers(), poolLayers(),
                        randomLayers(), reductionLayers(), shapeLayers()})
      for (const LayerInfo &layer : family)
        all.push_back(&layer);
    return all;
  }();
  return layers;
}

const LayerInfo *findLayer(llvm::StringRef name) {
  static const llvm::StringMap<const LayerInfo *> byName = [] {
    llvm::StringMap<const LayerInfo *> map;
    for (const LayerInfo *layer : allLayers())
      map[layer->name] = layer;
    return map;
  }();
  return byName.lookup(name);
}

std::string timesText(llvm::ArrayRef<int64_t> extents) {
  std::string text;
  for (size_t i = 0; i < extents.size(); ++i)
    text += (i ? "x" : "") + std::to_string(extents[i]);
  return text;
}

Value LayerCall::error(SourceRange at, std::string message, std::vector<Note> notes) {
  failed = true;
  return elaborator.error(at, layer.name.str() + ": " + std::move(message), std::move(notes));
}

const CallArgument *LayerCall::find(llvm::StringRef name) const {
  for (const CallArgument &argument : arguments)
    if (argument.name.text == name)
      return &argument;
  return nullptr;
}

SourceRange LayerCall::rangeOf(llvm::StringRef name) const {
  const CallArgument *argument = find(name);
  return argument ? argument->range : range;
}

/// Reports an argument of the wrong kind. An unbound word where a value is wanted is a name that does not exist.
void LayerCall::wrong(const CallArgument &argument, const std::string &expected) {
  failed = true;
  if (const Word *word = argument.value.get<Word>())
    elaborator.unknownName(word->text, argument.range, /*asCallee=*/false);
  else
    error(argument.range,
          "'" + argument.name.text.str() + "' is " + expected + "; met " + elaborator.describe(argument.value));
}

int64_t LayerCall::integer(llvm::StringRef name, int64_t otherwise, int64_t min, int64_t max) {
  const CallArgument *argument = find(name);
  if (!argument)
    return otherwise;
  const int64_t *value = argument->value.get<int64_t>();
  if (!value) {
    wrong(*argument, "an integer");
    return otherwise;
  }
  if (*value < min || *value > max) {
    error(argument->range, "'" + name.str() + "' is " + std::to_string(*value) + "; it is at " +
                               (*value < min ? "least " + std::to_string(min) : "most " + std::to_string(max)));
    return otherwise;
  }
  return *value;
}

double LayerCall::number(llvm::StringRef name, double otherwise) {
  const CallArgument *argument = find(name);
  if (!argument)
    return otherwise;
  if (!argument->value.isNumber()) {
    wrong(*argument, "a number");
    return otherwise;
  }
  return argument->value.number();
}

bool LayerCall::boolean(llvm::StringRef name, bool otherwise) {
  const CallArgument *argument = find(name);
  if (!argument)
    return otherwise;
  if (const bool *value = argument->value.get<bool>())
    return *value;
  wrong(*argument, "true or false");
  return otherwise;
}

std::string LayerCall::word(llvm::StringRef name, llvm::ArrayRef<llvm::StringRef> words, llvm::StringRef otherwise) {
  const CallArgument *argument = find(name);
  if (!argument)
    return otherwise.str();
  // A layer's name may be an enumerator too.
  llvm::StringRef text;
  if (const Word *word = argument->value.get<Word>())
    text = word->text;
  else if (const auto *other = argument->value.get<const LayerInfo *>())
    text = (*other)->name;
  else {
    const Text *quoted = argument->value.get<Text>();
    bool isKnown = quoted && llvm::is_contained(words, quoted->text);
    error(argument->range, "'" + name.str() + "' is " + listOfNames(words) + "; met " +
                               elaborator.describe(argument->value) +
                               (isKnown ? "; write " + quoted->text + " without quotes" : ""));
    return otherwise.str();
  }
  if (llvm::is_contained(words, text))
    return text.str();
  error(argument->range,
        "'" + name.str() + "' is " + listOfNames(words) + "; met '" + text.str() + "'" + didYouMean(text, words));
  return otherwise.str();
}

std::vector<int64_t> LayerCall::integers(llvm::StringRef name) {
  const CallArgument *argument = find(name);
  const List *list = argument ? argument->value.get<List>() : nullptr;
  std::vector<int64_t> values;
  if (list) {
    for (const Value &value : **list) {
      if (const int64_t *integer = value.get<int64_t>())
        values.push_back(*integer);
      else if (value.is<Batch>())
        values.push_back(mlir::ShapedType::kDynamic);
      else
        list = nullptr;
      if (!list)
        break;
    }
  }
  if (!list) {
    error(rangeOf(name), "'" + name.str() + "' is a list of integers" +
                             (argument ? "; met " + elaborator.describe(argument->value) : std::string()));
    return {};
  }
  return values;
}

std::vector<int64_t> LayerCall::axes(llvm::StringRef name, int64_t rank, std::vector<int64_t> otherwise) {
  const CallArgument *argument = find(name);
  if (!argument)
    return otherwise;
  const int64_t *single = argument->value.get<int64_t>();
  std::vector<int64_t> written = single ? std::vector<int64_t>{*single} : integers(name), found;
  for (int64_t axis : written) {
    int64_t dim = axis < 0 ? axis + rank : axis;
    if (dim < 0 || dim >= rank || llvm::is_contained(found, dim)) {
      error(argument->range,
            llvm::is_contained(found, dim)
                ? "'" + name.str() + "' names dimension " + std::to_string(dim) + " twice"
                : "there is no dimension " + std::to_string(axis) + " of a tensor of rank " + std::to_string(rank));
      return {};
    }
    found.push_back(dim);
  }
  llvm::sort(found);
  return found;
}

std::array<int64_t, 2> LayerCall::spatial(llvm::StringRef name, std::array<int64_t, 2> otherwise, int64_t min) {
  const CallArgument *argument = find(name);
  if (!argument)
    return otherwise;
  if (argument->value.is<int64_t>()) {
    int64_t both = integer(name, otherwise[0], min);
    return {both, both};
  }
  const List *list = argument->value.get<List>();
  if (!list || (*list)->size() != 2 || !(**list)[0].is<int64_t>() || !(**list)[1].is<int64_t>()) {
    wrong(*argument, "an integer or [h, w]");
    return otherwise;
  }
  std::array<int64_t, 2> values = {(**list)[0].as<int64_t>(), (**list)[1].as<int64_t>()};
  for (int64_t value : values)
    if (value < min || value >= int64_t(1) << 31) {
      error(argument->range, "'" + name.str() + "' is [" + std::to_string(values[0]) + ", " +
                                 std::to_string(values[1]) + "]; each is at least " + std::to_string(min) +
                                 " and below 2^31");
      return otherwise;
    }
  return values;
}

Padding LayerCall::padding(llvm::StringRef name) {
  Padding padding;
  const CallArgument *argument = find(name);
  if (!argument)
    return padding;
  const Value &value = argument->value;
  if (value.is<Word>() || value.is<Text>()) {
    std::string rule = word(name, {"same_upper", "same_lower", "valid"}, "valid");
    padding.rule = rule == "same_upper"   ? Padding::Rule::SameUpper
                   : rule == "same_lower" ? Padding::Rule::SameLower
                                          : Padding::Rule::Pixels;
    return padding;
  }
  const List *list = value.get<List>();
  bool pairs = list && (*list)->size() == 2 && (**list)[0].is<List>() && (**list)[1].is<List>();
  if (!pairs) {
    auto both = spatial(name, {0, 0}, 0);
    padding.pixels = {both[0], both[0], both[1], both[1]};
    return padding;
  }
  for (unsigned axis = 0; axis < 2; ++axis) {
    const List &pair = (**list)[axis].as<List>();
    for (unsigned side = 0; side < 2; ++side) {
      const int64_t *pixels = pair->size() == 2 ? (*pair)[side].get<int64_t>() : nullptr;
      if (!pixels || *pixels < 0 || *pixels >= int64_t(1) << 31) {
        error(argument->range,
              "'" + name.str() + "' for each side is [[top, bottom], [left, right]], integers of at least 0");
        return padding;
      }
      padding.pixels[2 * axis + side] = *pixels;
    }
  }
  return padding;
}

InitAttr LayerCall::initializer(Initializer kind, double a, double b) {
  mlir::OpBuilder &builder = elaborator.builder;
  return InitAttr::get(builder.getContext(), kind, builder.getF64FloatAttr(a), builder.getF64FloatAttr(b));
}

InitAttr LayerCall::init(llvm::StringRef name, Initializer otherwise) {
  const CallArgument *argument = find(name);
  if (!argument)
    return initializer(otherwise);
  if (argument->value.isNumber())
    return initializer(Initializer::Constant, argument->value.number());
  std::string kind = word(name, {"he", "xavier", "orthogonal", "normal", "uniform", "zeros", "ones"}, "zeros");
  if (kind == "normal") {
    double deviation = number("std", 1);
    if (!(deviation >= 0))
      error(rangeOf("std"), "'std' is " + numberText(deviation) + "; it is at least 0");
    return initializer(Initializer::Normal, number("mean", 0), deviation);
  }
  if (kind == "uniform") {
    double low = number("low", 0), high = number("high", 1);
    if (!(low <= high))
      error(rangeOf(has("low") ? "low" : "high"), "'low' is " + numberText(low) + " and 'high' " + numberText(high));
    return initializer(Initializer::Uniform, low, high);
  }
  return initializer(*symbolizeInitializer(kind));
}

mlir::Value LayerCall::tensor(llvm::StringRef name) {
  const CallArgument *argument = find(name);
  if (!argument)
    return {};
  mlir::Value value =
      elaborator.toTensor(argument->value, argument->range, layer.name.str() + ": '" + name.str() + "'");
  failed |= !value;
  return value;
}

mlir::Value LayerCall::input(unsigned index, int64_t rank, llvm::StringRef layout) {
  const CallArgument &argument = inputs[index];
  if (argument.value.isNumber()) {
    error(argument.range,
          "needs a tensor, as in x -> " + layer.name.str() + "; met " + elaborator.describe(argument.value));
    return {};
  }
  mlir::Value value = elaborator.toTensor(argument.value, argument.range, layer.name.str() + ": the input");
  if (!value) {
    failed = true;
    return {};
  }
  mlir::RankedTensorType type = typeOf(value);
  std::vector<Note> notes;
  Elaborator::addOrigin(notes, argument.value, elaborator.typeText(type));
  if (training() && training()->classesOf(value) && index == 0 && !layer.example.empty()) {
    llvm::StringRef first = layer.example.split('(').second.split(',').first;
    error(argument.range,
          "the first operand is '" + elaborator.typeText(type) + "', labels; " + first.str() + " come first, as in " +
              layer.example.str(),
          std::move(notes));
    return {};
  }
  if (!type.getElementType().isF32()) {
    error("the input is " + elaborator.typeText(type) + ", expected f32; write -> convert(f32) before",
          std::move(notes));
    return {};
  }
  if (rank && type.getRank() != rank) {
    std::string hint = rank == 2 && type.getRank() == 4 ? "; write -> flatten before" : "";
    error("the input is " + elaborator.typeText(type) + ", expected " + layout.str() + hint, std::move(notes));
    return {};
  }
  return value;
}

bool LayerCall::checkWork(llvm::ArrayRef<int64_t> result, int64_t perElement) {
  __int128 work = perElement;
  for (int64_t extent : result)
    work = mlir::ShapedType::isDynamic(extent) ? work : std::min<__int128>(work * extent, __int128(1) << 63);
  if (work < __int128(1) << 62)
    return true;
  error("the number of multiply-adds overflows 64 bits");
  return false;
}

mlir::Value LayerCall::parameter(llvm::StringRef suffix, llvm::ArrayRef<int64_t> shape, InitAttr init, StateKind kind) {
  if (failed)
    return {};
  std::string name = suffix.empty() ? path : path + "." + suffix.str();
  if (!suffix.empty() && !elaborator.claim(name, range, replay)) {
    failed = true;
    return {};
  }
  mlir::Value value = elaborator.state(kind, name, shape, init, range, replay);
  failed |= !value;
  return value;
}

mlir::Value LayerCall::bias(int64_t channels) {
  const CallArgument *given = find("bias");
  if (!given || given->value.is<bool>())
    return boolean("bias", !has("weights")) ? parameter("bias", {channels}, initializer(Initializer::Zeros))
                                            : mlir::Value();
  mlir::Value bias = tensor("bias");
  if (bias && (typeOf(bias).getRank() != 1 || typeOf(bias).getDimSize(0) != channels))
    error(given->range, "'bias' is " + elaborator.shapeText(typeOf(bias).getShape()) + ", expected [" +
                            std::to_string(channels) + "]");
  return bias;
}

std::array<int64_t, 4> resolvePadding(const Padding &padding, llvm::ArrayRef<int64_t> extents,
                                      std::array<int64_t, 2> kernel, std::array<int64_t, 2> stride,
                                      std::array<int64_t, 2> dilation) {
  if (padding.rule == Padding::Rule::Pixels)
    return padding.pixels;
  std::array<int64_t, 4> pixels;
  for (unsigned axis = 0; axis < 2; ++axis) {
    // As TensorFlow and ONNX: ceil(extent / stride) windows, what is missing split between both sides.
    int64_t windows = (extents[axis] + stride[axis] - 1) / stride[axis];
    int64_t missing =
        std::max<int64_t>(0, (windows - 1) * stride[axis] + (kernel[axis] - 1) * dilation[axis] + 1 - extents[axis]);
    int64_t less = missing / 2, more = missing - less;
    bool upper = padding.rule == Padding::Rule::SameUpper;
    pixels[2 * axis] = upper ? less : more;
    pixels[2 * axis + 1] = upper ? more : less;
  }
  return pixels;
}

} // namespace cnn
