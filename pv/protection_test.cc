#include "pv/protection.h"

#include <gtest/gtest.h>

#include <atomic>
#include <cerrno>
#include <mutex>
#include <random>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "accel/kvm-s390/abi.h"
#include "pv/gate.h"
#include "pv/protected_vm_fixture.h"

namespace lethe {
namespace {

using ::testing::AllOf;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

constexpr std::uint64_t kGiB = std::uint64_t{1} << 30;
constexpr auto kForever = std::chrono::hours(1);
constexpr auto kNow = std::chrono::seconds(0);

class ProtectionTest : public ProtectedVmFixture {
 protected:
  static ProtectionOptions Options() {
    return {.destroy = DestroyMode::kAuto,
            .kernel_can_set_aside = true,
            .guest_memory = 4 * kGiB,
            .patience = kForever,
            .host_memory = [] { return HostMemory(); }};
  }

  std::unique_ptr<Protection> MakeProtection(ProtectionOptions options = Options()) {
    return std::make_unique<Protection>(*vm_,
                                        std::vector<kvm::Vcpu*>{vcpus_[0].get(), vcpus_[1].get()},
                                        std::move(options), events_);
  }

  absl::StatusOr<ProtectOutcome> Protect(Protection& protection) {
    return protection.Protect(*vcpus_[0], header_, components_);
  }

  void ProtectWell(Protection& protection) {
    absl::StatusOr<ProtectOutcome> outcome = Protect(protection);
    ASSERT_THAT(outcome, IsOk());
    ASSERT_TRUE(outcome->is_protected);
  }

  void Fail(std::uint32_t command, int error, std::uint16_t rc = 0, std::uint16_t rrc = 0,
            unsigned occurrence = 1) {
    faults_.Inject({.request = abi::KVM_S390_PV_COMMAND,
                    .pv_command = command,
                    .occurrence = occurrence,
                    .error = error,
                    .rc = rc,
                    .rrc = rrc});
  }

  const std::vector<std::uint8_t> header_ = std::vector<std::uint8_t>(640);
  const std::vector<ImageComponent> components_ = {{1, 0x10000, 0x3000}, {2, 0x20000, 0x1000}};
};

TEST_F(ProtectionTest, ProtectsInTheOrderOfTheArchitecture) {
  auto protection = MakeProtection();
  ASSERT_THAT(vcpus_[0]->SetState(kvm::VcpuState::kOperating), IsOk());
  kernel_.ClearTrace();
  ProtectWell(*protection);
  EXPECT_TRUE(protection->is_protected());
  EXPECT_THAT(kernel_.Trace(),
              ElementsAre("cpu 0 stopped", "cpu 1 stopped", "pv enable", "pv set-parameters 640",
                          "pv unpack 0x10000 0x3000 0x1", "pv unpack 0x20000 0x1000 0x2",
                          "pv verify", "cpu 0 load", "cpu 0 operating"));
  EXPECT_THAT(events_.Names(),
              ElementsAre("pv-enable", "pv-set-parameters", "pv-unpack", "pv-verify", "protected"));
}

TEST_F(ProtectionTest, FailureCodeHasTheNewerForm) {
  EXPECT_EQ(ProtectFailureCode(
                {.command = abi::KVM_PV_VERIFY, .error = EINVAL, .rc = 0x102, .rrc = 0x1b}),
            0x0004'001b'0102'0a02u);
  EXPECT_EQ(ProtectFailureCode({.command = abi::KVM_PV_ENABLE, .error = EIO, .rc = 5, .rrc = 6}),
            0x0a02u);
}

// Every command of the way in, with every error it may have.
struct FailingStep {
  std::uint32_t command;
  unsigned occurrence;
  std::uint64_t guest_command;  // in the failure code; 0: the older form
};
constexpr FailingStep kSteps[] = {
    {abi::KVM_PV_ENABLE, 1, 0}, {abi::KVM_PV_SET_SEC_PARMS, 1, 2}, {abi::KVM_PV_UNPACK, 1, 3},
    {abi::KVM_PV_UNPACK, 2, 3}, {abi::KVM_PV_VERIFY, 1, 4},
};
constexpr int kErrors[] = {EINVAL, EIO, ENOMEM, EFAULT, EAGAIN, EPERM, ENXIO, ENOTTY, EOPNOTSUPP};
struct Codes {
  std::uint16_t rc;
  std::uint16_t rrc;
};
constexpr Codes kCodes[] = {{0, 0}, {0x102, 0x1b}, {0x108, 5}, {0x8003, 0}, {0xffff, 0xffff}};

class FailingProtect : public ProtectionTest,
                       public ::testing::WithParamInterface<std::tuple<FailingStep, int, Codes>> {};

TEST_P(FailingProtect, IsUndoneAndAnswered) {
  const auto& [step, error, codes] = GetParam();
  auto protection = MakeProtection();
  Fail(step.command, error, codes.rc, codes.rrc, step.occurrence);
  absl::StatusOr<ProtectOutcome> outcome = Protect(*protection);
  ASSERT_THAT(outcome, IsOk());
  EXPECT_FALSE(outcome->is_protected);
  EXPECT_EQ(outcome->guest_code & 0xffff, 0x0a02u);
  EXPECT_EQ(outcome->guest_code >> 48, step.guest_command);
  if (step.guest_command != 0) {
    EXPECT_EQ(outcome->guest_code >> 16 & 0xffff, codes.rc);
    EXPECT_EQ(outcome->guest_code >> 32 & 0xffff, codes.rrc);
  }
  EXPECT_EQ(protection->state(), PvState::kNormal);
  EXPECT_FALSE(kernel_.is_protected());
  EXPECT_EQ(kernel_.secure_configurations(), 0);
  EXPECT_EQ(StateOf(0), kvm::VcpuState::kOperating);
  EXPECT_EQ(StateOf(1), kvm::VcpuState::kStopped);
  EXPECT_THAT(events_.Names(), Not(Contains("protected")));

  // The guest may ask again.
  faults_.Clear();
  ProtectWell(*protection);
}

TEST_P(FailingProtect, IsFatalIfItCannotBeUndone) {
  const auto& [step, error, codes] = GetParam();
  if (step.command == abi::KVM_PV_ENABLE) return;  // undoes itself
  auto protection = MakeProtection();
  Fail(step.command, error, codes.rc, codes.rrc, step.occurrence);
  Fail(abi::KVM_PV_DISABLE, EIO, 0x8004, 1);
  EXPECT_THAT(Protect(*protection),
              FailsWith(AllOf(HasSubstr("KVM_PV_DISABLE"), HasSubstr("0x8004"))));
  EXPECT_EQ(protection->state(), PvState::kLost);
  EXPECT_THAT(protection->End("exit", protection->DecideShutdown()),
              IsOk());  // nothing more to be done, and no crash
}

std::string StepName(
    const ::testing::TestParamInfo<std::tuple<FailingStep, int, Codes>>& parameter) {
  const auto& [step, error, codes] = parameter.param;
  return absl::StrFormat("command%u_call%u_errno%d_rc%x", step.command, step.occurrence, error,
                         codes.rc);
}

INSTANTIATE_TEST_SUITE_P(EveryStep, FailingProtect,
                         ::testing::Combine(::testing::ValuesIn(kSteps),
                                            ::testing::ValuesIn(kErrors),
                                            ::testing::ValuesIn(kCodes)),
                         StepName);

TEST_F(ProtectionTest, ARefusedCpuStateIsUndone) {
  // Two calls stop the CPUs; the third is load, the fourth operating.
  for (unsigned occurrence : {3u, 4u}) {
    auto protection = MakeProtection();
    faults_.Clear();
    faults_.Inject({.request = abi::KVM_SET_MP_STATE, .occurrence = occurrence, .error = EINVAL});
    absl::StatusOr<ProtectOutcome> outcome = Protect(*protection);
    ASSERT_THAT(outcome, IsOk());
    EXPECT_FALSE(outcome->is_protected);
    EXPECT_EQ(outcome->guest_code, 0x0a02u);
    EXPECT_FALSE(kernel_.is_protected());
    EXPECT_EQ(StateOf(0), kvm::VcpuState::kOperating);
  }
}

TEST_F(ProtectionTest, ACpuThatCannotBeStoppedIsAnErrorOfTheHost) {
  auto protection = MakeProtection();
  faults_.Inject({.request = abi::KVM_SET_MP_STATE, .error = EIO});
  EXPECT_THAT(Protect(*protection), FailsWith(HasSubstr("CPU 0")));
  EXPECT_FALSE(kernel_.is_protected());
}

TEST_F(ProtectionTest, RebootSetsAsideAndCleans) {
  auto protection = MakeProtection();
  ProtectWell(*protection);
  kernel_.ClearTrace();
  EXPECT_THAT(protection->Unprotect("reboot"), IsOk());
  EXPECT_FALSE(protection->is_protected());
  EXPECT_TRUE(protection->cleaner().WaitUntilIdle(kForever));
  EXPECT_THAT(kernel_.Trace(), ElementsAre("pv prepare", "pv perform"));
  EXPECT_EQ(kernel_.secure_configurations(), 0);
  EXPECT_EQ(events_.Last("prepare")->reason, "reboot: 2048 MiB to clean in the background");
  EXPECT_EQ(events_.Last("prepare")->rrc, 42);
}

TEST_F(ProtectionTest, RebootDestroysAtOnceIfThePolicySaysSo) {
  auto protection = MakeProtection();
  ProtectWell(*protection);
  protection->SetPolicy(DestroyMode::kSync);
  kernel_.ClearTrace();
  EXPECT_THAT(protection->Unprotect("reboot"), IsOk());
  EXPECT_THAT(kernel_.Trace(), ElementsAre("pv disable"));
  EXPECT_EQ(events_.Last("disable")->reason, "reboot: synchronous destroy was asked for");
  ProtectWell(*protection);
}

TEST_F(ProtectionTest, PolicyKnowsTheMemoryLimitOfTheVm) {
  ASSERT_THAT(vm_->SetMemoryLimit(2 * kGiB), IsOk());
  ProtectionOptions options = Options();
  options.destroy = DestroyMode::kLazy;
  auto protection = MakeProtection(options);
  ProtectWell(*protection);
  kernel_.ClearTrace();
  EXPECT_THAT(protection->Unprotect("reboot"), IsOk());
  EXPECT_THAT(kernel_.Trace(), ElementsAre("pv disable"));  // PREPARE was not even tried
}

class FailingUnprotect : public ProtectionTest,
                         public ::testing::WithParamInterface<std::tuple<int, Codes>> {};

TEST_P(FailingUnprotect, FallsBackToDestroy) {
  const auto& [error, codes] = GetParam();
  auto protection = MakeProtection();
  ProtectWell(*protection);
  Fail(abi::KVM_PV_ASYNC_CLEANUP_PREPARE, error, codes.rc, codes.rrc);
  kernel_.ClearTrace();
  EXPECT_THAT(protection->Unprotect("reboot"), IsOk());
  EXPECT_EQ(protection->state(), PvState::kNormal);
  EXPECT_THAT(kernel_.Trace(), ElementsAre("pv disable"));
  EXPECT_EQ(kernel_.secure_configurations(), 0);
  EXPECT_THAT(events_.Last("prepare")->reason, HasSubstr("KVM_PV_ASYNC_CLEANUP_PREPARE"));
  EXPECT_EQ(events_.Last("disable")->reason, "reboot: could not be set aside");
  ProtectWell(*protection);
}

TEST_P(FailingUnprotect, IsFatalIfDestroyFailsAsWell) {
  const auto& [error, codes] = GetParam();
  auto protection = MakeProtection();
  ProtectWell(*protection);
  Fail(abi::KVM_PV_ASYNC_CLEANUP_PREPARE, error, codes.rc, codes.rrc);
  Fail(abi::KVM_PV_DISABLE, EIO, codes.rc, codes.rrc);
  EXPECT_THAT(protection->Unprotect("reboot"), FailsWith(HasSubstr("cannot be destroyed")));
  EXPECT_EQ(protection->state(), PvState::kLost);
}

TEST_P(FailingUnprotect, ASynchronousDestroyThatFailsIsFatal) {
  const auto& [error, codes] = GetParam();
  ProtectionOptions options = Options();
  options.destroy = DestroyMode::kSync;
  auto protection = MakeProtection(options);
  ProtectWell(*protection);
  Fail(abi::KVM_PV_DISABLE, error, codes.rc, codes.rrc);
  EXPECT_THAT(protection->Unprotect("reboot"), FailsWith(HasSubstr("cannot be destroyed")));
}

TEST_P(FailingUnprotect, AFailedResetOfAProtectedGuestIsAnError) {
  const auto& [error, codes] = GetParam();
  for (std::uint32_t command : {abi::KVM_PV_UNSHARE_ALL, abi::KVM_PV_PREP_RESET}) {
    auto protection = MakeProtection();
    faults_.Clear();
    ProtectWell(*protection);
    Fail(command, error, codes.rc, codes.rrc);
    EXPECT_THAT(protection->SecureReset(SecureResetKind::kModifiedClear, *vcpus_[0]),
                FailsWith(HasSubstr(std::string(kvm::PvCommandName(command)))));
    // The guest cannot go on, but it can be got rid of.
    EXPECT_THAT(protection->Unprotect("crash"), IsOk());
    EXPECT_TRUE(protection->cleaner().WaitUntilIdle(kForever));
  }
}

std::string ErrorName(const ::testing::TestParamInfo<std::tuple<int, Codes>>& parameter) {
  const auto& [error, codes] = parameter.param;
  return absl::StrFormat("errno%d_rc%x", error, codes.rc);
}

INSTANTIATE_TEST_SUITE_P(EveryError, FailingUnprotect,
                         ::testing::Combine(::testing::ValuesIn(kErrors),
                                            ::testing::ValuesIn(kCodes)),
                         ErrorName);

TEST_F(ProtectionTest, SecondRebootBeforeTheCleanerIsInTheKernel) {
  Gate gate;
  kernel_.before_perform = [&gate] { gate.Pass(); };
  auto protection = MakeProtection();
  ProtectWell(*protection);
  ASSERT_THAT(protection->Unprotect("reboot"), IsOk());
  gate.AwaitArrival();  // about to take the guest, but has not
  ProtectWell(*protection);
  kernel_.ClearTrace();
  EXPECT_THAT(protection->Unprotect("second reboot"), IsOk());
  EXPECT_THAT(kernel_.Trace(), ElementsAre("pv prepare refused", "pv disable with set-aside"));
  EXPECT_EQ(kernel_.secure_configurations(), 0);
  gate.Open();
  EXPECT_TRUE(protection->cleaner().WaitUntilIdle(kForever));
  EXPECT_EQ(events_.Last("perform-end")->reason, "already clean");
  ProtectWell(*protection);
}

TEST_F(ProtectionTest, SecondRebootWhileTheFirstGuestIsCleaned) {
  Gate gate;
  kernel_.during_perform = [&gate] { gate.Pass(); };
  auto protection = MakeProtection();
  ProtectWell(*protection);
  ASSERT_THAT(protection->Unprotect("reboot"), IsOk());
  gate.AwaitArrival();
  ProtectWell(*protection);
  kernel_.ClearTrace();
  EXPECT_THAT(protection->Unprotect("second reboot"), IsOk());
  EXPECT_THAT(kernel_.Trace(), ElementsAre("pv prepare"));
  ProtectWell(*protection);  // with two past lives
  EXPECT_EQ(kernel_.secure_configurations(), 3);
  gate.Open();
  EXPECT_TRUE(protection->cleaner().WaitUntilIdle(kForever));
  EXPECT_EQ(kernel_.secure_configurations(), 1);
}

TEST_F(ProtectionTest, ThirdRebootWaitsForTheSecondGuestToBeTakenUp) {
  Gate gate;
  kernel_.during_perform = [&gate] { gate.Pass(); };
  auto protection = MakeProtection();
  ProtectWell(*protection);
  ASSERT_THAT(protection->Unprotect("reboot"), IsOk());
  gate.AwaitArrival();
  ProtectWell(*protection);
  ASSERT_THAT(protection->Unprotect("second reboot"), IsOk());
  ProtectWell(*protection);
  std::thread opener([&gate] { gate.Open(); });
  EXPECT_THAT(protection->Unprotect("third reboot"), IsOk());
  opener.join();
  EXPECT_TRUE(protection->cleaner().WaitUntilIdle(kForever));
  // Patience was not over. (On a busy machine PREPARE may still come before PERFORM has taken the
  // second guest up; DISABLE then cleans both.)
  for (const Event& event : events_.Events()) EXPECT_THAT(event.reason, Not(HasSubstr("waits")));
  EXPECT_EQ(kernel_.secure_configurations(), 0);
}

TEST_F(ProtectionTest, ThirdRebootDestroysWhenPatienceIsOver) {
  Gate gate;
  kernel_.during_perform = [&gate] { gate.Pass(); };
  ProtectionOptions options = Options();
  options.patience = kNow;
  auto protection = MakeProtection(options);
  ProtectWell(*protection);
  ASSERT_THAT(protection->Unprotect("reboot"), IsOk());
  gate.AwaitArrival();
  ProtectWell(*protection);
  ASSERT_THAT(protection->Unprotect("second reboot"), IsOk());
  ProtectWell(*protection);
  kernel_.ClearTrace();
  EXPECT_THAT(protection->Unprotect("third reboot"), IsOk());
  EXPECT_THAT(kernel_.Trace(), ElementsAre("pv disable with set-aside"));
  EXPECT_THAT(events_.Last("disable")->reason, HasSubstr("still waits"));
  gate.Open();
  EXPECT_TRUE(protection->cleaner().WaitUntilIdle(kForever));
  EXPECT_EQ(kernel_.secure_configurations(), 0);
  // What DISABLE has cleaned was not given to PERFORM.
  EXPECT_THAT(kernel_.Trace(), Not(Contains("pv perform nothing")));
}

TEST_F(ProtectionTest, RebootAfterTheFirstGuestWasCleaned) {
  auto protection = MakeProtection();
  for (int i = 0; i < 3; ++i) {
    ProtectWell(*protection);
    EXPECT_THAT(protection->Unprotect("reboot"), IsOk());
    EXPECT_TRUE(protection->cleaner().WaitUntilIdle(kForever));
  }
  EXPECT_THAT(kernel_.Trace(), Not(Contains(HasSubstr("disable"))));
  EXPECT_EQ(kernel_.secure_configurations(), 0);
}

TEST_F(ProtectionTest, AStartThatFailsForWantOfWhatPastLivesHoldIsTriedAgain) {
  Gate gate;
  kernel_.during_perform = [&gate] { gate.Pass(); };
  auto protection = MakeProtection();
  ProtectWell(*protection);
  ASSERT_THAT(protection->Unprotect("reboot"), IsOk());
  gate.AwaitArrival();
  Fail(abi::KVM_PV_ENABLE, ENOMEM);
  events_.on_event = [&gate](const Event& event) {
    if (event.name == "pv-enable") gate.Open();
  };
  ProtectWell(*protection);
  EXPECT_EQ(faults_.injected(), 1u);
}

TEST_F(ProtectionTest, AStartThatFailsWithoutPastLivesIsNotTriedAgain) {
  auto protection = MakeProtection();
  Fail(abi::KVM_PV_ENABLE, ENOMEM);
  absl::StatusOr<ProtectOutcome> outcome = Protect(*protection);
  ASSERT_THAT(outcome, IsOk());
  EXPECT_FALSE(outcome->is_protected);
}

TEST_F(ProtectionTest, ModifiedClearResetInTheOrderOfTheArchitecture) {
  auto protection = MakeProtection();
  ProtectWell(*protection);
  kernel_.ClearTrace();
  EXPECT_THAT(protection->SecureReset(SecureResetKind::kModifiedClear, *vcpus_[1]), IsOk());
  EXPECT_THAT(kernel_.Trace(), ElementsAre("cpu 0 stopped", "cpu 1 stopped", "pv unshare-all",
                                           "pv prepare-reset", "cpu 0 clear-reset",
                                           "cpu 1 clear-reset", "cpu 1 load", "cpu 1 operating"));
  EXPECT_TRUE(protection->is_protected());
}

TEST_F(ProtectionTest, LoadNormalResetInTheOrderOfTheArchitecture) {
  auto protection = MakeProtection();
  ProtectWell(*protection);
  kernel_.ClearTrace();
  EXPECT_THAT(protection->SecureReset(SecureResetKind::kLoadNormal, *vcpus_[1]), IsOk());
  EXPECT_THAT(kernel_.Trace(), ElementsAre("cpu 0 stopped", "cpu 1 stopped", "pv unshare-all",
                                           "pv prepare-reset", "cpu 0 normal-reset",
                                           "cpu 1 initial-reset", "cpu 1 load", "cpu 1 operating"));
}

TEST_F(ProtectionTest, EndLeavesALazyShutdownToTheReaper) {
  ProtectionOptions options = Options();
  options.reaper_alive = [] { return true; };
  auto protection = MakeProtection(options);
  EXPECT_THAT(protection->End("never protected", protection->DecideShutdown()), IsOk());
  ProtectWell(*protection);
  kernel_.ClearTrace();
  const DestroyDecision decision = protection->DecideShutdown();
  EXPECT_EQ(decision.shutdown(), ShutdownStrategy::kBulk);
  EXPECT_THAT(protection->End("power off", decision), IsOk());
  EXPECT_THAT(kernel_.Trace(), IsEmpty());
}

TEST_F(ProtectionTest, EndDestroysIfSynchronousDestroyWasAskedFor) {
  ProtectionOptions options = Options();
  options.reaper_alive = [] { return true; };
  auto protection = MakeProtection(options);
  ProtectWell(*protection);
  kernel_.ClearTrace();
  protection->SetPolicy({DestroyMode::kAuto, DestroyMode::kSync});
  EXPECT_THAT(protection->End("power off", protection->DecideShutdown()), IsOk());
  EXPECT_THAT(kernel_.Trace(), ElementsAre("pv disable"));
  EXPECT_THAT(events_.Last("disable")->reason, HasSubstr("power off: synchronous destroy was"));
}

TEST_F(ProtectionTest, EndDestroysIfNobodyElseCan) {
  auto protection = MakeProtection();
  ProtectWell(*protection);
  kernel_.ClearTrace();
  EXPECT_THAT(protection->End("power off", protection->DecideShutdown()), IsOk());
  EXPECT_THAT(kernel_.Trace(), ElementsAre("pv disable"));
  EXPECT_EQ(kernel_.secure_configurations(), 0);
}

TEST_F(ProtectionTest, ASynchronousEndWaitsForPastLives) {
  Gate gate;
  kernel_.during_perform = [&gate] { gate.Pass(); };
  auto protection = MakeProtection();
  ProtectWell(*protection);
  ASSERT_THAT(protection->Unprotect("reboot"), IsOk());
  gate.AwaitArrival();
  events_.on_event = [&gate](const Event& event) {
    if (event.name == "decision") gate.Open();
  };
  EXPECT_THAT(protection->End("power off", protection->DecideShutdown()), IsOk());
  EXPECT_TRUE(protection->cleaner().idle());
  EXPECT_EQ(kernel_.secure_configurations(), 0);
}

TEST_F(ProtectionTest, AGuestThatCannotBeDestroyedIsLeftToTheKernel) {
  std::vector<TeardownOutcome> outcomes;
  ProtectionOptions options = Options();
  options.on_teardown = [&](const TeardownOutcome& outcome) { outcomes.push_back(outcome); };
  auto protection = MakeProtection(options);
  ProtectWell(*protection);
  Fail(abi::KVM_PV_DISABLE, EIO, 0x8004, 1, 0);
  EXPECT_THAT(protection->End("power off", protection->DecideShutdown()),
              FailsWith(HasSubstr("cannot be destroyed")));
  ASSERT_EQ(outcomes.size(), 1u);
  EXPECT_FALSE(outcomes[0].ok);
  EXPECT_EQ(protection->DecideShutdown().shutdown(), ShutdownStrategy::kExit);
  EXPECT_THAT(protection->End("again", protection->DecideShutdown()), IsOk());
}

TEST_F(ProtectionTest, DecisionsAreToldAndKept) {
  auto protection = MakeProtection();
  EXPECT_EQ(protection->last_decision(TeardownKind::kReboot), std::nullopt);
  ProtectWell(*protection);
  ASSERT_THAT(protection->Unprotect("reboot"), IsOk());
  EXPECT_EQ(events_.Last("decision")->reason,
            "reboot: set-aside (lazy): 2048 MiB to clean in the background");
  EXPECT_EQ(events_.Last("decision")->kind, "reboot");
  EXPECT_EQ(events_.Last("decision")->strategy, "set-aside");
  EXPECT_EQ(protection->last_decision(TeardownKind::kReboot)->reboot(), RebootStrategy::kSetAside);
  EXPECT_EQ(protection->last_decision(TeardownKind::kShutdown), std::nullopt);
  protection->SetPolicy({DestroyMode::kAuto, DestroyMode::kSync});
  EXPECT_EQ(protection->policy(), DestroyPolicy(DestroyMode::kAuto, DestroyMode::kSync));
  protection->DecideShutdown();
  EXPECT_EQ(protection->last_decision(TeardownKind::kShutdown)->shutdown(),
            ShutdownStrategy::kSync);
  EXPECT_EQ(events_.Last("decision")->kind, "shutdown");
}

TEST_F(ProtectionTest, LazyRebootsPauseUnderPressure) {
  auto protection = MakeProtection();
  protection->SetPressure(PressureLevel::kSome);
  ProtectWell(*protection);
  kernel_.ClearTrace();
  EXPECT_THAT(protection->Unprotect("reboot"), IsOk());
  EXPECT_THAT(kernel_.Trace(), ElementsAre("pv disable"));
  EXPECT_THAT(events_.Last("decision")->reason, HasSubstr("no guest is set aside while that"));
  protection->SetPressure(PressureLevel::kNone);
  ProtectWell(*protection);
  kernel_.ClearTrace();
  EXPECT_THAT(protection->Unprotect("reboot"), IsOk());
  EXPECT_THAT(kernel_.Trace(), Contains("pv prepare"));
}

TEST_F(ProtectionTest, AsksItsSurroundings) {
  ProtectionOptions options = Options();
  options.debt = [] { return HostDebt{2, 5 * kGiB}; };
  options.host_memory = [] { return HostMemory{64 * kGiB, 4 * kGiB, std::nullopt}; };
  options.cgroup_memory = [] {
    return CgroupMemory{{{.path = "/vms", .limit = 64 * kGiB, .usage = 64 * kGiB}}};
  };
  options.touched = [] { return 3 * kGiB; };
  auto protection = MakeProtection(options);
  ProtectWell(*protection);
  ASSERT_THAT(protection->Unprotect("reboot"), IsOk());
  EXPECT_EQ(events_.Last("decision")->reason,
            "reboot: disable (synchronous): only 0 MiB of the 65536 MiB of memory cgroup /vms are "
            "left; 2 dying guests owe 5120 MiB, more than the 4096 MiB that are available");
}

TEST_F(ProtectionTest, TellsWhatCameOfEachTeardown) {
  using Part = TeardownOutcome::Part;
  std::mutex mutex;
  std::vector<TeardownOutcome> outcomes;
  ProtectionOptions options = Options();
  options.touched = [] { return kGiB; };
  options.on_teardown = [&](const TeardownOutcome& outcome) {
    std::lock_guard lock(mutex);
    outcomes.push_back(outcome);
  };
  auto protection = MakeProtection(options);

  ProtectWell(*protection);
  ASSERT_THAT(protection->Unprotect("reboot"), IsOk());
  EXPECT_TRUE(protection->cleaner().WaitUntilIdle(kForever));
  ASSERT_EQ(outcomes.size(), 2u);
  for (const TeardownOutcome& outcome : outcomes) {
    EXPECT_EQ(outcome.strategy_name(), "set-aside");
    EXPECT_EQ(outcome.fallback, Fallback::kNone);
    EXPECT_EQ(outcome.pages, kGiB / 4096);
  }
  EXPECT_NE(outcomes[0].part, outcomes[1].part);

  outcomes.clear();
  ProtectWell(*protection);
  Fail(abi::KVM_PV_ASYNC_CLEANUP_PREPARE, EIO, 0x104);
  ASSERT_THAT(protection->Unprotect("reboot"), IsOk());
  ASSERT_EQ(outcomes.size(), 1u);
  EXPECT_EQ(outcomes[0].part, Part::kForeground);
  EXPECT_EQ(outcomes[0].strategy_name(), "disable");
  EXPECT_EQ(outcomes[0].fallback, Fallback::kPrepareFailed);

  outcomes.clear();
  faults_.Clear();
  Fail(abi::KVM_PV_ASYNC_CLEANUP_PERFORM, EIO, 0x104);
  ProtectWell(*protection);
  ASSERT_THAT(protection->Unprotect("reboot"), IsOk());
  EXPECT_TRUE(protection->cleaner().WaitUntilIdle(kForever));
  ASSERT_EQ(outcomes.size(), 2u);
  const TeardownOutcome& failed = outcomes[outcomes[0].part == Part::kBackground ? 0 : 1];
  EXPECT_EQ(failed.fallback, Fallback::kPerformFailed);
  EXPECT_FALSE(failed.ok);

  outcomes.clear();
  protection->SetPressure(PressureLevel::kHigh);
  ProtectWell(*protection);
  ASSERT_THAT(protection->Unprotect("reboot"), IsOk());
  protection->SetPolicy(DestroyMode::kSync);
  ASSERT_THAT(protection->End("power off", protection->DecideShutdown()), IsOk());
  ASSERT_EQ(outcomes.size(), 2u);
  EXPECT_EQ(outcomes[0].fallback, Fallback::kPressure);
  EXPECT_EQ(outcomes[1].kind(), TeardownKind::kShutdown);
}

TEST_F(ProtectionTest, AGuestThatIsNotTakenUpInTimeCountsAsFallback) {
  Gate gate;
  kernel_.during_perform = [&gate] { gate.Pass(); };
  std::vector<Fallback> fallbacks;
  ProtectionOptions options = Options();
  options.patience = kNow;
  options.on_teardown = [&](const TeardownOutcome& outcome) {
    if (outcome.part == TeardownOutcome::Part::kForeground) fallbacks.push_back(outcome.fallback);
  };
  auto protection = MakeProtection(options);
  for (int i = 0; i < 3; ++i) {
    ProtectWell(*protection);
    ASSERT_THAT(protection->Unprotect("reboot"), IsOk());
    if (i == 0) gate.AwaitArrival();
  }
  EXPECT_THAT(fallbacks, ElementsAre(Fallback::kNone, Fallback::kNone, Fallback::kSlotTaken));
  gate.Open();
}

// A monitor changes its mind and looks at everything while the guest reboots.
TEST_F(ProtectionTest, TakesPolicyAndPressureFromOtherThreads) {
  auto protection = MakeProtection();
  std::atomic<bool> over = false;
  std::thread monitor([&] {
    for (unsigned i = 0; !over; ++i) {
      const DestroyPolicy policy(static_cast<DestroyMode>(i % 3),
                                 static_cast<DestroyMode>((i + 1) % 3));
      protection->SetPolicy(policy);
      EXPECT_EQ(protection->policy(), policy);
      protection->SetPressure(static_cast<PressureLevel>(i % 3));
      if (const auto decision = protection->last_decision(TeardownKind::kReboot)) {
        EXPECT_EQ(decision->kind(), TeardownKind::kReboot);
        EXPECT_FALSE(decision->reasons.empty());
      }
      EXPECT_LE(protection->cleaner().zombies().waiting, 1u);
      static_cast<void>(protection->is_protected());
    }
  });
  for (int i = 0; i < 100; ++i) {
    ProtectWell(*protection);
    EXPECT_THAT(protection->Unprotect("reboot"), IsOk());
  }
  over = true;
  monitor.join();
  protection->cleaner().WaitUntilIdle();
  EXPECT_EQ(kernel_.secure_configurations(), 0);
}

// Reboots in a row with everything that may go wrong, going wrong at random: the guest comes up in
// the end, and nothing is left.
TEST_F(ProtectionTest, AStormOfRebootsLeavesNothing) {
  ProtectionOptions options = Options();
  options.patience = std::chrono::milliseconds(1);
  auto protection = MakeProtection(options);
  std::minstd_rand random(20260101);
  const int descriptors = kernel_.open_descriptors();
  for (int i = 0; i < 300; ++i) {
    faults_.Clear();
    if (random() % 4 == 0) {
      const FailingStep& step = kSteps[random() % std::size(kSteps)];
      Fail(step.command, kErrors[random() % std::size(kErrors)], 0x102, 3, step.occurrence);
    }
    if (random() % 4 == 0) Fail(abi::KVM_PV_ASYNC_CLEANUP_PREPARE, EIO, 0x104);
    if (random() % 4 == 0) Fail(abi::KVM_PV_ASYNC_CLEANUP_PERFORM, EINVAL);
    protection->SetPolicy(random() % 5 == 0 ? DestroyMode::kSync : DestroyMode::kAuto);
    absl::StatusOr<ProtectOutcome> outcome = Protect(*protection);
    ASSERT_THAT(outcome, IsOk());
    if (!outcome->is_protected) continue;
    ASSERT_THAT(protection->Unprotect("reboot"), IsOk());
  }
  faults_.Clear();
  // A PERFORM that was made to fail has left its guest to the next DISABLE.
  protection->SetPolicy(DestroyMode::kSync);
  ProtectWell(*protection);
  ASSERT_THAT(protection->Unprotect("last"), IsOk());
  EXPECT_TRUE(protection->cleaner().WaitUntilIdle(kForever));
  EXPECT_EQ(kernel_.secure_configurations(), 0);
  EXPECT_EQ(kernel_.open_descriptors(), descriptors);
}

}  // namespace
}  // namespace lethe
