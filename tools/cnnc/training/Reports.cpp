// Losses and metrics over batches; Reports.h has the contract.
#include "tools/cnnc/training/Reports.h"

#include <cmath>
#include <cstring>
#include <limits>

using namespace mlir;

namespace cnn {

using host::NamedValue;
using host::TensorView;

double Reports::RunningMean::value() const {
  return weight > 0 ? sum / weight : std::numeric_limits<double>::quiet_NaN();
}

host::Result<Reports> Reports::create(const TrainingProgram &program, const StepModule &module,
                                      const BatchBinding &binding, ArrayRef<std::string> classNames) {
  Reports result;
  result.binding = &binding;
  for (const TrainingMinimization &minimization : program.minimizations) {
    std::optional<size_t> output = module.output(minimization.lossOutput);
    if (!output)
      return host::makeError("'{}' has no loss '{}'", program.name, minimization.lossOutput);
    result.losses.push_back({minimization.lossOutput, *output, {}});
  }
  for (const TrainingReport &described : program.reports) {
    Report report;
    report.name = described.name;
    for (const ReportOperand &operand : described.operands) {
      std::optional<size_t> output = operand.isInput ? std::nullopt : module.output(operand.name);
      if (!operand.isInput && !output)
        return host::makeError("'{}' has no value '{}' to report", program.name, operand.name);
      std::vector<int64_t> shape = output ? module.outputs()[*output].shape : std::vector<int64_t>();
      for (const TrainingInput &input : program.inputs)
        if (!output && input.name == operand.name)
          shape = input.type.getShape().drop_front().vec();
      report.operands.push_back({operand.name, output, std::move(shape)});
    }
    if (described.metric != "mean") {
      host::MetricOptions options;
      options.classes = described.classes;
      if (described.classes == static_cast<int64_t>(classNames.size()))
        options.classNames = classNames.vec();
      for (const auto &[name, value] : described.settings) {
        if (name == "positive") {
          report.positive = std::llround(value);
          options.classes = 2;
        } else {
          (name == "peak" ? options.peak : options.threshold) = value;
        }
      }
      auto metric = host::makeMetrics(std::span(&described.metric, 1), options);
      if (!metric)
        return metric.error();
      report.metric = std::move(*metric);
      report.wantsTargets = described.metric == "psnr";
    }
    result.reports.push_back(std::move(report));
  }
  return result;
}

TensorView Reports::valueOf(const Operand &operand, const host::Batch &batch, const StepCall &call,
                            ArrayRef<host::Tensor> replaced) const {
  if (!operand.output)
    return binding->find(batch, operand.name);
  return replaced.empty() ? call.output(*operand.output) : replaced[*operand.output].view();
}

static std::vector<int64_t> toIntegers(const TensorView &view) {
  std::vector<int64_t> numbers;
  if (view.dtype == host::DType::I64) {
    numbers.resize(static_cast<size_t>(view.elements()));
    std::memcpy(numbers.data(), view.bytes.data(), view.bytes.size());
    return numbers;
  }
  for (double value : view.toDoubles())
    numbers.push_back(std::llround(value));
  return numbers;
}

static bool isLastTile(const host::TileOfPicture &tile) { return tile.tile + 1 == tile.tiling->count(); }

host::Result<void> Reports::add(const host::Batch &batch, const StepCall &call, ArrayRef<host::Tensor> replaced) {
  double weight = static_cast<double>(batch.count);
  auto scalar = [&](size_t output) {
    return replaced.empty() ? call.scalar(output) : replaced[output].view().toDoubles().front();
  };
  for (Loss &loss : losses)
    loss.mean.add(scalar(loss.output), weight);
  for (Report &report : reports) {
    if (!report.metric) {
      report.mean.add(valueOf(report.operands.front(), batch, call, replaced).toDoubles().front(), weight);
      continue;
    }
    TensorView first = valueOf(report.operands[0], batch, call, replaced);
    TensorView second = valueOf(report.operands[1], batch, call, replaced);
    if (auto added = tiles ? addTiles(report, batch, first, second) : addTo(report, first, second); !added)
      return host::makeError("{}: {}", report.name, added.error().message);
  }
  for (int64_t sample : batch.samples)
    sampleCount += !tiles || isLastTile(*tiles->tile(sample));
  return {};
}

host::Result<void> Reports::addTo(Report &report, const TensorView &first, const TensorView &second) {
  std::vector<float> scores = first.toFloats(), targets;
  std::vector<int64_t> labels;
  if (report.wantsTargets)
    targets = second.toFloats();
  else
    labels = toIntegers(second);
  if (report.positive)
    for (int64_t &label : labels)
      label = label == host::ignoredLabel ? label : label == *report.positive;
  return report.metric->add({scores, first.shape, labels, targets});
}

host::Result<void> Reports::assemble(const host::Dataset &data) {
  std::array<int64_t, 2> size = data.tile(0)->tiling->outputSize();
  for (const Report &report : reports)
    for (const Operand &operand : report.operands)
      if (size_t rank = operand.shape.size();
          report.metric && (rank < 2 || operand.shape[rank - 2] != size[0] || operand.shape[rank - 1] != size[1]))
        return host::makeError(
            "report '{}' takes {} of each image: tiles are put together of what has a value for each of "
            "their {}x{} pixels",
            report.name, rank ? "values of shape " + host::shapeText(operand.shape) : "one number", size[0], size[1]);
  tiles = data;
  return {};
}

host::Result<void> Reports::addTiles(Report &report, const host::Batch &batch, const TensorView &first,
                                     const TensorView &second) {
  const TensorView *views[2] = {&first, &second};
  std::vector<float> values[2] = {first.toFloats(), second.toFloats()};
  for (size_t i = 0; i < batch.samples.size(); ++i) {
    host::TileOfPicture tile = *tiles->tile(batch.samples[i]);
    for (size_t k = 0; k < 2; ++k) {
      const std::vector<int64_t> &shape = views[k]->shape;
      size_t elements = values[k].size() / batch.samples.size();
      int64_t area = shape[shape.size() - 2] * shape.back(), planes = static_cast<int64_t>(elements) / area;
      if (tile.tile == 0)
        report.whole[k] = host::Tensor::zeros(host::DType::F32, {planes, tile.size[0], tile.size[1]});
      tile.tiling->paste(std::span(values[k]).subspan(i * elements, elements), tile.tile, report.whole[k]);
    }
    if (!isLastTile(tile))
      continue;
    TensorView whole[2];
    for (size_t k = 0; k < 2; ++k) {
      whole[k] = report.whole[k].view();
      std::vector<int64_t> shape = views[k]->shape;
      shape.front() = 1;
      shape[shape.size() - 2] = tile.size[0];
      shape.back() = tile.size[1];
      whole[k].shape = std::move(shape);
    }
    if (auto added = addTo(report, whole[0], whole[1]); !added)
      return added;
  }
  return {};
}

void Reports::clear() {
  for (Loss &loss : losses)
    loss.mean = {};
  for (Report &report : reports) {
    report.mean = {};
    if (report.metric)
      report.metric->clear();
  }
  sampleCount = 0;
}

std::vector<NamedValue> Reports::values() const {
  std::vector<NamedValue> values;
  for (const Loss &loss : ArrayRef(losses).drop_front())
    values.push_back({loss.name, loss.mean.value()});
  for (const Report &report : reports) {
    if (!report.metric) {
      values.push_back({report.name, report.mean.value()});
      continue;
    }
    std::vector<NamedValue> figures = report.metric->values();
    if (figures.size() == 1)
      figures.front().first = report.name;
    llvm::append_range(values, figures);
  }
  return values;
}

std::vector<std::string> Reports::names() const {
  std::vector<std::string> names;
  for (const NamedValue &value : values())
    names.push_back(value.first);
  return names;
}

std::vector<double> Reports::batchLosses(const StepCall &call) const {
  std::vector<double> values;
  for (const Loss &loss : losses)
    values.push_back(call.scalar(loss.output));
  return values;
}

const host::ConfusionMatrix *Reports::confusion() const {
  for (const Report &report : reports)
    if (report.metric && report.metric->confusion())
      return report.metric->confusion();
  return nullptr;
}

std::string Reports::state() const {
  std::string text = std::to_string(sampleCount);
  for (const Loss &loss : losses)
    text += fmt::format(" {:a} {:a}", loss.mean.sum, loss.mean.weight);
  return text;
}

host::Result<void> Reports::restore(std::string_view state) {
  SmallVector<StringRef> words;
  StringRef(state).split(words, ' ');
  if (words.size() != 1 + 2 * losses.size() || words[0].getAsInteger(10, sampleCount))
    return host::makeError("the checkpoint's losses are of another train block");
  for (size_t i = 0; i < losses.size(); ++i) {
    losses[i].mean.sum = std::strtod(words[1 + 2 * i].str().c_str(), nullptr);
    losses[i].mean.weight = std::strtod(words[2 + 2 * i].str().c_str(), nullptr);
  }
  return {};
}

} // namespace cnn
