//===- ConfusionTest.cpp - Who is taken for whom --------------------------===//
//
// The table as a whole, and the picture by the colours of its cells.
//
//===----------------------------------------------------------------------===//
#include "runtime/host/training/Confusion.h"

#include "test/unit/runtime/host/HostTest.h"

#include <cmath>

namespace cnn::host {
namespace {

ConfusionMatrix animals() {
  ConfusionMatrix matrix(3, {"cat", "dog", "capybara"});
  matrix.add(0, 0, 8);
  matrix.add(0, 1, 2);
  matrix.add(1, 1, 10);
  matrix.add(2, 2, 3);
  matrix.add(2, 0, 1);
  return matrix;
}

TEST(ConfusionTest, Figures) {
  const ConfusionMatrix matrix = animals();
  EXPECT_EQ(matrix.total(), 24);
  EXPECT_EQ(matrix.labelled(2), 4);
  EXPECT_EQ(matrix.predicted(0), 9);
  EXPECT_DOUBLE_EQ(matrix.accuracy(), 21.0 / 24);
  EXPECT_DOUBLE_EQ(matrix.precision(0), 8.0 / 9);
  EXPECT_DOUBLE_EQ(matrix.recall(0), 0.8);
  EXPECT_DOUBLE_EQ(matrix.f1(0), 16.0 / 19);
  EXPECT_DOUBLE_EQ(matrix.intersectionOverUnion(1), 10.0 / 12);
  EXPECT_TRUE(std::isnan(ConfusionMatrix(2).accuracy()));
  EXPECT_TRUE(std::isnan(ConfusionMatrix(2).meanF1()));
}

TEST(ConfusionTest, Table) {
  EXPECT_EQ(animals().table(), "label \\ prediction  cat  dog  capyb..  precision   recall      F1\n"
                               "cat                   8    2        .     88.89%   80.00%  84.21%\n"
                               "dog                   .   10        .     83.33%  100.00%  90.91%\n"
                               "capybara              1    .        3    100.00%   75.00%  85.71%\n");
  ConfusionMatrix matrix(2);
  matrix.add(0, 0);
  matrix.addUndefined(0, 3);
  EXPECT_EQ(matrix.table(), "label \\ prediction  0  1  NaN  precision  recall      F1\n"
                            "0                   1  .    3    100.00%  25.00%  40.00%\n"
                            "1                   .  .    0          -       -       -\n");
}

TEST(ConfusionTest, LargeTableShowsTheWorst) {
  ConfusionMatrix matrix(30);
  for (int64_t c = 0; c < 30; ++c)
    matrix.add(c, c, 10);
  matrix.add(7, 9, 5);
  matrix.add(3, 4, 2);
  const std::string table = matrix.table();
  EXPECT_EQ(table.substr(0, table.find('\n')), "lowest F1  precision   recall       F1");
  EXPECT_EQ(table.substr(table.find('\n') + 1, 40), "7            100.00%   66.67%   80.00%\n9");
  EXPECT_NE(table.find("commonest mistakes  taken for  times\n"
                       "7                           9      5\n"
                       "3                           4      2\n"),
            std::string::npos)
      << table;
}

TEST(ConfusionTest, Picture) {
  const ConfusionMatrix matrix = animals();
  Result<Image> image = matrix.picture();
  ASSERT_OK(image);
  // All cells are 54 pixels; a quarter into each, there is its colour: blue where right, red where wrong.
  auto count = [&](auto &&matches) {
    int64_t pixels = 0;
    for (int y = 0; y < image->height; ++y)
      for (int x = 0; x < image->width; ++x)
        pixels += matches(image->at(y, x));
    return pixels;
  };
  const int64_t blue = count([](const uint8_t *p) { return p[2] > p[0] + 60; });
  const int64_t red = count([](const uint8_t *p) { return p[0] > p[2] + 60; });
  EXPECT_GT(blue, 3 * 54 * 54 * 2 / 3);
  EXPECT_LT(blue, 3 * 54 * 54 + 100);
  EXPECT_GT(red, 2 * 54 * 54 * 2 / 3);
  EXPECT_LT(red, 2 * 54 * 54 + 100);
  ASSERT_OK(ConfusionMatrix(1000).picture());
  ASSERT_OK(ConfusionMatrix(1).picture());
  EXPECT_EQ(errorOf(ConfusionMatrix(0).picture()), "a picture of a confusion matrix of 0 classes (expected 1 to 8192)");
}

} // namespace
} // namespace cnn::host
