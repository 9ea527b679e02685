// Figures and tables as people read them.
#include "tools/cnnc/Table.h"

#include <gtest/gtest.h>

#include <limits>

using namespace cnn;

TEST(Table, FormatsFigures) {
  EXPECT_EQ(withSeparators(0), "0");
  EXPECT_EQ(withSeparators(999), "999");
  EXPECT_EQ(withSeparators(1248424), "1,248,424");
  EXPECT_EQ(withSeparators(-1000), "-1,000");
  EXPECT_EQ(withSeparators(-999), "-999");
  EXPECT_EQ(withSeparators(std::numeric_limits<int64_t>::max()), "9,223,372,036,854,775,807");
  EXPECT_EQ(bytesText(9999), "9999 B");
  EXPECT_EQ(bytesText(12345), "12.3 kB");
  EXPECT_EQ(bytesText(102400000), "102.4 MB");
  EXPECT_EQ(bytesText(3000000000), "3.0 GB");
  EXPECT_EQ(shapeText({-1, 64, 56}), "N x 64 x 56");
  EXPECT_EQ(shapeText({}), "scalar");
}

TEST(Table, AlignsColumns) {
  Table table({{"layer", Table::Align::Left}, {"size", Table::Align::Right}});
  table.add({"a", "1,000"});
  table.add({"caf\xc3\xa9", "2"});
  std::string text;
  llvm::raw_string_ostream stream(text);
  table.print(stream);
  EXPECT_EQ(text, "layer   size\n"
                  "------------\n"
                  "a      1,000\n"
                  "caf\xc3\xa9       2\n");
}
