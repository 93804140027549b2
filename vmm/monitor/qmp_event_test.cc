#include "vmm/monitor/qmp_event.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "absl/strings/match.h"

namespace lethe::vmm {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

// The events without their times.
std::vector<std::string> Translate(const Event& event) {
  std::vector<std::string> texts;
  for (const std::string& line : ToQmpEvents(event, std::chrono::microseconds(5'000'007))) {
    EXPECT_TRUE(absl::EndsWith(line, "\r\n"));
    auto json = nlohmann::json::parse(line);
    EXPECT_EQ(json["timestamp"].dump(), R"({"microseconds":7,"seconds":5})");
    json.erase("timestamp");
    texts.push_back(json.dump());
  }
  return texts;
}

TEST(QmpEventTest, SaysWhoEndedOrResetTheMachine) {
  EXPECT_THAT(
      Translate({.name = "power-off", .cause = "guest-shutdown"}),
      ElementsAre(R"({"data":{"guest":true,"reason":"guest-shutdown"},"event":"SHUTDOWN"})"));
  EXPECT_THAT(
      Translate({.name = "end", .cause = "host-qmp-quit"}),
      ElementsAre(R"({"data":{"guest":false,"reason":"host-qmp-quit"},"event":"SHUTDOWN"})"));
  EXPECT_THAT(
      Translate({.name = "guest-restarted", .cause = "host-qmp-system-reset"}),
      ElementsAre(R"({"data":{"guest":false,"reason":"host-qmp-system-reset"},"event":"RESET"})"));
}

TEST(QmpEventTest, SaysNothingOfARestartInPlaceAndOfInnerSteps) {
  EXPECT_THAT(Translate({.name = "guest-restarted", .cause = "subsystem-reset"}), IsEmpty());
  EXPECT_THAT(Translate({.name = "pv-unpack"}), IsEmpty());
}

TEST(QmpEventTest, HasNoDataWhereThereIsNothingToSay) {
  EXPECT_THAT(Translate({.name = "pause"}), ElementsAre(R"({"event":"STOP"})"));
  EXPECT_THAT(Translate({.name = "resume"}), ElementsAre(R"({"event":"RESUME"})"));
  EXPECT_THAT(Translate({.name = "power-down-request"}), ElementsAre(R"({"event":"POWERDOWN"})"));
}

TEST(QmpEventTest, TellsOfACrashAsQemuDoes) {
  EXPECT_THAT(
      Translate({.name = "crash",
                 .reason = "disabled wait",
                 .cause = "guest-panic",
                 .cpu = 1,
                 .psw_mask = 0x8000000000000000,
                 .psw_address = 2}),
      ElementsAre(R"({"data":{"action":"poweroff","info":{"core":1,"psw-addr":2,)"
                  R"("psw-mask":9223372036854775808,"reason":"disabled-wait","type":"s390"}},)"
                  R"("event":"GUEST_PANICKED"})",
                  R"({"event":"STOP"})",
                  R"({"data":{"guest":true,"reason":"guest-panic"},"event":"SHUTDOWN"})"));
}

TEST(QmpEventTest, TellsBothStagesOfATeardown) {
  EXPECT_THAT(Translate({.name = "released",
                         .duration = std::chrono::milliseconds(1500),
                         .pages = 3,
                         .reason = "why",
                         .kind = "reboot",
                         .strategy = "set-aside"}),
              ElementsAre(R"({"data":{"kind":"reboot","pages":3,"reasons":["why"],"seconds":1.5,)"
                          R"("strategy":"set-aside"},"event":"X_LETHE_RELEASED"})"));
  EXPECT_THAT(Translate({.name = "stopped", .kind = "shutdown", .strategy = "bulk"}),
              ElementsAre(R"({"data":{"kind":"shutdown","reasons":[],"strategy":"bulk"},)"
                          R"("event":"X_LETHE_STOPPED"})"));
}

}  // namespace
}  // namespace lethe::vmm
