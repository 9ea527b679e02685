//===- BorderWeights.cpp - How much each pixel of a mask matters ----------===//
//
// The weight is below 1e-6 above 1 where d1 + d2 exceeds 29 pixels, so each component is searched within 29 pixels of
// its bounding box. Distances are exact: for each row the nearest pixel of the component in it, then the lower envelope
// by trying the rows (Saito and Toriwaki 1994).
//
//===----------------------------------------------------------------------===//
#include "runtime/host/data/BorderWeights.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

namespace cnn::host {
namespace {

constexpr int64_t reach = 29;
constexpr double w0 = 10, sigma = 5;
constexpr int64_t none = std::numeric_limits<int32_t>::max();

struct Box {
  int64_t top = none, left = none, bottom = -1, right = -1;
};

} // namespace

std::vector<float> borderWeights(std::span<const uint8_t> mask, int64_t height, int64_t width) {
  const std::vector<int32_t> components = labelComponents(mask, height, width);
  auto componentAt = [&](int64_t row, int64_t column) { return components[static_cast<size_t>(row * width + column)]; };
  std::vector<Box> boxes;
  for (int64_t row = 0; row < height; ++row)
    for (int64_t column = 0; column < width; ++column) {
      const auto component = static_cast<size_t>(componentAt(row, column));
      if (component == 0)
        continue;
      boxes.resize(std::max(boxes.size(), component));
      Box &box = boxes[component - 1];
      box.top = std::min(box.top, row);
      box.bottom = std::max(box.bottom, row);
      box.left = std::min(box.left, column);
      box.right = std::max(box.right, column);
    }

  // Squared distances to the nearest and the second nearest component.
  std::vector<int64_t> nearest(mask.size(), none), second(mask.size(), none), inRow;
  for (size_t component = 0; component < boxes.size(); ++component) {
    const Box &box = boxes[component];
    const int64_t left = std::max<int64_t>(box.left - reach, 0), right = std::min(box.right + reach, width - 1);
    const int64_t columns = right - left + 1;
    // The distance along each of its rows.
    inRow.assign(static_cast<size_t>((box.bottom - box.top + 1) * columns), none);
    for (int64_t row = box.top; row <= box.bottom; ++row) {
      int64_t *distances = &inRow[static_cast<size_t>((row - box.top) * columns)];
      auto sweep = [&](int64_t begin, int64_t end, int64_t step) {
        int64_t distance = none;
        for (int64_t column = begin; column != end; column += step) {
          const bool inside = componentAt(row, column) == static_cast<int32_t>(component) + 1;
          distance = inside ? 0 : std::min(distance + 1, none);
          distances[column - left] = std::min(distances[column - left], distance);
        }
      };
      sweep(left, right + 1, 1);
      sweep(right, left - 1, -1);
    }
    for (int64_t row = std::max<int64_t>(box.top - reach, 0); row <= std::min(box.bottom + reach, height - 1); ++row)
      for (int64_t column = left; column <= right; ++column) {
        const auto at = static_cast<size_t>(row * width + column);
        if (components[at] != 0)
          continue;
        int64_t best = none;
        for (int64_t other = std::max(box.top, row - reach); other <= std::min(box.bottom, row + reach); ++other)
          if (const int64_t along = inRow[static_cast<size_t>((other - box.top) * columns + column - left)];
              along <= reach)
            best = std::min(best, along * along + (row - other) * (row - other));
        if (best < nearest[at])
          second[at] = std::exchange(nearest[at], best);
        else
          second[at] = std::min(second[at], best);
      }
  }

  std::vector<float> weights(mask.size(), 1.0f);
  for (size_t i = 0; i < weights.size(); ++i)
    if (components[i] == 0 && second[i] != none) {
      const double sum = std::sqrt(static_cast<double>(nearest[i])) + std::sqrt(static_cast<double>(second[i]));
      weights[i] = static_cast<float>(1 + w0 * std::exp(-sum * sum / (2 * sigma * sigma)));
    }
  return weights;
}

} // namespace cnn::host
