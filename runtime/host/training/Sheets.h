//===- Sheets.h - Looking into a network that learns ----------------------===//
//
// Sheets of pictures (Picture.h): filters, feature maps and the images that a classifier gets most wrong.
//
//===----------------------------------------------------------------------===//
#ifndef CNN_RUNTIME_HOST_TRAINING_SHEETS_H
#define CNN_RUNTIME_HOST_TRAINING_SHEETS_H

#include "runtime/host/Picture.h"

#include <string>
#include <vector>

namespace cnn::host {

/// Weights [O, C, kh, kw]: one picture a filter where C is 1 or 3, otherwise one a filter and channel in rows of
/// filters (at most 32 by 32). Each filter is scaled by its own largest magnitude, all its channels alike, with zero in
/// the middle of the range, so that signs can be seen.
Result<Image> filterSheet(const std::string &name, const TensorView &weights);

/// The channels of image `index` of activations [N, C, H, W], at most `limit`, each in its own range.
Result<Image> featureMapSheet(const std::string &name, const TensorView &activations, int64_t index = 0,
                              int64_t limit = 64);

struct JudgedImage {
  int64_t sample = 0; // its number in the data
  double loss = 0;
  int64_t actual = 0;
  int64_t predicted = 0;
  double probability = 0; // given to the predicted class
  Image image;
};

/// Keeps the `limit` samples that were classified wrongly with the highest loss (NaN counts as highest; of equal ones
/// the lower number), whatever the order they come in.
class WorstImages {
public:
  explicit WorstImages(size_t limit) : limit(limit) {}

  /// Whether a sample with that loss would be kept: asked before its picture is made.
  bool wants(double loss, int64_t sample) const;
  void add(JudgedImage judged);

  /// Worst first.
  const std::vector<JudgedImage> &images() const { return kept; }
  /// Each with "actual > predicted" and the probability below. An error where nothing was classified wrongly.
  Result<Image> sheet(std::span<const std::string> classNames) const;

private:
  size_t limit;
  std::vector<JudgedImage> kept;
};

} // namespace cnn::host

#endif // CNN_RUNTIME_HOST_TRAINING_SHEETS_H
