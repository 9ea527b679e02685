//===- Csv.h - Fields of CSV files ----------------------------------------===//
//
// RFC 4180: a field with a comma, a quote or a line break stands in quotes. A number that does not exist (NaN) is an
// empty field; others read back to the same value.
//
//===----------------------------------------------------------------------===//
#ifndef CNN_RUNTIME_HOST_CSV_H
#define CNN_RUNTIME_HOST_CSV_H

#include <fmt/format.h>

#include <cmath>
#include <string>
#include <string_view>

namespace cnn::host {

inline std::string csvField(std::string_view text) {
  if (text.find_first_of(",\"\r\n") == std::string_view::npos)
    return std::string(text);
  std::string quoted = "\"";
  for (char c : text)
    quoted += c == '"' ? std::string("\"\"") : std::string(1, c);
  return quoted + '"';
}

inline std::string csvNumber(double value) { return std::isnan(value) ? "" : fmt::format("{}", value); }

} // namespace cnn::host

#endif // CNN_RUNTIME_HOST_CSV_H
