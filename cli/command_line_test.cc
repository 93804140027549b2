#include "cli/command_line.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace lethe {
namespace {

using ::testing::HasSubstr;

TEST(CommandLineTest, ReadsAWholeRun) {
  const auto parsed = ParseCommandLine(
      {"run", "--image", "guest.pv", "--memory", "4G", "--cpus", "2", "--destroy", "sync",
       "--accel", "emulated", "--uvc-cost", "1us", "--console", "none", "--events", "e.json"});
  ASSERT_TRUE(parsed.command.has_value()) << parsed.error;
  const auto& run = std::get<RunOptions>(*parsed.command);
  EXPECT_EQ(run.image, "guest.pv");
  EXPECT_EQ(run.memory, std::uint64_t{4} << 30);
  EXPECT_EQ(run.cpus, 2);
  EXPECT_EQ(run.teardown.policy, DestroyPolicy(DestroyMode::kSync));
  EXPECT_EQ(run.host.accelerator, Accelerator::kEmulated);
  EXPECT_EQ(run.host.uvc_cost.count(), 1000);
  EXPECT_EQ(run.events, "e.json");
}

TEST(CommandLineTest, EveryWrongLineIsOneErrorLineThatNamesTheValue) {
  struct Case {
    std::vector<std::string> arguments;
    std::string expected;
  };
  const Case cases[] = {
      {{}, "run, seal, check, ps"},
      {{"fly"}, "fly"},
      {{"run"}, "--kernel or --image"},
      {{"run", "--kernel", "k", "--image", "i"}, "exclude"},
      {{"run", "--image", "i", "--append", "x"}, "lethe seal"},
      {{"run", "--kernel", "k", "--memory", "lots"}, "'lots'"},
      {{"run", "--kernel", "k", "--cpus", "0"}, "1 to 248"},
      {{"run", "--kernel", "k", "--cpus", "many"}, "many"},
      {{"run", "--kernel", "k", "--destroy", "later"}, "later"},
      {{"run", "--kernel", "k", "--accel", "tcg"}, "auto|emulated|kvm"},
      {{"run", "--kernel", "k", "--uvc-cost", "1"}, "1us"},
      {{"run", "--kernel", "k", "--console", "vnc"}, "file:PATH"},
      {{"run", "--kernel", "k", "--frobnicate"}, "--frobnicate"},
      {{"seal", "--kernel", "k"}, "--output"},
  };
  for (const Case& test : cases) {
    const auto parsed = ParseCommandLine(test.arguments);
    EXPECT_FALSE(parsed.command.has_value());
    EXPECT_EQ(parsed.status, ExitStatus::kUsage);
    EXPECT_THAT(parsed.error, HasSubstr(test.expected));
    EXPECT_EQ(parsed.error.find('\n'), std::string::npos);
  }
}

TEST(CommandLineTest, HelpAndVersionAreNotErrors) {
  EXPECT_THAT(ParseCommandLine({"--help"}).output, HasSubstr("run"));
  EXPECT_THAT(ParseCommandLine({"run", "--help"}).output, HasSubstr("--destroy"));
  EXPECT_THAT(ParseCommandLine({"--version"}).output, HasSubstr("lethe "));
  EXPECT_EQ(ParseCommandLine({"--help"}).status, ExitStatus::kPoweredOff);
}

}  // namespace
}  // namespace lethe
