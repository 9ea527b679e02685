// The table of what train blocks call, and what steers training: freezing, initial weights, averages.
#include "frontend/TrainFunctions.h"

#include "frontend/LayerCall.h"
#include "frontend/TrainElaborator.h"
#include "ir/Compositions.h"

#include "llvm/ADT/StringMap.h"

namespace cnn {
namespace {

Value nothing(LayerCall &call) { return Value(Nothing{}, call.range); }

Value freeze(LayerCall &call) {
  if (call.inputs.empty())
    return call.error("needs a network or parts of one, as in freeze(net.conv1)");
  for (const CallArgument &input : call.inputs)
    if (auto group = call.training()->group(input.value, input.range, "freeze"))
      call.training()->freeze(*group, input.range);
  return nothing(call);
}

/// The network that is given, not a part of it; null after an error.
const NetworkRef *networkOf(LayerCall &call) {
  if (call.inputs.empty()) {
    call.error("needs a network");
    return nullptr;
  }
  const CallArgument &input = call.inputs.front();
  const NetworkRef *network = input.value.get<NetworkRef>();
  if (!network) {
    if (const Word *word = input.value.get<Word>())
      call.elaborator.unknownName(word->text, input.range, false);
    else
      call.error(input.range, "takes a network; met " + call.elaborator.describe(input.value));
    call.failed = true;
  }
  return network;
}

Value frozen(LayerCall &call) {
  const NetworkRef *network = networkOf(call);
  return network ? Value(NetworkRef{network->decl, network->scope, true}, call.range) : Value();
}

std::string textOf(LayerCall &call, const CallArgument &argument, const Value &value, const std::string &expected) {
  if (const Text *text = value.get<Text>(); text && !text->text.empty())
    return text->text;
  call.error(argument.range,
             "'" + argument.name.text.str() + "' is " + expected + "; met " + call.elaborator.describe(value));
  return "";
}

Value init(LayerCall &call) {
  const NetworkRef *network = networkOf(call);
  const CallArgument *from = call.find("from"), *except = call.find("except");
  if (!network)
    return {};
  std::string file = textOf(call, *from, from->value, "the name of a weights file in quotes");
  std::vector<std::pair<std::string, SourceRange>> without;
  if (except) {
    const List *list = except->value.get<List>();
    for (const Value &value : list ? **list : std::vector<Value>{except->value})
      without.push_back(
          {textOf(call, *except, value, "a path in the network, or a list of them, in quotes"), except->range});
  }
  if (!call.failed)
    call.training()->initialize(*network, file, std::move(without), call.range);
  return nothing(call);
}

Value ema(LayerCall &call) {
  const NetworkRef *network = networkOf(call);
  double decay = call.number("decay", 0.999);
  if (!(decay > 0 && decay < 1))
    return call.error(call.rangeOf("decay"), "'decay' is " + numberText(decay) + "; it is between 0 and 1");
  if (network && !call.failed)
    call.training()->average(*network, decay, call.range);
  return nothing(call);
}

/// The identity where nothing is differentiated.
Value stopGradient(LayerCall &call) {
  mlir::Value x = call.input();
  if (!x)
    return {};
  if (call.training()->modeOf() == TrainElaborator::Mode::Evaluation)
    return Value(x, call.inputs[0].value.origin);
  return call.result(call.formula().stopGradient(x));
}

Value oneHot(LayerCall &call) {
  const CallArgument &input = call.inputs[0];
  int64_t classes = input.value.isTensor() ? call.training()->classesOf(input.value.tensor()) : 0;
  if (!classes)
    return call.error(input.range, "takes an input of type class(K); met " + call.elaborator.describe(input.value));
  llvm::SmallVector<int64_t> shape(call.typeOf(input.value.tensor()).getShape());
  shape.insert(shape.begin() + 1, classes);
  if (!call.checkSize(shape))
    return {};
  TensorBuilder b = call.formula();
  return call.result(cnn::oneHot(b, input.value.tensor(), classes, b.builder().getF32Type()));
}

} // namespace

llvm::ArrayRef<LayerInfo> controlFunctions() {
  static const std::vector<LayerInfo> functions = {
      {"freeze", 0, kAnyNumber, {}, freeze},
      {"frozen", 0, 1, {}, frozen},
      {"init", 0, 1, {{"from", true}, {"except"}}, init},
      {"ema", 0, 1, {{"decay"}}, ema},
      {"stop_gradient", 1, 1, {}, stopGradient},
      {"one_hot", 1, 1, {}, oneHot},
  };
  return functions;
}

llvm::ArrayRef<const LayerInfo *> trainFunctions() {
  static const std::vector<const LayerInfo *> functions = [] {
    std::vector<const LayerInfo *> all;
    for (auto family :
         {lossFunctions(), optimizerFunctions(), scheduleFunctions(), metricFunctions(), controlFunctions()})
      for (const LayerInfo &function : family)
        all.push_back(&function);
    return all;
  }();
  return functions;
}

const LayerInfo *findTrainFunction(llvm::StringRef name) {
  static const llvm::StringMap<const LayerInfo *> byName = [] {
    llvm::StringMap<const LayerInfo *> map;
    for (const LayerInfo *function : trainFunctions())
      map[function->name] = function;
    return map;
  }();
  return byName.lookup(name);
}

} // namespace cnn
