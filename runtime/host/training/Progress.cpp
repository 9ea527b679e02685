//===- Progress.cpp - How far it is ---------------------------------------===//
//
// The bar is rewritten in place with one write a time: carriage return, the line, and "erase to the end of the line"
// (ECMA-48 EL), so that nothing is ever blank in between.
//
//===----------------------------------------------------------------------===//
#include "runtime/host/training/Progress.h"

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cmath>
#include <cstdlib>
#include <limits>
#include <sys/ioctl.h>
#include <unistd.h>

namespace cnn::host {
namespace {

constexpr double redrawSeconds = 0.1; // on a terminal
constexpr double plainSeconds = 10;   // between plain lines
constexpr int widestBar = 30, narrowestBar = 8;
constexpr std::string_view eraseRest = "\x1b[K";

class StandardError final : public ProgressOutput {
public:
  bool isTerminal() const override {
    const char *kind = std::getenv("TERM");
    return isatty(STDERR_FILENO) == 1 && kind && std::string_view(kind) != "dumb";
  }
  int columns() const override {
    struct winsize size = {};
    return ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 ? size.ws_col : 80;
  }
  double seconds() const override {
    return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
  }
  void write(std::string_view text) override {
    while (!text.empty()) {
      const ssize_t written = ::write(STDERR_FILENO, text.data(), text.size());
      if (written < 0 && errno == EINTR)
        continue;
      if (written <= 0)
        return; // nobody is there to be told
      text.remove_prefix(static_cast<size_t>(written));
    }
  }
};

/// What stands behind the bar, most wanted first.
std::vector<std::string> partsOf(const ProgressState &state) {
  std::vector<std::string> parts;
  if (!std::isnan(state.secondsLeft))
    parts.push_back(durationText(state.secondsLeft) + " left");
  parts.push_back(fmt::format("loss {:.4g}", state.loss));
  for (const auto &[name, value] : state.metrics)
    parts.push_back(fmt::format("{} {:.4g}", name, value));
  if (state.samplesPerSecond > 0)
    parts.push_back(rateText(state.samplesPerSecond) + " samples/s");
  parts.push_back(fmt::format("{}/{}", state.step, state.steps));
  return parts;
}

double shareDone(const ProgressState &state) {
  return state.steps > 0 ? std::clamp(static_cast<double>(state.step) / static_cast<double>(state.steps), 0.0, 1.0) : 1;
}

std::string headOf(const ProgressState &state) {
  // Epochs right-aligned, so that the bar does not move from one to the next.
  const std::string last = fmt::format("{}", state.epochs);
  return fmt::format("epoch {:>{}}/{}", state.epoch, last.size(), last);
}

std::string percentOf(const ProgressState &state) {
  return fmt::format("{:3}%", static_cast<int>(std::floor(shareDone(state) * 100)));
}

} // namespace

ProgressOutput &standardErrorProgress() {
  static StandardError output;
  return output;
}

std::string durationText(double seconds) {
  if (!(seconds >= 0))
    return "?";
  if (seconds > 100.0 * 24 * 3600)
    return "100d+";
  const auto whole = static_cast<int64_t>(std::llround(seconds));
  const int64_t days = whole / 86400, hours = whole / 3600 % 24, minutes = whole / 60 % 60;
  if (days > 0)
    return fmt::format("{}d {:02}:{:02}", days, hours, minutes);
  if (hours > 0)
    return fmt::format("{}:{:02}:{:02}", hours, minutes, whole % 60);
  return fmt::format("{}:{:02}", minutes, whole % 60);
}

std::string rateText(double perSecond) {
  if (!std::isfinite(perSecond))
    return "?";
  if (perSecond < 10)
    return fmt::format("{:.2g}", perSecond);
  for (auto [unit, suffix] : {std::pair(1e6, "M"), std::pair(1e3, "k")})
    if (perSecond >= unit * 0.9995)
      return fmt::format("{:.{}f}{}", perSecond / unit,
                         perSecond < 9.995 * unit   ? 2
                         : perSecond < 99.95 * unit ? 1
                                                    : 0,
                         suffix);
  return fmt::format("{:.0f}", perSecond);
}

std::string progressLine(const ProgressState &state, int columns) {
  const auto width = static_cast<size_t>(std::max(0, columns));
  const std::string head = headOf(state), percent = percentOf(state);
  const size_t fixed = head.size() + 3 + percent.size() + 1; // " [" and "]" and a blank
  std::vector<std::string> parts = partsOf(state);
  auto lengthOf = [&] {
    size_t length = 0;
    for (const std::string &part : parts)
      length += 2 + part.size();
    return length;
  };
  // The bar gives way first, then the parts from the least wanted on.
  while (!parts.empty() && fixed + narrowestBar + lengthOf() > width)
    parts.pop_back();
  std::string line = head;
  const size_t used = fixed + lengthOf();
  if (used + narrowestBar <= width) {
    const size_t bar = std::min<size_t>(widestBar, width - used);
    const auto full = static_cast<size_t>(std::floor(shareDone(state) * static_cast<double>(bar)));
    line += " [" + std::string(full, '=') + (full < bar ? ">" + std::string(bar - full - 1, ' ') : "") + "]";
  }
  line += " " + percent;
  for (const std::string &part : parts)
    line += "  " + part;
  return line.substr(0, width);
}

std::string plainProgressLine(const ProgressState &state) {
  std::string line = headOf(state) + " " + percentOf(state);
  for (const std::string &part : partsOf(state))
    line += "  " + part;
  return line;
}

void Progress::beginEpoch(int64_t epoch, int64_t epochs, int64_t steps, int64_t first) {
  state = {epoch, epochs, first, steps, 0, 0, {}, std::numeric_limits<double>::quiet_NaN()};
  began = output.seconds();
  lastDrawn = output.isTerminal() ? -HUGE_VAL : began;
  firstStep = first;
  samplesDone = 0;
  tenthsShown = static_cast<int64_t>(shareDone(state) * 10);
}

double Progress::samplesPerSecond() const {
  const double passed = output.seconds() - began;
  return passed > 0 ? static_cast<double>(samplesDone) / passed : 0;
}

void Progress::update(int64_t step, int64_t samples, double loss, std::span<const NamedValue> metrics) {
  samplesDone += samples;
  state.step = step;
  if (!enabled)
    return;
  const double now = output.seconds();
  const bool terminal = output.isTerminal();
  const int64_t tenths = static_cast<int64_t>(shareDone(state) * 10);
  if (terminal ? now - lastDrawn < redrawSeconds && step < state.steps
               : now - lastDrawn < plainSeconds || tenths <= tenthsShown)
    return;
  tenthsShown = tenths;
  lastDrawn = now;
  state.loss = loss;
  state.metrics.assign(metrics.begin(), metrics.end());
  state.samplesPerSecond = samplesPerSecond();
  const auto done = static_cast<double>(step - firstStep);
  state.secondsLeft = done > 0 ? (now - began) / done * static_cast<double>(state.steps - step)
                               : std::numeric_limits<double>::quiet_NaN();
  if (terminal)
    draw();
  else
    output.write(plainProgressLine(state) + "\n");
}

void Progress::draw() {
  // The last column stays free: terminals wrap there, each in its own way.
  std::string line = progressLine(state, output.columns() - 1);
  if (drawn && line == shown)
    return;
  output.write("\r" + line + std::string(eraseRest));
  shown = std::move(line);
  drawn = true;
}

void Progress::print(std::string_view line) {
  if (!drawn) {
    output.write(std::string(line) + "\n");
    return;
  }
  // One write takes the bar away, puts the line in its place and the bar below it.
  output.write("\r" + std::string(line) + std::string(eraseRest) + "\n" + shown);
}

void Progress::finish() {
  if (drawn)
    output.write("\r" + std::string(eraseRest));
  drawn = false;
  shown.clear();
}

} // namespace cnn::host
