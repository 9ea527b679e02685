// Optimizers of train blocks: their settings are those of ir/Optimizer.h, with the learning rate and limits of
// gradients.
#include "frontend/LayerCall.h"
#include "frontend/TrainElaborator.h"
#include "frontend/TrainFunctions.h"
#include "ir/Optimizer.h"

namespace cnn {
namespace {

/// The learning rates that the papers recommend; 0 where they leave it to the problem.
double recommendedRate(OptimizerKind kind) {
  switch (kind) {
  case OptimizerKind::Sgd:
  case OptimizerKind::Momentum:
  case OptimizerKind::Nesterov:
    return 0;
  case OptimizerKind::Adagrad:
    return 0.01;
  case OptimizerKind::Adadelta:
    return 1;
  case OptimizerKind::RmsProp:
  case OptimizerKind::Adam:
  case OptimizerKind::AdamW:
    return 1e-3;
  case OptimizerKind::Nadam:
    return 2e-3;
  }
  llvm_unreachable("an unknown optimizer");
}

std::optional<ScheduleValue> rateOf(LayerCall &call, const CallArgument &argument, const Value &value) {
  if (const auto *schedule = value.get<std::shared_ptr<const ScheduleValue>>())
    return **schedule;
  if (!value.isNumber()) {
    call.wrong({argument.name, argument.range, value}, "a number, a schedule, or a list with one for each part");
    return std::nullopt;
  }
  if (!(value.number() > 0)) {
    call.error(argument.range, "'lr' is " + numberText(value.number()) + "; it is above 0");
    return std::nullopt;
  }
  return ScheduleValue{value.number(), "constant()", "", argument.range};
}

std::optional<double> limit(LayerCall &call, llvm::StringRef name) {
  if (!call.has(name))
    return std::nullopt;
  double value = call.number(name, 1);
  if (!(value > 0))
    call.error(call.rangeOf(name), "'" + name.str() + "' is " + numberText(value) + "; it is above 0");
  return value;
}

Value optimizer(LayerCall &call) {
  OptimizerKind kind = *symbolizeOptimizerKind(call.layer.name);
  OptimizerValue made;
  const CallArgument *lr = call.find("lr");
  if (lr) {
    const List *list = lr->value.get<List>();
    for (const Value &value : list ? **list : std::vector<Value>{lr->value})
      if (auto rate = rateOf(call, *lr, value))
        made.rates.push_back(*rate);
    if (list && (*list)->empty())
      call.error(lr->range, "'lr' is an empty list");
  } else if (double rate = recommendedRate(kind)) {
    made.rates.push_back({rate, "constant()", "", call.range});
  } else {
    return call.error("needs its learning rate, as in " + call.layer.name.str() + "(lr = 0.1)");
  }
  made.ratesRange = call.rangeOf("lr");
  mlir::OpBuilder &builder = call.elaborator.builder;
  llvm::SmallVector<mlir::NamedAttribute> settings;
  for (const OptimizerSetting &setting : optimizerSettings(kind)) {
    if (!call.has(setting.name))
      continue;
    double value = call.number(setting.name, setting.initial);
    if (!(value >= setting.low && value < setting.high))
      call.error(call.rangeOf(setting.name), "'" + setting.name.str() + "' is " + numberText(value) +
                                                 "; it is at least " + numberText(setting.low) +
                                                 (setting.high == std::numeric_limits<double>::infinity()
                                                      ? ""
                                                      : " and below " + numberText(setting.high)));
    settings.push_back(builder.getNamedAttr(setting.name, builder.getF64FloatAttr(value)));
  }
  made.clipValue = limit(call, "clip_value");
  made.clipNorm = limit(call, "clip_norm");
  if (call.failed)
    return {};
  made.optimizer = OptimizerAttr::get(builder.getContext(), kind,
                                      settings.empty() ? mlir::DictionaryAttr() : builder.getDictionaryAttr(settings));
  return Value(std::make_shared<const OptimizerValue>(std::move(made)), call.range);
}

LayerInfo row(OptimizerKind kind) {
  LayerInfo info{stringifyOptimizerKind(kind), 0, 0, {{"lr"}}, optimizer};
  for (const OptimizerSetting &setting : optimizerSettings(kind))
    info.parameters.push_back({setting.name});
  info.parameters.push_back({"clip_value"});
  info.parameters.push_back({"clip_norm"});
  return info;
}

} // namespace

llvm::ArrayRef<LayerInfo> optimizerFunctions() {
  static const std::vector<LayerInfo> functions = {
      row(OptimizerKind::Sgd),     row(OptimizerKind::Momentum), row(OptimizerKind::Nesterov),
      row(OptimizerKind::Adagrad), row(OptimizerKind::Adadelta), row(OptimizerKind::RmsProp),
      row(OptimizerKind::Adam),    row(OptimizerKind::AdamW),    row(OptimizerKind::Nadam)};
  return functions;
}

} // namespace cnn
