#include "cli/metrics_text.h"

#include <gmock/gmock.h>

#include <cctype>
#include <set>
#include <sstream>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"

namespace lethe {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

LedgerSnapshot Guest(const char* name, LedgerState state, std::uint64_t owed_pages) {
  LedgerSnapshot entry;
  entry.name = name;
  entry.pid = 7;
  entry.state = state;
  entry.memory_bytes = 1 << 20;
  entry.owed_pages = owed_pages;
  entry.held_pages = 256;
  return entry;
}

TEST(MetricsTextTest, CountersComeFromTheTotals) {
  LedgerTotals totals{};
  totals.of(TeardownCounter::kShutdownBulk).count.store(3);
  totals.of(TeardownCounter::kShutdownBulk).foreground_ns.store(1500000000);
  totals.of(TeardownCounter::kRebootSetAside).pages.store(2);
  totals.of(FallbackCounter::kPressure).store(5);
  totals.of(AdmissionCounter::kRefused).store(2);
  totals.admission_wait_ns.store(12000000001);
  const std::string text = MetricsText(totals, {});
  for (const char* line : {
           "lethe_teardowns_total{kind=\"shutdown\",strategy=\"bulk\"} 3\n",
           "lethe_teardown_foreground_seconds_total{kind=\"shutdown\",strategy=\"bulk\"} "
           "1.500000000\n",
           "lethe_teardown_bytes_total{kind=\"reboot\",strategy=\"set-aside\"} 8192\n",
           "lethe_fallbacks_total{reason=\"pressure\"} 5\n",
           "lethe_admissions_total{outcome=\"refused\"} 2\n",
           "lethe_admission_wait_seconds_total 12.000000001\n",
           "lethe_owed_bytes 0\n",
       })
    EXPECT_THAT(text, HasSubstr(line));
}

TEST(MetricsTextTest, GaugesComeFromTheEntriesThatAreAlive) {
  LedgerTotals totals{};
  const std::string text = MetricsText(
      totals, {Guest("web", LedgerState::kRunning, 0), Guest("db", LedgerState::kDying, 100),
               Guest("gone", LedgerState::kReleased, 0)});
  const std::string labels = ",uuid=\"00000000-0000-0000-0000-000000000000\",pid=\"7\"} ";
  EXPECT_THAT(text, HasSubstr("lethe_guests{state=\"running\"} 1\n"));
  EXPECT_THAT(text, HasSubstr("lethe_guests{state=\"waiting\"} 0\n"));
  EXPECT_THAT(text, HasSubstr("lethe_owed_bytes 409600\n"));
  EXPECT_THAT(text, HasSubstr("lethe_guest_memory_bytes{name=\"web\"" + labels + "1048576\n"));
  EXPECT_THAT(text, HasSubstr("lethe_guest_owed_bytes{name=\"db\"" + labels + "409600\n"));
  EXPECT_THAT(text, Not(HasSubstr("lethe_guest_owed_bytes{name=\"web\"")));
  EXPECT_THAT(text, Not(HasSubstr("gone")));
}

bool IsMetricName(const std::string& name) {
  return absl::StartsWith(name, "lethe_") &&
         name.find_first_not_of("abcdefghijklmnopqrstuvwxyz_") == std::string::npos;
}

// What the format demands of a whole text: each metric announced once, its samples behind that, no
// sample twice, every value a number.
TEST(MetricsTextTest, IsWellFormed) {
  LedgerTotals totals{};
  std::istringstream lines(MetricsText(
      totals, {Guest("web", LedgerState::kRunning, 0), Guest("db", LedgerState::kDying, 9)}));
  std::set<std::string> announced, samples;
  std::string current;
  for (std::string line; std::getline(lines, line);) {
    std::istringstream words(line);
    std::string first, second, name;
    words >> first >> second >> name;
    if (second == "HELP") {
      EXPECT_TRUE(IsMetricName(name)) << line;
      EXPECT_TRUE(announced.insert(name).second) << line;
      current = name;
      continue;
    }
    if (second == "TYPE") {
      EXPECT_EQ(name, current);
      std::string type;
      words >> type;
      EXPECT_EQ(type, absl::EndsWith(name, "_total") ? "counter" : "gauge") << line;
      continue;
    }
    EXPECT_EQ(first.substr(0, first.find('{')), current) << line;
    EXPECT_TRUE(samples.insert(first).second) << line;
    double value;
    EXPECT_TRUE(absl::SimpleAtod(second, &value)) << line;
  }
  EXPECT_GT(samples.size(), 30u);
}

}  // namespace
}  // namespace lethe
