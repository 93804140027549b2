#include "preload/settings.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <string>

#include "base/status_matchers.h"

namespace lethe::preload {
namespace {

using ::testing::HasSubstr;

TEST(Settings, AreDefaultsWithoutVariables) {
  const auto settings = ReadSettings([](const char*) -> const char* { return nullptr; });
  ASSERT_THAT(settings, IsOk());
  EXPECT_EQ(settings->host_key, "");
  EXPECT_EQ(settings->uvc_cost.count(), 0);
  EXPECT_TRUE(settings->destroy_fast);
  EXPECT_TRUE(settings->asynchronous_destroy);
  EXPECT_EQ(settings->log_level, LogLevel::kError);
}

TEST(Settings, AreRead) {
  const auto settings = ReadSettings([](const char* name) -> const char* {
    static const std::map<std::string, const char*> variables = {
        {"LETHE_EMULATE_HOST_KEY", "/key"},   {"LETHE_EMULATE_UVC_COST", "1000"},
        {"LETHE_EMULATE_EXPORT_COST", "7"},   {"LETHE_EMULATE_DESTROY_FAST", "0"},
        {"LETHE_EMULATE_ASYNC_DESTROY", "0"}, {"LETHE_EMULATE_LOG", "info"},
    };
    return variables.at(name);
  });
  ASSERT_THAT(settings, IsOk());
  EXPECT_EQ(settings->host_key, "/key");
  EXPECT_EQ(settings->uvc_cost.count(), 1000);
  EXPECT_EQ(settings->export_cost.count(), 7);
  EXPECT_FALSE(settings->destroy_fast);
  EXPECT_FALSE(settings->asynchronous_destroy);
  EXPECT_EQ(settings->log_level, LogLevel::kInfo);
}

TEST(Settings, SayWhichVariableIsWrong) {
  for (const char* const wrong :
       {"LETHE_EMULATE_UVC_COST", "LETHE_EMULATE_EXPORT_COST", "LETHE_EMULATE_DESTROY_FAST",
        "LETHE_EMULATE_ASYNC_DESTROY", "LETHE_EMULATE_LOG"}) {
    for (const char* const value : {"", "-1", "1x", "2 "}) {
      const auto settings = ReadSettings([&](const char* name) -> const char* {
        return std::string(name) == wrong ? value : nullptr;
      });
      ASSERT_FALSE(settings.ok()) << wrong << "=" << value;
      EXPECT_THAT(std::string(settings.status().message()), HasSubstr(wrong));
    }
  }
}

}  // namespace
}  // namespace lethe::preload
