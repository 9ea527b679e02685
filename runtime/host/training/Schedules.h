//===- Schedules.h - Learning rates over time -----------------------------===//
//
// A learning rate is a pure function of the optimizer's base rate and of how far training has come; only `plateau` also
// depends on what was measured, and that history can be saved in a checkpoint. Schedules are described by text, as they
// stand in a network's source: "cosine(epochs = 30, minimum = 1e-5)".
//
// In the formulas b is the base rate, s the number of updates made before this one, E the steps in an epoch, and
// t = s / E the time in epochs. What is said in epochs may be a fraction; it is rounded to whole steps.
//
//   constant()                               b
//   step(epochs, factor = 0.1)               b * factor^floor(s / (epochs * E))
//   exponential(factor, epochs = 1)          b * factor^(t / epochs), at every step
//   cosine(epochs = rest, minimum = 0)       minimum + (b - minimum) * (1 + cos(pi * min(1, t / epochs))) / 2
//                                            [Loshchilov and Hutter 2017, equation 5, without restarts]
//   warmup(epochs, start = 0, then = constant())
//                                            with W = epochs * E: start + (b' - start) * (s + 1) / (W + 1) for s < W,
//                                            where b' is the rate with which `then` begins; then `then`, whose time
//                                            begins at step W and whose "rest" is what remains [Goyal et al. 2017, 2.2]
//   one_cycle(epochs = rest, rise = 0.3, divide = 25, final = 1e4)
//                                            by half cosines from b / divide up to b in the first `rise` of the cycle,
//                                            then down to b / (divide * final), where it stays [Smith and Topin 2018;
//                                            PyTorch's OneCycleLR has these defaults]
//   plateau(factor = 0.1, patience = 10, minimum = 0, threshold = 1e-4, cooldown = 0, on = loss)
//                                            max(minimum, b * factor^k), k growing by one when the watched value was
//                                            not better than the best by the share `threshold` for more than `patience`
//                                            epochs in a row; `cooldown` epochs after that do not count
//                                            [PyTorch's ReduceLROnPlateau with threshold_mode = "rel"]
//
//===----------------------------------------------------------------------===//
#ifndef CNN_RUNTIME_HOST_TRAINING_SCHEDULES_H
#define CNN_RUNTIME_HOST_TRAINING_SCHEDULES_H

#include "runtime/host/Error.h"

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace cnn::host {

/// What a schedule is, before its numbers are checked. What is not given has the default above.
struct ScheduleSpec {
  std::string kind = "constant";
  std::map<std::string, double> numbers;
  std::string watched;                 // of `plateau`: "loss" or a metric's name; empty is "loss"
  std::vector<ScheduleSpec> following; // of `warmup`: none, or the schedule in `then`
};

/// Where training stands.
struct ScheduleTime {
  int64_t step = 0; // updates made so far
  int64_t stepsPerEpoch = 1;
  int64_t totalSteps = 1; // of the whole run
};

class Schedule {
public:
  /// A constant rate.
  Schedule() = default;
  /// An error where the kind or a number's name is unknown, a number out of range or one that is needed missing.
  static Result<Schedule> create(const ScheduleSpec &spec);

  /// The rate of the update that is made next.
  double rate(double base, const ScheduleTime &time) const;

  /// The name of the value that observe() wants once an epoch, "loss" or a metric's; empty where none is wanted.
  std::string_view watched() const;
  /// Takes the watched value of the epoch that ended. A NaN is no improvement. Without effect where none is wanted.
  void observe(double value);

  /// What was observed, as one line of text; empty where nothing is watched.
  std::string state() const;
  /// Takes up a state() of a schedule of the same description.
  Result<void> restore(std::string_view state);

  /// The description with all its numbers, which parseSchedule() reads back.
  std::string text() const;

private:
  enum class Kind { Constant, Step, Exponential, Cosine, Warmup, OneCycle, Plateau };
  double number(const char *name) const { return numbers.find(name)->second; }

  Kind kind = Kind::Constant;
  std::map<std::string, double, std::less<>> numbers; // all of them, defaults included; epochs = 0 is the rest
  std::vector<Schedule> following;                    // of Warmup: exactly one

  // Of Plateau.
  std::string watchedName;
  bool higherIsBetter = false;
  bool observedAny = false;
  double best = 0;
  int64_t badEpochs = 0;
  int64_t coolingEpochs = 0;
  int64_t reductions = 0;
};

/// The description that `text` holds: `kind(name = number, ...)`, `kind` alone, the first numbers also without their
/// names in the order above, and `then = kind(...)` in `warmup`. Errors name the column and what was expected.
Result<ScheduleSpec> parseScheduleSpec(std::string_view text);
/// The same, checked and ready.
Result<Schedule> parseSchedule(std::string_view text);

} // namespace cnn::host

#endif // CNN_RUNTIME_HOST_TRAINING_SCHEDULES_H
