// The number that a training run multiplies losses by, so that small gradients survive half precision (Micikevicius et
// al. 2018, section 3.2): halved when gradients overflow, whose step does not count, and doubled after many that did
// not.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace cnn {

class LossScale {
public:
  double value() const { return scale; }
  /// After a step without overflow.
  void good() {
    if (++steps < kStepsToDouble)
      return;
    steps = 0;
    if (scale < kLargest)
      scale *= 2;
  }
  /// After one with. False where it is 1 already, and so no reason.
  bool overflowed() {
    steps = 0;
    if (scale <= 1)
      return false;
    scale /= 2;
    return true;
  }

  /// For a checkpoint, and back; false where the text is none of these.
  std::string state() const;
  bool restore(std::string_view text);

  static constexpr int64_t kStepsToDouble = 2000;

private:
  static constexpr double kFirst = 65536, kLargest = 16777216; // powers of two: scaling rounds nothing
  double scale = kFirst;
  int64_t steps = 0; ///< Since it was last changed.
};

} // namespace cnn
