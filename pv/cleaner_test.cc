#include "pv/cleaner.h"

#include <gtest/gtest.h>
#include <linux/capability.h>
#include <sched.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <functional>
#include <thread>
#include <vector>

#include "accel/kvm-s390/abi.h"
#include "pv/gate.h"
#include "pv/protected_vm_fixture.h"
#include "pv/thread_priority.h"

namespace lethe {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr auto kForever = std::chrono::hours(1);
constexpr auto kNow = std::chrono::seconds(0);

class CleanerTest : public ProtectedVmFixture {
 protected:
  void SetAsideAGuest() {
    const kvm::PvCommand command(*vm_);
    ASSERT_TRUE(command.Enable().ok());
    ASSERT_TRUE(command.PrepareCleanup().ok());
  }
};

TEST_F(CleanerTest, CleansWhatIsHandedOver) {
  Cleaner cleaner(kvm::PvCommand(*vm_), {}, events_);
  EXPECT_TRUE(cleaner.idle());
  SetAsideAGuest();
  cleaner.HandOver();
  EXPECT_TRUE(cleaner.WaitUntilIdle(kForever));
  EXPECT_EQ(kernel_.secure_configurations(), 0);
  EXPECT_THAT(events_.Names(), ElementsAre("perform-begin", "perform-end"));
  EXPECT_EQ(events_.Last("perform-end")->rc, 1);
  EXPECT_EQ(events_.Last("perform-end")->reason, "");
}

TEST_F(CleanerTest, NothingSetAsideMeansAlreadyClean) {
  Cleaner cleaner(kvm::PvCommand(*vm_), {}, events_);
  cleaner.HandOver();
  EXPECT_TRUE(cleaner.WaitUntilIdle(kForever));
  EXPECT_EQ(events_.Last("perform-end")->reason, "already clean");
}

TEST_F(CleanerTest, SaysWhenTheKernelWasInterrupted) {
  faults_.Inject({.request = abi::KVM_S390_PV_COMMAND,
                  .pv_command = abi::KVM_PV_ASYNC_CLEANUP_PERFORM,
                  .error = 0,  // success, but with the mark of a fatal signal
                  .rc = 1,
                  .rrc = 42});
  Cleaner cleaner(kvm::PvCommand(*vm_), {}, events_);
  cleaner.HandOver();
  EXPECT_TRUE(cleaner.WaitUntilIdle(kForever));
  EXPECT_THAT(events_.Last("perform-end")->reason, HasSubstr("interrupted"));
}

TEST_F(CleanerTest, ReportsWhatTheUltravisorSaysOfAFailure) {
  for (int error : {EIO, ENOMEM, EINVAL}) {
    faults_.Clear();
    faults_.Inject({.request = abi::KVM_S390_PV_COMMAND,
                    .pv_command = abi::KVM_PV_ASYNC_CLEANUP_PERFORM,
                    .error = error,
                    .rc = 0x104,
                    .rrc = 9});
    Cleaner cleaner(kvm::PvCommand(*vm_), {}, events_);
    cleaner.HandOver();
    EXPECT_TRUE(cleaner.WaitUntilIdle(kForever));
    EXPECT_EQ(events_.Last("perform-end")->rc, 0x104);
    EXPECT_THAT(events_.Last("perform-end")->reason, HasSubstr("PERFORM"));
  }
}

TEST_F(CleanerTest, HasRoomForOneBehindTheOneThatIsCleaned) {
  Gate gate;
  kernel_.during_perform = [&gate] { gate.Pass(); };
  Cleaner cleaner(kvm::PvCommand(*vm_), {}, events_);
  SetAsideAGuest();
  cleaner.HandOver();
  gate.AwaitArrival();
  EXPECT_TRUE(cleaner.WaitForRoom(kNow));
  EXPECT_FALSE(cleaner.idle());
  SetAsideAGuest();
  cleaner.HandOver();
  EXPECT_FALSE(cleaner.WaitForRoom(kNow));
  EXPECT_FALSE(cleaner.WaitUntilIdle(kNow));
  gate.Open();
  EXPECT_TRUE(cleaner.WaitForRoom(kForever));
  EXPECT_TRUE(cleaner.WaitUntilIdle(kForever));
  EXPECT_EQ(kernel_.secure_configurations(), 0);
}

TEST_F(CleanerTest, WhatWasForgottenIsNotCleaned) {
  Gate gate;
  kernel_.during_perform = [&gate] { gate.Pass(); };
  Cleaner cleaner(kvm::PvCommand(*vm_), {}, events_);
  SetAsideAGuest();
  cleaner.HandOver();
  gate.AwaitArrival();
  cleaner.HandOver();
  cleaner.Forget();
  EXPECT_TRUE(cleaner.WaitForRoom(kNow));
  gate.Open();
  EXPECT_TRUE(cleaner.WaitUntilIdle(kForever));
  EXPECT_THAT(events_.Names(), ElementsAre("perform-begin", "perform-end"));
}

TEST_F(CleanerTest, CleansSeveralAtATimeIfToldSo) {
  Gate gate;
  kernel_.during_perform = [&gate] { gate.Pass(); };
  Cleaner cleaner(kvm::PvCommand(*vm_), {.concurrency = 3}, events_);
  for (int i = 1; i <= 3; ++i) {
    SetAsideAGuest();
    cleaner.HandOver(10 * i);
    gate.AwaitArrival(i);
    EXPECT_TRUE(cleaner.WaitForRoom(kNow));
  }
  EXPECT_EQ(cleaner.zombies().pages, 60u);
  SetAsideAGuest();
  cleaner.HandOver();
  EXPECT_FALSE(cleaner.WaitForRoom(kNow));
  EXPECT_EQ(cleaner.zombies().cleaning, 3u);
  EXPECT_EQ(cleaner.zombies().waiting, 1u);
  EXPECT_EQ(cleaner.zombies().pages, std::nullopt);
  gate.Open();
  cleaner.WaitUntilIdle();
  EXPECT_EQ(kernel_.secure_configurations(), 0);
  EXPECT_EQ(cleaner.zombies().total(), 0u);
  EXPECT_EQ(cleaner.zombies().pages, 0u);
}

TEST_F(CleanerTest, TellsWhatCameOfEachGuest) {
  std::vector<Cleaning> ends;
  Cleaner cleaner(kvm::PvCommand(*vm_),
                  {.on_end = [&](const Cleaning& cleaning) { ends.push_back(cleaning); }}, events_);
  SetAsideAGuest();
  cleaner.HandOver(17);
  cleaner.WaitUntilIdle();
  cleaner.HandOver();
  cleaner.WaitUntilIdle();
  for (int error : {0, EIO}) {
    faults_.Clear();
    faults_.Inject({.request = abi::KVM_S390_PV_COMMAND,
                    .pv_command = abi::KVM_PV_ASYNC_CLEANUP_PERFORM,
                    .error = error,
                    .rc = 1,
                    .rrc = 42});
    cleaner.HandOver(5);
    cleaner.WaitUntilIdle();
  }
  ASSERT_EQ(ends.size(), 4u);
  EXPECT_EQ(ends[0].end, CleaningEnd::kClean);
  EXPECT_EQ(ends[0].pages, 17u);
  EXPECT_EQ(ends[1].end, CleaningEnd::kAlreadyClean);
  EXPECT_EQ(ends[2].end, CleaningEnd::kInterrupted);
  EXPECT_EQ(ends[3].end, CleaningEnd::kFailed);
  // The last two are left to the next DISABLE.
  EXPECT_EQ(cleaner.zombies().left, 2u);
  EXPECT_EQ(cleaner.zombies().pages, 10u);
  cleaner.Forget();
  EXPECT_EQ(cleaner.zombies().total(), 0u);
  EXPECT_EQ(cleaner.zombies().pages, 0u);
}

// The scheduling class of the thread that is inside PERFORM.
class CleanerPriorityTest : public CleanerTest {
 protected:
  void StartCleaning(Cleaner& cleaner) {
    kernel_.during_perform = [this] {
      thread_ = gettid();
      gate_.Pass();
    };
    SetAsideAGuest();
    cleaner.HandOver();
    gate_.AwaitArrival();
  }
  int Class() const { return sched_getscheduler(thread_); }

  Gate gate_;
  std::atomic<pid_t> thread_ = 0;
};

TEST_F(CleanerPriorityTest, NormalIsNormal) {
  Cleaner cleaner(kvm::PvCommand(*vm_), {.priority = CleanerPriority::kNormal}, events_);
  StartCleaning(cleaner);
  EXPECT_EQ(Class(), SCHED_OTHER);
  gate_.Open();
}

TEST_F(CleanerPriorityTest, RisesWhileMemoryIsShortOrSomebodyWaits) {
  if (!MayLeaveIdleClass()) GTEST_SKIP() << "needs CAP_SYS_NICE or RLIMIT_NICE";
  Cleaner cleaner(kvm::PvCommand(*vm_), {}, events_);
  StartCleaning(cleaner);
  EXPECT_EQ(Class(), SCHED_IDLE);
  cleaner.SetUrgent(true);
  cleaner.SetUrgent(true);
  EXPECT_EQ(Class(), SCHED_OTHER);
  EXPECT_FALSE(cleaner.WaitUntilIdle(kNow));
  EXPECT_EQ(Class(), SCHED_OTHER);
  cleaner.SetUrgent(false);
  EXPECT_EQ(Class(), SCHED_IDLE);
  std::thread waiter([&] { EXPECT_TRUE(cleaner.WaitUntilIdle(kForever)); });
  while (Class() != SCHED_OTHER) std::this_thread::yield();
  gate_.Open();
  waiter.join();
  EXPECT_FALSE(events_.Last("degraded").has_value());
}

// Capabilities belong to threads: a thread without CAP_SYS_NICE stands for an ordinary user.
void WithoutNice(const std::function<void()>& body) {
  std::thread([&] {
    __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
    __user_cap_data_struct data[2];
    ASSERT_EQ(syscall(SYS_capget, &header, data), 0);
    data[0].effective &= ~(1u << CAP_SYS_NICE);
    data[0].permitted &= ~(1u << CAP_SYS_NICE);
    data[0].inheritable &= ~(1u << CAP_SYS_NICE);
    ASSERT_EQ(syscall(SYS_capset, &header, data), 0);
    body();
  }).join();
}

TEST_F(CleanerPriorityTest, WithoutTheRightToComeBackItStaysNormal) {
  WithoutNice([this] {
    if (MayLeaveIdleClass()) return;  // a generous RLIMIT_NICE
    Cleaner cleaner(kvm::PvCommand(*vm_), {}, events_);
    StartCleaning(cleaner);
    EXPECT_EQ(Class(), SCHED_OTHER);
    EXPECT_THAT(events_.Last("degraded")->reason, HasSubstr("normal priority"));
    gate_.Open();
  });
}

TEST_F(CleanerPriorityTest, WithoutTheRightToComeBackItStaysIdleIfToldSo) {
  WithoutNice([this] {
    if (MayLeaveIdleClass()) return;
    Cleaner cleaner(kvm::PvCommand(*vm_), {.priority = CleanerPriority::kIdle}, events_);
    StartCleaning(cleaner);
    cleaner.SetUrgent(true);
    EXPECT_EQ(Class(), SCHED_IDLE);
    cleaner.SetUrgent(false);
    EXPECT_THAT(events_.Last("degraded")->reason, HasSubstr("stays in the idle"));
    EXPECT_EQ(events_.Names().size(), 2u) << "told once, besides perform-begin";
    gate_.Open();
  });
}

TEST_F(CleanerTest, RunsAnywhereIfItsCpusDoNotExist) {
  Cleaner cleaner(kvm::PvCommand(*vm_), {.concurrency = 2, .cpus = {CPU_SETSIZE - 1}}, events_);
  SetAsideAGuest();
  cleaner.HandOver();
  cleaner.WaitUntilIdle();
  EXPECT_EQ(kernel_.secure_configurations(), 0);
  EXPECT_THAT(events_.Last("degraded")->reason, HasSubstr("any CPU"));
}

TEST(CleanerPriority, HasNames) {
  for (CleanerPriority priority :
       {CleanerPriority::kAuto, CleanerPriority::kIdle, CleanerPriority::kNormal})
    EXPECT_EQ(ParseCleanerPriority(CleanerPriorityName(priority)), priority);
  EXPECT_EQ(ParseCleanerPriority("high"), std::nullopt);
}

TEST_F(CleanerTest, EndsWhenNothingWasEverHandedOver) {
  Cleaner cleaner(kvm::PvCommand(*vm_), {}, events_);
}

TEST_F(CleanerTest, EndsAfterWhatHasBegunAndLeavesTheRest) {
  Gate gate;
  kernel_.during_perform = [&gate] { gate.Pass(); };
  {
    Cleaner cleaner(kvm::PvCommand(*vm_), {}, events_);
    SetAsideAGuest();
    cleaner.HandOver();
    gate.AwaitArrival();
    SetAsideAGuest();
    cleaner.HandOver();
    gate.Open();
    // The second may or may not have begun when the destructor comes.
  }
  EXPECT_LE(kernel_.secure_configurations(), 1);
}

}  // namespace
}  // namespace lethe
