#include "pv/life_cycle.h"

#include <gtest/gtest.h>

#include <cerrno>

#include "accel/kvm-s390/abi.h"
#include "pv/protected_vm_fixture.h"

namespace lethe {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr PvState kStates[] = {PvState::kNormal,        PvState::kCreated,  PvState::kHeaderSet,
                               PvState::kUnpacked,      PvState::kVerified, PvState::kProtected,
                               PvState::kHalfDestroyed, PvState::kLost};

TEST(PvEdges, LeadToOneStateOnly) {
  for (const PvEdge& a : kPvLifeCycle) {
    for (const PvEdge& b : kPvLifeCycle) {
      if (a.from == b.from && a.step == b.step) {
        EXPECT_EQ(&a, &b);
      }
    }
  }
}

TEST(PvEdges, DestroyLeadsBackFromEveryStateWithAConfiguration) {
  for (PvState state : kStates) {
    const bool has_configuration = state != PvState::kNormal && state != PvState::kLost;
    EXPECT_EQ(Follow(state, PvStep::kDestroy).has_value(), has_configuration) << PvStateName(state);
    EXPECT_EQ(Follow(state, PvStep::kDestroyFails).has_value(), has_configuration);
  }
}

TEST(PvEdges, OnlyARunningGuestIsSetAside) {
  for (PvState state : kStates)
    EXPECT_EQ(Follow(state, PvStep::kSetAside).has_value(), state == PvState::kProtected);
}

TEST(PvEdges, NothingLeadsOutOfLost) {
  for (const PvEdge& edge : kPvLifeCycle) EXPECT_NE(edge.from, PvState::kLost);
}

TEST(PvEdges, EveryStateHasANameOfItsOwn) {
  for (PvState a : kStates) {
    for (PvState b : kStates) {
      EXPECT_EQ(a == b, PvStateName(a) == PvStateName(b));
    }
  }
}

class PvLifeCycleTest : public ProtectedVmFixture {
 protected:
  PvLifeCycle life_cycle_{kvm::PvCommand(*vm_), events_};
  const std::vector<std::uint8_t> header_ = std::vector<std::uint8_t>(640);
  const std::vector<ImageComponent> components_ = {{1, 0x10000, 0x3000}, {2, 0x20000, 0x1000}};
};

TEST_F(PvLifeCycleTest, WalksTheWholeWay) {
  EXPECT_TRUE(life_cycle_.Create().ok());
  EXPECT_TRUE(life_cycle_.SetHeader(header_).ok());
  EXPECT_TRUE(life_cycle_.Unpack(components_).ok());
  EXPECT_TRUE(life_cycle_.Verify().ok());
  life_cycle_.Start();
  EXPECT_EQ(life_cycle_.state(), PvState::kProtected);
  EXPECT_TRUE(life_cycle_.Reset().ok());
  EXPECT_EQ(life_cycle_.state(), PvState::kProtected);
  EXPECT_TRUE(life_cycle_.SetAside("reboot").ok());
  EXPECT_EQ(life_cycle_.state(), PvState::kNormal);
  EXPECT_THAT(kernel_.Trace(),
              ElementsAre("pv enable", "pv set-parameters 640", "pv unpack 0x10000 0x3000 0x1",
                          "pv unpack 0x20000 0x1000 0x2", "pv verify", "pv unshare-all",
                          "pv prepare-reset", "pv prepare"));
  EXPECT_THAT(events_.Names(), ElementsAre("pv-enable", "pv-set-parameters", "pv-unpack",
                                           "pv-verify", "pv-reset", "prepare"));
}

TEST_F(PvLifeCycleTest, EventsCarryCodesPagesAndReasons) {
  ASSERT_TRUE(life_cycle_.Create().ok());
  ASSERT_TRUE(life_cycle_.SetHeader(header_).ok());
  faults_.Inject({.request = abi::KVM_S390_PV_COMMAND,
                  .pv_command = abi::KVM_PV_UNPACK,
                  .occurrence = 2,
                  .error = EINVAL,
                  .rc = 0x10a,
                  .rrc = 7});
  EXPECT_FALSE(life_cycle_.Unpack(components_).ok());
  const std::optional<Event> unpack = events_.Last("pv-unpack");
  ASSERT_TRUE(unpack.has_value());
  EXPECT_EQ(unpack->pages, 3u);  // of the first component
  EXPECT_EQ(unpack->rc, 0x10a);
  EXPECT_EQ(unpack->rrc, 7);
  EXPECT_THAT(unpack->reason, HasSubstr("KVM_PV_UNPACK"));
  EXPECT_TRUE(unpack->duration.has_value());
  EXPECT_TRUE(life_cycle_.Destroy("unpack failed").ok());
  EXPECT_EQ(events_.Last("disable")->reason, "unpack failed");
}

TEST_F(PvLifeCycleTest, AFailedSetAsideLeavesOnlyDestroy) {
  ASSERT_TRUE(life_cycle_.Create().ok());
  ASSERT_TRUE(life_cycle_.SetHeader(header_).ok());
  ASSERT_TRUE(life_cycle_.Unpack(components_).ok());
  ASSERT_TRUE(life_cycle_.Verify().ok());
  life_cycle_.Start();
  faults_.Inject({.request = abi::KVM_S390_PV_COMMAND,
                  .pv_command = abi::KVM_PV_ASYNC_CLEANUP_PREPARE,
                  .error = ENOMEM});
  EXPECT_FALSE(life_cycle_.SetAside("reboot").ok());
  EXPECT_EQ(life_cycle_.state(), PvState::kHalfDestroyed);
  EXPECT_TRUE(life_cycle_.Destroy("could not be set aside").ok());
  EXPECT_EQ(life_cycle_.state(), PvState::kNormal);
}

TEST_F(PvLifeCycleTest, AFailedDestroyLosesTheGuest) {
  ASSERT_TRUE(life_cycle_.Create().ok());
  faults_.Inject({.request = abi::KVM_S390_PV_COMMAND,
                  .pv_command = abi::KVM_PV_DISABLE,
                  .error = EIO,
                  .rc = 0x8001});
  EXPECT_FALSE(life_cycle_.Destroy("test").ok());
  EXPECT_EQ(life_cycle_.state(), PvState::kLost);
}

using PvLifeCycleDeathTest = PvLifeCycleTest;

TEST_F(PvLifeCycleDeathTest, AStepThatTheTableDoesNotHaveIsABug) {
  EXPECT_DEATH(life_cycle_.Verify(), "bug");
  EXPECT_DEATH(life_cycle_.Destroy("nothing there"), "bug");
  EXPECT_DEATH(life_cycle_.Start(), "bug");
}

}  // namespace
}  // namespace lethe
