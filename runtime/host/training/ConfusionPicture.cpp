//===- ConfusionPicture.cpp - The confusion matrix as a heat map ----------===//
//
// Right answers in blue and mistakes in red, shaded by the square root of their share of the row, so that rare mistakes
// are seen too.
//
//===----------------------------------------------------------------------===//
#include "runtime/host/Canvas.h"
#include "runtime/host/training/Confusion.h"

#include <algorithm>
#include <cmath>

namespace cnn::host {
namespace {

constexpr Colour white{255, 255, 255}, ink{40, 44, 52}, faint{120, 126, 136}, grid{228, 231, 236};
constexpr Colour rightColour{0, 92, 158}, wrongColour{206, 62, 40};
constexpr double textSize = 11, titleSize = 13, gap = 10, edge = 24;
constexpr int64_t mostNumbers = 30, mostGridLines = 60;
constexpr size_t longestName = 24;

Colour mixed(Colour from, Colour to, double share) {
  auto channel = [&](uint8_t a, uint8_t b) { return static_cast<uint8_t>(std::lround(a + (b - a) * share)); };
  return {channel(from.red, to.red), channel(from.green, to.green), channel(from.blue, to.blue)};
}

double cellSize(int64_t classes) {
  if (classes <= 12)
    return 54;
  if (classes <= mostNumbers)
    return 40;
  return static_cast<double>(std::max<int64_t>(1, 960 / classes));
}

} // namespace

Result<Image> ConfusionMatrix::picture() const {
  if (size < 1 || size > 8192)
    return makeError("a picture of a confusion matrix of {} classes (expected 1 to 8192)", size);
  const double cell = cellSize(size);
  const double side = cell * static_cast<double>(size);
  std::vector<std::string> labels;
  double widest = 0;
  // Where cells are small, only some lines are named.
  const auto every = std::max<int64_t>(1, static_cast<int64_t>(std::ceil((textSize + 5) / cell)));
  for (int64_t c = 0; c < size; ++c) {
    labels.push_back(name(c));
    if (labels.back().size() > longestName)
      labels.back() = labels.back().substr(0, longestName - 2) + "..";
    if (c % every == 0)
      widest = std::max(widest, textWidth(labels.back(), textSize));
  }
  const bool upright = widest + 8 > cell * static_cast<double>(every);
  const double left = edge + textSize + gap + widest + gap, top = edge + titleSize + 2 * gap;
  const double below = gap + (upright ? widest : textSize) + gap + textSize + edge;
  const std::string title =
      fmt::format("{} samples, {} right", total(), total() ? fmt::format("{:.2f}%", accuracy() * 100) : "none");
  const double width = std::max(left + side + edge, left + textWidth(title, titleSize) + edge);
  Canvas canvas(static_cast<int>(std::ceil(top + side + below)), static_cast<int>(std::ceil(width)), white);
  canvas.text({left, edge + titleSize}, title, titleSize, ink, Anchor::Start, true);

  double largest = 1;
  for (int64_t count : counts)
    largest = std::max(largest, static_cast<double>(count));
  const double digits = textWidth(fmt::format("{}", static_cast<int64_t>(largest)), textSize);
  const double numberSize = std::min(textSize, textSize * (cell - 6) / digits);
  const bool numbers = size <= mostNumbers && numberSize >= 6;
  for (int64_t actual = 0; actual < size; ++actual)
    for (int64_t c = 0; c < size; ++c) {
      const int64_t samples = count(actual, c);
      if (samples == 0)
        continue;
      const double share = std::sqrt(static_cast<double>(samples) / static_cast<double>(labelled(actual)));
      const double x = left + static_cast<double>(c) * cell, y = top + static_cast<double>(actual) * cell;
      canvas.rectangle(x, y, x + cell, y + cell, mixed(white, actual == c ? rightColour : wrongColour, share));
      if (numbers)
        canvas.text({x + cell / 2, y + cell / 2 + numberSize / 2}, fmt::format("{}", samples), numberSize,
                    share > 0.55 ? white : ink, Anchor::Middle);
    }
  for (int64_t line = 0; line <= size; ++line) {
    if (size > mostGridLines && line != 0 && line != size)
      continue;
    const double at = std::floor(static_cast<double>(line) * cell);
    const Colour colour = line == 0 || line == size ? faint : grid;
    canvas.rectangle(left, top + at, left + side + 1, top + at + 1, colour);
    canvas.rectangle(left + at, top, left + at + 1, top + side + 1, colour);
  }
  for (int64_t c = 0; c < size; c += every) {
    const double middle = (static_cast<double>(c) + 0.5) * cell;
    const std::string &label = labels[static_cast<size_t>(c)];
    canvas.text({left - gap, top + middle + textSize / 2}, label, textSize, ink, Anchor::End);
    if (upright)
      canvas.text({left + middle + textSize / 2, top + side + gap}, label, textSize, ink, Anchor::End, false, true);
    else
      canvas.text({left + middle, top + side + gap + textSize}, label, textSize, ink, Anchor::Middle);
  }
  canvas.text({edge + textSize, top + side / 2}, "label", textSize, faint, Anchor::Middle, false, true);
  canvas.text({left + side / 2, top + side + below - edge}, "prediction", textSize, faint, Anchor::Middle);
  return canvas.image();
}

} // namespace cnn::host
