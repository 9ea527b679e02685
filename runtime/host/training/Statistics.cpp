//===- Statistics.cpp - Figures of gradients and activations --------------===//
//
// Welford's recurrence (1962): the mean and the squared deviations from it, stable for values far from zero.
//
//===----------------------------------------------------------------------===//
#include "runtime/host/training/Statistics.h"

#include "runtime/host/Csv.h"

#include <algorithm>
#include <cmath>
#include <iterator>
#include <limits>

namespace cnn::host {
namespace {

constexpr double undefined = std::numeric_limits<double>::quiet_NaN();

std::string figure(double value) { return std::isnan(value) ? "-" : fmt::format("{:.3g}", value); }

/// What is worth a look.
std::string remark(const RunningStatistics &figures) {
  if (figures.notFiniteCount() > 0)
    return fmt::format("{} not finite", figures.notFiniteCount());
  if (figures.count() > 0 && figures.zeroShare() == 1)
    return "all zero";
  return {};
}

} // namespace

void RunningStatistics::addOne(double value) {
  if (!std::isfinite(value)) {
    ++notFinite;
    return;
  }
  low = finite == 0 ? value : std::min(low, value);
  high = finite == 0 ? value : std::max(high, value);
  ++finite;
  zeros += value == 0;
  const double distance = value - center;
  center += distance / static_cast<double>(finite);
  squaredDeviations += distance * (value - center);
  squares += value * value;
}

void RunningStatistics::add(std::span<const float> values) {
  for (float value : values)
    addOne(value);
}

void RunningStatistics::add(const TensorView &tensor) {
  for (double value : tensor.toDoubles())
    addOne(value);
}

double RunningStatistics::mean() const { return finite ? center : undefined; }
double RunningStatistics::deviation() const {
  return finite ? std::sqrt(squaredDeviations / static_cast<double>(finite)) : undefined;
}
double RunningStatistics::minimum() const { return finite ? low : undefined; }
double RunningStatistics::maximum() const { return finite ? high : undefined; }
double RunningStatistics::zeroShare() const {
  return count() ? static_cast<double>(zeros) / static_cast<double>(count()) : undefined;
}
double RunningStatistics::norm() const { return std::sqrt(squares); }

std::string statisticsTable(std::span<const LayerStatistics> layers) {
  std::vector<std::vector<std::string>> rows = {
      {"layer", "of", "mean", "deviation", "minimum", "maximum", "zeros", "norm", ""}};
  for (const auto &[name, what, figures] : layers)
    rows.push_back({name, what, figure(figures.mean()), figure(figures.deviation()), figure(figures.minimum()),
                    figure(figures.maximum()),
                    figures.count() ? fmt::format("{:.1f}%", figures.zeroShare() * 100) : "-", figure(figures.norm()),
                    remark(figures)});
  std::vector<size_t> widths(rows.front().size());
  for (const auto &row : rows)
    for (size_t i = 0; i < row.size(); ++i)
      widths[i] = std::max(widths[i], row[i].size());
  std::string text;
  for (const auto &row : rows) {
    std::string line;
    for (size_t i = 0; i < row.size(); ++i) {
      line += i == 0 ? "" : "  ";
      if (i < 2 || i + 1 == row.size())
        line += fmt::format("{:<{}}", row[i], widths[i]);
      else
        line += fmt::format("{:>{}}", row[i], widths[i]);
    }
    line.erase(line.find_last_not_of(' ') + 1);
    text += line + "\n";
  }
  return text;
}

std::string statisticsCsvHeader() {
  return "epoch,step,name,what,count,mean,deviation,minimum,maximum,zeros,norm,not_finite\n";
}

std::string statisticsCsv(std::span<const LayerStatistics> layers, int64_t epoch, int64_t step) {
  std::string text;
  for (const auto &[name, what, figures] : layers)
    fmt::format_to(std::back_inserter(text), "{},{},{},{},{},{},{},{},{},{},{},{}\n", epoch, step, csvField(name),
                   csvField(what), figures.count(), csvNumber(figures.mean()), csvNumber(figures.deviation()),
                   csvNumber(figures.minimum()), csvNumber(figures.maximum()), csvNumber(figures.zeroShare()),
                   csvNumber(figures.norm()), figures.notFiniteCount());
  return text;
}

} // namespace cnn::host
