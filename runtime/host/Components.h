//===- Components.h - The objects of a mask -------------------------------===//
#ifndef CNN_RUNTIME_HOST_COMPONENTS_H
#define CNN_RUNTIME_HOST_COMPONENTS_H

#include <cstdint>
#include <span>
#include <vector>

namespace cnn::host {

/// Numbers the 4-connected components of equal values other than 0, from 1 on, by rows; 0 elsewhere.
std::vector<int32_t> labelComponents(std::span<const uint8_t> mask, int64_t height, int64_t width);

/// How many there are.
int64_t countComponents(std::span<const uint8_t> mask, int64_t height, int64_t width);

} // namespace cnn::host

#endif // CNN_RUNTIME_HOST_COMPONENTS_H
