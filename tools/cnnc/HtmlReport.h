// `bench` and `explain` as a page: one HTML file with its pictures inside, which needs nothing from elsewhere.
#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace cnn {

struct ReportGroup {
  std::string path, kind, algorithm;
  double flops = 0;                   ///< Of the whole batch, by the direct method.
  double bytes = 0;                   ///< What is read and written at least.
  std::optional<double> milliseconds; ///< Nothing where it was not measured.
  std::vector<std::string> details;   ///< A line each: layouts, schedules, why not more.
};

struct Report {
  std::string title;
  std::vector<std::pair<std::string, std::string>> facts; ///< What was compiled and measured, name and value.
  double peakGflops = 0, gigabytes = 0;                   ///< The roof: of the arithmetic and of the memory, a second.
  std::vector<ReportGroup> groups;
};

/// The page. A group's point in the roofline lies at what was measured, or, where nothing was, at what is attainable.
std::string htmlReport(const Report &report);

/// Milliseconds of a part with `digits` decimals, or nanoseconds' six where `whole`, which it is part of, is short.
std::string millisecondsText(double time, double whole, int digits);

/// The roofline alone, an <svg> element (Williams, Waterman and Patterson 2009): GFLOP/s over FLOP a byte, both
/// logarithmic.
std::string rooflineSvg(const Report &report);

/// What the machine allows a group, in GFLOP/s.
double attainableGflops(const Report &report, const ReportGroup &group);

} // namespace cnn
