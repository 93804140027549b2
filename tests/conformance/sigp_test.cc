// SIGNAL PROCESSOR: which orders KVM completes, and how.

#include "tests/conformance/one_cpu.h"

namespace lethe::conformance {
namespace {

enum Order : std::uint8_t {
  kSense = 1,
  kExternalCall = 2,
  kEmergencySignal = 3,
  kStart = 4,
  kStop = 5,
  kRestart = 6,
  kStopAndStoreStatus = 9,
  kInitialCpuReset = 11,
  kCpuReset = 12,
  kSetPrefix = 13,
  kStoreStatusAtAddress = 14,
  kSetArchitecture = 18,
  kConditionalEmergencySignal = 19,
  kSenseRunningStatus = 21,
};

// Two CPUs: the first signals, the second (address 1) does not run.
class Sigp : public OneCpu {
 protected:
  static constexpr std::uint64_t kOldStatus = 0x1111'1111'2222'2222;

  Sigp() : target_(AddCpu(1)) {
    Call(target_.fd, abi::KVM_S390_INITIAL_RESET);
    SetState(cpu_, abi::KVM_MP_STATE_OPERATING);
  }
  // SIGP 4,6,ORDER: the status goes to register 4, the parameter is in register 5.
  void Prepare(std::uint8_t order, std::uint64_t parameter, std::uint64_t address) {
    General(4) = kOldStatus;
    General(5) = parameter;
    General(6) = address;
    Program({0xae, 0x46, 0x00, order, 0x83, 0x00, 0x05, 0x01});
    SetPsw(cpu_, kSupervisor);
  }
  void ExpectCompleted(std::uint8_t order, unsigned cc, std::uint64_t parameter = 0,
                       std::uint64_t address = 1) {
    Prepare(order, parameter, address);
    ASSERT_EQ(Run(cpu_), 0);
    ExpectIntercept(4, 0x8300, kDiagnose501);
    EXPECT_EQ(ConditionCode(), cc);
    if (cc != 1) {
      EXPECT_EQ(General(4), kOldStatus);
    }
  }
  void ExpectStatus(std::uint8_t order, std::uint32_t status, std::uint64_t parameter = 0) {
    ExpectCompleted(order, 1, parameter);
    EXPECT_EQ(General(4), (kOldStatus & ~std::uint64_t{0xffffffff}) | status);
  }
  void ExpectForwarded(std::uint8_t order, std::uint64_t address = 1) {
    Prepare(order, 0, address);
    ASSERT_EQ(Run(cpu_), 0);
    ExpectIntercept(4, 0xae46, std::uint32_t{order} << 16);
    EXPECT_EQ(cpu_.run->psw_addr, kProgramAt + 4);
    EXPECT_EQ(General(4), kOldStatus);
  }
  void StartTarget() { ASSERT_EQ(SetState(target_, abi::KVM_MP_STATE_OPERATING), 0); }
  void StopTarget() { ASSERT_EQ(SetState(target_, abi::KVM_MP_STATE_STOPPED), 0); }
  void TakeOrdersToTheUser() { ASSERT_EQ(EnableCapability(vm(), abi::KVM_CAP_S390_USER_SIGP), 0); }
  bool TargetHas(std::uint64_t type) {
    for (const abi::kvm_s390_irq& irq : PendingOf(target_)) {
      if (irq.type == type) return true;
    }
    return false;
  }

  Machine::Vcpu& target_;
};

TEST_F(Sigp, NobodyAtTheAddressIsConditionCode3) {
  for (const std::uint8_t order :
       {kSense, kExternalCall, kEmergencySignal, kStart, kStop, kRestart, kCpuReset, kSetPrefix}) {
    ExpectCompleted(order, 3, 0, 9);
  }
}

TEST_F(Sigp, SenseOfAStoppedCpu) { ExpectStatus(kSense, 0x40); }

TEST_F(Sigp, SenseOfAnOperatingCpu) {
  StartTarget();
  ExpectCompleted(kSense, 0);
}

TEST_F(Sigp, SenseSeesAPendingExternalCall) {
  StartTarget();
  ExpectCompleted(kExternalCall, 0);
  ExpectStatus(kSense, 0x80);
}

TEST_F(Sigp, SenseSeesBoth) {
  ExpectCompleted(kExternalCall, 0);
  ExpectStatus(kSense, 0xc0);
}

TEST_F(Sigp, ExternalCallBecomesPending) {
  ExpectCompleted(kExternalCall, 0);
  EXPECT_TRUE(TargetHas(abi::KVM_S390_INT_EXTERNAL_CALL));
}

TEST_F(Sigp, OnlyOneExternalCallIsPending) {
  ExpectCompleted(kExternalCall, 0);
  ExpectStatus(kExternalCall, 0x80);
}

TEST_F(Sigp, EmergencySignalBecomesPending) {
  ExpectCompleted(kEmergencySignal, 0);
  ExpectCompleted(kEmergencySignal, 0);
  const auto pending = PendingOf(target_);
  ASSERT_EQ(pending.size(), 1);
  EXPECT_EQ(pending[0].type, abi::KVM_S390_INT_EMERGENCY);
  EXPECT_EQ(pending[0].u.emerg.code, 0);
}

TEST_F(Sigp, ConditionalEmergencySignalToADisabledCpu) {
  ExpectCompleted(kConditionalEmergencySignal, 0);
  EXPECT_TRUE(TargetHas(abi::KVM_S390_INT_EMERGENCY));
}

TEST_F(Sigp, ConditionalEmergencySignalToAnOperatingCpu) {
  StartTarget();
  ExpectCompleted(kConditionalEmergencySignal, 0);
  EXPECT_TRUE(TargetHas(abi::KVM_S390_INT_EMERGENCY));
}

TEST_F(Sigp, SetArchitectureHasNothingToSet) { ExpectStatus(kSetArchitecture, 0x100); }

TEST_F(Sigp, SenseRunningStatusOfAStoppedCpu) {
  if (!OffersFacility(9)) GTEST_SKIP() << "the host lacks facility 9";
  ExpectStatus(kSenseRunningStatus, 0x400);
}

TEST_F(Sigp, SenseRunningStatusOfItself) {
  if (!OffersFacility(9)) GTEST_SKIP() << "the host lacks facility 9";
  ExpectCompleted(kSenseRunningStatus, 0, 0, 0);
}

TEST_F(Sigp, SetPrefixOfAStoppedCpu) {
  ExpectCompleted(kSetPrefix, 0, 0x6000);
  const auto pending = PendingOf(target_);
  ASSERT_EQ(pending.size(), 1);
  EXPECT_EQ(pending[0].type, abi::KVM_S390_SIGP_SET_PREFIX);
  EXPECT_EQ(pending[0].u.prefix.address, 0x6000);
}

TEST_F(Sigp, SetPrefixTakesEffectWithTheNextRun) {
  ExpectCompleted(kSetPrefix, 0, 0x6000);
  StartTarget();
  SetPsw(target_, kSupervisor, kProgramAt + 4);
  EXPECT_EQ(Run(target_), 0);
  EXPECT_EQ(target_.run->s.regs.prefix, 0x6000);
}

TEST_F(Sigp, SetPrefixOfAnOperatingCpu) {
  StartTarget();
  ExpectStatus(kSetPrefix, 0x200, 0x6000);
}

TEST_F(Sigp, SetPrefixWantsMemory) { ExpectStatus(kSetPrefix, 0x100, 0x7000'0000); }

TEST_F(Sigp, StoreStatusAtAddressOfAStoppedCpu) {
  target_.run->s.regs.gprs[3] = 0x3333;
  ExpectCompleted(kStoreStatusAtAddress, 0, 0x8000);
  EXPECT_EQ(Load<std::uint64_t>(0x8000 + 128 + 3 * 8), 0x3333);
}

TEST_F(Sigp, StoreStatusAtAddressOfAnOperatingCpu) {
  StartTarget();
  ExpectStatus(kStoreStatusAtAddress, 0x200, 0x8000);
}

TEST_F(Sigp, StoreStatusAtAddressWantsMemory) {
  ExpectStatus(kStoreStatusAtAddress, 0x100, 0x7000'0000);
}

TEST_F(Sigp, StopOfAStoppedCpuIsDone) {
  ExpectCompleted(kStop, 0);
  EXPECT_FALSE(TargetHas(abi::KVM_S390_SIGP_STOP));
}

TEST_F(Sigp, StopOfAnOperatingCpuBecomesPending) {
  StartTarget();
  ExpectCompleted(kStop, 0);
  EXPECT_TRUE(TargetHas(abi::KVM_S390_SIGP_STOP));
}

TEST_F(Sigp, ACpuThatIsToStopIsBusy) {
  StartTarget();
  ExpectCompleted(kStop, 0);
  for (const std::uint8_t order :
       {kSense, kExternalCall, kEmergencySignal, kStart, kStop, kRestart, kSetPrefix}) {
    ExpectCompleted(order, 2);
  }
}

TEST_F(Sigp, ACpuThatIsToRestartIsBusy) {
  abi::kvm_s390_irq irq{};
  irq.type = abi::KVM_S390_RESTART;
  ASSERT_EQ(Inject(target_, irq), 0);
  for (const std::uint8_t order : {kSense, kExternalCall, kStop, kRestart}) {
    ExpectCompleted(order, 2);
  }
}

TEST_F(Sigp, ResetsAreNeverBusy) {
  StartTarget();
  ExpectCompleted(kStop, 0);
  ExpectForwarded(kInitialCpuReset);
  ExpectForwarded(kCpuReset);
}

TEST_F(Sigp, StopAndStoreStatusCarriesItsFlag) {
  StartTarget();
  ExpectCompleted(kStopAndStoreStatus, 0);
  const auto pending = PendingOf(target_);
  ASSERT_EQ(pending.size(), 1);
  EXPECT_EQ(pending[0].u.stop.flags, 1u);
}

TEST_F(Sigp, AStoppingCpuLeavesWithIntercept40) {
  StartTarget();
  ExpectCompleted(kStop, 0);
  SetPsw(target_, kSupervisor, kProgramAt + 4);
  EXPECT_EQ(Run(target_), 0);
  EXPECT_EQ(target_.run->exit_reason, abi::KVM_EXIT_S390_SIEIC);
  EXPECT_EQ(target_.run->s390_sieic.icptcode, 40);
  EXPECT_EQ(target_.run->psw_addr, kProgramAt + 4);
}

TEST_F(Sigp, TheOrderIsTheLowByteOfTheAddress) {
  General(3) = 0x1200;
  Prepare(kSense, 0, 1);
  Program({0xae, 0x46, 0x30, kSense});  // SIGP 4,6,1(3)
  ASSERT_EQ(Run(cpu_), 0);
  ExpectIntercept(4, 0x8300, kDiagnose501);
  EXPECT_EQ(General(4) & 0xffffffff, 0x40);
}

struct SigpCase {
  const char* name;
  std::uint8_t order;
};
class SigpToUser : public Sigp, public ::testing::WithParamInterface<SigpCase> {};

TEST_P(SigpToUser, GoesToTheUser) { ExpectForwarded(GetParam().order); }

INSTANTIATE_TEST_SUITE_P(Order, SigpToUser,
                         ::testing::Values(SigpCase{"Start", kStart}, SigpCase{"Restart", kRestart},
                                           SigpCase{"InitialCpuReset", kInitialCpuReset},
                                           SigpCase{"CpuReset", kCpuReset},
                                           SigpCase{"StoreAdditionalStatus", 23},
                                           SigpCase{"Unassigned", 0x7f}),
                         CaseName());

class UserSigp : public Sigp, public ::testing::WithParamInterface<SigpCase> {};

TEST_P(UserSigp, GoesToTheUser) {
  TakeOrdersToTheUser();
  ExpectForwarded(GetParam().order);
}

TEST_P(UserSigp, GoesToTheUserEvenIfNobodyIsThere) {
  TakeOrdersToTheUser();
  ExpectForwarded(GetParam().order, 9);
}

INSTANTIATE_TEST_SUITE_P(Order, UserSigp,
                         ::testing::Values(SigpCase{"Start", kStart}, SigpCase{"Stop", kStop},
                                           SigpCase{"Restart", kRestart},
                                           SigpCase{"StopAndStoreStatus", kStopAndStoreStatus},
                                           SigpCase{"InitialCpuReset", kInitialCpuReset},
                                           SigpCase{"CpuReset", kCpuReset},
                                           SigpCase{"SetPrefix", kSetPrefix},
                                           SigpCase{"StoreStatusAtAddress", kStoreStatusAtAddress},
                                           SigpCase{"SetArchitecture", kSetArchitecture},
                                           SigpCase{"StoreAdditionalStatus", 23},
                                           SigpCase{"Unassigned", 0x7f}),
                         CaseName());

class KernelSigp : public Sigp, public ::testing::WithParamInterface<SigpCase> {};

TEST_P(KernelSigp, StaysInTheKernelWhenTheUserTakesTheOthers) {
  TakeOrdersToTheUser();
  StartTarget();
  Prepare(GetParam().order, 0, 1);
  ASSERT_EQ(Run(cpu_), 0);
  ExpectIntercept(4, 0x8300, kDiagnose501);
}

INSTANTIATE_TEST_SUITE_P(
    Order, KernelSigp,
    ::testing::Values(SigpCase{"Sense", kSense}, SigpCase{"ExternalCall", kExternalCall},
                      SigpCase{"EmergencySignal", kEmergencySignal},
                      SigpCase{"ConditionalEmergencySignal", kConditionalEmergencySignal},
                      SigpCase{"SenseRunningStatus", kSenseRunningStatus}),
    CaseName());

// --- two CPUs at once ----------------------------------------------------------------------------

class TwoCpus : public Sigp {
 protected:
  // The target waits for external interruptions, or does what is at `program`, on a thread.
  template <typename Meanwhile>
  int RunTarget(Meanwhile meanwhile) {
    int result = 0;
    StartTarget();
    std::thread runner([&] { result = Run(target_); });
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
    meanwhile();
    runner.join();
    return result;
  }
  void EnableTarget() {
    SetControl(target_, 0, 0xe0 | kEmergencyOn | kExternalCallOn);
    SetPsw(target_, kEnabledWait, 0x1000);
  }
};

TEST_F(TwoCpus, AnEmergencySignalWakesAWaitingCpu) {
  EnableTarget();
  EXPECT_EQ(RunTarget([&] { ExpectCompleted(kEmergencySignal, 0); }), 0);
  EXPECT_EQ(target_.run->psw_addr, LandingOf(kExternalNew) + 4);
  EXPECT_EQ(Load<std::uint16_t>(0x86), 0x1201);
  EXPECT_EQ(Load<std::uint16_t>(0x84), 0);
  EXPECT_EQ(Load<std::uint64_t>(0x130), kEnabledWait);
  EXPECT_EQ(Load<std::uint64_t>(0x138), 0x1000);
}

TEST_F(TwoCpus, AnExternalCallWakesAWaitingCpu) {
  EnableTarget();
  EXPECT_EQ(RunTarget([&] { ExpectCompleted(kExternalCall, 0); }), 0);
  EXPECT_EQ(target_.run->psw_addr, LandingOf(kExternalNew) + 4);
  EXPECT_EQ(Load<std::uint16_t>(0x86), 0x1202);
}

TEST_F(TwoCpus, AStopEndsAWait) {
  EnableTarget();
  EXPECT_EQ(RunTarget([&] { ExpectCompleted(kStop, 0); }), 0);
  EXPECT_EQ(target_.run->s390_sieic.icptcode, 40);
}

TEST_F(TwoCpus, AStopEndsALoop) {
  Program({0xa7, 0xf4, 0x00, 0x00}, 0x12000);  // J *
  SetPsw(target_, kSupervisor, 0x12000);
  EXPECT_EQ(RunTarget([&] { ExpectCompleted(kStop, 0); }), 0);
  EXPECT_EQ(target_.run->s390_sieic.icptcode, 40);
}

TEST_F(TwoCpus, SenseRunningStatusOfALoopingCpu) {
  if (!OffersFacility(9)) GTEST_SKIP() << "the host lacks facility 9";
  Program({0xa7, 0xf4, 0x00, 0x00}, 0x12000);
  SetPsw(target_, kSupervisor, 0x12000);
  EXPECT_EQ(RunTarget([&] {
              // It may be late, or lose its processor for a while.
              std::uint64_t cc = 1;
              for (int turn = 0; turn < 5000 && cc != 0; ++turn) {
                Prepare(kSenseRunningStatus, 0, 1);
                EXPECT_EQ(Run(cpu_), 0);
                cc = ConditionCode();
                if (cc != 0) std::this_thread::sleep_for(std::chrono::milliseconds(1));
              }
              EXPECT_EQ(cc, 0);
              ExpectCompleted(kStop, 0);
            }),
            0);
}

TEST_F(TwoCpus, StoresOfOneAreSeenByTheOther) {
  // L 4,0x500; LTR 4,4; JZ *-6; DIAG X'501'
  Program({0x58, 0x40, 0x05, 0x00, 0x12, 0x44, 0xa7, 0x84, 0xff, 0xfd, 0x83, 0x00, 0x05, 0x01},
          0x12000);
  SetPsw(target_, kSupervisor, 0x12000);
  EXPECT_EQ(RunTarget([&] {
              General(4) = 77;
              Complete({0x50, 0x40, 0x05, 0x00});  // ST 4,0x500
            }),
            0);
  EXPECT_EQ(target_.run->s.regs.gprs[4], 77);
}

TEST_F(TwoCpus, CompareAndSwapCountsExactly) {
  // LHI 2,2000; L 4,0x500; LR 5,4; AHI 5,1; CS 4,5,0x500; JNZ *-10; BRCT 2,*-18; DIAG X'501'
  constexpr int kTurns = 2000;
  for (const std::uint64_t at : {0x12000, 0x13000}) {
    Program(
        {0xa7, 0x28, 0x07, 0xd0, 0x58, 0x40, 0x05, 0x00, 0x18, 0x54, 0xa7, 0x5a, 0x00, 0x01, 0xba,
         0x45, 0x05, 0x00, 0xa7, 0x74, 0xff, 0xfb, 0xa7, 0x26, 0xff, 0xf7, 0x83, 0x00, 0x05, 0x01},
        at);
  }
  SetPsw(target_, kSupervisor, 0x12000);
  SetPsw(cpu_, kSupervisor, 0x13000);
  EXPECT_EQ(RunTarget([&] { EXPECT_EQ(Run(cpu_), 0); }), 0);
  EXPECT_EQ(Load<std::uint32_t>(0x500), 2 * kTurns);
}

}  // namespace
}  // namespace lethe::conformance
