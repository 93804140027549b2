#include "base/log.h"

#include <gtest/gtest.h>

#include <string>

namespace lethe {
namespace {

TEST(Log, WantsNoLevelBehindItsHighest) {
  const Log log = Log::ToStandardError(LogLevel::kWarning);
  EXPECT_TRUE(log.Wants(LogLevel::kError));
  EXPECT_TRUE(log.Wants(LogLevel::kWarning));
  EXPECT_FALSE(log.Wants(LogLevel::kInfo));
  EXPECT_FALSE(log.Wants(LogLevel::kDebug));
}

TEST(Log, WritesWhatItWants) {
  ::testing::internal::CaptureStderr();
  const Log log = Log::ToStandardError(LogLevel::kInfo);
  log.Error("no");
  log.Info("yes");
  log.Debug("nothing");
  EXPECT_EQ(::testing::internal::GetCapturedStderr(), "lethe: error: no\nlethe: yes\n");
}

TEST(Log, ASinkGetsEverything) {
  std::string last;
  const Log log =
      Log::To([&](LogLevel, absl::string_view message) { last = std::string(message); });
  EXPECT_TRUE(log.Wants(LogLevel::kDebug));
  log.Debug("something");
  EXPECT_EQ(last, "something");
}

TEST(Log, TheSilentOneWantsNothing) { EXPECT_FALSE(Log::Silent().Wants(LogLevel::kError)); }

}  // namespace
}  // namespace lethe
