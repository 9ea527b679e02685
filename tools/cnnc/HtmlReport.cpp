// The page and its table; the picture is in Roofline.cpp. HtmlReport.h has the contract.
#include "tools/cnnc/HtmlReport.h"

#include "tools/cnnc/HtmlText.h"
#include "tools/cnnc/Table.h"

#include <fmt/format.h>

#include <algorithm>

namespace cnn {
namespace {

constexpr const char kStyle[] = R"css(
body { font: 15px/1.5 system-ui, sans-serif; margin: 2em auto; max-width: 1080px; padding: 0 1em; color: #1d2433; background: #fff; }
h1 { font-size: 1.6em; margin-bottom: .3em; }
h2 { font-size: 1.15em; margin-top: 2em; }
dl { display: grid; grid-template-columns: max-content auto; gap: .1em 1.2em; margin: 0; }
dt { color: #5b6577; }
dd { margin: 0; }
svg { width: 100%; height: auto; margin-top: 1em; }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; }
th, td { text-align: right; padding: .25em .6em; border-bottom: 1px solid #e3e7ee; vertical-align: top; white-space: nowrap; }
th { color: #5b6577; font-weight: 600; position: sticky; top: 0; background: #fff; }
th.left, td.left { text-align: left; white-space: normal; }
td.bar { width: 120px; }
td.bar span { display: block; height: .8em; margin-top: .35em; background: #3b6fd4; border-radius: 2px; }
details { color: #5b6577; font-size: .9em; }
details p { margin: .1em 0; overflow-wrap: anywhere; }
p.note { color: #5b6577; }
)css";

std::string cell(const std::string &text, const char *kind = "") {
  return fmt::format("<td{}>{}</td>", *kind ? fmt::format(" class=\"{}\"", kind) : "", text);
}

struct Times {
  double total = 0, longest = 0;
};

std::string row(const Report &report, const ReportGroup &group, const Times &times, bool isMeasured) {
  std::string name = escaped(group.path);
  if (!group.details.empty()) {
    name += "<details><summary>why</summary>";
    for (const std::string &line : group.details)
      name += "<p>" + escaped(line) + "</p>";
    name += "</details>";
  }
  std::string text = cell(name, "left") + cell(escaped(group.kind), "left") + cell(escaped(group.algorithm), "left");
  const double attainable = attainableGflops(report, group);
  const bool hasWork = group.flops > 0;
  text += cell(hasWork ? fixed(group.flops * 1e-6, 2) : "") + cell(fixed(group.bytes * 1e-6, 3)) +
          cell(hasWork && group.bytes > 0 ? fixed(group.flops / group.bytes, 1) : "");
  if (isMeasured) {
    const double time = group.milliseconds.value_or(0), share = times.total > 0 ? time / times.total : 0;
    const double length = times.longest > 0 ? time / times.longest : 0;
    const double rate = time > 0 ? group.flops / time * 1e-6 : 0;
    text += cell(millisecondsText(time, times.total, 4)) + cell(fixed(100 * share, 1) + " %") +
            cell(fmt::format("<span style=\"width:{:.1f}%\"></span>", 100 * length), "bar");
    text += cell(hasWork ? fixed(rate, 1) : "") +
            cell(hasWork && attainable > 0 ? fixed(100 * rate / attainable, 0) + " %" : "") +
            cell(time > 0 ? fixed(group.bytes / time * 1e-6, 1) : "");
  } else {
    text += cell(hasWork ? fixed(attainable, 1) : "");
  }
  return "<tr>" + text + "</tr>\n";
}

} // namespace

std::string millisecondsText(double time, double whole, int digits) { return fixed(time, whole < 0.1 ? 6 : digits); }

double attainableGflops(const Report &report, const ReportGroup &group) {
  if (group.bytes <= 0 || report.gigabytes <= 0)
    return report.peakGflops;
  return std::min(report.peakGflops, group.flops / group.bytes * report.gigabytes);
}

std::string htmlReport(const Report &report) {
  const bool isMeasured =
      std::any_of(report.groups.begin(), report.groups.end(), [](const auto &group) { return group.milliseconds; });
  Times times;
  for (const ReportGroup &group : report.groups) {
    times.total += group.milliseconds.value_or(0);
    times.longest = std::max(times.longest, group.milliseconds.value_or(0));
  }
  std::string text = fmt::format("<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
                                 "<meta name=\"viewport\" content=\"width=device-width\">\n<title>{}</title>\n"
                                 "<style>{}</style>\n</head>\n<body>\n<h1>{}</h1>\n<dl>\n",
                                 escaped(report.title), kStyle, escaped(report.title));
  for (const auto &[name, value] : report.facts)
    text += fmt::format("<dt>{}</dt><dd>{}</dd>\n", escaped(name), escaped(value));
  text += "</dl>\n<h2>Roofline</h2>\n" + rooflineSvg(report);
  text += isMeasured
              ? "<p class=\"note\">A point is a group of layers, its area the share of the time. Above the slope "
                "are groups that read from caches what they count as memory; above the roof are those whose "
                "algorithm needs less arithmetic than the direct method, by which all are counted.</p>\n"
              : "<p class=\"note\">A point is a group of layers, where the machine lets it be at most.</p>\n";
  text += "<h2>Groups</h2>\n<table>\n<tr><th class=\"left\">group</th><th class=\"left\">kind</th>"
          "<th class=\"left\">algorithm</th><th>MFLOP</th><th>MB</th><th>FLOP/B</th>";
  text += isMeasured ? "<th>ms</th><th>of total</th><th></th><th>GFLOP/s</th><th>of roof</th><th>GB/s</th></tr>\n"
                     : "<th>GFLOP/s at most</th></tr>\n";
  for (const ReportGroup &group : report.groups)
    text += row(report, group, times, isMeasured);
  return text + "</table>\n</body>\n</html>\n";
}

} // namespace cnn
