//===- Components.cpp - The objects of a mask -----------------------------===//
#include "runtime/host/Components.h"

#include <algorithm>

namespace cnn::host {

std::vector<int32_t> labelComponents(std::span<const uint8_t> mask, int64_t height, int64_t width) {
  std::vector<int32_t> components(mask.size(), 0);
  std::vector<int64_t> open;
  int32_t count = 0;
  for (int64_t start = 0; start < height * width; ++start) {
    const uint8_t value = mask[static_cast<size_t>(start)];
    if (value == 0 || components[static_cast<size_t>(start)] != 0)
      continue;
    components[static_cast<size_t>(start)] = ++count;
    open.push_back(start);
    while (!open.empty()) {
      const int64_t at = open.back(), row = at / width, column = at % width;
      open.pop_back();
      auto visit = [&](bool inside, int64_t next) {
        if (!inside || mask[static_cast<size_t>(next)] != value || components[static_cast<size_t>(next)] != 0)
          return;
        components[static_cast<size_t>(next)] = count;
        open.push_back(next);
      };
      visit(row > 0, at - width);
      visit(row + 1 < height, at + width);
      visit(column > 0, at - 1);
      visit(column + 1 < width, at + 1);
    }
  }
  return components;
}

int64_t countComponents(std::span<const uint8_t> mask, int64_t height, int64_t width) {
  const std::vector<int32_t> components = labelComponents(mask, height, width);
  return components.empty() ? 0 : *std::max_element(components.begin(), components.end());
}

} // namespace cnn::host
