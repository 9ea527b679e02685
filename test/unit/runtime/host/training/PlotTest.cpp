//===- PlotTest.cpp - Curves in panels ------------------------------------===//
//
// Ticks, the place of a curve, smooth edges, and that no two texts of a figure overlap.
//
//===----------------------------------------------------------------------===//
#include "runtime/host/Plot.h"

#include "runtime/host/File.h"
#include "test/unit/runtime/host/HostTest.h"

#include <cmath>
#include <random>
#include <regex>

namespace cnn::host {
namespace {

TEST(PlotTest, RoundTicks) {
  EXPECT_EQ(roundTicks(0, 1, 5), (std::vector<double>{0, 0.2, 0.4, 0.6000000000000001, 0.8, 1}));
  EXPECT_EQ(roundTicks(-3, 12, 4), (std::vector<double>{0, 5, 10}));
  EXPECT_EQ(roundTicks(0, 10000, 5), (std::vector<double>{0, 2000, 4000, 6000, 8000, 10000}));
  EXPECT_EQ(roundTicks(5, 5, 5), std::vector<double>{5});
  EXPECT_TRUE(roundTicks(1, 9, 1).empty()); // ten apart
  EXPECT_EQ(logarithmicTicks(1e-3, 10), (std::vector<double>{0.001, 0.01, 0.1, 1, 10}));
  EXPECT_EQ(logarithmicTicks(1, 20), (std::vector<double>{1, 2, 5, 10, 20}));
  EXPECT_TRUE(logarithmicTicks(0, 1).empty());
}

TEST(PlotTest, TickTexts) {
  EXPECT_EQ(tickText(0.25, 0.25), "0.25");
  EXPECT_EQ(tickText(0.5, 0.25), "0.50");
  EXPECT_EQ(tickText(20, 5), "20");
  EXPECT_EQ(tickText(0, 0.1), "0");
  EXPECT_EQ(tickText(12000, 2000), "12k");
  EXPECT_EQ(tickText(12500, 2500), "12.5k");
  EXPECT_EQ(tickText(1500, 500), "1500");
  EXPECT_EQ(tickText(2e6, 1e6), "2M");
  EXPECT_EQ(tickText(1e-5, 1e-5), "1e-05");
  EXPECT_EQ(tickText(-0.75, 0.25), "-0.75");
}

/// A figure with one straight line.
Figure line(std::vector<double> y) {
  Series series{"a", {}, std::move(y), {255, 0, 0}, false};
  for (size_t i = 0; i < series.y.size(); ++i)
    series.x.push_back(static_cast<double>(i));
  Figure figure;
  figure.panels.push_back({"title", "x", {series}, {}, false, false});
  return figure;
}

int64_t redPixels(const Image &image) {
  int64_t count = 0;
  for (int y = 0; y < image.height; ++y)
    for (int x = 0; x < image.width; ++x) {
      const uint8_t *pixel = image.at(y, x);
      count += pixel[0] > 200 && pixel[1] < 120 && pixel[2] < 120;
    }
  return count;
}

TEST(PlotTest, DrawsWhatIsThere) {
  const Image image = drawPlot(line({1, 2, 3}));
  EXPECT_EQ(image.width, 640);
  EXPECT_EQ(image.height, 400);
  // The line runs from the lower left to the upper right.
  int leftY = -1, rightY = -1;
  for (int y = 90; y < image.height; ++y) {
    const auto isRed = [&](int x) { return image.at(y, x)[0] > 200 && image.at(y, x)[1] < 120; };
    leftY = isRed(150) ? y : leftY;
    rightY = isRed(550) ? y : rightY;
  }
  EXPECT_GT(leftY, rightY + 100);
  EXPECT_GT(rightY, 0);
  // Gaps for what is no number; nothing at all is no error.
  EXPECT_LT(redPixels(drawPlot(line({1, NAN, 3}))), redPixels(image));
  EXPECT_GT(redPixels(drawPlot(line({5}))), 0);
  EXPECT_GT(redPixels(drawPlot(line({5, 5, 5}))), 500);
  EXPECT_LT(redPixels(drawPlot(line({NAN, INFINITY}))), 100);
  drawPlot(line({}));
  drawPlot(Figure());
  drawPlot(line({-1e308, 1e308}));
  drawPlot(line({1e-320, 2e-320}));
  Figure logarithmic = line({-1, 0, 1, 10});
  logarithmic.panels[0].logarithmicY = true;
  EXPECT_GT(redPixels(drawPlot(logarithmic)), 0);
}

struct Box {
  double left, top, right, bottom;
  std::string text;
};

std::vector<Box> textBoxes(const std::string &svg) {
  static const std::regex pattern(
      "<text x=\"([-0-9.]+)\" y=\"([-0-9.]+)\" font-size=\"([0-9.]+)\".*text-anchor=\"(\\w+)\" "
      "textLength=\"([0-9.]+)\"[^>]*>([^<]*)<");
  std::vector<Box> boxes;
  for (std::sregex_iterator found(svg.begin(), svg.end(), pattern), end; found != end; ++found) {
    const double x = std::stod((*found)[1]), y = std::stod((*found)[2]), size = std::stod((*found)[3]),
                 width = std::stod((*found)[5]);
    const double left = (*found)[4] == "start" ? x : (*found)[4] == "end" ? x - width : x - width / 2;
    boxes.push_back({left, y - size * 0.73, left + width, y, (*found)[6]});
  }
  return boxes;
}

TEST(PlotTest, TextsDoNotOverlap) {
  const unsigned seed = 11;
  std::mt19937 random(seed);
  auto uniform = [&](double low, double high) {
    return low + (high - low) * static_cast<double>(random()) / 4294967296.0;
  };
  for (int round = 0; round < 100; ++round) {
    Figure figure;
    figure.title = "a figure";
    for (unsigned panels = 1 + random() % 5; panels > 0; --panels) {
      Panel panel{"metric", "epoch", {}, {}, random() % 3 == 0, random() % 3 == 0};
      const double xScale = std::pow(10, uniform(-7, 7)), yScale = std::pow(10, uniform(-7, 9)),
                   offset = uniform(-2, 2);
      for (size_t count = 1 + random() % 6; count > 0; --count) {
        Series series{"series " + std::string(random() % 30, 'x'), {}, {}, plotColour(count), false};
        for (size_t points = 1 + random() % 30; points > 0; --points) {
          series.x.push_back(uniform(0, xScale));
          series.y.push_back((uniform(0, 1) + offset) * yScale);
        }
        panel.series.push_back(series);
      }
      figure.panels.push_back(panel);
    }
    const std::string svg = drawPlotSvg(figure);
    const std::vector<Box> boxes = textBoxes(svg);
    ASSERT_GT(boxes.size(), figure.panels.size() * 3) << "seed " << seed << ", round " << round;
    const double width = std::stod(svg.substr(svg.find(" width=\"") + 8));
    for (size_t i = 0; i < boxes.size(); ++i) {
      EXPECT_GE(boxes[i].left, 0) << boxes[i].text << ", seed " << seed << ", round " << round;
      EXPECT_LE(boxes[i].right, width) << boxes[i].text << ", seed " << seed << ", round " << round;
      for (size_t j = 0; j < i; ++j)
        EXPECT_TRUE(boxes[i].left >= boxes[j].right || boxes[j].left >= boxes[i].right ||
                    boxes[i].top >= boxes[j].bottom || boxes[j].top >= boxes[i].bottom)
            << "'" << boxes[i].text << "' over '" << boxes[j].text << "', seed " << seed << ", round " << round;
    }
    if (HasFailure())
      return;
  }
}

TEST(PlotTest, SvgEscapes) {
  Figure figure = line({1, 2});
  figure.panels[0].title = "a<b & \"c\"\n";
  EXPECT_NE(drawPlotSvg(figure).find(">a&lt;b &amp; &quot;c&quot;?</text>"), std::string::npos);
}

TEST(PlotTest, LinesHaveSmoothEdges) {
  Canvas canvas(20, 20, {255, 255, 255});
  const Point points[] = {{2, 10}, {18, 10}};
  canvas.polyline(points, 3, {0, 0, 0}); // rows 8.5 to 11.5
  EXPECT_EQ(canvas.image().at(9, 10)[0], 0);
  EXPECT_EQ(canvas.image().at(10, 10)[0], 0);
  EXPECT_EQ(canvas.image().at(8, 10)[0], 128);
  EXPECT_EQ(canvas.image().at(11, 10)[0], 128);
  EXPECT_EQ(canvas.image().at(7, 10)[0], 255);
  // Half a pixel of a rectangle is half of its colour; what leaves the picture is cut.
  canvas.rectangle(-5, 0, 30, 0.5, {0, 0, 0});
  EXPECT_EQ(canvas.image().at(0, 0)[0], 128);
  canvas.text({-50, 3}, "cut on every side, on the left and on the right", 9, {0, 0, 0});
  canvas.disc({1e9, NAN}, 3, {0, 0, 0});
}

TEST(PlotTest, TextHasItsWidth) {
  Canvas canvas(40, 200, {255, 255, 255});
  canvas.text({10, 30}, "HH", 14, {0, 0, 0});
  int left = 200, right = 0, top = 40, bottom = 0;
  for (int y = 0; y < 40; ++y)
    for (int x = 0; x < 200; ++x)
      if (canvas.image().at(y, x)[0] < 128) {
        left = std::min(left, x), right = std::max(right, x);
        top = std::min(top, y), bottom = std::max(bottom, y);
      }
  EXPECT_EQ(textWidth("HH", 14), 22);
  EXPECT_NEAR(left, 10, 1);
  EXPECT_NEAR(right, 31, 1);
  EXPECT_NEAR(top, 16, 1);
  EXPECT_NEAR(bottom, 29, 1);
}

} // namespace
} // namespace cnn::host
