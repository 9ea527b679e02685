//===- Labels.cpp - Names of classes and the best scores ------------------===//
//
// Text files as they come: with or without a byte order mark, either line ending.
//
//===----------------------------------------------------------------------===//
#include "runtime/host/Labels.h"

#include "runtime/host/File.h"

#include <algorithm>
#include <cmath>

namespace cnn::host {
namespace {

bool isDigit(char c) { return c >= '0' && c <= '9'; }

std::string_view trim(std::string_view line) {
  constexpr std::string_view space = " \t\r";
  const size_t first = line.find_first_not_of(space);
  if (first == std::string_view::npos)
    return {};
  return line.substr(first, line.find_last_not_of(space) - first + 1);
}

/// Without a leading WordNet number: 'n', eight digits, a space.
std::string_view withoutSynset(std::string_view label) {
  if (label.size() > 10 && label[0] == 'n' && std::all_of(label.begin() + 1, label.begin() + 9, isDigit) &&
      (label[9] == ' ' || label[9] == '\t'))
    return trim(label.substr(10));
  return label;
}

} // namespace

std::vector<std::string> parseLabels(std::string_view text) {
  if (text.starts_with("\xEF\xBB\xBF"))
    text.remove_prefix(3);
  std::vector<std::string> labels;
  while (!text.empty()) {
    const size_t end = std::min(text.find('\n'), text.size());
    labels.emplace_back(withoutSynset(trim(text.substr(0, end))));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  while (!labels.empty() && labels.back().empty())
    labels.pop_back();
  return labels;
}

Result<std::vector<std::string>> readLabels(const std::string &path) {
  Result<std::vector<uint8_t>> file = readFile(path, 1 << 26);
  if (!file)
    return file.error();
  std::vector<std::string> labels = parseLabels({reinterpret_cast<const char *>(file->data()), file->size()});
  if (labels.empty())
    return makeError("{}: no labels, expected one a line", inQuotes(path));
  for (size_t i = 0; i < labels.size(); ++i)
    for (size_t at = 0; at < labels[i].size();) {
      const size_t length = utf8SequenceLength(std::string_view(labels[i]).substr(at));
      if (length == 0 || static_cast<unsigned char>(labels[i][at]) < 0x20)
        return makeError("{}:{}: no text in UTF-8, expected one label a line", inQuotes(path), i + 1);
      at += length;
    }
  return labels;
}

std::vector<Score> topScores(std::span<const float> scores, size_t count) {
  std::vector<Score> all(scores.size());
  for (size_t i = 0; i < scores.size(); ++i)
    all[i] = {static_cast<int64_t>(i), scores[i]};
  const size_t kept = std::min(count, all.size());
  auto better = [](const Score &a, const Score &b) {
    if (std::isnan(a.value) != std::isnan(b.value))
      return std::isnan(b.value);
    return a.value != b.value && !std::isnan(a.value) ? a.value > b.value : a.index < b.index;
  };
  std::partial_sort(all.begin(), all.begin() + static_cast<ptrdiff_t>(kept), all.end(), better);
  all.resize(kept);
  return all;
}

} // namespace cnn::host
