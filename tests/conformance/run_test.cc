// KVM_RUN: what it returns, and why a CPU comes back.

#include <algorithm>
#include <csignal>
#include <ctime>

#include "tests/conformance/one_cpu.h"

namespace lethe::conformance {
namespace {

using KvmRun = OneCpu;

constexpr std::initializer_list<std::uint8_t> kLoop = {0xa7, 0xf4, 0x00, 0x00};      // J *
constexpr std::initializer_list<std::uint8_t> kDiagnose = {0x83, 0x00, 0x05, 0x01};  // DIAG X'501'

TEST_F(KvmRun, TakesNoArgument) { EXPECT_EQ(Call(cpu_.fd, abi::KVM_RUN, 1), -EINVAL); }

TEST_F(KvmRun, ImmediateExitEndsItAtOnce) {
  cpu_.run->immediate_exit = 1;
  cpu_.run->exit_reason = 77;
  EXPECT_EQ(Execute(kDiagnose), -EINTR);
  EXPECT_EQ(cpu_.run->exit_reason, 77);
  EXPECT_EQ(cpu_.run->psw_addr, kProgramAt);
}

TEST_F(KvmRun, ImmediateExitComesBeforeTheRegistersAreLookedAt) {
  cpu_.run->immediate_exit = 1;
  cpu_.run->kvm_dirty_regs = 0x8000'0000;
  EXPECT_EQ(Execute(kDiagnose), -EINTR);
}

TEST_F(KvmRun, ImmediateExitKeepsTheDirtyBits) {
  cpu_.run->immediate_exit = 1;
  cpu_.run->kvm_dirty_regs = abi::KVM_SYNC_CRS;
  EXPECT_EQ(Execute(kDiagnose), -EINTR);
  EXPECT_EQ(cpu_.run->kvm_dirty_regs, abi::KVM_SYNC_CRS);
}

TEST_F(KvmRun, StartsAStoppedCpuWhileTheKernelKeepsTheStates) {
  EXPECT_EQ(Call(cpu_.fd, abi::KVM_GET_MP_STATE), int{abi::KVM_MP_STATE_STOPPED});
  Complete({});
  EXPECT_EQ(Call(cpu_.fd, abi::KVM_GET_MP_STATE), int{abi::KVM_MP_STATE_OPERATING});
}

TEST_F(KvmRun, OfAStoppedCpuIsInvalidWhenTheUserKeepsTheStates) {
  ASSERT_EQ(SetState(cpu_, abi::KVM_MP_STATE_STOPPED), 0);
  EXPECT_EQ(Execute(kDiagnose), -EINVAL);
}

TEST_F(KvmRun, WorksWhenTheUserHasMadeTheCpuOperating) {
  ASSERT_EQ(SetState(cpu_, abi::KVM_MP_STATE_OPERATING), 0);
  Complete({});
}

TEST_F(KvmRun, GoesOnBehindAnInterceptedInstruction) {
  Program({0x83, 0x00, 0x05, 0x01, 0x83, 0x00, 0x02, 0x88});
  SetPsw(cpu_, kSupervisor);
  EXPECT_EQ(Run(cpu_), 0);
  ExpectIntercept(4, 0x8300, 0x05010000);
  EXPECT_EQ(cpu_.run->psw_addr, kProgramAt + 4);
  EXPECT_EQ(Run(cpu_), 0);
  ExpectIntercept(4, 0x8300, 0x02880000);
  EXPECT_EQ(cpu_.run->psw_addr, kProgramAt + 8);
}

TEST_F(KvmRun, ADisabledWaitIsIntercept28) {
  SetPsw(cpu_, kDisabledWait, 0x1234);
  EXPECT_EQ(Run(cpu_), 0);
  ExpectIntercept(28);
  EXPECT_EQ(cpu_.run->psw_mask, kDisabledWait);
  EXPECT_EQ(cpu_.run->psw_addr, 0x1234);
}

TEST_F(KvmRun, ADisabledWaitStaysOne) {
  SetPsw(cpu_, kDisabledWait, 0x1234);
  EXPECT_EQ(Run(cpu_), 0);
  EXPECT_EQ(Run(cpu_), 0);
  ExpectIntercept(28);
}

TEST_F(KvmRun, ADisabledWaitLoadedByTheGuestIsIntercept28) {
  Store<std::uint64_t>(0x500, kDisabledWait);
  Store<std::uint64_t>(0x508, 0x4242);
  EXPECT_EQ(Execute({0xb2, 0xb2, 0x05, 0x00}), 0);  // LPSWE 0x500
  ExpectIntercept(28);
  EXPECT_EQ(cpu_.run->psw_addr, 0x4242);
}

// A wait in which one class of interruptions is enabled is none that the user hears of.
struct WaitCase {
  const char* name;
  std::uint64_t mask;
};
class EnabledWait : public OneCpu, public ::testing::WithParamInterface<WaitCase> {};

TEST_P(EnabledWait, LastsUntilTheThreadIsKicked) {
  SetOneRegister(abi::KVM_REG_S390_CLOCK_COMP, ~std::uint64_t{0});
  SetPsw(cpu_, kDisabledWait | GetParam().mask, 0x1000);
  EXPECT_EQ(RunUntilKicked(), -EINTR);
  EXPECT_EQ(cpu_.run->exit_reason, abi::KVM_EXIT_INTR);
  EXPECT_EQ(cpu_.run->psw_addr, 0x1000);
  EXPECT_EQ(cpu_.run->psw_mask, kDisabledWait | GetParam().mask);
}

INSTANTIATE_TEST_SUITE_P(Class, EnabledWait,
                         ::testing::Values(WaitCase{"External", kExternalOn},
                                           WaitCase{"InputOutput", kInputOutputOn},
                                           WaitCase{"MachineCheck", kMachineCheckOn}),
                         CaseName());

TEST_F(KvmRun, AKickEndsALoop) {
  Program(kLoop);
  SetPsw(cpu_, kSupervisor);
  EXPECT_EQ(RunUntilKicked(), -EINTR);
  EXPECT_EQ(cpu_.run->exit_reason, abi::KVM_EXIT_INTR);
  EXPECT_EQ(cpu_.run->psw_addr, kProgramAt);
}

TEST_F(KvmRun, AKickedCpuGoesOn) {
  Program({0xa7, 0x4b, 0x00, 0x01, 0xa7, 0xf4, 0xff, 0xfe});  // AGHI 4,1; J *-4
  SetPsw(cpu_, kSupervisor);
  EXPECT_EQ(RunUntilKicked(), -EINTR);
  const std::uint64_t count = General(4);
  EXPECT_EQ(RunUntilKicked(), -EINTR);
  EXPECT_GT(General(4), count);
}

TEST_F(KvmRun, AKickedCpuTakesWhatHasChangedMeanwhile) {
  Program(kLoop);
  SetPsw(cpu_, kSupervisor);
  EXPECT_EQ(RunUntilKicked(), -EINTR);
  EXPECT_EQ(Execute(kDiagnose), 0);
  ExpectIntercept(4, 0x8300, 0x05010000);
}

// A signal whose handler does what handlers of KVM's users do.
class SignalledRun : public OneCpu {
 protected:
  SignalledRun() {
    run_ = cpu_.run;
    struct sigaction action {};
    action.sa_handler = [](int) { __atomic_store_n(&run_->immediate_exit, 1, __ATOMIC_SEQ_CST); };
    sigaction(SIGUSR2, &action, &before_);
  }
  ~SignalledRun() override { sigaction(SIGUSR2, &before_, nullptr); }
  int RunUntilSignalled() {
    return RunBeside([](pthread_t thread) { pthread_kill(thread, SIGUSR2); });
  }

  static inline abi::kvm_run* run_;
  struct sigaction before_ {};
};

TEST_F(SignalledRun, LeavesALoop) {
  Program(kLoop);
  SetPsw(cpu_, kSupervisor);
  EXPECT_EQ(RunUntilSignalled(), -EINTR);
  EXPECT_EQ(cpu_.run->exit_reason, abi::KVM_EXIT_INTR);
  EXPECT_EQ(cpu_.run->psw_addr, kProgramAt);
}

TEST_F(SignalledRun, LeavesAWait) {
  SetOneRegister(abi::KVM_REG_S390_CLOCK_COMP, ~std::uint64_t{0});
  SetPsw(cpu_, kEnabledWait, 0x1000);
  EXPECT_EQ(RunUntilSignalled(), -EINTR);
  EXPECT_EQ(cpu_.run->exit_reason, abi::KVM_EXIT_INTR);
}

// The argument of KVM_SET_SIGNAL_MASK.
struct SignalMask {
  std::uint32_t length;
  std::uint8_t bits[8];
};

TEST_F(KvmRun, SetSignalMaskWantsEightBytes) {
  SignalMask mask{4, {}};
  EXPECT_EQ(Pass(cpu_.fd, abi::KVM_SET_SIGNAL_MASK, mask), -EINVAL);
  mask.length = 8;
  EXPECT_EQ(Pass(cpu_.fd, abi::KVM_SET_SIGNAL_MASK, mask), 0);
}

TEST_F(KvmRun, SetSignalMaskOfNothingTakesTheMaskAway) {
  EXPECT_EQ(Call(cpu_.fd, abi::KVM_SET_SIGNAL_MASK, 0), 0);
}

// One signal is blocked outside of KVM_RUN.
class MaskedRun : public OneCpu {
 protected:
  MaskedRun() {
    sigemptyset(&blocked_);
    sigaddset(&blocked_, SIGUSR2);
    pthread_sigmask(SIG_BLOCK, &blocked_, &before_);
  }
  ~MaskedRun() override {
    timespec now{};
    sigtimedwait(&blocked_, nullptr, &now);
    pthread_sigmask(SIG_SETMASK, &before_, nullptr);
  }
  int SetMask(std::uint8_t each_byte) {
    SignalMask mask{8, {}};
    std::fill_n(mask.bits, 8, each_byte);
    return Pass(cpu_.fd, abi::KVM_SET_SIGNAL_MASK, mask);
  }
  static bool IsPending() {
    sigset_t pending;
    sigpending(&pending);
    return sigismember(&pending, SIGUSR2) == 1;
  }

  sigset_t blocked_;
  sigset_t before_;
};

TEST_F(MaskedRun, ABlockedSignalDoesNotEndIt) {
  pthread_kill(pthread_self(), SIGUSR2);
  EXPECT_EQ(Execute(kDiagnose), 0);
}

TEST_F(MaskedRun, APendingSignalThatItsOwnMaskAdmitsEndsIt) {
  ASSERT_EQ(SetMask(0), 0);
  pthread_kill(pthread_self(), SIGUSR2);
  EXPECT_EQ(Execute(kLoop), -EINTR);
  EXPECT_TRUE(IsPending());  // for the user to take
}

TEST_F(MaskedRun, ASignalThatItsOwnMaskBlocksDoesNotEndIt) {
  ASSERT_EQ(SetMask(0xff), 0);
  pthread_kill(pthread_self(), SIGUSR2);
  EXPECT_EQ(Execute(kDiagnose), 0);
}

TEST_F(MaskedRun, WithoutAMaskTheThreadsCountsAgain) {
  ASSERT_EQ(SetMask(0), 0);
  ASSERT_EQ(Call(cpu_.fd, abi::KVM_SET_SIGNAL_MASK, 0), 0);
  pthread_kill(pthread_self(), SIGUSR2);
  EXPECT_EQ(Execute(kDiagnose), 0);
}

TEST_F(KvmRun, SpecificationExceptionsWithoutAnEndAreIntercept8) {
  SetNewPsw(kProgramNew, 0x8000'0000'0000'0000, 0);             // no PSW
  EXPECT_EQ(Execute({0xa7, 0x29, 0x00, 0x01, 0x07, 0xf2}), 0);  // LGHI 2,1; BR 2
  ExpectIntercept(8);
}

TEST_F(KvmRun, OperationExceptionsWithoutAnEndAreIntercept44) {
  SetNewPsw(kProgramNew, kSupervisor, kProgramAt);
  EXPECT_EQ(Execute({0x00, 0x00}), 0);
  ExpectIntercept(44);
}

TEST_F(KvmRun, AnUnknownOperationIsTheGuests) {
  ExpectProgramInterruption({0x00, 0x00}, 1);
  EXPECT_EQ(Load<std::uint16_t>(0x8c), 2);
  EXPECT_EQ(Load<std::uint64_t>(0x158), kProgramAt + 2);
}

TEST_F(KvmRun, AnUnknownOperationOfSixBytesIsTheGuests) {
  ExpectProgramInterruption({0xe3, 0x00, 0x00, 0x00, 0x00, 0xff}, 1);
  EXPECT_EQ(Load<std::uint16_t>(0x8c), 6);
  EXPECT_EQ(Load<std::uint64_t>(0x158), kProgramAt + 6);
}

TEST_F(KvmRun, TheUserMayTakeInstruction0) {
  ASSERT_EQ(EnableCapability(vm(), abi::KVM_CAP_S390_USER_INSTR0), 0);
  EXPECT_EQ(Execute({0x00, 0x00}), 0);
  ExpectIntercept(44);
  EXPECT_EQ(cpu_.run->s390_sieic.ipa, 0);
  EXPECT_EQ(cpu_.run->psw_addr, kProgramAt + 2);
}

TEST_F(KvmRun, Instruction0IsTakenFromTheProblemStateToo) {
  ASSERT_EQ(EnableCapability(vm(), abi::KVM_CAP_S390_USER_INSTR0), 0);
  EXPECT_EQ(Execute({0x00, 0x00}, kSupervisor | kProblemState), 0);
  ExpectIntercept(44);
}

TEST_F(KvmRun, Instruction0IsTheOnlyOneSoTaken) {
  ASSERT_EQ(EnableCapability(vm(), abi::KVM_CAP_S390_USER_INSTR0), 0);
  ExpectProgramInterruption({0x00, 0x01}, 1);
}

TEST_F(KvmRun, AProgramExceptionIsTheGuests) {
  ExpectProgramInterruption({0xa7, 0x29, 0x00, 0x01, 0x07, 0xf2}, 6);  // LGHI 2,1; BR 2
}

TEST_F(KvmRun, AnAddressBeyondTheMemoryIsAnAddressingException) {
  General(2) = kMemorySize + 0x100000;
  ExpectProgramInterruption({0xe3, 0x40, 0x20, 0x00, 0x00, 0x04}, 5);  // LG 4,0(2)
}

TEST_F(KvmRun, ASupervisorCallIsTheGuests) {
  EXPECT_EQ(Execute({0x0a, 0x07}), 0);  // SVC 7
  EXPECT_EQ(Landed(), kSupervisorCallNew);
  EXPECT_EQ(Load<std::uint16_t>(0x8a), 7);
  EXPECT_EQ(Load<std::uint64_t>(0x148), kProgramAt + 2);
}

TEST_F(KvmRun, AnInvalidPswIsASpecificationException) {
  SetPsw(cpu_, 0x8000'0000'0000'0000 | kSupervisor);
  EXPECT_EQ(Run(cpu_), 0);
  EXPECT_EQ(Landed(), kProgramNew);
  EXPECT_EQ(Load<std::uint16_t>(0x8e), 6);
}

TEST_F(KvmRun, AnOddInstructionAddressIsASpecificationException) {
  SetPsw(cpu_, kSupervisor, kProgramAt + 1);
  EXPECT_EQ(Run(cpu_), 0);
  EXPECT_EQ(Landed(), kProgramNew);
  EXPECT_EQ(Load<std::uint16_t>(0x8e), 6);
}

TEST_F(KvmRun, InterruptionsCanBeInjectedBesideIt) {
  Program(kLoop);
  EnableSubclasses();
  SetPsw(cpu_, kSupervisor | kExternalOn);
  EXPECT_EQ(RunBeside([&](pthread_t) { EXPECT_EQ(InjectEmergency(0), 0); }), 0);
  EXPECT_EQ(Landed(), kExternalNew);
}

}  // namespace
}  // namespace lethe::conformance
