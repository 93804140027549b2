#include "cli/ledger_commands.h"

#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>
#include <thread>

#include "base/status_matchers.h"
#include "cli/command_line.h"
#include "cli/ledger_json.h"
#include "pv/ledger/ledger_fixture.h"

namespace lethe {
namespace {

using std::chrono::milliseconds;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::internal::CaptureStdout;
using ::testing::internal::GetCapturedStdout;

class LedgerCommandsTest : public LedgerTest {
 protected:
  LedgerEntry Add(const std::string& name) { return *ledger_->AddEntry(GuestNamed(name)); }
  std::string Ps(bool all, bool json) {
    PsOptions options{path(), all, json};
    CaptureStdout();
    const auto status = ListGuests(options);
    const std::string output = GetCapturedStdout();
    EXPECT_THAT(status, IsOk());
    return output;
  }
  WaitOptions Waiting(bool released) {
    WaitOptions options;
    options.ledger = path();
    options.guest = "web";
    (released ? options.released : options.stopped) = true;
    return options;
  }
};

TEST_F(LedgerCommandsTest, PsShowsTheLivingAndOnRequestTheDead) {
  const LedgerEntry entry = Add("web");
  { const LedgerEntry gone = Add("gone"); }
  EXPECT_THAT(Ps(false, false), HasSubstr("web"));
  EXPECT_EQ(Ps(false, false).find("gone"), std::string::npos);
  EXPECT_THAT(Ps(true, false), AllOf(HasSubstr("web"), HasSubstr("gone"), HasSubstr("released")));
}

TEST_F(LedgerCommandsTest, JsonHasNumbersInBaseUnits) {
  EXPECT_EQ(Ps(false, true), "[]\n");
  LedgerEntry entry = Add("web");
  EnterDying(entry.record(), 10, LedgerStrategy::kTrickle, LedgerNow());
  EnterReturned(entry.record(), 4, 3);
  const auto json = nlohmann::json::parse(Ps(false, true));
  ASSERT_EQ(json.size(), 1u);
  EXPECT_EQ(json[0]["name"], "web");
  EXPECT_EQ(json[0]["state"], "dying");
  EXPECT_EQ(json[0]["strategy"], "trickle");
  EXPECT_EQ(json[0]["owed_bytes"], 6 * 4096);
  EXPECT_EQ(json[0]["ready_in_seconds"], 2.0);
  EXPECT_TRUE(json[0]["reaper_pid"].is_null());
}

TEST_F(LedgerCommandsTest, StatusKnowsNobodyItWasNotToldOf) {
  const LedgerEntry entry = Add("web");
  CaptureStdout();
  EXPECT_THAT(ShowStatus({path(), "web", false}), IsOk());
  EXPECT_THAT(GetCapturedStdout(), HasSubstr("starting"));
  EXPECT_THAT(ShowStatus({path(), "mail", false}), FailsWith(HasSubstr("known: web")));
}

TEST_F(LedgerCommandsTest, WaitEndsWhenTheStageIsReached) {
  LedgerEntry entry = Add("web");
  std::thread guest([&] {
    std::this_thread::sleep_for(milliseconds(20));
    EnterDying(entry.record(), 10, LedgerStrategy::kBulk, LedgerNow());
  });
  EXPECT_EQ(*WaitForGuest(Waiting(/*released=*/false)), ExitStatus::kPoweredOff);
  guest.join();
  EXPECT_EQ(entry.record().state.load(), LedgerState::kDying);
  std::thread reaper([&] {
    std::this_thread::sleep_for(milliseconds(20));
    EnterReleased(entry.record(), LedgerNow());
  });
  EXPECT_EQ(*WaitForGuest(Waiting(/*released=*/true)), ExitStatus::kPoweredOff);
  reaper.join();
  EXPECT_EQ(*WaitForGuest(Waiting(/*released=*/true)), ExitStatus::kPoweredOff);  // a tombstone
}

TEST_F(LedgerCommandsTest, WaitForAnOwnerThatDiesEndsToo) {
  Signpost ready;
  Child owner([&] {
    const LedgerEntry entry = *(*Ledger::Open(path()))->AddEntry(GuestNamed("web"));
    ready.Set();
    ::pause();
    return 0;
  });
  ready.Await();
  std::thread killer([&] {
    std::this_thread::sleep_for(milliseconds(20));
    owner.Kill();
  });
  EXPECT_EQ(*WaitForGuest(Waiting(/*released=*/true)), ExitStatus::kPoweredOff);
  killer.join();
}

TEST_F(LedgerCommandsTest, WaitThatTakesTooLongTellsTheNumbers) {
  LedgerEntry entry = Add("web");
  EnterDying(entry.record(), 262144, LedgerStrategy::kBulk, LedgerNow());
  EnterReturned(entry.record(), 65536, 131072);
  WaitOptions options = Waiting(/*released=*/true);
  options.timeout = milliseconds(60);
  EXPECT_THAT(WaitForGuest(options),
              FailsWith(AllOf(HasSubstr("web is dying"), HasSubstr("768 MiB of 1.0 GiB owed"),
                              HasSubstr("512 MiB/s"), HasSubstr("ready in 2s"))));
  options.guest = "mail";
  EXPECT_THAT(WaitForGuest(options), FailsWith(HasSubstr("no guest 'mail'")));
}

TEST_F(LedgerCommandsTest, MetricsReplaceAFileAsAWhole) {
  ledger_->totals()->of(FallbackCounter::kOther).fetch_add(4);
  const std::string output = path() + "/metrics";
  EXPECT_THAT(WriteMetrics({path(), output}), IsOk());
  std::ostringstream text;
  text << std::ifstream(output).rdbuf();
  EXPECT_THAT(text.str(), HasSubstr("lethe_fallbacks_total{reason=\"other\"} 4\n"));
  EXPECT_THAT(WriteMetrics({path(), "/nonexistent/metrics"}),
              FailsWith(HasSubstr("/nonexistent/metrics")));
  EXPECT_THAT(WriteMetrics({path() + "/nobody-ever-ran-a-guest", output}), IsOk());
}

TEST(LedgerOptionsTest, AreReadAndChecked) {
  const auto parsed = ParseCommandLine(
      {"wait", "web", "--released", "--timeout", "1.5s", "--ledger", "/run/other"});
  ASSERT_TRUE(parsed.command.has_value()) << parsed.error;
  const auto& wait = std::get<WaitOptions>(*parsed.command);
  EXPECT_EQ(wait.guest, "web");
  EXPECT_TRUE(wait.released);
  EXPECT_EQ(wait.timeout, milliseconds(1500));
  EXPECT_EQ(wait.ledger, "/run/other");
  EXPECT_TRUE(std::get<PsOptions>(*ParseCommandLine({"ps", "--all", "--json"}).command).all);
  EXPECT_EQ(std::get<StatusOptions>(*ParseCommandLine({"status", "12"}).command).guest, "12");
  EXPECT_EQ(std::get<MetricsOptions>(*ParseCommandLine({"metrics", "-o", "f"}).command).output,
            "f");

  struct Case {
    std::vector<std::string> arguments;
    std::string expected;
  };
  const Case cases[] = {
      {{"wait", "web"}, "--stopped or --released"},
      {{"wait", "web", "--stopped", "--released"}, "--stopped or --released"},
      {{"wait", "--stopped"}, "guest"},
      {{"wait", "web", "--stopped", "--timeout", "soon"}, "'soon'"},
      {{"status"}, "guest"},
      {{"ps", "web"}, "web"},
  };
  for (const Case& test : cases) {
    const auto wrong = ParseCommandLine(test.arguments);
    EXPECT_EQ(wrong.status, ExitStatus::kUsage);
    EXPECT_THAT(wrong.error, HasSubstr(test.expected));
  }
}

}  // namespace
}  // namespace lethe
