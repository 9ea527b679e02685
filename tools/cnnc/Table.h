// Tables and figures for people: aligned columns, numbers with separators, sizes with units.
#pragma once

#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/StringRef.h"
#include "llvm/Support/raw_ostream.h"

#include <cstdint>
#include <string>
#include <vector>

namespace cnn {

/// 1248424 as "1,248,424".
std::string withSeparators(int64_t number);
/// "1.2 MB" (10^6 bytes); exact below 10 kB.
std::string bytesText(int64_t bytes);
/// "N x 64 x 56 x 56", N for the batch.
std::string shapeText(llvm::ArrayRef<int64_t> shape);
/// `number` with `digits` decimals.
std::string fixed(double number, int digits);

class Table {
public:
  enum class Align { Left, Right };
  struct Column {
    std::string title;
    Align align;
  };

  explicit Table(std::vector<Column> columns) : columns(std::move(columns)) {}
  /// One cell a column.
  void add(std::vector<std::string> cells);
  void print(llvm::raw_ostream &stream) const;

private:
  std::vector<Column> columns;
  std::vector<std::vector<std::string>> rows;
};

} // namespace cnn
