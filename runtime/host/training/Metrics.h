//===- Metrics.h - How good a network is ----------------------------------===//
//
// Figures of merit gathered over batches. Everything is counted in integers or summed in double, sample by sample in
// the order they come, so that the result has the same bits however the samples are cut into batches.
//
// NaN: a sample with a NaN among its scores counts as predicted wrongly by accuracy, top-k and the confusion matrix,
// and makes PSNR, AUC and a mean NaN; it never passes for a right answer. undefinedSamples() counts them.
//
//===----------------------------------------------------------------------===//
#ifndef CNN_RUNTIME_HOST_TRAINING_METRICS_H
#define CNN_RUNTIME_HOST_TRAINING_METRICS_H

#include "runtime/host/training/Confusion.h"

#include <memory>
#include <optional>
#include <span>
#include <utility>

namespace cnn::host {

using NamedValue = std::pair<std::string, double>;

/// Scores of a batch, row-major: [N, C] for classes, [N, C, H, W] (or any further dimensions) for one class a pixel;
/// [N], [N, 1] and [N, 1, H, W] are logits of class 1 against class 0. What is no classifier's, PSNR's, may have any
/// shape.
struct MetricBatch {
  std::span<const float> scores;
  std::vector<int64_t> shape;
  /// One a sample, or one a pixel [N, H, W]. `ignored` (below) marks what does not count.
  std::span<const int64_t> labels;
  /// Of PSNR: the wanted values, as many as there are scores.
  std::span<const float> targets;
};

/// The label of pixels and samples that no figure counts.
constexpr int64_t ignoredLabel = -1;

/// The highest score's class, the first of equals; -1 where one is NaN. A single score is a logit: class 1 where it is
/// above `threshold`.
int64_t predictedClass(std::span<const float> scores, double threshold = 0);

class Metric {
public:
  virtual ~Metric() = default;
  /// An error, with nothing counted, where shapes do not fit or a label is beyond the classes.
  virtual Result<void> add(const MetricBatch &batch) = 0;
  /// In a fixed order; NaN where there were no samples.
  virtual std::vector<NamedValue> values() const = 0;
  virtual int64_t undefinedSamples() const { return 0; }
  virtual void clear() = 0;
  /// The matrix behind figures of classes; null where none of them needs one, or before the first batch of a network
  /// whose number of classes was not said.
  virtual const ConfusionMatrix *confusion() const { return nullptr; }
};

struct MetricOptions {
  int64_t classes = 0; // of what classifies, 2 where there is one score; 0: as the first batch has it
  std::vector<std::string> classNames = {};
  double peak = 1;         // of psnr: the largest value a pixel can have
  double threshold = 0;    // of single scores: 0 for logits, 0.5 for probabilities
  bool everyClass = false; // also one value a class, "recall[cat]"
};

/// The names that makeMetrics() knows:
///   accuracy          share of samples (pixels) whose class is right
///   top5, topK        share of samples with fewer than K scores above the label's; equal scores go by index, the lower
///                     first, as in topScores()
///   precision, recall, f1, iou        of each class, see Confusion.h; with one score or two classes, of class 1;
///   otherwise
///                     the mean over classes
///   mean_precision, mean_recall, mean_f1, miou        the mean over classes, always
///   confusion         no value, but a confusion matrix
///   count_error       of images: by how much the numbers of objects, 4-connected components of a class other than 0,
///   in
///                     prediction and label differ, summed over images, as a share of the objects of the labels; lower
///                     is better
///   psnr              10 log10(peak^2 / mean squared error) in dB over all values of all samples; infinite where equal
///   auc               area under the ROC curve: the chance that a sample of class 1 has a higher score than one of
///   class
///                     0, ties counting half (Hanley and McNeil 1982; Mann-Whitney's U over n1 n0); with more classes
///                     the mean of one class against the rest by the logit of its softmax probability. NaN with one
///                     class only
const std::vector<std::string> &metricNames();

/// Whether more of the value of that name is better: for all metrics here, also as "accuracy.2" (the second of that
/// name) and "recall[cat]", not for "loss" and anything unknown.
bool higherIsBetter(std::string_view name);

/// Several metrics in one pass; those that need a confusion matrix share one. Unknown names are an error with the
/// nearest known one.
Result<std::unique_ptr<Metric>> makeMetrics(std::span<const std::string> names, const MetricOptions &options);

/// A mean that is weighted: the loss over batches of different size.
class Mean {
public:
  void add(double value, double weight = 1);
  /// One value a sample, in order: split anywhere, the mean has the same bits.
  void add(std::span<const float> values);
  double value() const; // NaN before the first
  double weight() const { return weights; }
  void clear() { *this = Mean(); }

private:
  double sum = 0;
  double weights = 0;
};

/// The area under the ROC curve of scores with labels 0 and 1; NaN where one of them is missing or a score is NaN.
double areaUnderRoc(std::span<const double> scores, std::span<const int64_t> labels);

/// 10 log10(peak^2 / mse).
double peakSignalToNoise(double meanSquaredError, double peak);

} // namespace cnn::host

#endif // CNN_RUNTIME_HOST_TRAINING_METRICS_H
