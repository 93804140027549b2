#include "pv/cleaner.h"

#include <gtest/gtest.h>

#include <cerrno>

#include "accel/kvm-s390/abi.h"
#include "pv/gate.h"
#include "pv/protected_vm_fixture.h"

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
  Cleaner cleaner(kvm::PvCommand(*vm_), events_);
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
  Cleaner cleaner(kvm::PvCommand(*vm_), events_);
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
  Cleaner cleaner(kvm::PvCommand(*vm_), events_);
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
    Cleaner cleaner(kvm::PvCommand(*vm_), events_);
    cleaner.HandOver();
    EXPECT_TRUE(cleaner.WaitUntilIdle(kForever));
    EXPECT_EQ(events_.Last("perform-end")->rc, 0x104);
    EXPECT_THAT(events_.Last("perform-end")->reason, HasSubstr("PERFORM"));
  }
}

TEST_F(CleanerTest, HasRoomForOneBehindTheOneThatIsCleaned) {
  Gate gate;
  kernel_.during_perform = [&gate] { gate.Pass(); };
  Cleaner cleaner(kvm::PvCommand(*vm_), events_);
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
  Cleaner cleaner(kvm::PvCommand(*vm_), events_);
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

TEST_F(CleanerTest, EndsWhenNothingWasEverHandedOver) {
  Cleaner cleaner(kvm::PvCommand(*vm_), events_);
}

TEST_F(CleanerTest, EndsAfterWhatHasBegunAndLeavesTheRest) {
  Gate gate;
  kernel_.during_perform = [&gate] { gate.Pass(); };
  {
    Cleaner cleaner(kvm::PvCommand(*vm_), events_);
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
