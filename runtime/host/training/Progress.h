//===- Progress.h - How far it is -----------------------------------------===//
//
// A bar on a terminal: one line, rewritten at most ten times a second and never longer than the terminal is wide. Where
// stderr is no terminal: plain lines, one every ten seconds and at most ten an epoch. Lines for the user go through
// print(), which keeps them apart from the bar.
//
//===----------------------------------------------------------------------===//
#ifndef CNN_RUNTIME_HOST_TRAINING_PROGRESS_H
#define CNN_RUNTIME_HOST_TRAINING_PROGRESS_H

#include "runtime/host/training/Metrics.h"

#include <string>
#include <string_view>

namespace cnn::host {

/// Where progress is shown. Tests have one of their own.
class ProgressOutput {
public:
  virtual ~ProgressOutput() = default;
  virtual bool isTerminal() const = 0;
  virtual int columns() const = 0;    // of the terminal at this moment
  virtual double seconds() const = 0; // a clock that never goes back
  virtual void write(std::string_view text) = 0;
};

/// stderr; TERM=dumb counts as no terminal.
ProgressOutput &standardErrorProgress();

struct ProgressState {
  int64_t epoch = 1, epochs = 1;
  int64_t step = 0, steps = 1; // of this epoch
  double samplesPerSecond = 0;
  double loss = 0;
  std::vector<NamedValue> metrics;
  double secondsLeft = 0; // of the epoch; NaN where it is not known yet
};

/// "epoch  3/20 [=======>      ]  54%  0:42 left  loss 0.0312  accuracy 0.9912  8.10k samples/s  1234/2345" in at most
/// `columns` characters: the bar shrinks first, then parts go from the right.
std::string progressLine(const ProgressState &state, int columns);
/// The same without a bar and as long as it gets.
std::string plainProgressLine(const ProgressState &state);
/// "0:42", "12:05", "3:07:44", "2d 03:10".
std::string durationText(double seconds);
/// "812", "8.10k", "12.5k", "1.25M".
std::string rateText(double perSecond);

class Progress {
public:
  explicit Progress(ProgressOutput &output, bool enabled = true) : output(output), enabled(enabled) {}
  /// Clears the bar.
  ~Progress() { finish(); }
  Progress(const Progress &) = delete;
  Progress &operator=(const Progress &) = delete;

  void beginEpoch(int64_t epoch, int64_t epochs, int64_t steps, int64_t firstStep = 0);
  /// After a step of `samples`; the rate is that of this epoch.
  void update(int64_t step, int64_t samples, double loss, std::span<const NamedValue> metrics = {});
  /// A whole line, above the bar.
  void print(std::string_view line);
  /// Takes the bar away.
  void finish();

  /// Samples a second in this epoch, so far.
  double samplesPerSecond() const;

private:
  void draw();

  ProgressOutput &output;
  bool enabled;
  ProgressState state;
  double began = 0;
  double lastDrawn = 0;
  int64_t firstStep = 0;
  int64_t samplesDone = 0;
  int64_t tenthsShown = 0;
  bool drawn = false;
  std::string shown;
};

} // namespace cnn::host

#endif // CNN_RUNTIME_HOST_TRAINING_PROGRESS_H
