//===- Metrics.cpp - How good a network is --------------------------------===//
//
// One class does all metrics of a run in one pass over the scores.
//
//===----------------------------------------------------------------------===//
#include "runtime/host/training/Metrics.h"

#include "runtime/host/Components.h"
#include "runtime/host/Safetensors.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdlib>
#include <limits>
#include <numeric>

namespace cnn::host {
namespace {

constexpr double undefined = std::numeric_limits<double>::quiet_NaN();
constexpr int64_t mostClasses = 4096; // a matrix of more would not fit in memory, and nobody would read it

double share(int64_t part, int64_t whole) {
  return whole ? static_cast<double>(part) / static_cast<double>(whole) : undefined;
}

/// A figure of the confusion matrix: for each class and as a mean.
struct ClassFigure {
  const char *name;
  double (ConfusionMatrix::*ofClass)(int64_t) const;
  double (ConfusionMatrix::*mean)() const;
  bool alwaysMean;
};

constexpr ClassFigure classFigures[] = {
    {"precision", &ConfusionMatrix::precision, &ConfusionMatrix::meanPrecision, false},
    {"recall", &ConfusionMatrix::recall, &ConfusionMatrix::meanRecall, false},
    {"f1", &ConfusionMatrix::f1, &ConfusionMatrix::meanF1, false},
    {"iou", &ConfusionMatrix::intersectionOverUnion, &ConfusionMatrix::meanIntersectionOverUnion, false},
    {"mean_precision", &ConfusionMatrix::precision, &ConfusionMatrix::meanPrecision, true},
    {"mean_recall", &ConfusionMatrix::recall, &ConfusionMatrix::meanRecall, true},
    {"mean_f1", &ConfusionMatrix::f1, &ConfusionMatrix::meanF1, true},
    {"miou", &ConfusionMatrix::intersectionOverUnion, &ConfusionMatrix::meanIntersectionOverUnion, true},
};

const ClassFigure *classFigureNamed(std::string_view name) {
  const auto *found = std::find_if(std::begin(classFigures), std::end(classFigures),
                                   [&](const auto &known) { return name == known.name; });
  return found == std::end(classFigures) ? nullptr : found;
}

/// The K of "topK"; 0 for other names.
int64_t topOf(std::string_view name) {
  int64_t k = 0;
  if (!name.starts_with("top"))
    return 0;
  const auto [end, code] = std::from_chars(name.data() + 3, name.data() + name.size(), k);
  return code == std::errc() && end == name.data() + name.size() && k > 0 ? k : 0;
}

/// Whether fewer than k scores come before the label's.
bool isAmongTop(std::span<const float> scores, int64_t label, int64_t k) {
  const float own = scores[static_cast<size_t>(label)];
  int64_t before = 0;
  for (size_t i = 0; i < scores.size(); ++i)
    before += scores[i] > own || (scores[i] == own && static_cast<int64_t>(i) < label);
  return before < k;
}

/// log(p / (1 - p)) of every class's softmax probability p. The likeliest one's 1 - p is summed from the others, so
/// that it does not vanish.
void softmaxLogits(std::span<const float> scores, std::vector<double> &logits) {
  logits.assign(scores.size(), undefined);
  const size_t top = static_cast<size_t>(std::max_element(scores.begin(), scores.end()) - scores.begin());
  double others = 0;
  for (size_t i = 0; i < scores.size(); ++i)
    if (i != top)
      others += std::exp(static_cast<double>(scores[i]) - scores[top]);
  for (size_t i = 0; i < scores.size(); ++i) {
    const double own = static_cast<double>(scores[i]) - scores[top];
    logits[i] = i == top ? -std::log(others) : own - std::log1p(others - std::exp(own));
  }
}

class MetricSet final : public Metric {
public:
  MetricSet(std::span<const std::string> names, const MetricOptions &options)
      : names(names.begin(), names.end()), options(options) {
    for (const std::string &name : names) {
      needsPairs |= name == "psnr";
      needsRoc |= name == "auc";
      needsCounts |= name == "count_error";
      needsMatrix |= name == "confusion" || classFigureNamed(name) != nullptr;
      if (const int64_t k = topOf(name))
        tops.push_back({k, 0});
    }
    needsLabels = std::any_of(names.begin(), names.end(), [](const std::string &name) { return name != "psnr"; });
    if (options.classes > 0)
      setClasses(options.classes);
  }

  Result<void> add(const MetricBatch &batch) override {
    const std::optional<int64_t> size = elementCount(batch.shape);
    if (batch.shape.empty() || !size || *size != static_cast<int64_t>(batch.scores.size()))
      return makeError("metrics got {} scores for a shape of {}", batch.scores.size(), shapeText(batch.shape));
    if (needsPairs && batch.targets.size() != batch.scores.size())
      return makeError("psnr compares {} values with {}", batch.scores.size(), batch.targets.size());
    if (needsLabels)
      if (Result<void> added = addLabelled(batch); !added)
        return added;
    if (needsPairs)
      addPairs(batch);
    return {};
  }

  std::vector<NamedValue> values() const override {
    std::vector<NamedValue> result;
    size_t top = 0;
    for (const std::string &name : names) {
      if (name == "accuracy")
        result.emplace_back(name, share(right, samples));
      else if (name == "psnr")
        result.emplace_back(name, pixels ? peakSignalToNoise(squaredError / static_cast<double>(pixels), options.peak)
                                         : undefined);
      else if (name == "count_error")
        result.emplace_back(name, share(countDifference, objects));
      else if (name == "auc")
        result.emplace_back(name, meanAreaUnderRoc());
      else if (topOf(name))
        result.emplace_back(name, share(tops[top++].right, samples));
      else if (const ClassFigure *figure = classFigureNamed(name))
        addFigure(*figure, result);
    }
    return result;
  }

  int64_t undefinedSamples() const override { return undefinedCount; }
  const ConfusionMatrix *confusion() const override { return matrix ? &*matrix : nullptr; }

  void clear() override {
    if (matrix)
      matrix->clear();
    for (Top &top : tops)
      top.right = 0;
    rocScores.assign(rocScores.size(), {});
    rocLabels.clear();
    samples = right = undefinedCount = pixels = countDifference = objects = 0;
    squaredError = 0;
  }

private:
  struct Top {
    int64_t k;
    int64_t right;
  };

  void setClasses(int64_t count) {
    options.classes = count;
    if (needsMatrix)
      matrix.emplace(count, options.classNames);
    if (needsRoc)
      rocScores.resize(count == 2 ? 1 : static_cast<size_t>(count));
  }

  Result<void> addLabelled(const MetricBatch &batch) {
    const int64_t given = batch.shape.size() == 1 ? 1 : batch.shape[1];
    const int64_t classes = given == 1 ? 2 : given;
    const auto count = static_cast<size_t>(batch.shape[0]);
    if (given == 0)
      return makeError("metrics got scores of no class, of shape {}", shapeText(batch.shape));
    const size_t places = count ? batch.scores.size() / (count * static_cast<size_t>(given)) : 0;
    if (batch.labels.size() != count * places)
      return makeError("metrics got {} labels for scores of shape {} (expected {})", batch.labels.size(),
                       shapeText(batch.shape), count * places);
    if (options.classes != 0 && options.classes != classes)
      return makeError("metrics for {} classes got scores of shape {}", options.classes, shapeText(batch.shape));
    if (needsMatrix && classes > mostClasses)
      return makeError("a confusion matrix of {} classes is too large (at most {})", classes, mostClasses);
    if (needsCounts && (batch.shape.size() != 4 || classes > 255))
      return makeError("objects are counted in images of at most 255 classes, not in scores of shape {}",
                       shapeText(batch.shape));
    for (int64_t label : batch.labels)
      if (label != ignoredLabel && (label < 0 || label >= classes))
        return makeError("a label is {}, but there are {} classes", label, classes);
    if (options.classes == 0)
      setClasses(classes);

    std::vector<float> scores(static_cast<size_t>(given));
    std::vector<uint8_t> wanted(needsCounts ? places : 0), found(wanted.size());
    for (size_t n = 0; n < count; ++n) {
      for (size_t place = 0; place < places; ++place) {
        const int64_t label = batch.labels[n * places + place];
        if (label == ignoredLabel)
          continue;
        for (size_t c = 0; c < scores.size(); ++c)
          scores[c] = batch.scores[(n * scores.size() + c) * places + place];
        const int64_t predicted = predictedClass(scores, options.threshold);
        addSample(scores, label, predicted);
        if (needsCounts) {
          wanted[place] = static_cast<uint8_t>(label);
          found[place] = static_cast<uint8_t>(std::max<int64_t>(predicted, 0));
        }
      }
      if (needsCounts) {
        const int64_t actual = countComponents(wanted, batch.shape[2], batch.shape[3]);
        countDifference += std::abs(countComponents(found, batch.shape[2], batch.shape[3]) - actual);
        objects += actual;
        std::fill(wanted.begin(), wanted.end(), uint8_t(0));
        std::fill(found.begin(), found.end(), uint8_t(0));
      }
    }
    return {};
  }

  void addSample(std::span<const float> scores, int64_t label, int64_t predicted) {
    ++samples;
    if (predicted < 0)
      ++undefinedCount;
    right += predicted == label;
    if (matrix && predicted < 0)
      matrix->addUndefined(label);
    else if (matrix)
      matrix->add(label, predicted);
    for (Top &top : tops)
      top.right +=
          predicted >= 0 && (scores.size() == 1 ? predicted == label || top.k > 1 : isAmongTop(scores, label, top.k));
    if (needsRoc)
      addToRoc(scores, label, predicted < 0);
  }

  void addToRoc(std::span<const float> scores, int64_t label, bool isUndefined) {
    rocLabels.push_back(label);
    if (isUndefined) {
      for (std::vector<double> &column : rocScores)
        column.push_back(undefined);
    } else if (scores.size() == 1) {
      rocScores.front().push_back(scores[0]);
    } else if (scores.size() == 2) {
      rocScores.front().push_back(static_cast<double>(scores[1]) - scores[0]);
    } else {
      softmaxLogits(scores, logits);
      for (size_t c = 0; c < scores.size(); ++c)
        rocScores[c].push_back(logits[c]);
    }
  }

  void addPairs(const MetricBatch &batch) {
    const size_t count = static_cast<size_t>(batch.shape[0]);
    const size_t size = count ? batch.scores.size() / count : 0;
    for (size_t n = 0; n < count; ++n) {
      bool isUndefined = false;
      for (size_t i = n * size; i < (n + 1) * size; ++i) {
        const double error = static_cast<double>(batch.scores[i]) - batch.targets[i];
        isUndefined |= std::isnan(error);
        squaredError += error * error;
      }
      // What also has labels was counted with them.
      undefinedCount += isUndefined && !needsLabels;
    }
    pixels += static_cast<int64_t>(batch.scores.size());
  }

  double meanAreaUnderRoc() const {
    if (rocScores.size() == 1)
      return areaUnderRoc(rocScores.front(), rocLabels);
    double sum = 0;
    int64_t count = 0;
    std::vector<int64_t> isClass(rocLabels.size());
    for (size_t c = 0; c < rocScores.size(); ++c) {
      std::transform(rocLabels.begin(), rocLabels.end(), isClass.begin(),
                     [&](int64_t label) { return int64_t(label == static_cast<int64_t>(c)); });
      if (std::find(isClass.begin(), isClass.end(), 1) == isClass.end())
        continue; // no sample of the class
      sum += areaUnderRoc(rocScores[c], isClass);
      ++count;
    }
    return count ? sum / static_cast<double>(count) : undefined;
  }

  void addFigure(const ClassFigure &figure, std::vector<NamedValue> &result) const {
    if (!matrix || matrix->total() == 0) {
      result.emplace_back(figure.name, undefined);
      return;
    }
    const bool ofOne = !figure.alwaysMean && matrix->classes() == 2;
    result.emplace_back(figure.name, ofOne ? ((*matrix).*figure.ofClass)(1) : ((*matrix).*figure.mean)());
    if (options.everyClass)
      for (int64_t c = 0; c < matrix->classes(); ++c)
        result.emplace_back(fmt::format("{}[{}]", figure.name, matrix->name(c)), ((*matrix).*figure.ofClass)(c));
  }

  std::vector<std::string> names;
  MetricOptions options;
  bool needsLabels = false, needsPairs = false, needsRoc = false, needsMatrix = false, needsCounts = false;

  int64_t samples = 0, right = 0, undefinedCount = 0;
  std::vector<Top> tops;
  std::optional<ConfusionMatrix> matrix;
  std::vector<std::vector<double>> rocScores; // a column a class; one for two classes
  std::vector<int64_t> rocLabels;
  std::vector<double> logits;
  double squaredError = 0;
  int64_t pixels = 0;
  int64_t countDifference = 0, objects = 0; // of whole images
};

} // namespace

int64_t predictedClass(std::span<const float> scores, double threshold) {
  if (std::any_of(scores.begin(), scores.end(), [](float score) { return std::isnan(score); }))
    return -1;
  if (scores.size() == 1)
    return scores[0] > threshold;
  return std::max_element(scores.begin(), scores.end()) - scores.begin();
}

const std::vector<std::string> &metricNames() {
  static const std::vector<std::string> names = [] {
    std::vector<std::string> all = {"accuracy", "top5"};
    for (const ClassFigure &figure : classFigures)
      all.emplace_back(figure.name);
    all.insert(all.end(), {"confusion", "count_error", "psnr", "auc"});
    return all;
  }();
  return names;
}

bool higherIsBetter(std::string_view name) {
  name = name.substr(0, name.find_first_of(".["));
  const std::vector<std::string> &known = metricNames();
  return topOf(name) > 0 || (name != "count_error" && std::find(known.begin(), known.end(), name) != known.end());
}

Result<std::unique_ptr<Metric>> makeMetrics(std::span<const std::string> names, const MetricOptions &options) {
  for (const std::string &name : names) {
    if (topOf(name) > 0 || std::find(metricNames().begin(), metricNames().end(), name) != metricNames().end())
      continue;
    const std::vector<std::string> near = closestNames(name, metricNames(), 1);
    if (!near.empty())
      return makeError("no metric is called {} (did you mean '{}'?)", inQuotes(name), near.front());
    return makeError("no metric is called {} (there are {})", inQuotes(name), fmt::join(metricNames(), ", "));
  }
  const bool needsMatrix = std::any_of(names.begin(), names.end(), [](const std::string &name) {
    return name == "confusion" || classFigureNamed(name) != nullptr;
  });
  if (needsMatrix && options.classes > mostClasses)
    return makeError("a confusion matrix of {} classes is too large (at most {})", options.classes, mostClasses);
  return std::unique_ptr<Metric>(std::make_unique<MetricSet>(names, options));
}

void Mean::add(double value, double weight) {
  sum += value * weight;
  weights += weight;
}

void Mean::add(std::span<const float> values) {
  for (float value : values)
    add(value);
}

double Mean::value() const { return weights > 0 ? sum / weights : undefined; }

double areaUnderRoc(std::span<const double> scores, std::span<const int64_t> labels) {
  std::vector<size_t> order(scores.size());
  std::iota(order.begin(), order.end(), size_t(0));
  if (std::any_of(scores.begin(), scores.end(), [](double score) { return std::isnan(score); }))
    return undefined;
  std::sort(order.begin(), order.end(), [&](size_t a, size_t b) { return scores[a] < scores[b]; });
  // Pairs (positive, negative) in the right order, ties half; doubled, so that all sums are whole and exact.
  double doubledPairs = 0, negativesBelow = 0, positives = 0;
  for (size_t begin = 0, end = 0; begin < order.size(); begin = end) {
    double positivesHere = 0, negativesHere = 0;
    for (end = begin; end < order.size() && scores[order[end]] == scores[order[begin]]; ++end)
      (labels[order[end]] == 1 ? positivesHere : negativesHere) += 1;
    doubledPairs += positivesHere * (2 * negativesBelow + negativesHere);
    negativesBelow += negativesHere;
    positives += positivesHere;
  }
  return positives > 0 && negativesBelow > 0 ? doubledPairs / (2 * positives * negativesBelow) : undefined;
}

double peakSignalToNoise(double meanSquaredError, double peak) {
  return 10 * std::log10(peak * peak / meanSquaredError);
}

} // namespace cnn::host
