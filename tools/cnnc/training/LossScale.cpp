// Loss scales in checkpoints; LossScale.h has the contract.
#include "tools/cnnc/training/LossScale.h"

#include "llvm/ADT/StringRef.h"

#include <fmt/format.h>

#include <cmath>

namespace cnn {

std::string LossScale::state() const { return fmt::format("{} {}", static_cast<int64_t>(scale), steps); }

bool LossScale::restore(std::string_view text) {
  auto [first, second] = llvm::StringRef(text).split(' ');
  int64_t number = 0, count = 0;
  if (first.getAsInteger(10, number) || second.getAsInteger(10, count) || number < 1 ||
      number > static_cast<int64_t>(kLargest) || (number & (number - 1)) != 0 || count < 0 || count >= kStepsToDouble)
    return false;
  scale = static_cast<double>(number);
  steps = count;
  return true;
}

} // namespace cnn
