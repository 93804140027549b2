#include "pv/thread_priority.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sched.h>

#include <thread>

#include "base/status_matchers.h"

namespace lethe {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

TEST(ParseCpuList, TakesNumbersAndRanges) {
  EXPECT_THAT(ParseCpuList("0").value(), ElementsAre(0));
  EXPECT_THAT(ParseCpuList("0-3,7").value(), ElementsAre(0, 1, 2, 3, 7));
  EXPECT_THAT(ParseCpuList("1023").value(), ElementsAre(1023));
}

TEST(ParseCpuList, SaysWhatItExpects) {
  for (absl::string_view text :
       {"", "a", "-1", "1-", "3-1", "1,", ",", "1024", "0-1024", "1--2", "4294967296"})
    EXPECT_THAT(ParseCpuList(text), FailsWith(HasSubstr("as in 0-3,7"))) << text;
}

TEST(SetIdleClass, WorksForAThreadOnItsOwn) {
  std::thread([] {
    EXPECT_THAT(SetIdleClass(0, true), IsOk());
    EXPECT_EQ(sched_getscheduler(0), SCHED_IDLE);
    EXPECT_EQ(SetIdleClass(0, false).ok(), MayLeaveIdleClass());
  }).join();
  EXPECT_EQ(sched_getscheduler(0), SCHED_OTHER);
}

TEST(SetAffinity, ConfinesAThread) {
  std::thread([] {
    EXPECT_THAT(SetAffinity(0, {}), IsOk());
    cpu_set_t before;
    ASSERT_EQ(sched_getaffinity(0, sizeof(before), &before), 0);
    unsigned cpu = 0;
    while (!CPU_ISSET(cpu, &before)) ++cpu;
    EXPECT_THAT(SetAffinity(0, {cpu}), IsOk());
    cpu_set_t after;
    ASSERT_EQ(sched_getaffinity(0, sizeof(after), &after), 0);
    EXPECT_EQ(CPU_COUNT(&after), 1);
    EXPECT_TRUE(CPU_ISSET(cpu, &after));
  }).join();
}

TEST(SetAffinity, ToCpusThatDoNotExistIsAnError) {
  EXPECT_THAT(SetAffinity(0, {CPU_SETSIZE - 1}), FailsWith(HasSubstr("CPU affinity")));
}

}  // namespace
}  // namespace lethe
