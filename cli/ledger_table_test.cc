#include "cli/ledger_table.h"

#include <gmock/gmock.h>

#include <algorithm>
#include <sstream>

namespace lethe {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

constexpr std::uint64_t kPagesPerGiB = 262144;

LedgerSnapshot Running() {
  LedgerSnapshot entry;
  entry.name = "web";
  entry.uuid.fill(0x1f);
  entry.pid = 4321;
  entry.state = LedgerState::kRunning;
  entry.memory_bytes = std::uint64_t{4} << 30;
  entry.in_state = seconds(3725);
  return entry;
}

LedgerSnapshot Dying() {
  LedgerSnapshot entry = Running();
  entry.name = "database";
  entry.pid = 7;
  entry.reaper_pid = 8;
  entry.state = LedgerState::kDying;
  entry.strategy = LedgerStrategy::kBulk;
  entry.held_pages = 4 * kPagesPerGiB;
  entry.returned_pages = kPagesPerGiB;
  entry.owed_pages = 3 * kPagesPerGiB;
  entry.pages_per_second = kPagesPerGiB / 2;
  entry.ready_in = milliseconds(5900);
  entry.since_stopped = entry.in_state = seconds(2);
  return entry;
}

TEST(LedgerTableTest, ShowsGuestsInAlignedColumns) {
  EXPECT_EQ(
      LedgerTable({Running(), Dying()}),
      "NAME      UUID       PID  STATE       SIZE     OWED  RETURNED       RATE  READY-IN  SINCE\n"
      "web       1f1f1f1f  4321  running  4.0 GiB        -         -          -         -  1h02m\n"
      "database  1f1f1f1f     7  dying    4.0 GiB  3.0 GiB   1.0 GiB  512 MiB/s        6s     "
      "2s\n");
}

TEST(LedgerTableTest, IsAHeadingWhenThereIsNobody) {
  EXPECT_EQ(LedgerTable({}),
            "NAME  UUID  PID  STATE  SIZE  OWED  RETURNED  RATE  READY-IN  SINCE\n");
}

TEST(LedgerTableTest, FitsNarrowTerminalsByLeavingOutWhatTellsLeast) {
  const std::vector<LedgerSnapshot> entries = {Running(), Dying()};
  for (std::size_t width = 24; width < 100; ++width) {
    std::istringstream lines(LedgerTable(entries, width));
    for (std::string line; std::getline(lines, line);) EXPECT_LE(line.size(), width) << line;
  }
  EXPECT_THAT(LedgerTable(entries, 60),
              AllOf(HasSubstr("OWED"), HasSubstr("READY-IN"), Not(HasSubstr("UUID"))));
  EXPECT_THAT(LedgerTable(entries, 1), AllOf(HasSubstr("NAME"), HasSubstr("PID"),
                                             HasSubstr("STATE"), Not(HasSubstr("OWED"))));
}

TEST(LedgerTableTest, AnUnknownRateSaysSo) {
  LedgerSnapshot entry = Dying();
  entry.pages_per_second = 0;
  entry.ready_in = std::nullopt;
  EXPECT_THAT(LedgerTable({entry}), HasSubstr("3.0 GiB   1.0 GiB     ?         ?     2s"));
}

TEST(LedgerDescriptionTest, TellsWhatTheStateCallsFor) {
  EXPECT_THAT(LedgerDescription(Dying()),
              AllOf(HasSubstr("name:        database\n"), HasSubstr("state:       dying for 2s\n"),
                    HasSubstr("owed:        3.0 GiB\n"), HasSubstr("ready in:    6s\n"),
                    HasSubstr("reaper:      pid 8\n"), HasSubstr("strategy:    bulk\n"),
                    HasSubstr("1f1f1f1f-1f1f-1f1f-1f1f-1f1f1f1f1f1f")));
  EXPECT_THAT(LedgerDescription(Running()),
              AllOf(HasSubstr("state:       running for 1h02m\n"), Not(HasSubstr("owed"))));
}

TEST(LedgerFormatTest, AgesAreShort) {
  EXPECT_EQ(FormatAge(milliseconds(900)), "0s");
  EXPECT_EQ(FormatAge(seconds(59)), "59s");
  EXPECT_EQ(FormatAge(seconds(185)), "3m05s");
  EXPECT_EQ(FormatAge(seconds(3600)), "1h00m");
  EXPECT_EQ(FormatAge(seconds(86400 * 4 + 3 * 3600)), "4d03h");
  EXPECT_EQ(FormatReadyIn(milliseconds(1)), "1s");
  EXPECT_EQ(FormatReadyIn(seconds(0)), "0s");
  EXPECT_EQ(FormatReadyIn(std::nullopt), "?");
}

}  // namespace
}  // namespace lethe
