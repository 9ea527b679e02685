// Lays out tables of text; Table.h has the contract.
#include "tools/cnnc/Table.h"

#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/Format.h"
#include "llvm/Support/Unicode.h"

#include <algorithm>
#include <cassert>

using namespace llvm;

namespace cnn {

std::string withSeparators(int64_t number) {
  std::string digits = std::to_string(number);
  size_t first = number < 0 ? 1 : 0;
  for (size_t end = digits.size(); end > first + 3; end -= 3)
    digits.insert(end - 3, ",");
  return digits;
}

std::string fixed(double number, int digits) {
  std::string text;
  raw_string_ostream(text) << format("%.*f", digits, number);
  return text;
}

std::string bytesText(int64_t bytes) {
  if (bytes < 10000)
    return std::to_string(bytes) + " B";
  double value = static_cast<double>(bytes) / 1000;
  for (const char *unit : {"kB", "MB"}) {
    if (value < 1000)
      return fixed(value, 1) + " " + unit;
    value /= 1000;
  }
  return fixed(value, 1) + " GB";
}

std::string shapeText(ArrayRef<int64_t> shape) {
  if (shape.empty())
    return "scalar";
  return join(map_range(shape, [](int64_t extent) { return extent < 0 ? "N" : std::to_string(extent); }), " x ");
}

void Table::add(std::vector<std::string> cells) {
  assert(cells.size() == columns.size() && "one cell a column");
  rows.push_back(std::move(cells));
}

void Table::print(raw_ostream &stream) const {
  // Text that is no printable UTF-8 has width -1; it then counts by bytes.
  auto width = [](StringRef text) {
    int columns = sys::unicode::columnWidthUTF8(text);
    return columns < 0 ? static_cast<int>(text.size()) : columns;
  };
  std::vector<int> widths;
  for (size_t i = 0; i < columns.size(); ++i) {
    widths.push_back(width(columns[i].title));
    for (const auto &row : rows)
      widths[i] = std::max(widths[i], width(row[i]));
  }
  auto printRow = [&](auto cell) {
    std::string line;
    for (size_t i = 0; i < columns.size(); ++i) {
      const std::string &text = cell(i);
      std::string space(static_cast<size_t>(widths[i] - width(text)), ' ');
      line += (i ? "  " : "") + (columns[i].align == Align::Left ? text + space : space + text);
    }
    stream << StringRef(line).rtrim() << "\n";
  };
  printRow([&](size_t i) -> const std::string & { return columns[i].title; });
  size_t total = columns.empty() ? 0 : 2 * (columns.size() - 1);
  for (int columnWidth : widths)
    total += static_cast<size_t>(columnWidth);
  stream << std::string(total, '-') << "\n";
  for (const auto &row : rows)
    printRow([&](size_t i) -> const std::string & { return row[i]; });
}

} // namespace cnn
