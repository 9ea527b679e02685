//===- StatisticsTest.cpp - Figures of gradients and activations ----------===//
//
// Small sets by hand, values far from zero, and the table as a whole.
//
//===----------------------------------------------------------------------===//
#include "runtime/host/training/Statistics.h"

#include "test/unit/runtime/host/HostTest.h"

#include <cmath>

namespace cnn::host {
namespace {

RunningStatistics of(std::vector<float> values) {
  RunningStatistics figures;
  figures.add(std::span<const float>(values));
  return figures;
}

TEST(StatisticsTest, Figures) {
  RunningStatistics figures;
  const float first[] = {2, 4, 4, 4}, second[] = {5, 5, 7, 9};
  figures.add(first);
  figures.add(Tensor::fromFloats({2, 2}, second).view());
  EXPECT_EQ(figures.count(), 8);
  EXPECT_EQ(figures.mean(), 5);
  EXPECT_EQ(figures.deviation(), 2);
  EXPECT_EQ(figures.minimum(), 2);
  EXPECT_EQ(figures.maximum(), 9);
  EXPECT_EQ(figures.zeroShare(), 0);
  EXPECT_EQ(figures.norm(), std::sqrt(232.0));
  // Far from zero the textbook's difference of squares would lose the deviation.
  EXPECT_DOUBLE_EQ(of({16777215, 16777216, 16777214, 16777215}).deviation(), std::sqrt(0.5));
}

TEST(StatisticsTest, CountsWhatIsNotFinite) {
  const RunningStatistics figures = of({NAN, 0, -INFINITY, 3, -0.0F});
  EXPECT_EQ(figures.notFiniteCount(), 2);
  EXPECT_EQ(figures.count(), 5);
  EXPECT_EQ(figures.mean(), 1);
  EXPECT_EQ(figures.zeroShare(), 0.4);
  EXPECT_EQ(figures.norm(), 3);
  EXPECT_TRUE(std::isnan(of({}).mean()));
  EXPECT_TRUE(std::isnan(of({NAN}).minimum()));
  EXPECT_EQ(of({}).norm(), 0);
}

TEST(StatisticsTest, TableAndCsv) {
  const LayerStatistics layers[] = {
      {"conv1.weight", "gradient", of({1, -1})}, {"relu", "activation", of({0, 0})}, {"a,b", "gradient", of({NAN, 2})}};
  EXPECT_EQ(statisticsTable(layers),
            "layer         of          mean  deviation  minimum  maximum   zeros  norm\n"
            "conv1.weight  gradient       0          1       -1        1    0.0%  1.41\n"
            "relu          activation     0          0        0        0  100.0%     0  all zero\n"
            "a,b           gradient       2          0        2        2    0.0%     2  1 not finite\n");
  EXPECT_EQ(statisticsCsv(layers, 2, 7), "2,7,conv1.weight,gradient,2,0,1,-1,1,0,1.4142135623730951,0\n"
                                         "2,7,relu,activation,2,0,0,0,0,1,0,0\n"
                                         "2,7,\"a,b\",gradient,2,2,0,2,2,0,2,1\n");
}

} // namespace
} // namespace cnn::host
