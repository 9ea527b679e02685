//===- LearningRateFinder.h - Which learning rate to begin with -----------===//
//
// The range test of Smith 2017 ("Cyclical Learning Rates", 3.3): the rate grows exponentially from step to step; where
// the smoothed loss falls most steeply over the logarithm of the rate is a good one, and the sweep ends where the loss
// blows up.
//
//===----------------------------------------------------------------------===//
#ifndef CNN_RUNTIME_HOST_TRAINING_LEARNINGRATEFINDER_H
#define CNN_RUNTIME_HOST_TRAINING_LEARNINGRATEFINDER_H

#include "runtime/host/Plot.h"

namespace cnn::host {

struct LearningRateSweep {
  double low = 1e-6;
  double high = 10;
  int64_t steps = 100;
  double smoothing = 0.9; // weight of the past in the exponential mean, whose bias is corrected as in Adam
  double divergence = 4;  // the sweep ends where the smoothed loss is above the best by this factor
};

class LearningRateFinder {
public:
  /// An error where the sweep is none: 0 < low < high, 5 steps or more, smoothing in [0, 1), divergence above 1.
  static Result<LearningRateFinder> create(const LearningRateSweep &sweep);

  /// The rate of the next step: low * (high / low)^(i / (steps - 1)).
  double rate() const;
  /// Takes the loss of the step made with rate(); false where the sweep is over: all steps done, the loss blown up or
  /// no number.
  bool add(double loss);

  struct Point {
    double rate, loss, smoothed;
  };
  const std::vector<Point> &points() const { return all; }

  /// The rate of the steepest descent of the smoothed loss (central differences over log rate, after the first tenth,
  /// where smoothing has not set in, and before the minimum). An error where the loss never fell or there are fewer
  /// than 5 points.
  Result<double> suggestion() const;

  /// learning_rate,loss,smoothed
  Result<void> writeCsv(const std::string &path) const;
  /// The curve with the suggestion marked.
  Figure figure() const;

private:
  explicit LearningRateFinder(const LearningRateSweep &sweep) : sweep(sweep) {}

  LearningRateSweep sweep;
  std::vector<Point> all;
  double mean = 0;
  double bestSmoothed = 0;
};

} // namespace cnn::host

#endif // CNN_RUNTIME_HOST_TRAINING_LEARNINGRATEFINDER_H
