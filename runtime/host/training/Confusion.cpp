//===- Confusion.cpp - Who is taken for whom ------------------------------===//
//
// Counting, the figures that follow, and the table for a terminal; ConfusionPicture.cpp has the heat map.
//
//===----------------------------------------------------------------------===//
#include "runtime/host/training/Confusion.h"

#include <algorithm>
#include <cmath>
#include <iterator>
#include <limits>
#include <numeric>
#include <tuple>

namespace cnn::host {
namespace {

constexpr double undefined = std::numeric_limits<double>::quiet_NaN();
constexpr int64_t widestTable = 20;

double quotient(int64_t part, int64_t whole, bool occurs) {
  if (!occurs)
    return undefined;
  return whole ? static_cast<double>(part) / static_cast<double>(whole) : 0;
}

std::string percent(double share) { return std::isnan(share) ? "-" : fmt::format("{:.2f}%", share * 100); }

/// At most `width` bytes, cut between characters.
std::string cut(const std::string &name, size_t width) {
  if (name.size() <= width)
    return name;
  size_t kept = width - 2;
  while (kept > 0 && (static_cast<unsigned char>(name[kept]) & 0xC0) == 0x80)
    --kept;
  return name.substr(0, kept) + "..";
}

/// Rows of cells in aligned columns; the first column to the left, the others to the right.
std::string aligned(const std::vector<std::vector<std::string>> &rows) {
  std::vector<size_t> widths;
  for (const auto &row : rows) {
    widths.resize(std::max(widths.size(), row.size()));
    for (size_t i = 0; i < row.size(); ++i)
      widths[i] = std::max(widths[i], row[i].size());
  }
  std::string text;
  for (const auto &row : rows) {
    for (size_t i = 0; i < row.size(); ++i)
      text += i == 0 ? fmt::format("{:<{}}", row[i], widths[i]) : fmt::format("  {:>{}}", row[i], widths[i]);
    text.erase(text.find_last_not_of(' ') + 1);
    text += '\n';
  }
  return text;
}

} // namespace

ConfusionMatrix::ConfusionMatrix(int64_t classes, std::vector<std::string> names)
    : size(classes), names(std::move(names)), counts(static_cast<size_t>(classes * classes)),
      undefinedCounts(static_cast<size_t>(classes)) {}

std::string ConfusionMatrix::name(int64_t index) const {
  const auto place = static_cast<size_t>(index);
  return place < names.size() ? names[place] : fmt::format("{}", index);
}

void ConfusionMatrix::clear() {
  std::fill(counts.begin(), counts.end(), 0);
  std::fill(undefinedCounts.begin(), undefinedCounts.end(), 0);
}

int64_t ConfusionMatrix::undefined() const {
  return std::accumulate(undefinedCounts.begin(), undefinedCounts.end(), int64_t(0));
}

int64_t ConfusionMatrix::total() const {
  return std::accumulate(counts.begin(), counts.end(), int64_t(0)) + undefined();
}

int64_t ConfusionMatrix::labelled(int64_t actual) const {
  const auto row = counts.begin() + static_cast<ptrdiff_t>(index(actual, 0));
  return std::accumulate(row, row + size, undefinedCounts[static_cast<size_t>(actual)]);
}

int64_t ConfusionMatrix::predicted(int64_t predictedAs) const {
  int64_t sum = 0;
  for (int64_t actual = 0; actual < size; ++actual)
    sum += count(actual, predictedAs);
  return sum;
}

double ConfusionMatrix::accuracy() const {
  int64_t right = 0;
  for (int64_t c = 0; c < size; ++c)
    right += count(c, c);
  const int64_t all = total();
  return quotient(right, all, all > 0);
}

double ConfusionMatrix::precision(int64_t c) const {
  const int64_t positives = predicted(c);
  return quotient(count(c, c), positives, positives + labelled(c) > 0);
}

double ConfusionMatrix::recall(int64_t c) const {
  const int64_t relevant = labelled(c);
  return quotient(count(c, c), relevant, predicted(c) + relevant > 0);
}

double ConfusionMatrix::f1(int64_t c) const {
  const int64_t both = predicted(c) + labelled(c);
  return quotient(2 * count(c, c), both, both > 0);
}

double ConfusionMatrix::intersectionOverUnion(int64_t c) const {
  const int64_t unionSize = predicted(c) + labelled(c) - count(c, c);
  return quotient(count(c, c), unionSize, unionSize > 0);
}

double ConfusionMatrix::meanOf(double (ConfusionMatrix::*figure)(int64_t) const) const {
  double sum = 0;
  int64_t occurring = 0;
  for (int64_t c = 0; c < size; ++c)
    if (const double value = (this->*figure)(c); !std::isnan(value)) {
      sum += value;
      ++occurring;
    }
  return occurring ? sum / static_cast<double>(occurring) : host::undefined;
}

double ConfusionMatrix::meanPrecision() const { return meanOf(&ConfusionMatrix::precision); }
double ConfusionMatrix::meanRecall() const { return meanOf(&ConfusionMatrix::recall); }
double ConfusionMatrix::meanF1() const { return meanOf(&ConfusionMatrix::f1); }
double ConfusionMatrix::meanIntersectionOverUnion() const { return meanOf(&ConfusionMatrix::intersectionOverUnion); }

std::string ConfusionMatrix::table() const {
  const bool whole = size <= widestTable;
  std::vector<int64_t> shown(static_cast<size_t>(size));
  std::iota(shown.begin(), shown.end(), int64_t(0));
  std::vector<double> scores;
  for (int64_t c = 0; c < size; ++c)
    scores.push_back(f1(c));
  if (!whole) {
    std::erase_if(shown, [&](int64_t c) { return std::isnan(scores[static_cast<size_t>(c)]); });
    std::sort(shown.begin(), shown.end(), [&](int64_t a, int64_t b) {
      return std::pair(scores[static_cast<size_t>(a)], a) < std::pair(scores[static_cast<size_t>(b)], b);
    });
    shown.resize(std::min(shown.size(), static_cast<size_t>(widestTable)));
  }
  const bool anyUndefined = undefined() > 0;

  std::vector<std::vector<std::string>> rows(1, {"label \\ prediction"});
  if (whole)
    for (int64_t c = 0; c < size; ++c)
      rows.front().push_back(cut(name(c), 7));
  if (anyUndefined)
    rows.front().emplace_back("NaN");
  rows.front().insert(rows.front().end(), {"precision", "recall", "F1"});
  for (int64_t actual : shown) {
    std::vector<std::string> row = {cut(name(actual), 24)};
    if (whole)
      for (int64_t c = 0; c < size; ++c)
        row.push_back(count(actual, c) ? fmt::format("{}", count(actual, c)) : ".");
    if (anyUndefined)
      row.push_back(fmt::format("{}", undefinedCounts[static_cast<size_t>(actual)]));
    row.insert(row.end(), {percent(precision(actual)), percent(recall(actual)), percent(f1(actual))});
    rows.push_back(std::move(row));
  }
  if (!whole)
    rows.front().front() = "lowest F1";
  std::string text = aligned(rows);
  if (whole)
    return text;

  struct Mistake {
    int64_t count, actual, predicted;
  };
  std::vector<Mistake> mistakes;
  for (int64_t actual = 0; actual < size; ++actual)
    for (int64_t c = 0; c < size; ++c)
      if (actual != c && count(actual, c) > 0)
        mistakes.push_back({count(actual, c), actual, c});
  std::sort(mistakes.begin(), mistakes.end(), [](const Mistake &a, const Mistake &b) {
    return std::tuple(-a.count, a.actual, a.predicted) < std::tuple(-b.count, b.actual, b.predicted);
  });
  mistakes.resize(std::min(mistakes.size(), static_cast<size_t>(widestTable)));
  if (mistakes.empty())
    return text;
  rows.assign(1, {"commonest mistakes", "taken for", "times"});
  for (const Mistake &mistake : mistakes)
    rows.push_back({cut(name(mistake.actual), 24), cut(name(mistake.predicted), 24), fmt::format("{}", mistake.count)});
  return text + "\n" + aligned(rows);
}

} // namespace cnn::host
