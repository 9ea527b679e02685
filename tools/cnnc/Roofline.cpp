// The picture of a report; HtmlReport.h has the contract.
#include "tools/cnnc/HtmlReport.h"

#include "tools/cnnc/HtmlText.h"
#include "tools/cnnc/Table.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace cnn {
namespace {

constexpr double kWidth = 960, kHeight = 520, kLeft = 70, kRight = 30, kTop = 20, kBottom = 50;
constexpr double kLetter = 6.6, kLine = 13; // Of a label, about.
constexpr size_t kLabels = 12;

/// A logarithmic axis over whole decades.
struct Axis {
  double low, high, from, to;
  double at(double value) const {
    const double share = (std::log10(value) - low) / (high - low);
    return from + std::clamp(share, 0.0, 1.0) * (to - from);
  }
};

Axis axisOf(double smallest, double largest, double from, double to) {
  double low = std::floor(std::log10(smallest)), high = std::ceil(std::log10(largest));
  if (high <= low)
    high = low + 1;
  return {low, high, from, to};
}

struct Point {
  const ReportGroup *group;
  double intensity, rate, share;
};

struct Box {
  double left, top, right, bottom;
  bool meets(const Box &other) const {
    return left < other.right && other.left < right && top < other.bottom && other.top < bottom;
  }
};

/// 0.01, 1, 1000.
std::string decade(double exponent) {
  return exponent < 0 ? fixed(std::pow(10, exponent), static_cast<int>(-exponent)) : fixed(std::pow(10, exponent), 0);
}

std::string grid(const Axis &x, const Axis &y) {
  std::string text;
  for (int exponent = static_cast<int>(x.low); exponent <= static_cast<int>(x.high); ++exponent) {
    const double at = x.at(std::pow(10, exponent));
    text += fmt::format("<line x1=\"{0:.1f}\" y1=\"{1:.1f}\" x2=\"{0:.1f}\" y2=\"{2:.1f}\" stroke=\"#e3e7ee\"/>\n", at,
                        kTop, kHeight - kBottom);
    text += fmt::format("<text x=\"{:.1f}\" y=\"{:.1f}\" text-anchor=\"middle\">{}</text>\n", at,
                        kHeight - kBottom + 18, decade(exponent));
  }
  for (int exponent = static_cast<int>(y.low); exponent <= static_cast<int>(y.high); ++exponent) {
    const double at = y.at(std::pow(10, exponent));
    text += fmt::format("<line x1=\"{1:.1f}\" y1=\"{0:.1f}\" x2=\"{2:.1f}\" y2=\"{0:.1f}\" stroke=\"#e3e7ee\"/>\n", at,
                        kLeft, kWidth - kRight);
    text += fmt::format("<text x=\"{:.1f}\" y=\"{:.1f}\" text-anchor=\"end\">{}</text>\n", kLeft - 8, at + 4,
                        decade(exponent));
  }
  text += fmt::format("<text x=\"{:.1f}\" y=\"{:.1f}\" text-anchor=\"middle\">FLOP a byte</text>\n",
                      (kLeft + kWidth - kRight) / 2, kHeight - 8);
  text += fmt::format("<text transform=\"translate(16 {:.1f}) rotate(-90)\" text-anchor=\"middle\">GFLOP/s</text>\n",
                      (kTop + kHeight - kBottom) / 2);
  return text;
}

std::string roof(const Report &report, const Axis &x, const Axis &y) {
  const double first = std::pow(10, x.low), last = std::pow(10, x.high);
  const double ridge = std::clamp(report.peakGflops / report.gigabytes, first, last);
  std::string text =
      fmt::format("<polyline points=\"{:.1f},{:.1f} {:.1f},{:.1f} {:.1f},{:.1f}\" fill=\"none\" stroke=\"#1d2433\" "
                  "stroke-width=\"2\"/>\n",
                  x.at(first), y.at(std::min(first * report.gigabytes, report.peakGflops)), x.at(ridge),
                  y.at(std::min(ridge * report.gigabytes, report.peakGflops)), x.at(last),
                  y.at(std::min(last * report.gigabytes, report.peakGflops)));
  text += fmt::format("<text x=\"{:.1f}\" y=\"{:.1f}\" text-anchor=\"end\">{} GFLOP/s</text>\n", x.at(last) - 4,
                      y.at(report.peakGflops) - 6, fixed(report.peakGflops, 0));
  // Along the slope, a quarter of the way up.
  const double middle = std::pow(10, x.low + 0.25 * (std::log10(ridge) - x.low));
  const double angle =
      std::atan2(y.at(ridge * report.gigabytes) - y.at(first * report.gigabytes), x.at(ridge) - x.at(first)) * 180 /
      3.14159265358979;
  if (ridge > first)
    text += fmt::format("<text transform=\"translate({:.1f} {:.1f}) rotate({:.1f})\">{} GB/s</text>\n", x.at(middle),
                        y.at(middle * report.gigabytes) - 6, angle, fixed(report.gigabytes, 1));
  return text;
}

} // namespace

std::string rooflineSvg(const Report &report) {
  std::vector<Point> points;
  double total = 0;
  for (const ReportGroup &group : report.groups)
    total += group.milliseconds.value_or(0);
  for (const ReportGroup &group : report.groups) {
    const bool isMeasured = group.milliseconds && *group.milliseconds > 0;
    if (group.flops <= 0 || group.bytes <= 0)
      continue;
    points.push_back({&group, group.flops / group.bytes,
                      isMeasured ? group.flops / *group.milliseconds * 1e-6 : attainableGflops(report, group),
                      isMeasured && total > 0 ? *group.milliseconds / total : 0});
  }
  const double ridge = report.gigabytes > 0 ? report.peakGflops / report.gigabytes : 10;
  double smallest = ridge / 10, largest = ridge * 10, slowest = report.peakGflops / 100, fastest = report.peakGflops;
  for (const Point &point : points) {
    smallest = std::min(smallest, point.intensity);
    largest = std::max(largest, point.intensity);
    slowest = std::min(slowest, point.rate);
    fastest = std::max(fastest, point.rate);
  }
  const Axis x = axisOf(smallest, largest, kLeft, kWidth - kRight);
  const Axis y = axisOf(slowest, fastest, kHeight - kBottom, kTop);

  std::string text = fmt::format("<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {:.0f} {:.0f}\" role=\"img\" "
                                 "aria-label=\"Roofline\" font-size=\"12\" fill=\"#5b6577\">\n",
                                 kWidth, kHeight);
  text += grid(x, y);
  if (report.peakGflops > 0 && report.gigabytes > 0)
    text += roof(report, x, y);
  // Large ones first, so that small ones lie on them and can be pointed at.
  std::sort(points.begin(), points.end(),
            [](const Point &a, const Point &b) { return std::pair(b.share, a.group) < std::pair(a.share, b.group); });
  for (const Point &point : points) {
    const std::string tip =
        fmt::format("{} ({}, {}): {} GFLOP/s, {} FLOP a byte{}", point.group->path, point.group->kind,
                    point.group->algorithm, fixed(point.rate, 1), fixed(point.intensity, 1),
                    point.share > 0 ? fmt::format(", {} % of the time", fixed(100 * point.share, 1)) : "");
    text += fmt::format("<circle cx=\"{:.1f}\" cy=\"{:.1f}\" r=\"{:.1f}\" fill=\"#3b6fd4\" fill-opacity=\"0.45\" "
                        "stroke=\"#3b6fd4\"><title>{}</title></circle>\n",
                        x.at(point.intensity), y.at(point.rate), 3.5 + 30 * std::sqrt(point.share), escaped(tip));
  }
  // Names of those that take longest, as far as there is room.
  std::vector<Box> taken;
  for (const Point &point : points) {
    if (taken.size() == kLabels)
      break;
    const double width = kLetter * static_cast<double>(point.group->path.size()),
                 radius = 5 + 30 * std::sqrt(point.share);
    const double baseline = y.at(point.rate) + 4;
    double left = x.at(point.intensity) + radius;
    if (left + width > kWidth)
      left = x.at(point.intensity) - radius - width;
    const Box box = {left, baseline - kLine, left + width, baseline + 3};
    if (std::any_of(taken.begin(), taken.end(), [&](const Box &other) { return box.meets(other); }))
      continue;
    taken.push_back(box);
    text += fmt::format("<text x=\"{:.1f}\" y=\"{:.1f}\" fill=\"#1d2433\">{}</text>\n", left, baseline,
                        escaped(point.group->path));
  }
  return text + "</svg>\n";
}

} // namespace cnn
