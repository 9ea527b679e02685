//===- OrderTest.cpp - The order of samples -------------------------------===//
//
// The generator against its published vectors; permutations are complete, fixed by seed and epoch, and even.
//
//===----------------------------------------------------------------------===//
#include "runtime/host/data/Order.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <numeric>

namespace cnn::host {
namespace {

TEST(OrderTest, PhiloxKnownAnswersOfRandom123) {
  using Words = std::array<uint32_t, 4>;
  EXPECT_EQ(philox4x32({0, 0, 0, 0}, {0, 0}), (Words{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}));
  EXPECT_EQ(philox4x32({0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}, {0xa4093822, 0x299f31d0}),
            (Words{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}));
}

TEST(OrderTest, EpochsArePermutations) {
  for (int64_t count : {0, 1, 2, 1000}) {
    std::vector<int64_t> order = epochOrder(count, 7, 3), identity(static_cast<size_t>(count));
    std::iota(identity.begin(), identity.end(), 0);
    EXPECT_EQ(order, epochOrder(count, 7, 3));
    if (count == 1000) {
      EXPECT_NE(order, epochOrder(count, 7, 4));
      EXPECT_NE(order, epochOrder(count, 8, 3));
      EXPECT_NE(order, epochOrder(count, 7 + (uint64_t(1) << 32), 3));
      EXPECT_NE(order, identity);
    }
    std::sort(order.begin(), order.end());
    EXPECT_EQ(order, identity);
  }
}

TEST(OrderTest, EveryPlaceIsEquallyLikely) {
  // Each of 5 elements in each of 5 places, 10,000 times: 2,000 expected, deviation 40; five of them allowed.
  std::array<std::array<int, 5>, 5> seen = {};
  for (int64_t epoch = 0; epoch < 10000; ++epoch) {
    const std::vector<int64_t> order = epochOrder(5, 1, epoch);
    for (size_t place = 0; place < 5; ++place)
      ++seen[place][static_cast<size_t>(order[place])];
  }
  for (const auto &place : seen)
    for (int times : place)
      EXPECT_NEAR(times, 2000, 200);
}

TEST(OrderTest, ValidationTakesItsShare) {
  const std::vector<int64_t> chosen = validationIndices(1000, 0.1, 5);
  EXPECT_EQ(chosen.size(), 100u);
  EXPECT_TRUE(std::is_sorted(chosen.begin(), chosen.end()));
  EXPECT_EQ(std::adjacent_find(chosen.begin(), chosen.end()), chosen.end());
  EXPECT_EQ(chosen, validationIndices(1000, 0.1, 5));
  EXPECT_NE(chosen, validationIndices(1000, 0.1, 6));
  EXPECT_TRUE(validationIndices(1000, 0, 5).empty());
}

} // namespace
} // namespace cnn::host
