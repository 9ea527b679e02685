// Repeats samples by class; ClassWeights.h has the contract.
#include "tools/cnnc/training/ClassWeights.h"

#include "runtime/host/data/Order.h"

#include "llvm/ADT/SmallVector.h"

#include <algorithm>
#include <cmath>

namespace cnn {

using host::makeError;

/// How often a sample of each class comes in an epoch; 0 where the class has none.
static host::Result<std::vector<double>> timesOf(const std::vector<int64_t> &counts, llvm::StringRef weights) {
  std::vector<double> times(counts.size(), 0);
  if (weights == "balanced") {
    int64_t most = *std::max_element(counts.begin(), counts.end());
    for (size_t i = 0; i < counts.size(); ++i)
      if (counts[i] > 0)
        times[i] = static_cast<double>(most) / static_cast<double>(counts[i]);
    return times;
  }
  llvm::SmallVector<llvm::StringRef> words;
  weights.split(words, ',');
  if (words.size() != counts.size())
    return makeError("'--class-weights {}': {} numbers for {} classes; or 'balanced'", weights.str(), words.size(),
                     counts.size());
  for (size_t i = 0; i < words.size(); ++i)
    if (words[i].getAsDouble(times[i]) || !(times[i] > 0) || !(times[i] < 1e6))
      return makeError("'--class-weights {}': '{}' is no weight; a positive number is expected", weights.str(),
                       words[i].str());
  double least = *std::min_element(times.begin(), times.end());
  for (size_t i = 0; i < times.size(); ++i)
    times[i] = counts[i] > 0 ? times[i] / least : 0;
  return times;
}

host::Result<host::Dataset> weightClasses(const host::Dataset &data, llvm::StringRef weights, uint64_t seed) {
  std::vector<int64_t> counts = data.classCounts();
  if (counts.empty())
    return makeError("--class-weights: the samples of this data have no classes");
  auto times = timesOf(counts, weights);
  if (!times)
    return times.error();
  std::vector<std::vector<int64_t>> members(counts.size());
  for (int64_t i = 0; i < data.size(); ++i)
    if (int64_t label = data.label(i); label >= 0 && label < static_cast<int64_t>(counts.size()))
      members[static_cast<size_t>(label)].push_back(i);
  std::vector<int64_t> indices;
  double total = 0;
  for (size_t i = 0; i < counts.size(); ++i)
    total += (*times)[i] * static_cast<double>(counts[i]);
  if (total > 1e9)
    return makeError("'--class-weights {}' makes an epoch of more than 10^9 samples", weights.str());
  for (size_t label = 0; label < members.size(); ++label) {
    int64_t count = static_cast<int64_t>(members[label].size());
    int64_t wanted = std::llround((*times)[label] * static_cast<double>(count));
    std::vector<int64_t> order = host::permutation(count, seed, static_cast<uint32_t>(label), /*purpose=*/17);
    for (int64_t i = 0; i < wanted; ++i)
      indices.push_back(members[label][static_cast<size_t>(order[static_cast<size_t>(i % count)])]);
  }
  return data.subset(indices);
}

} // namespace cnn
