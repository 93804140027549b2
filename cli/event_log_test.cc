#include "cli/event_log.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "base/status_matchers.h"

namespace lethe {
namespace {

using ::testing::HasSubstr;

TEST(EventLogTest, AJsonLineHasTheFieldsThatAreSetAndNoOthers) {
  Event event;
  event.name = "prepare";
  event.duration = std::chrono::microseconds(3);
  event.rc = 1;
  event.rrc = 42;
  const std::string line = ToJsonLine(event, 77);
  EXPECT_EQ(line.back(), '\n');
  const auto json = nlohmann::json::parse(line);
  EXPECT_EQ(json.at("event"), "prepare");
  EXPECT_EQ(json.at("monotonic_ns"), 77);
  EXPECT_EQ(json.at("duration_ns"), 3000);
  EXPECT_EQ(json.at("rrc"), 42);
  EXPECT_FALSE(json.contains("pages"));
  EXPECT_FALSE(json.contains("reason"));
}

TEST(EventLogTest, ALineSurvivesAReasonThatIsNotText) {
  Event event;
  event.name = "power-off";
  event.reason = "bytes \xff \" \n";
  EXPECT_EQ(nlohmann::json::parse(ToJsonLine(event, 1)).at("event"), "power-off");
}

TEST(EventLogTest, ASentenceTellsDurationSizeAndReason) {
  Event event;
  event.name = "perform-end";
  event.duration = std::chrono::milliseconds(812);
  event.pages = 550000;
  EXPECT_EQ(ToSentence(event), "cleaning in background ended (PERFORM): 812.0 ms, 2.1 GiB");
}

TEST(EventLogTest, AFileThatCannotBeWrittenIsNamed) {
  EXPECT_THAT(EventLog::Open(Log::Silent(), "/nonexistent/events"),
              FailsWith(HasSubstr("/nonexistent/events")));
}

}  // namespace
}  // namespace lethe
