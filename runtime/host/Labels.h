//===- Labels.h - Names of classes and the best scores --------------------===//
//
// Reads lists of class names, one a line, and picks the highest scores.
//
//===----------------------------------------------------------------------===//
#ifndef CNN_RUNTIME_HOST_LABELS_H
#define CNN_RUNTIME_HOST_LABELS_H

#include "runtime/host/Error.h"

#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace cnn::host {

/// One label a line, in the order of the classes; empty lines at the end do not count. A WordNet number in front
/// ("n01443537 goldfish, Carassius auratus") is dropped.
Result<std::vector<std::string>> readLabels(const std::string &path);
std::vector<std::string> parseLabels(std::string_view text);

struct Score {
  int64_t index = 0;
  float value = 0;
};

/// The `count` highest, best first; equal scores by index, NaN last.
std::vector<Score> topScores(std::span<const float> scores, size_t count);

} // namespace cnn::host

#endif // CNN_RUNTIME_HOST_LABELS_H
