// Metrics of train blocks: they say which values of a step the host computes figures from; see TrainingReport.
#include "frontend/LayerCall.h"
#include "frontend/TrainElaborator.h"
#include "frontend/TrainFunctions.h"

namespace cnn {
namespace {

Value metric(LayerCall &call, const std::string &name, std::vector<mlir::Value> operands, int64_t classes) {
  MetricValue made{name, name, std::move(operands), classes, {}};
  for (llvm::StringRef setting : {"peak", "threshold", "positive"})
    if (call.has(setting))
      made.settings.push_back({setting.str(), call.number(setting, 0)});
  return call.failed ? Value() : Value(std::make_shared<const MetricValue>(std::move(made)), call.range);
}

/// Figures of scores [N, C, ...] and labels class(C)[N, ...], or of one score and two classes; `positive` names the one
/// class that a single score tells from all others.
Value ofClasses(LayerCall &call) {
  mlir::Value scores = call.input();
  if (!scores)
    return {};
  const CallArgument &given = call.inputs[1];
  int64_t classes = given.value.isTensor() ? call.training()->classesOf(given.value.tensor()) : 0;
  if (!classes)
    return call.error(given.range, "the second operand is an input of type class(K), the labels; met " +
                                       call.elaborator.describe(given.value));
  mlir::Value labels = given.value.tensor();
  llvm::SmallVector<int64_t> positions(call.typeOf(scores).getShape());
  int64_t channels = positions.size() > 1 ? positions[1] : 1;
  bool isSingle = channels == 1, hasPositive = call.has("positive");
  int64_t positive = call.integer("positive", 0, 0);
  if (hasPositive && !call.failed && positive >= classes)
    return call.error(call.rangeOf("positive"), "'positive' is " + std::to_string(positive) + ", and there are " +
                                                    std::to_string(classes) + " classes, from 0");
  if (positions.size() > 1)
    positions.erase(positions.begin() + 1);
  bool fits = call.typeOf(labels).getShape() == llvm::ArrayRef(positions) &&
              (isSingle ? classes == 2 || hasPositive : channels == classes && !hasPositive);
  if (!fits) {
    std::vector<Note> notes;
    Elaborator::addOrigin(notes, call.inputs[0].value, call.elaborator.typeText(scores.getType()));
    llvm::SmallVector<int64_t> wanted(call.typeOf(labels).getShape());
    wanted.insert(wanted.begin() + 1, hasPositive ? 1 : classes);
    return call.error("the scores are " + call.elaborator.typeText(scores.getType()) + " and the labels class(" +
                          std::to_string(classes) + ")" + call.elaborator.shapeText(call.typeOf(labels).getShape()) +
                          ", which go with f32" + call.elaborator.shapeText(wanted),
                      std::move(notes));
  }
  std::string name = call.layer.name.str();
  if (name == "count_error" && call.typeOf(labels).getRank() != 3)
    return call.error(given.range, "counts the objects of masks, class(K)[N, H, W]; met class(" +
                                       std::to_string(classes) + ")" +
                                       call.elaborator.shapeText(call.typeOf(labels).getShape()));
  if (name == "top_k") {
    int64_t k = call.integer("k", 5, 1);
    if (!call.failed && k >= classes)
      return call.error(call.rangeOf("k"),
                        "'k' is " + std::to_string(k) + ", and there are " + std::to_string(classes) + " classes");
    name = "top" + std::to_string(k);
  }
  // One class against the others is no classification: nobody is to look for scores of all classes.
  return metric(call, name, {scores, labels}, hasPositive ? 0 : classes);
}

Value psnr(LayerCall &call) {
  mlir::Value x = call.input(0), target = call.input(1);
  double peak = call.number("peak", 1);
  if (!(peak > 0))
    return call.error(call.rangeOf("peak"), "'peak' is " + numberText(peak) + "; it is above 0");
  if (!x || !target)
    return {};
  if (x.getType() != target.getType() || call.typeOf(x).getRank() < 1 || !call.typeOf(x).isDynamicDim(0))
    return call.error("the values are " + call.elaborator.typeText(x.getType()) + " and the target " +
                      call.elaborator.typeText(target.getType()) + "; both are f32[N, ...] of one shape");
  return metric(call, "psnr", {x, target}, 0);
}

} // namespace

llvm::ArrayRef<LayerInfo> metricFunctions() {
  static const std::vector<LayerInfo> functions = {
      LayerInfo{"accuracy", 2, 2, {{"threshold"}}, ofClasses}.shownAs("accuracy(scores, label)"),
      LayerInfo{"top_k", 2, 2, {{"k"}}, ofClasses}.shownAs("top_k(scores, label)"),
      LayerInfo{"precision", 2, 2, {{"threshold"}}, ofClasses}.shownAs("precision(scores, label)"),
      LayerInfo{"recall", 2, 2, {{"threshold"}}, ofClasses}.shownAs("recall(scores, label)"),
      LayerInfo{"f1", 2, 2, {{"threshold"}}, ofClasses}.shownAs("f1(scores, label)"),
      LayerInfo{"iou", 2, 2, {{"threshold"}}, ofClasses}.shownAs("iou(scores, label)"),
      LayerInfo{"count_error", 2, 2, {{"threshold"}}, ofClasses}.shownAs("count_error(scores, label)"),
      LayerInfo{"miou", 2, 2, {{"threshold"}}, ofClasses}.shownAs("miou(scores, label)"),
      LayerInfo{"confusion", 2, 2, {{"threshold"}}, ofClasses}.shownAs("confusion(scores, label)"),
      LayerInfo{"auc", 2, 2, {{"positive"}}, ofClasses}.shownAs("auc(scores, label)"),
      LayerInfo{"psnr", 2, 2, {{"peak"}}, psnr}.shownAs("psnr(values, target)"),
  };
  return functions;
}

} // namespace cnn
