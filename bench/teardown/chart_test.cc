#include "bench/teardown/chart.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "bench/teardown/plot.h"
#include "bench/teardown/sample_results.h"

namespace lethe::bench {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

TEST(AxisTest, EndsAtARoundNumberAboveTheLargest) {
  EXPECT_DOUBLE_EQ(AxisUpTo(6.1, 4, "s").end, 8);
  EXPECT_DOUBLE_EQ(AxisUpTo(6.1, 4, "s").step, 2);
  EXPECT_DOUBLE_EQ(AxisUpTo(16, 4, "GiB").end, 20);
  EXPECT_DOUBLE_EQ(AxisUpTo(0.03, 4, "s").step, 0.01);
  EXPECT_GT(AxisUpTo(0, 4, "s").end, 0);
}

TEST(ChartTest, ShowsWhatWasMeasured) {
  const std::string chart = ToChart(SampleResults());
  EXPECT_THAT(chart, StartsWith("<svg xmlns="));
  for (const char* const text :
       {"Reboot", "Power-off", "GiB", "seconds", "lazy 771 ms", "sync 3.3 s", "QEMU 1.2 s",
        "old guest is being cleaned", "lazy: 12 ms"})
    EXPECT_THAT(chart, HasSubstr(text));
  EXPECT_THAT(chart, Not(HasSubstr("nan")));
  EXPECT_THAT(chart, Not(HasSubstr("inf")));
}

TEST(ChartTest, OfNothingIsADrawingAllTheSame) {
  const std::string chart = ToChart(Results());
  EXPECT_THAT(chart, HasSubstr("</svg>"));
  EXPECT_THAT(chart, Not(HasSubstr("nan")));
}

TEST(SvgTest, EscapesText) {
  Svg svg(10, 10, "a < b");
  svg.Text({1, 1}, "\"x\" & <y>", {});
  EXPECT_THAT(svg.Finish(), HasSubstr("<title>a &lt; b</title>"));
  EXPECT_THAT(svg.Finish(), HasSubstr("&quot;x&quot; &amp; &lt;y&gt;"));
}

}  // namespace
}  // namespace lethe::bench
