//===- EarlyStop.h - The best so far, and when to give up -----------------===//
//
// Watches one value an epoch. Both classes say their state in a line of text, for checkpoints.
//
//===----------------------------------------------------------------------===//
#ifndef CNN_RUNTIME_HOST_TRAINING_EARLYSTOP_H
#define CNN_RUNTIME_HOST_TRAINING_EARLYSTOP_H

#include "runtime/host/Error.h"

#include <cstdint>
#include <string>
#include <string_view>

namespace cnn::host {

enum class Better { Lower, Higher };

/// Keeps the best value and where it was. NaN is never the best.
class BestKeeper {
public:
  explicit BestKeeper(Better better, double minimumDelta = 0) : better(better), minimumDelta(minimumDelta) {}

  /// Whether the value is better than the best before by more than the minimum delta; the first that is no NaN is.
  bool observe(double value, int64_t epoch);
  bool any() const { return known; }
  double value() const { return bestValue; } // with any()
  int64_t epoch() const { return bestEpoch; }

  std::string state() const;
  Result<void> restore(std::string_view state);

private:
  Better better;
  double minimumDelta;
  bool known = false;
  double bestValue = 0;
  int64_t bestEpoch = 0;
};

/// Says stop when the value was not better than the best, by more than the minimum delta, in `patience` epochs in a
/// row.
class EarlyStop {
public:
  EarlyStop(Better better, int64_t patience, double minimumDelta = 0)
      : keeper(better, minimumDelta), patience(patience) {}

  /// Takes an epoch's value; true where training should stop.
  bool observe(double value, int64_t epoch);
  int64_t epochsWithoutImprovement() const { return waited; }
  const BestKeeper &best() const { return keeper; }

  std::string state() const;
  Result<void> restore(std::string_view state);

private:
  BestKeeper keeper;
  int64_t patience;
  int64_t waited = 0;
};

} // namespace cnn::host

#endif // CNN_RUNTIME_HOST_TRAINING_EARLYSTOP_H
