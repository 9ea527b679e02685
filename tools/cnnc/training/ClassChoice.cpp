// Chooses samples by class; ClassChoice.h has the contract.
#include "tools/cnnc/training/ClassChoice.h"

#include "llvm/ADT/SmallVector.h"

#include <algorithm>

namespace cnn {

using host::makeError;

/// The classes of one word of the list, the last one included; nothing where it is none.
static std::optional<std::pair<int64_t, int64_t>> classesOf(llvm::StringRef word, int64_t classes,
                                                            const std::vector<std::string> &names) {
  if (auto found = std::find(names.begin(), names.end(), word); found != names.end())
    return std::pair(found - names.begin(), found - names.begin());
  auto [first, last] = word.contains('-') ? word.split('-') : std::pair(word, word);
  int64_t from = 0, to = 0;
  if (first.getAsInteger(10, from) || last.getAsInteger(10, to) || from < 0 || from > to || to >= classes)
    return std::nullopt;
  return std::pair(from, to);
}

host::Result<host::Dataset> chooseClasses(const host::Dataset &data, llvm::StringRef list, bool keep) {
  const char *flag = keep ? "--only" : "--except";
  int64_t classes = static_cast<int64_t>(data.classCounts().size());
  if (classes == 0)
    return makeError("{}: the samples of this data have no classes", flag);
  std::vector<bool> taken(static_cast<size_t>(classes), !keep);
  llvm::SmallVector<llvm::StringRef> words;
  list.split(words, ',');
  for (llvm::StringRef word : words) {
    auto named = classesOf(word.trim(), classes, data.classNames());
    if (!named)
      return makeError("'{} {}': '{}' is no class; there are {}, from 0{}", flag, list.str(), word.trim().str(),
                       classes, data.classNames().empty() ? "" : ", and the names that the data gives them");
    for (int64_t i = named->first; i <= named->second; ++i)
      taken[static_cast<size_t>(i)] = keep;
  }
  std::vector<int64_t> indices;
  for (int64_t i = 0; i < data.size(); ++i)
    if (int64_t label = data.label(i); label >= 0 && label < classes && taken[static_cast<size_t>(label)])
      indices.push_back(i);
  if (indices.empty())
    return makeError("'{} {}' leaves no sample", flag, list.str());
  return data.subset(indices);
}

} // namespace cnn
