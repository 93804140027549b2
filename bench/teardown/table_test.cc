#include "bench/teardown/table.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "bench/teardown/sample_results.h"

namespace lethe::bench {
namespace {

using ::testing::ContainsRegex;
using ::testing::HasSubstr;
using ::testing::Not;

TEST(TableTest, TimesHaveAUnitAndFewDigits) {
  EXPECT_EQ(SecondsText(0.0000042), "4.2 us");
  EXPECT_EQ(SecondsText(0.000850), "850 us");
  EXPECT_EQ(SecondsText(0.0126), "13 ms");
  EXPECT_EQ(SecondsText(0.0061), "6.1 ms");
  EXPECT_EQ(SecondsText(0.99999), "1.0 s");
  EXPECT_EQ(SecondsText(61), "61 s");
}

TEST(TableTest, SizesAndCostsAsPeopleSayThem) {
  EXPECT_EQ(SizeText(std::uint64_t{256} << 20), "256 MiB");
  EXPECT_EQ(SizeText(std::uint64_t{16} << 30), "16 GiB");
  EXPECT_EQ(CostText(std::chrono::nanoseconds(0)), "0");
  EXPECT_EQ(CostText(std::chrono::nanoseconds(250)), "250 ns");
  EXPECT_EQ(CostText(std::chrono::nanoseconds(1500)), "1.5 us");
}

TEST(TableTest, HasMediansAndRatios) {
  const std::string table = ToTable(SampleResults());
  // Median of 700, 840 and 770 ms, and of 3.0, 3.6 and 3.3 s.
  EXPECT_THAT(table, ContainsRegex("8 GiB +lazy +1 us +771 ms +770 ms +1.0 ms.* 4.28 x"));
  EXPECT_THAT(table, ContainsRegex("8 GiB +sync +1 us +3.3 s"));
  // 7.5e9 of 4 GiB in half a second.
  EXPECT_THAT(table, ContainsRegex("4 GiB +Lethe, lazy +1 us +12 ms +2.0 s +6.98 +87 %"));
  EXPECT_THAT(table, ContainsRegex("4 GiB +QEMU +600 ms"));
  EXPECT_THAT(table, ContainsRegex("4 GiB +plain munmap +500 ms +8.00 +100 %"));
  EXPECT_THAT(table, HasSubstr("Note: 16 GiB is left out"));
  EXPECT_THAT(table, Not(HasSubstr("async-teardown")));
}

TEST(TableTest, SaysWhenALazyDestroyWasNone) {
  Results results = SampleResults();
  for (Row& row : results.rows)
    for (Round& round : row.rounds)
      if (round.reboot) round.reboot->command = "disable";
  EXPECT_THAT(ToTable(results), HasSubstr("lazy (at once)"));
}

TEST(TableTest, OfNothingHasTheNotesOnly) {
  Results results;
  results.notes = {"nothing fits"};
  EXPECT_EQ(ToTable(results), "Note: nothing fits.\n");
}

}  // namespace
}  // namespace lethe::bench
