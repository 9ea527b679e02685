//===- Plot.cpp - Curves in panels ----------------------------------------===//
//
// Ticks and the layout; what is drawn goes through PlotSurface, which is a canvas or SVG text (PlotSurface.cpp).
//
//===----------------------------------------------------------------------===//
#include "runtime/host/Plot.h"

#include "runtime/host/PlotSurface.h"

#include <algorithm>
#include <cmath>
#include <fmt/format.h>

namespace cnn::host {
namespace {

constexpr double panelWidth = 640, panelHeight = 400, figureTitleHeight = 46;
constexpr double marginRight = 26, marginBottom = 62, headHeight = 46, legendRow = 24;
constexpr double textSize = 11, titleSize = 13, tickSpace = 9;

constexpr Colour ink{40, 44, 52}, faint{120, 126, 136}, grid{228, 231, 236}, frame{168, 174, 184}, white{255, 255, 255};

struct Axis {
  double low = 0, high = 1; // of the values, or of their logarithms
  bool logarithmic = false;
  std::vector<double> ticks;
  std::vector<std::string> labels;

  bool shows(double value) const { return std::isfinite(value) && (!logarithmic || value > 0); }
  double share(double value) const { return ((logarithmic ? std::log10(value) : value) - low) / (high - low); }
};

/// The digits behind the point that a spacing shows: 0 for 20, 1 for 0.5 and 2.5, 2 for 0.25.
int digitsOf(double spacing) {
  const int digits = std::max(0, static_cast<int>(std::ceil(-std::log10(spacing) - 1e-9)));
  const double scaled = spacing * std::pow(10, digits);
  return std::min(9, digits + (std::abs(scaled - std::round(scaled)) > 1e-6));
}

/// The range of the values with a margin, and its ticks.
template <class Values> Axis axisOf(const Panel &panel, Values values, bool logarithmic, double margin, int tickCount) {
  Axis axis;
  axis.logarithmic = logarithmic;
  bool any = false, whole = true;
  for (const Series &series : panel.series)
    for (double value : values(series))
      if (axis.shows(value)) {
        whole &= value == std::round(value);
        const double placed = logarithmic ? std::log10(value) : value;
        axis.low = any ? std::min(axis.low, placed) : placed;
        axis.high = any ? std::max(axis.high, placed) : placed;
        any = true;
      }
  if (!any)
    axis.low = 0, axis.high = 1;
  if (const double least = std::max(std::abs(axis.low), std::abs(axis.high)) * 1e-9; axis.high - axis.low <= least) {
    const double around = logarithmic ? 0.5 : std::max(std::abs(axis.low) * 0.1, 1e-9);
    axis.low -= around, axis.high += around;
  }
  const double span = axis.high - axis.low;
  axis.low -= span * margin, axis.high += span * margin;
  if (logarithmic) {
    axis.ticks = logarithmicTicks(std::pow(10, axis.low), std::pow(10, axis.high));
    for (double tick : axis.ticks)
      axis.labels.push_back(tickText(tick, tick));
    return axis;
  }
  axis.ticks = roundTicks(axis.low, axis.high, tickCount);
  // Epochs and steps have no halves.
  if (whole)
    std::erase_if(axis.ticks, [](double tick) { return tick != std::round(tick); });
  const double spacing = axis.ticks.size() > 1 ? axis.ticks[1] - axis.ticks[0] : 0;
  for (double tick : axis.ticks)
    axis.labels.push_back(tickText(tick, spacing));
  return axis;
}

/// Rows of the legend, each as wide as the panel at most.
std::vector<std::vector<const Series *>> legendRows(const Panel &panel, double width) {
  std::vector<std::vector<const Series *>> rows;
  double used = width;
  for (const Series &series : panel.series) {
    if (series.name.empty())
      continue;
    const double wanted = 30 + textWidth(series.name, textSize) + 22;
    if (rows.empty() || used + wanted > width + 22) {
      rows.emplace_back();
      used = 0;
    }
    rows.back().push_back(&series);
    used += wanted;
  }
  return rows;
}

void drawSeries(PlotSurface &surface, const Series &series, const Axis &x, const Axis &y, double left, double top,
                double width, double height) {
  std::vector<Point> line;
  size_t shown = 0;
  auto flush = [&] {
    if (!line.empty())
      surface.line(line, 2.2, series.colour, series.dashed);
    line.clear();
  };
  const size_t count = std::min(series.x.size(), series.y.size());
  for (size_t i = 0; i < count; ++i) {
    if (!x.shows(series.x[i]) || !y.shows(series.y[i])) {
      flush();
      continue;
    }
    line.push_back({left + x.share(series.x[i]) * width, top + (1 - y.share(series.y[i])) * height});
    ++shown;
  }
  flush();
  // Few points are epochs, which the eye wants to find again; also a single one has no line.
  if (shown > 40)
    return;
  for (size_t i = 0; i < count; ++i)
    if (x.shows(series.x[i]) && y.shows(series.y[i]))
      surface.disc({left + x.share(series.x[i]) * width, top + (1 - y.share(series.y[i])) * height}, 3.2,
                   series.colour);
}

void drawPanel(PlotSurface &surface, const Panel &panel, double originX, double originY) {
  const Axis y = axisOf(
      panel, [](const Series &series) -> const std::vector<double> & { return series.y; }, panel.logarithmicY, 0.05, 6);
  double labelWidth = 0;
  for (const std::string &label : y.labels)
    labelWidth = std::max(labelWidth, textWidth(label, textSize));
  const double left = originX + 22 + std::max(40.0, labelWidth) + tickSpace;
  const double width = originX + panelWidth - marginRight - left;
  const auto legend = legendRows(panel, width);
  const double top = originY + headHeight + legendRow * static_cast<double>(legend.size());
  const double height = originY + panelHeight - marginBottom - top;
  // As many ticks as leave room between labels of up to seven characters.
  const int across = static_cast<int>(width / (textWidth("0000000", textSize) + 16));
  const Axis x = axisOf(
      panel, [](const Series &series) -> const std::vector<double> & { return series.x; }, panel.logarithmicX,
      panel.logarithmicX ? 0.02 : 0.03, across);

  surface.text({left, originY + 30}, panel.title, titleSize, ink, Anchor::Start, true);
  for (size_t row = 0; row < legend.size(); ++row) {
    double at = left;
    const double middle = originY + headHeight + legendRow * static_cast<double>(row) + 4;
    for (const Series *series : legend[row]) {
      const Point sample[] = {{at, middle}, {at + 22, middle}};
      surface.line(sample, 2.6, series->colour, series->dashed);
      surface.text({at + 30, middle + textSize / 2}, series->name, textSize, ink, Anchor::Start, false);
      at += 30 + textWidth(series->name, textSize) + 22;
    }
  }

  for (size_t i = 0; i < y.ticks.size(); ++i) {
    const double at = top + (1 - y.share(y.ticks[i])) * height;
    const Point line[] = {{left, at}, {left + width, at}};
    surface.line(line, 1, grid, false);
    surface.text({left - tickSpace, at + textSize / 2}, y.labels[i], textSize, faint, Anchor::End, false);
  }
  double labelEnd = -1e9; // labels that would touch or leave the panel are left out, their lines stay
  for (size_t i = 0; i < x.ticks.size(); ++i) {
    const double at = left + x.share(x.ticks[i]) * width;
    const Point line[] = {{at, top}, {at, top + height}};
    surface.line(line, 1, grid, false);
    const double half = textWidth(x.labels[i], textSize) / 2;
    if (at - half < labelEnd + 10 || at + half > originX + panelWidth - 4)
      continue;
    surface.text({at, top + height + tickSpace + textSize}, x.labels[i], textSize, faint, Anchor::Middle, false);
    labelEnd = at + half;
  }
  const Point axes[] = {{left, top}, {left, top + height}, {left + width, top + height}};
  surface.line(axes, 1.4, frame, false);
  surface.text({left + width / 2, top + height + tickSpace + 2 * textSize + 14}, panel.xLabel, textSize, ink,
               Anchor::Middle, false);

  double markRow = top + 8 + textSize;
  for (const PlotMark &mark : panel.marks) {
    if (!x.shows(mark.x) || x.share(mark.x) < 0 || x.share(mark.x) > 1)
      continue;
    const double at = left + x.share(mark.x) * width;
    const Point line[] = {{at, top}, {at, top + height}};
    surface.line(line, 1.4, faint, true);
    const bool onLeft = at + 8 + textWidth(mark.label, textSize) > left + width;
    surface.text({onLeft ? at - 8 : at + 8, markRow}, mark.label, textSize, ink, onLeft ? Anchor::End : Anchor::Start,
                 false);
    markRow += textSize + 8;
  }
  for (const Series &series : panel.series)
    drawSeries(surface, series, x, y, left, top, width, height);
  if (panel.series.empty())
    surface.text({left + width / 2, top + height / 2}, "no data", textSize, faint, Anchor::Middle, false);
}

struct Layout {
  int columns, rows;
  double head, width, height;
};

Layout layoutOf(const Figure &figure) {
  const int count = std::max(1, static_cast<int>(figure.panels.size()));
  int columns = figure.columns > 0 ? std::min(figure.columns, count)
                : count <= 3       ? std::min(count, 2)
                : count <= 4       ? 2
                                   : 3;
  if (figure.columns <= 0 && count == 3)
    columns = 3;
  const int rows = (count + columns - 1) / columns;
  const double head = figure.title.empty() ? 0 : figureTitleHeight;
  return {columns, rows, head, columns * panelWidth, rows * panelHeight + head};
}

void drawFigure(PlotSurface &surface, const Figure &figure, const Layout &layout) {
  if (!figure.title.empty())
    surface.text({layout.width / 2, 36}, figure.title, 15, ink, Anchor::Middle, true);
  int row = 0, column = 0;
  for (const Panel &panel : figure.panels) {
    drawPanel(surface, panel, column * panelWidth, layout.head + row * panelHeight);
    if (++column == layout.columns)
      column = 0, ++row;
  }
}

} // namespace

Colour plotColour(size_t index) {
  static constexpr Colour colours[] = {{0, 114, 178},  {230, 120, 0},  {0, 158, 115},  {204, 60, 60},
                                       {150, 90, 180}, {86, 180, 233}, {150, 110, 60}, {90, 90, 90}};
  return colours[index % std::size(colours)];
}

std::vector<double> roundTicks(double low, double high, int count) {
  if (!(high > low) || !std::isfinite(high - low))
    return {low};
  const double rough = (high - low) / std::max(1, count);
  const double power = std::pow(10, std::floor(std::log10(rough)));
  double spacing = 10 * power;
  for (double step : {1.0, 2.0, 2.5, 5.0})
    if (step * power >= rough * (1 - 1e-9)) {
      spacing = step * power;
      break;
    }
  std::vector<double> ticks;
  // Multiples, so that 0 is 0 and errors do not add up.
  const double first = std::ceil(low / spacing - 1e-9), last = std::floor(high / spacing + 1e-9);
  for (int i = 0; first + i <= last && i < 1000; ++i)
    ticks.push_back((first + i) * spacing + 0.0);
  return ticks;
}

std::vector<double> logarithmicTicks(double low, double high) {
  std::vector<double> ticks;
  if (!(low > 0) || !(high >= low) || !std::isfinite(high))
    return ticks;
  const int first = static_cast<int>(std::floor(std::log10(low))), last = static_cast<int>(std::ceil(std::log10(high)));
  auto gather = [&](std::initializer_list<double> steps, int every) {
    ticks.clear();
    for (int power = first; power <= last; ++power)
      for (double step : steps)
        if (const double tick = step * std::pow(10, power);
            power % every == 0 && tick >= low * (1 - 1e-9) && tick <= high * (1 + 1e-9))
          ticks.push_back(tick);
  };
  gather({1}, std::max(1, (last - first) / 8));
  if (ticks.size() < 3)
    gather({1, 2, 5}, 1);
  if (ticks.empty())
    ticks = roundTicks(low, high, 4);
  return ticks;
}

std::string tickText(double value, double spacing) {
  if (value == 0)
    return "0";
  const double size = std::abs(value);
  if (spacing <= 0 || !std::isfinite(spacing))
    spacing = size;
  if (size >= 1e15 || size < 1e-4)
    return fmt::format("{:.3g}", value);
  for (auto [unit, suffix] : {std::pair(1e9, "G"), std::pair(1e6, "M"), std::pair(1e3, "k")})
    if (size >= 10 * unit || (size >= unit && spacing >= unit))
      return fmt::format("{:.{}f}{}", value / unit, digitsOf(spacing / unit), suffix);
  return fmt::format("{:.{}f}", value, digitsOf(spacing));
}

Image drawPlot(const Figure &figure) {
  const Layout layout = layoutOf(figure);
  Canvas canvas(static_cast<int>(layout.height), static_cast<int>(layout.width), white);
  CanvasSurface surface(canvas);
  drawFigure(surface, figure, layout);
  return canvas.image();
}

std::string drawPlotSvg(const Figure &figure) {
  const Layout layout = layoutOf(figure);
  SvgSurface surface(layout.width, layout.height);
  drawFigure(surface, figure, layout);
  return surface.finish();
}

Result<void> writePlot(const std::string &path, const Figure &figure) {
  if (path.ends_with(".png"))
    return writePng(path, drawPlot(figure));
  if (path.ends_with(".svg"))
    return writeFile(path, drawPlotSvg(figure));
  return makeError("cannot write {}: curves are written as .png or .svg", inQuotes(path));
}

} // namespace cnn::host
