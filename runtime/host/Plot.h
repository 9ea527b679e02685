//===- Plot.h - Curves in panels ------------------------------------------===//
//
// Lines over axes with ticks, a title and a legend above each panel, several panels on one figure; drawn by one layout
// as PNG and as SVG. Values that are no finite numbers, or not positive on a logarithmic axis, leave a gap.
//
//===----------------------------------------------------------------------===//
#ifndef CNN_RUNTIME_HOST_PLOT_H
#define CNN_RUNTIME_HOST_PLOT_H

#include "runtime/host/Canvas.h"

#include <string>
#include <vector>

namespace cnn::host {

struct Series {
  std::string name; // in the legend; empty is not listed
  std::vector<double> x, y;
  Colour colour;
  bool dashed = false;
};

/// A vertical line with a word beside it.
struct PlotMark {
  double x = 0;
  std::string label;
};

struct Panel {
  std::string title;
  std::string xLabel;
  std::vector<Series> series;
  std::vector<PlotMark> marks;
  bool logarithmicX = false;
  bool logarithmicY = false;
};

struct Figure {
  std::string title;
  std::vector<Panel> panels;
  int columns = 0; // 0: as many as make the figure wider than high
};

/// Blue, orange, green, red, ... told apart by colour-blind eyes as well (Okabe and Ito 2008).
Colour plotColour(size_t index);

/// About `count` round numbers (1, 2, 2.5 or 5 times a power of ten apart) within the range; one where it is empty.
std::vector<double> roundTicks(double low, double high, int count);
/// Powers of ten within the range, and 2 and 5 times those where that gives fewer than three.
std::vector<double> logarithmicTicks(double low, double high);
/// The number with as many digits as its distance to the next tick asks for: "0.25", "1e-05", "12k".
std::string tickText(double value, double spacing);

Image drawPlot(const Figure &figure);
std::string drawPlotSvg(const Figure &figure);
/// To PATH.png or PATH.svg by its ending; an error for another.
Result<void> writePlot(const std::string &path, const Figure &figure);

} // namespace cnn::host

#endif // CNN_RUNTIME_HOST_PLOT_H
