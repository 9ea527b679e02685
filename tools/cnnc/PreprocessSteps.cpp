// Decodes the attribute that frontend/Preprocess.cpp writes: an array of dictionaries, `op` and the step's parameters.
#include "tools/cnnc/PreprocessSteps.h"

#include "mlir/IR/Builders.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/ADT/StringSwitch.h"

#include <fmt/format.h>

using namespace mlir;

namespace cnn {
namespace {

/// Reads one step's parameters and remembers the first that is missing or of another kind, as in IR that no frontend
/// wrote.
class StepReader {
public:
  explicit StepReader(DictionaryAttr step) : step(step) {}

  StringRef word(StringRef name) {
    auto attribute = get<StringAttr>(name);
    return attribute ? attribute.getValue() : "";
  }
  bool boolean(StringRef name) {
    auto attribute = get<BoolAttr>(name);
    return attribute && attribute.getValue();
  }
  /// One integer twice, or two.
  std::array<int64_t, 2> size(StringRef name) {
    if (auto one = dyn_cast_or_null<IntegerAttr>(step.get(name)))
      return {one.getInt(), one.getInt()};
    auto list = get<ArrayAttr>(name);
    if (!list || list.size() != 2 || !llvm::all_of(list, llvm::IsaPred<IntegerAttr>)) {
      miss(name);
      return {};
    }
    return {cast<IntegerAttr>(list[0]).getInt(), cast<IntegerAttr>(list[1]).getInt()};
  }
  /// One number for all channels, or one each.
  std::vector<double> numbers(StringRef name) {
    if (auto one = dyn_cast_or_null<FloatAttr>(step.get(name)))
      return {one.getValueAsDouble()};
    auto list = get<ArrayAttr>(name);
    std::vector<double> values;
    for (Attribute attribute : list ? list.getValue() : ArrayRef<Attribute>())
      if (auto number = dyn_cast<FloatAttr>(attribute))
        values.push_back(number.getValueAsDouble());
    if (!list || values.size() != list.size())
      miss(name);
    return values;
  }
  bool has(StringRef name) const { return step.contains(name); }
  void miss(StringRef name) {
    if (missing.empty())
      missing = name.str();
  }

  std::string missing;

private:
  template <typename Attr> Attr get(StringRef name) {
    auto attribute = step.getAs<Attr>(name);
    if (!attribute)
      miss(name);
    return attribute;
  }

  DictionaryAttr step;
};

/// The step called `op`; an unknown one counts as a missing `op`.
host::PreprocessStep decodeStep(StringRef op, StepReader &reader) {
  using namespace host;
  if (op == "resize") {
    ResizeStep step;
    step.size = reader.size("size");
    if (reader.has("side"))
      step.side = reader.word("side") == "shorter" ? ResizeStep::Side::Shorter : ResizeStep::Side::Longer;
    step.filter = llvm::StringSwitch<ResizeFilter>(reader.word("filter"))
                      .Case("nearest", ResizeFilter::Nearest)
                      .Case("bicubic", ResizeFilter::Bicubic)
                      .Default(ResizeFilter::Bilinear);
    step.antialias = reader.boolean("antialias");
    return step;
  }
  if (op == "crop") {
    CropStep step;
    step.size = reader.size("size");
    step.position = reader.word("at") == "top_left" ? CropStep::Position::TopLeft : CropStep::Position::Centre;
    return step;
  }
  if (op == "channels") {
    ChannelsStep step;
    step.order = llvm::StringSwitch<ChannelsStep::Order>(reader.word("order"))
                     .Case("bgr", ChannelsStep::Order::Bgr)
                     .Case("grey", ChannelsStep::Order::Grey)
                     .Default(ChannelsStep::Order::Rgb);
    return step;
  }
  if (op == "scale")
    return ScaleStep{reader.numbers("factor")};
  if (op == "subtract")
    return SubtractStep{reader.numbers("value")};
  if (op == "divide")
    return DivideStep{reader.numbers("value")};
  if (op == "normalize")
    return NormalizeStep{reader.numbers("mean"), reader.numbers("std")};
  reader.miss("op");
  return ScaleStep{};
}

} // namespace

host::Result<std::vector<host::PreprocessStep>> decodePreprocess(ArrayAttr steps) {
  std::vector<host::PreprocessStep> decoded;
  if (!steps)
    return decoded;
  for (Attribute attribute : steps) {
    auto dictionary = dyn_cast<DictionaryAttr>(attribute);
    if (!dictionary)
      return host::makeError("a step of 'cnn.preprocess' is no dictionary");
    StepReader reader(dictionary);
    StringRef op = reader.word("op");
    decoded.push_back(decodeStep(op, reader));
    if (!reader.missing.empty())
      return host::makeError("step '{}' of 'cnn.preprocess' has no valid '{}'", op.str(), reader.missing);
  }
  return decoded;
}

static std::string valueText(Attribute value) {
  if (auto list = dyn_cast<ArrayAttr>(value))
    return "[" + llvm::join(llvm::map_range(list, valueText), ", ") + "]";
  if (auto flag = dyn_cast<BoolAttr>(value))
    return flag.getValue() ? "true" : "false";
  if (auto integer = dyn_cast<IntegerAttr>(value))
    return std::to_string(integer.getInt());
  if (auto number = dyn_cast<FloatAttr>(value))
    return fmt::format("{}", number.getValueAsDouble());
  auto word = dyn_cast<StringAttr>(value);
  return word ? word.str() : "?";
}

std::string preprocessText(ArrayAttr steps) {
  std::vector<std::string> texts;
  for (auto step : steps.getAsRange<DictionaryAttr>()) {
    std::vector<std::string> parameters;
    for (NamedAttribute parameter : step)
      if (parameter.getName() != "op")
        parameters.push_back(parameter.getName().str() + " = " + valueText(parameter.getValue()));
    texts.push_back(valueText(step.get("op")) + "(" + llvm::join(parameters, ", ") + ")");
  }
  return llvm::join(texts, " -> ");
}

std::vector<host::PreprocessStep> stepsFor(const host::Image &picture, std::span<const host::PreprocessStep> declared,
                                           int64_t channels, host::PixelScale scale) {
  if (!declared.empty())
    return {declared.begin(), declared.end()};
  std::vector<host::PreprocessStep> steps;
  if (channels == 1 && picture.channels == 1)
    steps.push_back(host::ChannelsStep{host::ChannelsStep::Order::Grey});
  if (scale == host::PixelScale::Unit)
    steps.push_back(host::DivideStep{{255}});
  return steps;
}

} // namespace cnn
