//===- BorderWeights.h - How much each pixel of a mask matters ------------===//
//
// U-Net's weights of the loss (Ronneberger, Fischer and Brox 2015, equation 2), which make thin gaps between touching
// cells count.
//
//===----------------------------------------------------------------------===//
#ifndef CNN_RUNTIME_HOST_DATA_BORDERWEIGHTS_H
#define CNN_RUNTIME_HOST_DATA_BORDERWEIGHTS_H

#include "runtime/host/Components.h"

namespace cnn::host {

/// w = 1 + 10 exp(-(d1 + d2)^2 / (2 * 5^2)) where the mask is 0, with the distances in pixels to the nearest and to the
/// second nearest component; 1 inside of components and where there are fewer than two.
std::vector<float> borderWeights(std::span<const uint8_t> mask, int64_t height, int64_t width);

} // namespace cnn::host

#endif // CNN_RUNTIME_HOST_DATA_BORDERWEIGHTS_H
