//===- LearningRateFinder.cpp - Which learning rate to begin with ---------===//
//
// Points of the sweep lie evenly over the logarithm of the rate, so that differences of neighbours are its derivative.
//
//===----------------------------------------------------------------------===//
#include "runtime/host/training/LearningRateFinder.h"

#include "runtime/host/Csv.h"
#include "runtime/host/File.h"

#include <algorithm>
#include <cmath>
#include <iterator>

namespace cnn::host {

Result<LearningRateFinder> LearningRateFinder::create(const LearningRateSweep &sweep) {
  if (!(sweep.low > 0 && sweep.high > sweep.low && std::isfinite(sweep.high)))
    return makeError("a sweep of the learning rate from {} to {} (expected 0 < low < high)", sweep.low, sweep.high);
  if (sweep.steps < 5)
    return makeError("a sweep of the learning rate in {} steps (expected 5 or more)", sweep.steps);
  if (!(sweep.smoothing >= 0 && sweep.smoothing < 1))
    return makeError("the sweep's smoothing is {} (expected 0 or more and below 1)", sweep.smoothing);
  if (!(sweep.divergence > 1))
    return makeError("the sweep's divergence is {} (expected more than 1)", sweep.divergence);
  return LearningRateFinder(sweep);
}

double LearningRateFinder::rate() const {
  return sweep.low *
         std::pow(sweep.high / sweep.low, static_cast<double>(all.size()) / static_cast<double>(sweep.steps - 1));
}

bool LearningRateFinder::add(double loss) {
  if (!std::isfinite(loss) || static_cast<int64_t>(all.size()) >= sweep.steps)
    return false;
  const double rateOfStep = rate();
  mean = sweep.smoothing * mean + (1 - sweep.smoothing) * loss;
  const double smoothed = mean / (1 - std::pow(sweep.smoothing, static_cast<double>(all.size() + 1)));
  bestSmoothed = all.empty() ? smoothed : std::min(bestSmoothed, smoothed);
  all.push_back({rateOfStep, loss, smoothed});
  // For positive losses: smoothed > divergence * best.
  const bool blownUp = smoothed > bestSmoothed + (sweep.divergence - 1) * std::abs(bestSmoothed);
  return !blownUp && static_cast<int64_t>(all.size()) < sweep.steps;
}

Result<double> LearningRateFinder::suggestion() const {
  if (all.size() < 5)
    return makeError("the loss blew up after {} steps of the sweep (expected 5 or more): begin lower", all.size());
  const auto lowest =
      std::min_element(all.begin(), all.end(), [](const Point &a, const Point &b) { return a.smoothed < b.smoothed; });
  const auto end = static_cast<size_t>(lowest - all.begin());
  const double *rateFound = nullptr;
  double steepest = 0;
  for (size_t i = std::max<size_t>(1, all.size() / 10); i < end; ++i)
    if (const double slope = all[i + 1].smoothed - all[i - 1].smoothed; slope < steepest) {
      steepest = slope;
      rateFound = &all[i].rate;
    }
  if (!rateFound)
    return makeError("the loss never fell in the sweep of learning rates from {:g} to {:g}", all.front().rate,
                     all.back().rate);
  return *rateFound;
}

Result<void> LearningRateFinder::writeCsv(const std::string &path) const {
  std::string text = "learning_rate,loss,smoothed\n";
  for (const Point &point : all)
    fmt::format_to(std::back_inserter(text), "{},{},{}\n", csvNumber(point.rate), csvNumber(point.loss),
                   csvNumber(point.smoothed));
  return writeFile(path, text);
}

Figure LearningRateFinder::figure() const {
  Series loss{"loss", {}, {}, {176, 196, 214}, false}, smoothed{"smoothed loss", {}, {}, plotColour(0), false};
  for (const Point &point : all) {
    loss.x.push_back(point.rate);
    loss.y.push_back(point.loss);
    smoothed.x.push_back(point.rate);
    smoothed.y.push_back(point.smoothed);
  }
  Panel panel;
  panel.title = "sweep of the learning rate";
  panel.xLabel = "learning rate";
  panel.logarithmicX = true;
  panel.series = {std::move(loss), std::move(smoothed)};
  if (Result<double> best = suggestion())
    panel.marks.push_back({*best, fmt::format("steepest at {:.2g}", *best)});
  Figure figure;
  figure.panels.push_back(std::move(panel));
  return figure;
}

} // namespace cnn::host
