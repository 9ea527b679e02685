// Schedules of learning rates: checked here, described for runtime/host/training/Schedules.h.
#include "frontend/LayerCall.h"
#include "frontend/TrainElaborator.h"
#include "frontend/TrainFunctions.h"

#include "llvm/ADT/StringSwitch.h"

#include <cmath>

namespace cnn {
namespace {

/// A setting of a schedule; `low` and `high` are not among its values unless `open` is false.
struct Setting {
  llvm::StringLiteral name;
  bool required;
  double low, high;
  bool lowIsIn;
  bool isInteger;
};

constexpr double kAny = std::numeric_limits<double>::infinity();

llvm::ArrayRef<Setting> settingsOf(llvm::StringRef schedule) {
  static constexpr Setting step[] = {{"epochs", true, 0, kAny, false, false}, {"factor", false, 0, kAny, false, false}};
  static constexpr Setting exponential[] = {{"factor", true, 0, kAny, false, false},
                                            {"epochs", false, 0, kAny, false, false}};
  static constexpr Setting cosine[] = {{"epochs", false, 0, kAny, false, false},
                                       {"minimum", false, 0, kAny, true, false}};
  static constexpr Setting warmup[] = {{"epochs", true, 0, kAny, false, false}, {"start", false, 0, kAny, true, false}};
  static constexpr Setting cycle[] = {{"epochs", false, 0, kAny, false, false},
                                      {"rise", false, 0, 1, false, false},
                                      {"divide", false, 1, kAny, true, false},
                                      {"final", false, 1, kAny, true, false}};
  static constexpr Setting plateau[] = {{"factor", false, 0, 1, false, false},
                                        {"patience", false, 0, kAny, true, true},
                                        {"minimum", false, 0, kAny, true, false},
                                        {"threshold", false, 0, 1, true, false},
                                        {"cooldown", false, 0, kAny, true, true}};
  if (schedule == "step")
    return step;
  if (schedule == "exponential")
    return exponential;
  if (schedule == "cosine")
    return cosine;
  if (schedule == "warmup")
    return warmup;
  if (schedule == "one_cycle")
    return cycle;
  if (schedule == "plateau")
    return plateau;
  return {};
}

/// The base rate that a schedule is given, or for `warmup` the schedule that follows.
std::optional<ScheduleValue> baseOf(LayerCall &call) {
  const CallArgument &argument = *call.find("lr");
  const auto *inner = argument.value.get<std::shared_ptr<const ScheduleValue>>();
  bool warms = call.layer.name == "warmup";
  if (inner && warms && !llvm::StringRef((*inner)->text).starts_with("warmup("))
    return **inner;
  if (inner) {
    call.error(argument.range, "'lr' is a number here; a schedule within a schedule stands in warmup alone, as in "
                               "cosine(1e-3) -> warmup(epochs = 5)");
    return std::nullopt;
  }
  if (!argument.value.isNumber()) {
    call.wrong(argument, warms ? "a number or a schedule" : "a number");
    return std::nullopt;
  }
  double base = argument.value.number();
  if (!(base > 0)) {
    call.error(argument.range, "'lr' is " + numberText(base) + "; it is above 0");
    return std::nullopt;
  }
  return ScheduleValue{base, "constant()", "", argument.range};
}

Value schedule(LayerCall &call) {
  auto base = baseOf(call);
  std::string text;
  for (const Setting &setting : settingsOf(call.layer.name)) {
    if (!call.has(setting.name))
      continue;
    double value = call.number(setting.name, 0);
    bool fits = (setting.lowIsIn ? value >= setting.low : value > setting.low) &&
                (value < setting.high || setting.high == kAny) && (!setting.isInteger || value == std::floor(value));
    if (!call.failed && !fits)
      call.error(call.rangeOf(setting.name),
                 "'" + setting.name.str() + "' is " + numberText(value) + "; it is " +
                     (setting.isInteger ? "an integer of " : "") + (setting.lowIsIn ? "at least " : "above ") +
                     numberText(setting.low) + (setting.high == kAny ? "" : " and below " + numberText(setting.high)));
    text += (text.empty() ? "" : ", ") + setting.name.str() + " = " + numberText(value);
  }
  std::string watched;
  if (const CallArgument *on = call.find("on")) {
    if (const Word *word = on->value.get<Word>())
      watched = word->text;
    else if (const Text *name = on->value.get<Text>())
      watched = name->text;
    else
      call.error(on->range, "'on' is loss or the name of a figure that the block reports, such as \"accuracy\"; met " +
                                call.elaborator.describe(on->value));
    text += (text.empty() ? "" : ", ") + ("on = " + watched);
  }
  if (!base || call.failed)
    return {};
  ScheduleValue result = *base;
  if (call.layer.name == "warmup") {
    if (base->text != "constant()")
      text += ", then = " + base->text;
  } else {
    result.watched = watched;
    result.range = call.range;
  }
  result.text = call.layer.name.str() + "(" + text + ")";
  return Value(std::make_shared<const ScheduleValue>(std::move(result)), call.range);
}

llvm::StringRef exampleOf(llvm::StringRef schedule) {
  return llvm::StringSwitch<llvm::StringRef>(schedule)
      .Case("constant", "constant(0.1)")
      .Case("step", "step(0.1, epochs = 10)")
      .Case("exponential", "exponential(0.1, factor = 0.9)")
      .Case("cosine", "cosine(0.1)")
      .Case("warmup", "cosine(0.1) -> warmup(epochs = 5)")
      .Case("one_cycle", "one_cycle(0.1)")
      .Case("plateau", "plateau(0.1)");
}

LayerInfo row(llvm::StringRef name) {
  LayerInfo info{name, 0, 0, {{"lr", true}}, schedule};
  for (const Setting &setting : settingsOf(name))
    info.parameters.push_back({setting.name, setting.required});
  info.example = exampleOf(name);
  if (name == "plateau")
    info.parameters.push_back({"on"});
  return info;
}

} // namespace

llvm::ArrayRef<LayerInfo> scheduleFunctions() {
  static const std::vector<LayerInfo> functions = {row("constant"), row("step"),      row("exponential"), row("cosine"),
                                                   row("warmup"),   row("one_cycle"), row("plateau")};
  return functions;
}

} // namespace cnn
