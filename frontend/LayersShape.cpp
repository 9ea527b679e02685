// Layers that move elements: flatten, reshape, transpose, concat, pad, crop. Slices are written as subscripts.
#include "frontend/LayerCall.h"

#include <numeric>

namespace cnn {
namespace {

Value flatten(LayerCall &call) {
  mlir::Value x = call.input();
  if (!x)
    return {};
  auto type = call.typeOf(x);
  if (type.getRank() < 2)
    return call.error("the input is " + call.elaborator.typeText(type) + ", expected at least two dimensions");
  int64_t features =
      std::accumulate(type.getShape().begin() + 1, type.getShape().end(), int64_t(1), std::multiplies<>());
  return call.result(call.elaborator.reshapeTo(x, {type.getDimSize(0), features}, call.range, call.path));
}

Value reshape(LayerCall &call) {
  std::vector<int64_t> shape = call.integers("shape");
  mlir::Value x = call.input();
  if (call.failed)
    return {};
  auto type = call.typeOf(x);
  SourceRange at = call.rangeOf("shape");
  bool batched = type.getRank() > 0 && type.isDynamicDim(0);
  // Elements of one image on both sides; one extent may be -1.
  int64_t have = 1, want = 1, open = -1;
  for (int64_t extent : type.getShape())
    have *= mlir::ShapedType::isDynamic(extent) ? 1 : extent;
  for (size_t i = 0; i < shape.size(); ++i) {
    bool isBatch = mlir::ShapedType::isDynamic(shape[i]);
    if (isBatch != (batched && i == 0))
      return call.error(at, batched ? "the first extent is the batch, as in x.shape[0], and no other"
                                    : "the input has no batch, so no extent is one");
    if (isBatch)
      continue;
    if (shape[i] == -1 && open < 0) {
      open = i;
      continue;
    }
    if (shape[i] < 1)
      return call.error(at, "extents are integers of at least 1; one may be -1, which is computed");
    if (__builtin_mul_overflow(want, shape[i], &want))
      return call.error(at, "the number of elements overflows 64 bits");
  }
  if (shape.empty() && batched)
    return call.error(at, "the first extent is the batch, as in x.shape[0]");
  std::vector<Note> notes;
  Elaborator::addOrigin(notes, call.inputs[0].value, call.elaborator.typeText(type));
  if (open >= 0 && have % want == 0) {
    shape[open] = have / want;
    want = have;
  }
  if (have != want)
    return call.error("the input is " + call.elaborator.typeText(type) + " with " + std::to_string(have) + " elements" +
                          (batched ? " an image" : "") + ", which do not fit " + call.elaborator.shapeText(shape),
                      std::move(notes));
  return call.result(call.elaborator.reshapeTo(x, shape, call.range, call.path));
}

Value transpose(LayerCall &call) {
  std::vector<int64_t> order = call.integers("order");
  mlir::Value x = call.input();
  if (call.failed)
    return {};
  auto type = call.typeOf(x);
  std::vector<bool> seen(type.getRank());
  bool fine = static_cast<int64_t>(order.size()) == type.getRank();
  for (int64_t dim : order) {
    fine = fine && dim >= 0 && dim < type.getRank() && !seen[dim];
    if (fine)
      seen[dim] = true;
  }
  if (!fine)
    return call.error(call.rangeOf("order"), "'order' names each of the " + std::to_string(type.getRank()) +
                                                 " dimensions of " + call.elaborator.typeText(type) + " once");
  if (type.getRank() && type.isDynamicDim(0) && order[0] != 0)
    return call.error(call.rangeOf("order"), "the batch stays in place 0");
  return call.result(call.make<TransposeOp>(x, llvm::ArrayRef<int64_t>(order)));
}

Value concat(LayerCall &call) {
  // Tuples are spread by the call already; a list of tensors is spread here.
  std::vector<CallArgument> parts;
  for (const CallArgument &input : call.inputs) {
    const List *list = input.value.get<List>();
    bool ofTensors = list && llvm::all_of(**list, [](const Value &value) { return value.isTensor(); });
    if (!ofTensors) {
      parts.push_back(input);
      continue;
    }
    for (const Value &value : **list)
      parts.push_back({{}, input.range, value});
  }
  call.inputs = std::move(parts);
  if (call.inputs.empty())
    return call.error("needs at least one tensor");
  llvm::SmallVector<mlir::Value> values;
  for (unsigned i = 0; i < call.inputs.size(); ++i) {
    mlir::Value value = call.input(i);
    if (!value)
      return {};
    values.push_back(value);
  }
  auto first = call.typeOf(values.front());
  int64_t axis = call.integer("axis", 1, -first.getRank());
  if (call.failed)
    return {};
  int64_t written = axis;
  axis = axis < 0 ? axis + first.getRank() : axis;
  if (axis >= first.getRank() || first.isDynamicDim(axis))
    return call.error(call.rangeOf("axis"), "there is no axis " + std::to_string(written) + " to join along in " +
                                                call.elaborator.typeText(first));
  llvm::SmallVector<int64_t> shape(first.getShape());
  shape[axis] = 0;
  for (unsigned i = 0; i < values.size(); ++i) {
    auto type = call.typeOf(values[i]);
    std::vector<Note> notes;
    Elaborator::addOrigin(notes, call.inputs[0].value, call.elaborator.typeText(first));
    Elaborator::addOrigin(notes, call.inputs[i].value, call.elaborator.typeText(type));
    if (type.getRank() != first.getRank())
      return call.error("cannot join " + call.elaborator.typeText(first) + " and " + call.elaborator.typeText(type) +
                            ": their numbers of dimensions differ",
                        std::move(notes));
    for (int64_t dim = 0; dim < type.getRank(); ++dim)
      if (dim != axis && type.getDimSize(dim) != first.getDimSize(dim))
        return call.error("cannot join " + call.elaborator.typeText(first) + " and " + call.elaborator.typeText(type) +
                              " along axis " + std::to_string(axis) + ": dimension " + std::to_string(dim) + " differs",
                          std::move(notes));
    shape[axis] += type.getDimSize(axis);
    if (!call.checkSize(shape))
      return {};
  }
  return call.result(call.make<ConcatOp>(values, axis));
}

Value pad(LayerCall &call) {
  bool reflect = call.word("mode", {"zero", "reflect"}, "zero") == "reflect";
  double value = call.number("value", 0);
  mlir::Value x = call.input();
  if (call.failed)
    return {};
  auto type = call.typeOf(x);
  const CallArgument *given = call.find("amount");
  llvm::SmallVector<int64_t> low(type.getRank(), 0), high(type.getRank(), 0);
  // [before, after] for each dimension, or the spatial forms of `conv` for the last two.
  const List *list = given->value.get<List>();
  bool everyAxis = list && static_cast<int64_t>((*list)->size()) == type.getRank() &&
                   llvm::all_of(**list, [](const Value &v) { return v.is<List>(); });
  if (everyAxis) {
    for (int64_t dim = 0; dim < type.getRank(); ++dim) {
      const List &pair = (**list)[dim].as<List>();
      for (unsigned side = 0; side < 2; ++side) {
        const int64_t *amount = pair->size() == 2 ? (*pair)[side].get<int64_t>() : nullptr;
        if (!amount || *amount < 0 || *amount >= int64_t(1) << 31)
          return call.error(given->range, "'amount' has [before, after] for each dimension, integers of at least 0");
        (side ? high : low)[dim] = *amount;
      }
    }
  } else if (type.getRank() == 4) {
    Padding padding = call.padding("amount");
    if (call.failed)
      return {};
    if (padding.rule != Padding::Rule::Pixels || given->value.is<Word>())
      return call.error(given->range, "'amount' is a number of pixels, [h, w], or [before, after] for each dimension");
    low = {0, 0, padding.pixels[0], padding.pixels[2]};
    high = {0, 0, padding.pixels[1], padding.pixels[3]};
  } else {
    return call.error(given->range, "'amount' has [before, after] for each of the " + std::to_string(type.getRank()) +
                                        " dimensions of " + call.elaborator.typeText(type));
  }
  llvm::SmallVector<int64_t> shape(type.getShape());
  for (int64_t dim = 0; dim < type.getRank(); ++dim) {
    if (low[dim] + high[dim] == 0)
      continue;
    if (type.isDynamicDim(dim))
      return call.error(given->range, "the batch cannot be padded");
    if (reflect && std::max(low[dim], high[dim]) >= shape[dim])
      return call.error(given->range, "a mirrored border of " + std::to_string(std::max(low[dim], high[dim])) +
                                          " needs more than as many elements, dimension " + std::to_string(dim) +
                                          " has " + std::to_string(shape[dim]));
    shape[dim] += low[dim] + high[dim];
  }
  if (!call.checkSize(shape))
    return {};
  mlir::OpBuilder &builder = call.elaborator.builder;
  return call.result(
      call.make<PadOp>(x, builder.getDenseI64ArrayAttr(low), builder.getDenseI64ArrayAttr(high),
                       PadModeAttr::get(builder.getContext(), reflect ? PadMode::Reflect : PadMode::Constant),
                       builder.getF64FloatAttr(value)));
}

/// The centre of an image, of a size or of the size of another image; an odd row or column is cut off at the end.
Value crop(LayerCall &call) {
  // x -> crop(64) means a size, too.
  if (call.inputs.size() > 1 && !call.inputs[1].value.isTensor() && !call.has("size")) {
    call.arguments.push_back({{"size", call.inputs[1].range}, call.inputs[1].range, call.inputs[1].value});
    call.inputs.pop_back();
  }
  auto size = call.spatial("size", {0, 0}, 1);
  mlir::Value x = call.input(0, 4, "an image, f32[N, C, H, W]");
  mlir::Value like = call.inputs.size() > 1 ? call.input(1, 4, "an image, f32[N, C, H, W]") : mlir::Value();
  if (call.failed)
    return {};
  if (call.has("size") == (call.inputs.size() > 1))
    return call.error("needs one of a size, as in x -> crop([h, w]), and an image of that size, as in "
                      "(x, y) -> crop");
  auto type = call.typeOf(x);
  if (like)
    size = {call.typeOf(like).getDimSize(2), call.typeOf(like).getDimSize(3)};
  llvm::SmallVector<int64_t> starts(4, 0), sizes(type.getShape()), steps(4, 1);
  for (unsigned axis = 0; axis < 2; ++axis) {
    starts[2 + axis] = (type.getDimSize(2 + axis) - size[axis]) / 2;
    sizes[2 + axis] = size[axis];
  }
  if (size[0] > type.getDimSize(2) || size[1] > type.getDimSize(3)) {
    std::vector<Note> notes;
    Elaborator::addOrigin(notes, call.inputs[0].value, call.elaborator.typeText(type));
    if (like)
      Elaborator::addOrigin(notes, call.inputs[1].value, call.elaborator.typeText(like.getType()));
    return call.error("the image of " + timesText(type.getShape().drop_front(2)) + " is smaller than " +
                          timesText(size),
                      std::move(notes));
  }
  sizes[0] = mlir::ShapedType::isDynamic(sizes[0]) ? -1 : sizes[0];
  TensorBuilder b = call.formula();
  return call.result(b.make<SliceOp>(x, {b.ints("starts", starts), b.ints("sizes", sizes), b.ints("steps", steps)}));
}

} // namespace

llvm::ArrayRef<LayerInfo> shapeLayers() {
  static const std::vector<LayerInfo> layers = {
      {"flatten", 1, 1, {}, flatten},
      {"reshape", 1, 1, {{"shape", true}}, reshape},
      {"transpose", 1, 1, {{"order", true}}, transpose},
      {"concat", 1, kAnyNumber, {{"axis"}}, concat},
      {"crop", 1, 2, {{"size"}}, crop},
      {"pad", 1, 1, {{"amount", true}, {"mode"}, {"value"}}, pad},
  };
  return layers;
}

} // namespace cnn
