//===- EarlyStopTest.cpp - The best so far, and when to give up -----------===//
//
// Sequences of values, and the state over a checkpoint.
//
//===----------------------------------------------------------------------===//
#include "runtime/host/training/EarlyStop.h"

#include "test/unit/runtime/host/HostTest.h"

#include <cmath>

namespace cnn::host {
namespace {

TEST(EarlyStopTest, KeepsTheBest) {
  BestKeeper lower(Better::Lower, 0.1);
  EXPECT_FALSE(lower.observe(NAN, 1));
  EXPECT_FALSE(lower.any());
  EXPECT_TRUE(lower.observe(1, 2));
  EXPECT_FALSE(lower.observe(0.95, 3)); // not by more than the delta
  EXPECT_TRUE(lower.observe(0.85, 4));
  EXPECT_FALSE(lower.observe(NAN, 5));
  EXPECT_EQ(lower.value(), 0.85);
  EXPECT_EQ(lower.epoch(), 4);
  BestKeeper higher(Better::Higher);
  EXPECT_TRUE(higher.observe(-HUGE_VAL, 1));
  EXPECT_TRUE(higher.observe(0.5, 2));
  EXPECT_FALSE(higher.observe(0.5, 3));
}

TEST(EarlyStopTest, StopsWhenPatienceIsOver) {
  EarlyStop stop(Better::Higher, 2);
  const double values[] = {0.5, 0.4, 0.6, 0.6, NAN};
  const bool stops[] = {false, false, false, false, true};
  for (int64_t epoch = 0; epoch < 5; ++epoch)
    EXPECT_EQ(stop.observe(values[epoch], epoch), stops[epoch]) << epoch;
  EXPECT_EQ(stop.best().epoch(), 2);
  EXPECT_EQ(stop.epochsWithoutImprovement(), 2);
}

TEST(EarlyStopTest, GoesOnFromItsState) {
  EarlyStop stop(Better::Lower, 3);
  EarlyStop fresh(Better::Lower, 3);
  ASSERT_OK(fresh.restore(stop.state()));
  EXPECT_FALSE(fresh.best().any());
  stop.observe(0.1 + 0.2, 1);
  stop.observe(5, 2);
  ASSERT_OK(fresh.restore(stop.state()));
  EXPECT_EQ(fresh.best().value(), 0.1 + 0.2);
  EXPECT_FALSE(fresh.observe(5, 3));
  EXPECT_TRUE(fresh.observe(5, 4));
  BestKeeper infinite(Better::Higher), again(Better::Higher);
  infinite.observe(-HUGE_VAL, 1);
  ASSERT_OK(again.restore(infinite.state()));
  EXPECT_EQ(again.value(), -HUGE_VAL);
  EXPECT_EQ(errorOf(fresh.restore("{}")), "'{}' is not the state of an early stop");
  EXPECT_EQ(errorOf(again.restore("{\"best\":\"x\",\"epoch\":1}")),
            "'{\"best\":\"x\",\"epoch\":1}' is not the state of a best value");
}

} // namespace
} // namespace cnn::host
