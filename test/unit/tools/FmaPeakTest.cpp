// The measured peak must be one that a CPU can have: the loop is neither optimized away nor far from its units.
#include "tools/cnnc/FmaPeak.h"

#include <gtest/gtest.h>

TEST(FmaPeak, IsPlausible) {
  double peak = cnn::measurePeakGflops("x86-64-v2", 1);
  EXPECT_GT(peak, 1.0);
  EXPECT_LT(peak, 1000.0) << "the loop was optimized away";
}
