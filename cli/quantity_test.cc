#include "cli/quantity.h"

#include <gtest/gtest.h>

#include "base/status_matchers.h"

namespace lethe {
namespace {

using ::testing::HasSubstr;

TEST(QuantityTest, ReadsSizesWithTheUsualUnits) {
  EXPECT_EQ(*ParseMemorySize("4G"), std::uint64_t{4} << 30);
  EXPECT_EQ(*ParseMemorySize("4GiB"), std::uint64_t{4} << 30);
  EXPECT_EQ(*ParseMemorySize("512m"), std::uint64_t{512} << 20);
  EXPECT_EQ(*ParseMemorySize("512"), std::uint64_t{512} << 20);
}

TEST(QuantityTest, RefusesWhatIsNotASizeAndSaysWhatWouldBe) {
  for (const char* text : {"", "G", "4X", "-4G", "4.5G", "99999999999T", "4 G"})
    EXPECT_THAT(ParseMemorySize(text), FailsWith(HasSubstr("512M or 4G"))) << text;
}

TEST(QuantityTest, ReadsDurations) {
  EXPECT_EQ(ParseDuration("1us")->count(), 1000);
  EXPECT_EQ(ParseDuration("2.5ms")->count(), 2500000);
  EXPECT_EQ(ParseDuration("0")->count(), 0);
}

TEST(QuantityTest, RefusesWhatIsNotADuration) {
  for (const char* text : {"", "1", "us", "-1us", "1min", "1e99s"})
    EXPECT_THAT(ParseDuration(text), FailsWith(HasSubstr("1us"))) << text;
}

TEST(QuantityTest, WritesWhatAPersonReadsAtAGlance) {
  EXPECT_EQ(FormatDuration(std::chrono::nanoseconds(3120000)), "3.1 ms");
  EXPECT_EQ(FormatSize(std::uint64_t{2255} << 20), "2.2 GiB");
}

}  // namespace
}  // namespace lethe
