//===- Statistics.h - Figures of gradients and activations ----------------===//
//
// Mean, deviation, range, share of zeros and norm of tensors, gathered piece by piece, and shown as a table: gradients
// that vanish or explode and units that died are seen in it.
//
//===----------------------------------------------------------------------===//
#ifndef CNN_RUNTIME_HOST_TRAINING_STATISTICS_H
#define CNN_RUNTIME_HOST_TRAINING_STATISTICS_H

#include "runtime/host/Tensor.h"

namespace cnn::host {

/// Of the finite values; the others are only counted. Sums are in double, by Welford's method, piece by piece.
class RunningStatistics {
public:
  void add(std::span<const float> values);
  void add(const TensorView &tensor);

  int64_t count() const { return finite + notFinite; }
  int64_t notFiniteCount() const { return notFinite; } // NaN and infinities
  double mean() const;                                 // NaN without finite values, as all below
  double deviation() const;                            // of the population: sqrt(mean of squared deviations)
  double minimum() const;
  double maximum() const;
  double zeroShare() const; // of all values
  double norm() const;      // Euclidean; 0 without finite values

private:
  void addOne(double value);

  int64_t finite = 0;
  int64_t notFinite = 0;
  int64_t zeros = 0;
  double center = 0;
  double squaredDeviations = 0;
  double squares = 0;
  double low = 0;
  double high = 0;
};

struct LayerStatistics {
  std::string name; // "conv1.weight"
  std::string what; // "gradient", "activation", "weight"
  RunningStatistics figures;
};

/// Aligned columns with a heading, for a terminal. A last column says what looks wrong: "not finite", "all zero".
std::string statisticsTable(std::span<const LayerStatistics> layers);

/// epoch,step,name,what,count,mean,deviation,minimum,maximum,zeros,norm,not_finite
std::string statisticsCsvHeader();
std::string statisticsCsv(std::span<const LayerStatistics> layers, int64_t epoch, int64_t step);

} // namespace cnn::host

#endif // CNN_RUNTIME_HOST_TRAINING_STATISTICS_H
