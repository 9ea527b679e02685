//===- LearningRateFinderTest.cpp - Which learning rate to begin with -----===//
//
// Losses with a known steepest place, ends of the sweep, and its files.
//
//===----------------------------------------------------------------------===//
#include "runtime/host/training/LearningRateFinder.h"

#include "runtime/host/File.h"
#include "test/unit/runtime/host/HostTest.h"

#include <cmath>

namespace cnn::host {
namespace {

LearningRateFinder made(LearningRateSweep sweep) {
  Result<LearningRateFinder> finder = LearningRateFinder::create(sweep);
  EXPECT_OK(finder);
  return *finder;
}

TEST(LearningRateFinderTest, RatesGrowExponentially) {
  LearningRateFinder finder = made({.low = 1e-4, .high = 1, .steps = 5});
  for (double rate : {1e-4, 1e-3, 1e-2, 1e-1}) {
    EXPECT_NEAR(finder.rate(), rate, rate * 1e-12);
    EXPECT_TRUE(finder.add(1));
  }
  EXPECT_NEAR(finder.rate(), 1, 1e-12);
  EXPECT_FALSE(finder.add(1)); // that was the last
  EXPECT_FALSE(finder.add(1));
  EXPECT_EQ(finder.points().size(), 5U);
}

TEST(LearningRateFinderTest, FindsTheSteepestPlace) {
  // A logistic fall over the logarithm of the rate: steepest at 1e-3, the 60th of 121 points.
  LearningRateFinder finder = made({.low = 1e-6, .high = 1, .steps = 121, .smoothing = 0});
  for (bool goesOn = true; goesOn;)
    goesOn = finder.add(2.5 - 2 / (1 + std::exp(-4 * (std::log10(finder.rate()) + 3))));
  Result<double> best = finder.suggestion();
  ASSERT_OK(best);
  EXPECT_NEAR(*best, 1e-3, 1e-9);
  const Figure figure = finder.figure();
  ASSERT_EQ(figure.panels[0].marks.size(), 1U);
  EXPECT_EQ(figure.panels[0].marks[0].label, "steepest at 0.001");
}

TEST(LearningRateFinderTest, SmoothsWithoutBias) {
  LearningRateFinder finder = made({.steps = 5, .smoothing = 0.5});
  finder.add(4);
  finder.add(1);
  EXPECT_DOUBLE_EQ(finder.points()[0].smoothed, 4);
  EXPECT_DOUBLE_EQ(finder.points()[1].smoothed, (0.25 * 4 + 0.5 * 1) / 0.75);
}

TEST(LearningRateFinderTest, EndsWhereTheLossBlowsUp) {
  LearningRateFinder finder = made({.smoothing = 0});
  EXPECT_TRUE(finder.add(1));
  EXPECT_TRUE(finder.add(3.9));
  EXPECT_FALSE(finder.add(4.1));
  EXPECT_EQ(finder.points().size(), 3U);
  LearningRateFinder other = made({});
  EXPECT_TRUE(other.add(1));
  EXPECT_FALSE(other.add(NAN));
  EXPECT_EQ(other.points().size(), 1U);
  EXPECT_EQ(errorOf(other.suggestion()),
            "the loss blew up after 1 steps of the sweep (expected 5 or more): begin lower");
}

TEST(LearningRateFinderTest, SaysWhatIsWrong) {
  LearningRateFinder finder = made({.steps = 10});
  for (int i = 0; i < 10; ++i)
    finder.add(1 + i * 0.01);
  EXPECT_EQ(errorOf(finder.suggestion()), "the loss never fell in the sweep of learning rates from 1e-06 to 10");
  EXPECT_TRUE(finder.figure().panels[0].marks.empty());
  EXPECT_EQ(errorOf(LearningRateFinder::create({.low = 0})),
            "a sweep of the learning rate from 0 to 10 (expected 0 < low < high)");
  EXPECT_EQ(errorOf(LearningRateFinder::create({.steps = 4})),
            "a sweep of the learning rate in 4 steps (expected 5 or more)");
  EXPECT_EQ(errorOf(LearningRateFinder::create({.smoothing = 1})),
            "the sweep's smoothing is 1 (expected 0 or more and below 1)");
  EXPECT_EQ(errorOf(LearningRateFinder::create({.divergence = 1})),
            "the sweep's divergence is 1 (expected more than 1)");
}

TEST(LearningRateFinderTest, WritesItsPoints) {
  TemporaryFolder folder;
  LearningRateFinder finder = made({.low = 0.5, .high = 8, .steps = 5, .smoothing = 0});
  finder.add(1);
  finder.add(0.5);
  ASSERT_OK(finder.writeCsv(folder / "sweep.csv"));
  Result<std::vector<uint8_t>> text = readFile(folder / "sweep.csv");
  ASSERT_OK(text);
  EXPECT_EQ(std::string(text->begin(), text->end()), "learning_rate,loss,smoothed\n0.5,1,1\n1,0.5,0.5\n");
}

} // namespace
} // namespace cnn::host
