//===- ProgressTest.cpp - How far it is -----------------------------------===//
//
// A terminal that is a string, and a clock that the test turns.
//
//===----------------------------------------------------------------------===//
#include "runtime/host/training/Progress.h"

#include "test/unit/runtime/host/HostTest.h"

#include <algorithm>
#include <cmath>

namespace cnn::host {
namespace {

class FakeOutput final : public ProgressOutput {
public:
  explicit FakeOutput(bool terminal, int width = 100) : terminal(terminal), width(width) {}
  bool isTerminal() const override { return terminal; }
  int columns() const override { return width; }
  double seconds() const override { return now; }
  void write(std::string_view text) override {
    all += text;
    ++writes;
  }

  /// What a terminal shows after all that was written: lines, of which the last may be the bar.
  std::string screen() const {
    std::string shown, line;
    size_t at = 0;
    for (size_t i = 0; i < all.size(); ++i) {
      if (all.compare(i, 3, "\x1b[K") == 0) {
        line.resize(at);
        i += 2;
      } else if (all[i] == '\r') {
        at = 0;
      } else if (all[i] == '\n') {
        shown += line + "\n";
        line.clear();
        at = 0;
      } else {
        line.resize(std::max(line.size(), at + 1));
        line[at++] = all[i];
      }
    }
    return shown + line;
  }

  bool terminal;
  int width;
  double now = 1000;
  std::string all;
  int writes = 0;
};

ProgressState someState() { return {3, 20, 54, 100, 8123, 0.03125, {{"accuracy", 0.99125}}, 42}; }

TEST(ProgressTest, Texts) {
  EXPECT_EQ(durationText(0), "0:00");
  EXPECT_EQ(durationText(59.6), "1:00");
  EXPECT_EQ(durationText(725), "12:05");
  EXPECT_EQ(durationText(11264), "3:07:44");
  EXPECT_EQ(durationText(2 * 86400 + 3 * 3600 + 600), "2d 03:10");
  EXPECT_EQ(durationText(1e30), "100d+");
  EXPECT_EQ(durationText(NAN), "?");
  EXPECT_EQ(rateText(812.4), "812");
  EXPECT_EQ(rateText(8123), "8.12k");
  EXPECT_EQ(rateText(12345), "12.3k");
  EXPECT_EQ(rateText(999.7), "1.00k");
  EXPECT_EQ(rateText(999960), "1.00M");
  EXPECT_EQ(rateText(0.25), "0.25");
}

TEST(ProgressTest, LineFitsAnyWidth) {
  EXPECT_EQ(
      progressLine(someState(), 120),
      "epoch  3/20 [================>             ]  54%  0:42 left  loss 0.03125  accuracy 0.9912  8.12k samples/s  "
      "54/100");
  EXPECT_EQ(progressLine(someState(), 80),
            "epoch  3/20 [==========>        ]  54%  0:42 left  loss 0.03125  accuracy 0.9912");
  EXPECT_EQ(progressLine(someState(), 16), "epoch  3/20  54%");
  for (int width = 0; width < 140; ++width)
    EXPECT_LE(progressLine(someState(), width).size(), static_cast<size_t>(width));
  EXPECT_EQ(plainProgressLine(someState()),
            "epoch  3/20  54%  0:42 left  loss 0.03125  accuracy 0.9912  8.12k samples/s  54/100");
  ProgressState done = someState();
  done.step = done.steps;
  EXPECT_NE(progressLine(done, 120).find("[==============================] 100%"), std::string::npos);
  done.steps = 0;
  EXPECT_NE(progressLine(done, 120).find("100%"), std::string::npos);
}

TEST(ProgressTest, BarIsOneLineAndRare) {
  FakeOutput output(true);
  {
    Progress progress(output);
    progress.beginEpoch(1, 2, 1000);
    for (int64_t step = 1; step <= 500; ++step) {
      output.now += 0.01;
      progress.update(step, 32, 0.5);
    }
    EXPECT_LE(output.writes, 52); // 5 seconds, ten a second
    EXPECT_GE(output.writes, 45);
    EXPECT_EQ(output.all.find('\n'), std::string::npos);
    EXPECT_NEAR(progress.samplesPerSecond(), 3200, 1e-6);
    const std::string shown = output.screen();
    EXPECT_LE(shown.size(), 99U);
    EXPECT_NE(shown.find("0:05 left"), std::string::npos) << shown;
    EXPECT_NE(shown.find("3.20k samples/s"), std::string::npos) << shown;
    progress.print("checkpoint written");
    EXPECT_EQ(output.screen(), "checkpoint written\n" + shown);
    // A narrower terminal gets a shorter bar at once, without rests of the longer one.
    output.width = 40;
    output.now += 1;
    progress.update(501, 32, 0.5);
    const std::string narrow = output.screen().substr(output.screen().find('\n') + 1);
    EXPECT_LE(narrow.size(), 39U);
  }
  EXPECT_EQ(output.screen(), "checkpoint written\n"); // the bar is gone
}

TEST(ProgressTest, LastStepIsAlwaysShown) {
  FakeOutput output(true);
  Progress progress(output);
  progress.beginEpoch(1, 1, 2);
  progress.update(1, 1, 0.5);
  progress.update(2, 1, 0.25);
  EXPECT_NE(output.screen().find("100%"), std::string::npos);
}

TEST(ProgressTest, PlainLinesAreFew) {
  FakeOutput output(false);
  Progress progress(output);
  progress.beginEpoch(1, 1, 1000);
  for (int64_t step = 1; step <= 1000; ++step) {
    output.now += 1; // a long epoch: one line a tenth
    progress.update(step, 10, 0.5);
  }
  EXPECT_EQ(std::count(output.all.begin(), output.all.end(), '\n'), 10);
  EXPECT_EQ(output.all.substr(0, output.all.find('\n')),
            "epoch 1/1  10%  15:00 left  loss 0.5  10 samples/s  100/1000");
  EXPECT_EQ(output.all.find('\r'), std::string::npos);
  EXPECT_EQ(output.all.find('\x1b'), std::string::npos);

  FakeOutput quick(false);
  Progress second(quick);
  second.beginEpoch(1, 1, 1000);
  for (int64_t step = 1; step <= 1000; ++step) {
    quick.now += 0.025; // 25 seconds: a line every ten
    second.update(step, 10, 0.5);
  }
  EXPECT_EQ(std::count(quick.all.begin(), quick.all.end(), '\n'), 2);
  second.print("done");
  EXPECT_TRUE(quick.all.ends_with("\ndone\n"));
}

TEST(ProgressTest, ResumedEpochCountsFromItsStep) {
  FakeOutput output(false);
  Progress progress(output);
  progress.beginEpoch(2, 2, 100, 50);
  output.now += 20;
  progress.update(60, 320, 1);
  EXPECT_EQ(output.all, "epoch 2/2  60%  1:20 left  loss 1  16 samples/s  60/100\n");
}

TEST(ProgressTest, QuietShowsNothing) {
  FakeOutput output(true);
  Progress progress(output, false);
  progress.beginEpoch(1, 1, 10);
  output.now += 2;
  progress.update(10, 10, 1);
  progress.finish();
  EXPECT_EQ(output.all, "");
  EXPECT_EQ(progress.samplesPerSecond(), 5);
}

} // namespace
} // namespace cnn::host
