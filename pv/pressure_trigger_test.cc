#include "pv/pressure_trigger.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <poll.h>

#include <filesystem>
#include <fstream>
#include <string>

namespace lethe {
namespace {

using ::testing::AllOf;
using ::testing::Contains;
using ::testing::Each;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

TEST(MemoryEvents, AreParsed) {
  const MemoryEvents events =
      ParseMemoryEvents("low 7\nhigh 1\nmax 2\noom 3\noom_kill 4\noom_group_kill 5\n");
  EXPECT_EQ(events.high, 1u);
  EXPECT_EQ(events.max, 2u);
  EXPECT_EQ(events.oom, 3u);
  EXPECT_EQ(ParseMemoryEvents("high x\n\nmax\n=1").max, 0u);
}

TEST(MemoryEvents, MeanALevel) {
  const MemoryEvents before{5, 5, 5};
  EXPECT_EQ(LevelOf(before, before), PressureLevel::kNone);
  EXPECT_EQ(LevelOf(before, {6, 5, 5}), PressureLevel::kSome);
  EXPECT_EQ(LevelOf(before, {5, 6, 5}), PressureLevel::kSome);
  EXPECT_EQ(LevelOf(before, {6, 6, 6}), PressureLevel::kHigh);
}

// A host made of files: they take triggers and never signal anything.
class FakeHostTriggers : public ::testing::Test {
 protected:
  FakeHostTriggers() {
    std::string name = ::testing::TempDir() + "/pressure.XXXXXX";
    root_ = ::mkdtemp(name.data());
  }
  ~FakeHostTriggers() override { std::filesystem::remove_all(root_); }

  void Write(const std::string& path, const std::string& text) {
    std::filesystem::create_directories(std::filesystem::path(root_ + path).parent_path());
    std::ofstream(root_ + path) << text;
  }
  std::string Read(const std::string& path) {
    std::ifstream file(root_ + path);
    std::string text;
    std::getline(file, text, '\0');
    return text;
  }
  void InVersionTwo() {
    Write("/proc/self/cgroup", "0::/guest\n");
    Write("/proc/self/mountinfo", "30 23 0:26 / /cg rw - cgroup2 cgroup2 rw\n");
  }

  std::string root_;
};

TEST_F(FakeHostTriggers, VersionTwoHasStallsAndEvents) {
  InVersionTwo();
  Write("/proc/pressure/memory", "");
  Write("/cg/guest/memory.pressure", "");
  Write("/cg/guest/memory.events", "high 0\n");
  const PressureTriggers found = OpenPressureTriggers(root_);
  EXPECT_THAT(found.triggers, SizeIs(5));
  EXPECT_THAT(found.missing, IsEmpty());
  for (const PressureTrigger& trigger : found.triggers) EXPECT_EQ(trigger.poll_events(), POLLPRI);
  // The window is one that every user may ask for.
  EXPECT_THAT(Read("/proc/pressure/memory"), HasSubstr(" 2000000"));
  EXPECT_THAT(OpenStallTriggers(root_), SizeIs(4));
}

TEST_F(FakeHostTriggers, SayWhatIsMissing) {
  InVersionTwo();
  const PressureTriggers found = OpenPressureTriggers(root_);
  EXPECT_THAT(found.triggers, IsEmpty());
  EXPECT_THAT(found.missing,
              AllOf(SizeIs(3), Contains(HasSubstr("/proc/pressure/memory")),
                    Contains(HasSubstr("/cg/guest/memory.pressure")),
                    Contains(HasSubstr("/cg/guest/memory.events")), Each(HasSubstr("No such"))));
  EXPECT_THAT(OpenStallTriggers(root_), IsEmpty());
}

TEST_F(FakeHostTriggers, VersionOneRegistersAnEventfd) {
  Write("/proc/self/cgroup", "4:memory:/guest\n");
  Write("/proc/self/mountinfo", "35 31 0:32 / /cg rw - cgroup cgroup rw,memory\n");
  Write("/proc/pressure/memory", "");
  Write("/cg/guest/memory.pressure_level", "");
  Write("/cg/guest/cgroup.event_control", "");
  const PressureTriggers found = OpenPressureTriggers(root_);
  ASSERT_THAT(found.triggers, SizeIs(4));
  EXPECT_THAT(found.missing, IsEmpty());
  EXPECT_EQ(found.triggers[3].poll_events(), POLLIN);
  EXPECT_THAT(Read("/cg/guest/cgroup.event_control"), HasSubstr(" critical"));
}

TEST_F(FakeHostTriggers, TheOutermostGroupHasNoEvents) {
  Write("/proc/self/cgroup", "0::/\n");
  Write("/proc/self/mountinfo", "30 23 0:26 / /cg rw - cgroup2 cgroup2 rw\n");
  Write("/proc/pressure/memory", "");
  Write("/cg/memory.pressure", "");
  EXPECT_THAT(OpenPressureTriggers(root_).missing, IsEmpty());
}

TEST(OpenPressureTriggers, OfThisMachineAreNotReadyForEver) {
  for (const PressureTrigger& trigger : OpenPressureTriggers().triggers) {
    // What is ready once must not be so at once again, or a watcher would never sleep.
    if (trigger.kind != PressureTrigger::Kind::kStall) continue;
    pollfd polled{trigger.fd.get(), trigger.poll_events(), 0};
    ASSERT_GE(poll(&polled, 1, 0), 0);
    EXPECT_EQ(polled.revents & (POLLERR | POLLNVAL), 0) << trigger.name;
  }
}

}  // namespace
}  // namespace lethe
