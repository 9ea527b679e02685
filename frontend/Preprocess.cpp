// What a picture goes through before it is an input: the steps of `preprocess`, checked and written down as attributes.
#include "frontend/LayerCall.h"

#include "llvm/ADT/STLExtras.h"

namespace cnn {
using namespace ast;

namespace {

/// What is known of the picture between two steps; -1 is unknown.
struct Picture {
  int64_t height = -1, width = -1, shorter = -1, channels = 3;
  bool arithmetic = false;
};

struct Step {
  LayerInfo info;
  bool isArithmetic;
  void (*build)(LayerCall &call, Picture &picture, mlir::NamedAttrList &attributes);
};

mlir::OpBuilder &builderOf(LayerCall &call) { return call.elaborator.builder; }

void resize(LayerCall &call, Picture &picture, mlir::NamedAttrList &attributes) {
  mlir::OpBuilder &builder = builderOf(call);
  std::string filter = call.word("filter", {"bilinear", "bicubic", "nearest"}, "bilinear");
  bool antialias = call.boolean("antialias", true);
  auto size = call.spatial("size", {0, 0}, 1);
  if (call.has("side")) {
    std::string side = call.word("side", {"shorter", "longer"}, "shorter");
    if (!call.find("size")->value.is<int64_t>())
      call.error(call.rangeOf("size"), "with 'side', 'size' is one integer");
    attributes.append("size", builder.getI64IntegerAttr(size[0]));
    attributes.append("side", builder.getStringAttr(side));
    picture.height = picture.width = -1;
    picture.shorter = side == "shorter" ? size[0] : -1;
  } else {
    attributes.append("size", builder.getI64ArrayAttr(size));
    picture.height = size[0];
    picture.width = size[1];
    picture.shorter = std::min(size[0], size[1]);
  }
  attributes.append("filter", builder.getStringAttr(filter));
  attributes.append("antialias", builder.getBoolAttr(antialias));
}

void crop(LayerCall &call, Picture &picture, mlir::NamedAttrList &attributes) {
  mlir::OpBuilder &builder = builderOf(call);
  auto size = call.spatial("size", {0, 0}, 1);
  std::string at = call.word("at", {"centre", "top_left"}, "centre");
  bool tooLarge = (picture.height >= 0 && size[0] > picture.height) || (picture.width >= 0 && size[1] > picture.width);
  if (tooLarge)
    call.error("cannot cut " + timesText(size) + " out of a picture of " + timesText({picture.height, picture.width}));
  else if (picture.shorter >= 0 && picture.height < 0 && std::min(size[0], size[1]) > picture.shorter)
    call.error("cannot cut " + timesText(size) + " out of a picture whose shorter side is " +
               std::to_string(picture.shorter));
  attributes.append("size", builder.getI64ArrayAttr(size));
  attributes.append("at", builder.getStringAttr(at));
  picture.height = size[0];
  picture.width = size[1];
  picture.shorter = std::min(size[0], size[1]);
}

void channels(LayerCall &call, Picture &picture, mlir::NamedAttrList &attributes) {
  std::string order = call.word("order", {"rgb", "bgr", "grey"}, "rgb");
  if (picture.channels == 1)
    call.error("the picture is grey already");
  picture.channels = order == "grey" ? 1 : 3;
  attributes.append("order", builderOf(call).getStringAttr(order));
}

/// A number for all channels, or a list with one each.
mlir::Attribute perChannel(LayerCall &call, llvm::StringRef name, const Picture &picture, bool divides) {
  mlir::OpBuilder &builder = builderOf(call);
  const CallArgument &argument = *call.find(name);
  auto checked = [&](double number) {
    if (divides && number == 0)
      call.error(argument.range, "'" + name.str() + "' is 0, by which nothing can be divided");
    return builder.getF64FloatAttr(number);
  };
  if (argument.value.isNumber())
    return checked(argument.value.number());
  const List *list = argument.value.get<List>();
  if (!list || static_cast<int64_t>((*list)->size()) != picture.channels ||
      !llvm::all_of(**list, [](const Value &v) { return v.isNumber(); })) {
    call.error(argument.range, "'" + name.str() + "' is a number, or a list of one for each of the " +
                                   std::to_string(picture.channels) + " channels; met " +
                                   call.elaborator.describe(argument.value));
    return {};
  }
  llvm::SmallVector<mlir::Attribute> numbers;
  for (const Value &value : **list)
    numbers.push_back(checked(value.number()));
  return builder.getArrayAttr(numbers);
}

template <bool Divides> void arithmetic(LayerCall &call, Picture &picture, mlir::NamedAttrList &attributes) {
  llvm::StringRef name = call.layer.parameters.front().name;
  if (mlir::Attribute value = perChannel(call, name, picture, Divides))
    attributes.append(name, value);
}

void normalize(LayerCall &call, Picture &picture, mlir::NamedAttrList &attributes) {
  mlir::Attribute mean = perChannel(call, "mean", picture, false), deviation = perChannel(call, "std", picture, true);
  if (mean && deviation) {
    attributes.append("mean", mean);
    attributes.append("std", deviation);
  }
}

const std::vector<Step> &allSteps() {
  static const std::vector<Step> steps = {
      {{"resize", 0, 0, {{"size", true}, {"side"}, {"filter"}, {"antialias"}}, nullptr}, false, resize},
      {{"crop", 0, 0, {{"size", true}, {"at"}}, nullptr}, false, crop},
      {{"channels", 0, 0, {{"order", true}}, nullptr}, false, channels},
      {{"scale", 0, 0, {{"factor", true}}, nullptr}, true, arithmetic<false>},
      {{"subtract", 0, 0, {{"value", true}}, nullptr}, true, arithmetic<false>},
      {{"divide", 0, 0, {{"value", true}}, nullptr}, true, arithmetic<true>},
      {{"normalize", 0, 0, {{"mean", true}, {"std", true}}, nullptr}, true, normalize},
  };
  return steps;
}

} // namespace

mlir::ArrayAttr Elaborator::preprocess(const PreprocessStmt &stmt, Value input) {
  frame->scopes.emplace_back();
  const ArrowExpr *chain = nullptr;
  for (const Stmt *inner : stmt.body.statements) {
    if (const auto *binding = dyn_cast<BindStmt>(inner); binding && !chain)
      bind(*binding);
    else if (const auto *expr = dyn_cast<ExprStmt>(inner); expr && !chain)
      chain = dyn_cast<ArrowExpr>(expr->value);
    else
      chain = nullptr;
  }
  const auto *source = chain ? dyn_cast<NameExpr>(chain->source) : nullptr;
  if (!source || source->name != stmt.source.text) {
    error(stmt.body.close, "preprocessing ends with a chain of steps from '" + stmt.source.text.str() + "', as in " +
                               stmt.source.text.str() + " -> resize(224) -> divide(255)");
    frame->scopes.pop_back();
    return {};
  }
  Picture picture;
  llvm::SmallVector<mlir::Attribute> steps;
  bool fine = true;
  for (const Expr *stage : chain->stages) {
    const auto *apply = dyn_cast<ApplyExpr>(stage);
    std::vector<llvm::StringRef> names;
    const Step *known = nullptr;
    for (const Step &step : allSteps()) {
      names.push_back(step.info.name);
      if (apply && step.info.name == apply->callee.text)
        known = &step;
    }
    if (!apply || apply->label || !known) {
      error(apply ? apply->callee.range : stage->range,
            !apply || apply->label ? "a step of preprocessing has no label and no annotation"
                                   : "there is no step '" + apply->callee.text.str() + "'; there are " +
                                         listOfNames(names, "and") + didYouMean(apply->callee.text, names));
      fine = false;
      continue;
    }
    std::vector<CallArgument> arguments;
    LayerCall call{*this, known->info, stage->range, {}, false, {}, {}, false};
    mlir::NamedAttrList attributes;
    attributes.append("op", builder.getStringAttr(known->info.name));
    if (!evaluateArguments(apply->arguments, arguments) || !call.match(std::move(arguments)) || !call.checkComplete()) {
      fine = false;
      continue;
    }
    if (!known->isArithmetic && picture.arithmetic)
      call.error("what changes the picture's size or channels comes before arithmetic");
    known->build(call, picture, attributes);
    picture.arithmetic |= known->isArithmetic;
    fine &= !call.failed;
    steps.push_back(attributes.getDictionary(&context));
  }
  frame->scopes.pop_back();
  if (!fine)
    return {};

  auto type = input.tensorType();
  std::vector<Note> notes = {{input.origin, "the input"}};
  if (type.getRank() != 4 || !type.getElementType().isF32()) {
    error(stmt.input.range, "preprocessing gives f32[" + batchName + ", C, H, W]; the input is " + typeText(type),
          notes);
    return {};
  }
  if (type.getDimSize(1) != picture.channels) {
    error(stmt.input.range,
          "preprocessing gives " + std::to_string(picture.channels) +
              (picture.channels == 1 ? " channel" : " channels") + "; the input is " + typeText(type) +
              (type.getDimSize(1) == 1 ? "; write -> channels(grey)" : ""),
          notes);
    return {};
  }
  bool known = picture.height >= 0;
  if (known && (picture.height != type.getDimSize(2) || picture.width != type.getDimSize(3))) {
    error(stmt.input.range,
          "preprocessing gives pictures of " + timesText({picture.height, picture.width}) + "; the input is " +
              typeText(type),
          notes);
    return {};
  }
  return builder.getArrayAttr(steps);
}

} // namespace cnn
