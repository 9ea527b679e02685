//===- Confusion.h - Who is taken for whom --------------------------------===//
//
// The confusion matrix of a classifier and the figures that follow from it. Counts are integers, so that nothing
// depends on the order or the batches in which samples come.
//
// With n(a, p) the samples of class a predicted as p, TP = n(c, c), FP = sum over a != c of n(a, c), FN = sum over
// p != c of n(c, p): precision = TP / (TP + FP), recall = TP / (TP + FN), F1 = 2 TP / (2 TP + FP + FN), intersection
// over union = TP / (TP + FP + FN). A quotient 0 / 0 is 0 where the class occurs, as a label or a prediction, and NaN
// where it does not; means over classes ("macro") leave out classes that do not occur.
//
//===----------------------------------------------------------------------===//
#ifndef CNN_RUNTIME_HOST_TRAINING_CONFUSION_H
#define CNN_RUNTIME_HOST_TRAINING_CONFUSION_H

#include "runtime/host/Image.h"

#include <cstdint>
#include <string>
#include <vector>

namespace cnn::host {

class ConfusionMatrix {
public:
  /// `names` are those of the classes; where they are missing, classes are called by their numbers.
  explicit ConfusionMatrix(int64_t classes, std::vector<std::string> names = {});

  int64_t classes() const { return size; }
  std::string name(int64_t index) const;

  /// Both in 0..classes()-1.
  void add(int64_t actual, int64_t predicted, int64_t count = 1) { counts[index(actual, predicted)] += count; }
  /// A sample that was predicted as no class at all, since its scores were NaN: a miss of its class.
  void addUndefined(int64_t actual, int64_t count = 1) { undefinedCounts[static_cast<size_t>(actual)] += count; }
  void clear();

  int64_t count(int64_t actual, int64_t predicted) const { return counts[index(actual, predicted)]; }
  int64_t undefined() const;
  int64_t total() const;
  int64_t labelled(int64_t index) const;  // samples of the class, undefined ones included
  int64_t predicted(int64_t index) const; // samples predicted as the class

  /// The share of samples predicted right; NaN without samples.
  double accuracy() const;
  double precision(int64_t index) const;
  double recall(int64_t index) const;
  double f1(int64_t index) const;
  double intersectionOverUnion(int64_t index) const;
  double meanPrecision() const;
  double meanRecall() const;
  double meanF1() const;
  double meanIntersectionOverUnion() const;

  /// For a terminal: rows are labels, columns predictions, and precision, recall and F1 of each class. Above 20 classes
  /// only those figures of the 20 classes with the lowest F1 and the 20 commonest mistakes.
  std::string table() const;
  /// A heat map with the names of classes and, up to 30 of them, the numbers; each row is shaded by its shares, right
  /// answers in blue and mistakes in red.
  Result<Image> picture() const;

private:
  size_t index(int64_t actual, int64_t predicted) const {
    return static_cast<size_t>(actual) * static_cast<size_t>(size) + static_cast<size_t>(predicted);
  }
  double meanOf(double (ConfusionMatrix::*figure)(int64_t) const) const;

  int64_t size;
  std::vector<std::string> names;
  std::vector<int64_t> counts;          // [actual][predicted]
  std::vector<int64_t> undefinedCounts; // [actual]
};

} // namespace cnn::host

#endif // CNN_RUNTIME_HOST_TRAINING_CONFUSION_H
