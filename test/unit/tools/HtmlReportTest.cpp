// The page of `bench` and `explain`: what it shows, where points lie, and that no text of a network breaks out of it.
#include "tools/cnnc/HtmlReport.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

using namespace cnn;
using testing::HasSubstr;
using testing::Not;

namespace {

Report report() {
  Report report;
  report.title = "a<b>";
  report.peakGflops = 100;
  report.gigabytes = 10;
  report.groups = {{"conv1", "conv", "direct", 1e9, 1e6, 20.0, {"note: \"x\" & y"}},
                   {"<script>", "pool", "direct", 1e6, 1e6, 1.0, {}},
                   {"copy", "copy", "", 0, 1e6, 0.5, {}}};
  return report;
}

TEST(HtmlReport, TextIsText) {
  const std::string page = htmlReport(report());
  EXPECT_THAT(page, HasSubstr("<h1>a&lt;b&gt;</h1>"));
  EXPECT_THAT(page, HasSubstr("<p>note: &quot;x&quot; &amp; y</p>"));
  EXPECT_THAT(page, Not(HasSubstr("<script")));
}

TEST(HtmlReport, TheRoofIsTheLowerOfBoth) {
  Report page = report();
  EXPECT_DOUBLE_EQ(attainableGflops(page, page.groups[0]), 100);
  EXPECT_DOUBLE_EQ(attainableGflops(page, page.groups[1]), 10);
  // 1e9 operations in 20 ms are 50 GFLOP/s, half of the roof.
  EXPECT_THAT(htmlReport(page), HasSubstr("<td>50.0</td><td>50 %</td>"));
}

TEST(HtmlReport, PointsAreWhereTheyWereMeasuredElseOnTheRoof) {
  // Decades of 1 to 1000 FLOP a byte on 70 to 930, of 1 to 100 GFLOP/s on 470 to 20.
  const std::string measured = rooflineSvg(report());
  EXPECT_THAT(measured, HasSubstr("<circle cx=\"930.0\" cy=\"87.7\"")) << "50 GFLOP/s at 1000 FLOP a byte";
  EXPECT_THAT(measured, HasSubstr("<circle cx=\"70.0\" cy=\"470.0\"")) << "1 GFLOP/s at 1 FLOP a byte";
  EXPECT_THAT(measured, Not(HasSubstr("copy"))) << "it computes nothing";
  Report planned = report();
  for (ReportGroup &group : planned.groups)
    group.milliseconds.reset();
  EXPECT_THAT(rooflineSvg(planned), HasSubstr("<circle cx=\"930.0\" cy=\"20.0\""));
  EXPECT_THAT(rooflineSvg(planned), HasSubstr("<circle cx=\"70.0\" cy=\"245.0\""));
  EXPECT_THAT(htmlReport(planned), HasSubstr("GFLOP/s at most"));
}

} // namespace
