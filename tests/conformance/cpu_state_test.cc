// States of CPUs, resets, store status.

#include <cstring>

#include "tests/conformance/one_cpu.h"

namespace lethe::conformance {
namespace {

// --- KVM_{GET,SET}_MP_STATE ----------------------------------------------------------------------

class CpuState : public OneCpu {
 protected:
  int State() { return Call(cpu_.fd, abi::KVM_GET_MP_STATE); }
};

TEST_F(CpuState, IsTheResultOfTheCall) {
  abi::kvm_mp_state state{99};
  EXPECT_EQ(Pass(cpu_.fd, abi::KVM_GET_MP_STATE, state), int{abi::KVM_MP_STATE_STOPPED});
  EXPECT_EQ(state.mp_state, 99u);  // not written
}

TEST_F(CpuState, CanBeSet) {
  EXPECT_EQ(SetState(cpu_, abi::KVM_MP_STATE_OPERATING), 0);
  EXPECT_EQ(State(), int{abi::KVM_MP_STATE_OPERATING});
  EXPECT_EQ(SetState(cpu_, abi::KVM_MP_STATE_STOPPED), 0);
  EXPECT_EQ(State(), int{abi::KVM_MP_STATE_STOPPED});
}

TEST_F(CpuState, CanBeSetToWhatItIs) {
  EXPECT_EQ(SetState(cpu_, abi::KVM_MP_STATE_STOPPED), 0);
  EXPECT_EQ(SetState(cpu_, abi::KVM_MP_STATE_OPERATING), 0);
  EXPECT_EQ(SetState(cpu_, abi::KVM_MP_STATE_OPERATING), 0);
}

TEST_F(CpuState, HasNoOtherValues) {
  EXPECT_EQ(SetState(cpu_, 0), -ENXIO);
  EXPECT_EQ(SetState(cpu_, abi::KVM_MP_STATE_CHECK_STOP), -ENXIO);
  EXPECT_EQ(SetState(cpu_, abi::KVM_MP_STATE_LOAD), -ENXIO);
  EXPECT_EQ(SetState(cpu_, 99), -ENXIO);
}

TEST_F(CpuState, IsTheUsersFromTheFirstSetOn) {
  EXPECT_EQ(SetState(cpu_, 99), -ENXIO);
  EXPECT_EQ(Execute({0x83, 0x00, 0x05, 0x01}), -EINVAL);
}

TEST_F(CpuState, StoppedTakesBackAPendingStop) {
  ASSERT_EQ(SetState(cpu_, abi::KVM_MP_STATE_OPERATING), 0);
  ASSERT_EQ(InjectType(abi::KVM_S390_SIGP_STOP), 0);
  ASSERT_EQ(SetState(cpu_, abi::KVM_MP_STATE_STOPPED), 0);
  EXPECT_TRUE(PendingOf(cpu_).empty());
}

TEST_F(CpuState, SetInitialPswOfAStoppedCpu) {
  abi::kvm_s390_psw psw{kSupervisor, 0x4321};
  EXPECT_EQ(Pass(cpu_.fd, abi::KVM_S390_SET_INITIAL_PSW, psw), 0);
  EXPECT_EQ(cpu_.run->psw_mask, kSupervisor);
  EXPECT_EQ(cpu_.run->psw_addr, 0x4321);
}

TEST_F(CpuState, SetInitialPswOfAnOperatingCpuIsBusy) {
  ASSERT_EQ(SetState(cpu_, abi::KVM_MP_STATE_OPERATING), 0);
  abi::kvm_s390_psw psw{kSupervisor, 0x4321};
  EXPECT_EQ(Pass(cpu_.fd, abi::KVM_S390_SET_INITIAL_PSW, psw), -EBUSY);
}

// --- resets --------------------------------------------------------------------------------------

class Reset : public OneCpu {
 protected:
  abi::kvm_sync_regs& page() { return cpu_.run->s.regs; }
  // Gives every register a value, has a run take them in, and leaves interruptions pending.
  void Prepare() {
    for (int number = 0; number < 16; ++number) General(number) = 0x100 + number;
    for (int number = 0; number < 16; ++number) page().acrs[number] = 0x200 + number;
    page().fprs[0] = 0x4000'0000'0000'0000;
    page().fpc = 3;
    SetControl(cpu_, 0, 0xe0 | 0x40000);
    SetControl(cpu_, 2, 0x10);
    SetControl(cpu_, 8, 1);
    SetControl(cpu_, 14, 0);
    page().prefix = 0x6000;
    page().todpr = 0x123;
    page().cputm = 0x7000'0000'0000'0000;
    page().ckc = 0x6000'0000'0000'0000;
    page().pp = 0x55;
    page().pft = 0x1000;
    cpu_.run->kvm_dirty_regs |= abi::KVM_SYNC_PREFIX | abi::KVM_SYNC_ARCH0 | abi::KVM_SYNC_PFAULT;
    Complete({});
    ASSERT_EQ(InjectEmergency(0), 0);
    ASSERT_EQ(InjectType(abi::KVM_S390_RESTART), 0);
    psw_ = cpu_.run->psw_addr;
  }
  void ExpectGeneralRegisters(bool kept) {
    EXPECT_EQ(General(7), kept ? 0x107 : 0);
    EXPECT_EQ(page().acrs[9], kept ? 0x209u : 0u);
    EXPECT_EQ(page().fprs[0], kept ? 0x4000'0000'0000'0000 : 0);
  }
  void ExpectLocalStateGone() {
    EXPECT_TRUE(PendingOf(cpu_).empty());
    EXPECT_EQ(OneRegister(abi::KVM_REG_S390_PFTOKEN), ~std::uint64_t{0});
  }
  void ExpectInitialControlRegisters() {
    abi::kvm_sregs registers{};
    ASSERT_EQ(Pass(cpu_.fd, abi::KVM_GET_SREGS, registers), 0);
    for (int number = 0; number < 16; ++number) {
      const std::uint64_t initial = number == 0 ? 0xe0 : number == 14 ? 0xc200'0000 : 0;
      EXPECT_EQ(registers.crs[number], initial) << number;
      EXPECT_EQ(page().crs[number], initial) << number;
    }
  }
  void ExpectInitialRegisters() {
    EXPECT_EQ(cpu_.run->psw_mask, 0);
    EXPECT_EQ(cpu_.run->psw_addr, 0);
    EXPECT_EQ(page().fpc, 0u);
    EXPECT_EQ(page().todpr, 0);
    EXPECT_EQ(page().cputm, 0);
    EXPECT_EQ(page().ckc, 0);
    EXPECT_EQ(page().pp, 0);
    EXPECT_EQ(page().gbea, 1);
    EXPECT_EQ(OneRegister(abi::KVM_REG_S390_CPU_TIMER), 0);
    EXPECT_EQ(OneRegister(abi::KVM_REG_S390_CLOCK_COMP), 0);
    EXPECT_EQ(OneRegister(abi::KVM_REG_S390_PP), 0);
    EXPECT_EQ(OneRegister(abi::KVM_REG_S390_GBEA), 1);
  }

  std::uint64_t psw_ = 0;
};

TEST_F(Reset, NormalForgetsWhatIsPending) {
  Prepare();
  EXPECT_EQ(Call(cpu_.fd, abi::KVM_S390_NORMAL_RESET), 0);
  ExpectLocalStateGone();
}

TEST_F(Reset, NormalKeepsRegisters) {
  Prepare();
  EXPECT_EQ(Call(cpu_.fd, abi::KVM_S390_NORMAL_RESET), 0);
  ExpectGeneralRegisters(true);
  abi::kvm_sregs registers{};
  ASSERT_EQ(Pass(cpu_.fd, abi::KVM_GET_SREGS, registers), 0);
  EXPECT_EQ(registers.crs[2], 0x10);
  EXPECT_EQ(registers.crs[8], 1);
  EXPECT_EQ(page().prefix, 0x6000);
  EXPECT_EQ(page().fpc, 3u);
  EXPECT_EQ(OneRegister(abi::KVM_REG_S390_CLOCK_COMP), 0x6000'0000'0000'0000);
  EXPECT_EQ(OneRegister(abi::KVM_REG_S390_PP), 0x55);
  EXPECT_EQ(cpu_.run->psw_addr, psw_);
}

TEST_F(Reset, InitialForgetsWhatIsPending) {
  Prepare();
  EXPECT_EQ(Call(cpu_.fd, abi::KVM_S390_INITIAL_RESET), 0);
  ExpectLocalStateGone();
}

TEST_F(Reset, InitialSetsControlRegisters) {
  Prepare();
  EXPECT_EQ(Call(cpu_.fd, abi::KVM_S390_INITIAL_RESET), 0);
  ExpectInitialControlRegisters();
}

TEST_F(Reset, InitialClearsPswPrefixTimersAndFloatingPointControl) {
  Prepare();
  EXPECT_EQ(Call(cpu_.fd, abi::KVM_S390_INITIAL_RESET), 0);
  ExpectInitialRegisters();
}

TEST_F(Reset, InitialKeepsGeneralRegisters) {
  Prepare();
  EXPECT_EQ(Call(cpu_.fd, abi::KVM_S390_INITIAL_RESET), 0);
  ExpectGeneralRegisters(true);
}

// Unlike the others, these come back with the next run only.
TEST_F(Reset, LeavesPrefixAndPageFaultTokenInTheRunStructure) {
  Prepare();
  EXPECT_EQ(Call(cpu_.fd, abi::KVM_S390_INITIAL_RESET), 0);
  EXPECT_EQ(page().prefix, 0x6000);
  EXPECT_EQ(page().pft, 0x1000);
  Complete({});
  EXPECT_EQ(page().prefix, 0);
  EXPECT_EQ(page().pft, ~std::uint64_t{0});
}

TEST_F(Reset, InitialKeepsNothingDirty) {
  Prepare();
  EXPECT_EQ(Call(cpu_.fd, abi::KVM_S390_INITIAL_RESET), 0);
  Complete({});
  EXPECT_EQ(page().prefix, 0);
  EXPECT_EQ(page().crs[8], 0);
}

TEST_F(Reset, ClearIsAnInitialReset) {
  Prepare();
  EXPECT_EQ(Call(cpu_.fd, abi::KVM_S390_CLEAR_RESET), 0);
  ExpectLocalStateGone();
  ExpectInitialControlRegisters();
  ExpectInitialRegisters();
}

TEST_F(Reset, ClearClearsGeneralRegisters) {
  Prepare();
  EXPECT_EQ(Call(cpu_.fd, abi::KVM_S390_CLEAR_RESET), 0);
  ExpectGeneralRegisters(false);
}

struct ResetCase {
  const char* name;
  unsigned long request;
};
class AnyReset : public OneCpu, public ::testing::WithParamInterface<ResetCase> {};

TEST_P(AnyReset, StopsTheCpuWhileTheKernelKeepsTheStates) {
  Complete({});
  EXPECT_EQ(Call(cpu_.fd, GetParam().request), 0);
  EXPECT_EQ(Call(cpu_.fd, abi::KVM_GET_MP_STATE), int{abi::KVM_MP_STATE_STOPPED});
}

TEST_P(AnyReset, LeavesTheStateToTheUserWhoKeepsIt) {
  ASSERT_EQ(SetState(cpu_, abi::KVM_MP_STATE_OPERATING), 0);
  EXPECT_EQ(Call(cpu_.fd, GetParam().request), 0);
  EXPECT_EQ(Call(cpu_.fd, abi::KVM_GET_MP_STATE), int{abi::KVM_MP_STATE_OPERATING});
}

TEST_P(AnyReset, TakesBackAStop) {
  ASSERT_EQ(SetState(cpu_, abi::KVM_MP_STATE_OPERATING), 0);
  ASSERT_EQ(InjectType(abi::KVM_S390_SIGP_STOP), 0);
  EXPECT_EQ(Call(cpu_.fd, GetParam().request), 0);
  EXPECT_TRUE(PendingOf(cpu_).empty());
}

TEST_P(AnyReset, LeavesFloatingInterruptionsAlone) {
  ASSERT_EQ(Interrupt(vm(), abi::KVM_S390_INT_SERVICE, 0x1000), 0);
  EXPECT_EQ(Call(cpu_.fd, GetParam().request), 0);
  SetControl(cpu_, 0, 0xe0 | kServiceSignalOn);
  SetPsw(cpu_, kSupervisor | kExternalOn);
  ASSERT_EQ(SetState(cpu_, abi::KVM_MP_STATE_OPERATING), 0);
  EXPECT_EQ(Run(cpu_), 0);
  EXPECT_EQ(Landed(), kExternalNew);
}

INSTANTIATE_TEST_SUITE_P(Kind, AnyReset,
                         ::testing::Values(ResetCase{"Normal", abi::KVM_S390_NORMAL_RESET},
                                           ResetCase{"Initial", abi::KVM_S390_INITIAL_RESET},
                                           ResetCase{"Clear", abi::KVM_S390_CLEAR_RESET}),
                         CaseName());

// --- store status --------------------------------------------------------------------------------

class StoreStatus : public OneCpu {
 protected:
  void Prepare() {
    abi::kvm_sync_regs& page = cpu_.run->s.regs;
    for (unsigned number = 0; number < 16; ++number) {
      General(static_cast<int>(number)) = 0x1'0000'0000 + number;
      page.acrs[number] = 0x200 + number;
      page.fprs[number] = 0x4000'0000'0000'0000 + number;
    }
    page.fpc = 0x3;
    SetControl(cpu_, 0, 0xe0 | 0x40000);
    SetControl(cpu_, 9, 0x99);
    page.prefix = 0x6000;
    page.todpr = 0x123;
    page.cputm = 0x7000'0000'0000'0000;
    page.ckc = 0x6000'0000'0000'0000;
    cpu_.run->kvm_dirty_regs |= abi::KVM_SYNC_PREFIX | abi::KVM_SYNC_ARCH0;
    Complete({});
  }
  // The save area begins with the floating-point registers.
  void ExpectStatusAt(std::uint64_t area) {
    for (unsigned number = 0; number < 16; ++number) {
      EXPECT_EQ(Load<std::uint64_t>(area + number * 8), 0x4000'0000'0000'0000 + number);
      EXPECT_EQ(Load<std::uint64_t>(area + 0x80 + number * 8), 0x1'0000'0000 + number);
      EXPECT_EQ(Load<std::uint32_t>(area + 0x140 + number * 4), 0x200 + number);
    }
    EXPECT_EQ(Load<std::uint64_t>(area + 0x100), cpu_.run->psw_mask);
    EXPECT_EQ(Load<std::uint64_t>(area + 0x108), cpu_.run->psw_addr);
    EXPECT_EQ(Load<std::uint32_t>(area + 0x118), 0x6000u);
    EXPECT_EQ(Load<std::uint32_t>(area + 0x11c), 3u);
    EXPECT_EQ(Load<std::uint32_t>(area + 0x124), 0x123u);
    EXPECT_EQ(Load<std::uint64_t>(area + 0x128), cpu_.run->s.regs.cputm);
    EXPECT_EQ(Load<std::uint64_t>(area + 0x130), 0x6000'0000'0000'0000 >> 8);
    EXPECT_EQ(Load<std::uint64_t>(area + 0x180), 0xe0 | 0x40000);
    EXPECT_EQ(Load<std::uint64_t>(area + 0x180 + 9 * 8), 0x99);
  }
};

TEST_F(StoreStatus, AtAnAddress) {
  Prepare();
  EXPECT_EQ(Call(cpu_.fd, abi::KVM_S390_STORE_STATUS, 0x8000), 0);
  ExpectStatusAt(0x8000);
  EXPECT_EQ(Load<std::uint8_t>(163), 0);
}

TEST_F(StoreStatus, WithoutAnAddressAtItsAbsolutePlace) {
  Prepare();
  EXPECT_EQ(Call(cpu_.fd, abi::KVM_S390_STORE_STATUS, abi::KVM_S390_STORE_STATUS_NOADDR), 0);
  ExpectStatusAt(0x1200);
  EXPECT_EQ(Load<std::uint8_t>(163), 1);
}

TEST_F(StoreStatus, PrefixedInThePrefixArea) {
  Prepare();
  EXPECT_EQ(Call(cpu_.fd, abi::KVM_S390_STORE_STATUS, abi::KVM_S390_STORE_STATUS_PREFIXED), 0);
  ExpectStatusAt(0x7200);
  EXPECT_EQ(Load<std::uint8_t>(0x6000 + 163), 1);
}

TEST_F(StoreStatus, WantsMemory) {
  EXPECT_EQ(Call(cpu_.fd, abi::KVM_S390_STORE_STATUS, kMemorySize + 0x100000), -EFAULT);
}

TEST_F(StoreStatus, TakesGeneralRegistersFromTheRunStructure) {
  General(5) = 0x5555;
  EXPECT_EQ(Call(cpu_.fd, abi::KVM_S390_STORE_STATUS, 0x8000), 0);
  EXPECT_EQ(Load<std::uint64_t>(0x8000 + 0x80 + 5 * 8), 0x5555);
}

// --- stop requests -------------------------------------------------------------------------------

using StopRequest = OneCpu;

TEST_F(StopRequest, OfAStoppedCpuIsDone) {
  EXPECT_EQ(InjectType(abi::KVM_S390_SIGP_STOP), 0);
  EXPECT_TRUE(PendingOf(cpu_).empty());
}

TEST_F(StopRequest, OfAStoppedCpuStoresStatusIfAskedTo) {
  General(5) = 0x5555;
  EXPECT_EQ(Interrupt(cpu_.fd, abi::KVM_S390_SIGP_STOP, 1), 0);
  EXPECT_EQ(Load<std::uint64_t>(0x1280 + 5 * 8), 0x5555);
}

TEST_F(StopRequest, HasOneFlag) {
  EXPECT_EQ(Interrupt(cpu_.fd, abi::KVM_S390_SIGP_STOP, 2), -EINVAL);
}

TEST_F(StopRequest, IsPendingOnce) {
  ASSERT_EQ(SetState(cpu_, abi::KVM_MP_STATE_OPERATING), 0);
  EXPECT_EQ(InjectType(abi::KVM_S390_SIGP_STOP), 0);
  EXPECT_EQ(InjectType(abi::KVM_S390_SIGP_STOP), -EBUSY);
}

TEST_F(StopRequest, IsIntercept40BeforeTheFirstInstruction) {
  ASSERT_EQ(SetState(cpu_, abi::KVM_MP_STATE_OPERATING), 0);
  ASSERT_EQ(InjectType(abi::KVM_S390_SIGP_STOP), 0);
  EXPECT_EQ(Execute({0x83, 0x00, 0x05, 0x01}), 0);
  ExpectIntercept(40);
  EXPECT_EQ(cpu_.run->psw_addr, kProgramAt);
}

TEST_F(StopRequest, LeavesTheStateToTheUserWhoKeepsIt) {
  ASSERT_EQ(SetState(cpu_, abi::KVM_MP_STATE_OPERATING), 0);
  ASSERT_EQ(InjectType(abi::KVM_S390_SIGP_STOP), 0);
  EXPECT_EQ(Execute({0x83, 0x00, 0x05, 0x01}), 0);
  EXPECT_EQ(Call(cpu_.fd, abi::KVM_GET_MP_STATE), int{abi::KVM_MP_STATE_OPERATING});
}

TEST_F(StopRequest, StaysPendingUntilTheUserStopsTheCpu) {
  ASSERT_EQ(SetState(cpu_, abi::KVM_MP_STATE_OPERATING), 0);
  ASSERT_EQ(InjectType(abi::KVM_S390_SIGP_STOP), 0);
  EXPECT_EQ(Execute({0x83, 0x00, 0x05, 0x01}), 0);
  EXPECT_EQ(PendingOf(cpu_).size(), 1);
  ASSERT_EQ(SetState(cpu_, abi::KVM_MP_STATE_STOPPED), 0);
  EXPECT_TRUE(PendingOf(cpu_).empty());
}

TEST_F(StopRequest, StopsTheCpuWhileTheKernelKeepsTheStates) {
  Complete({});
  ASSERT_EQ(InjectType(abi::KVM_S390_SIGP_STOP), 0);
  EXPECT_EQ(Execute({0x83, 0x00, 0x05, 0x01}), 0);
  ExpectIntercept(40);
  EXPECT_EQ(Call(cpu_.fd, abi::KVM_GET_MP_STATE), int{abi::KVM_MP_STATE_STOPPED});
  EXPECT_TRUE(PendingOf(cpu_).empty());
}

TEST_F(StopRequest, StoresStatusOnTheWayOut) {
  ASSERT_EQ(SetState(cpu_, abi::KVM_MP_STATE_OPERATING), 0);
  ASSERT_EQ(Interrupt(cpu_.fd, abi::KVM_S390_SIGP_STOP, 1), 0);
  General(5) = 0x5555;
  EXPECT_EQ(Execute({0x83, 0x00, 0x05, 0x01}), 0);
  ExpectIntercept(40);
  EXPECT_EQ(Load<std::uint64_t>(0x1280 + 5 * 8), 0x5555);
  EXPECT_EQ(Load<std::uint64_t>(0x1308), kProgramAt);
}

TEST_F(StopRequest, WaitsForEnabledInterruptions) {
  ASSERT_EQ(SetState(cpu_, abi::KVM_MP_STATE_OPERATING), 0);
  ASSERT_EQ(InjectType(abi::KVM_S390_SIGP_STOP), 0);
  ASSERT_EQ(InjectEmergency(0), 0);
  EnableSubclasses();
  SetPsw(cpu_, kSupervisor | kExternalOn);
  EXPECT_EQ(Run(cpu_), 0);
  ExpectIntercept(40);
  EXPECT_EQ(cpu_.run->psw_addr, LandingOf(kExternalNew));
}

TEST_F(StopRequest, EndsAWait) {
  ASSERT_EQ(SetState(cpu_, abi::KVM_MP_STATE_OPERATING), 0);
  SetOneRegister(abi::KVM_REG_S390_CLOCK_COMP, ~std::uint64_t{0});
  SetPsw(cpu_, kEnabledWait, 0x1000);
  EXPECT_EQ(RunBeside([&](pthread_t) { InjectType(abi::KVM_S390_SIGP_STOP); }), 0);
  ExpectIntercept(40);
}

}  // namespace
}  // namespace lethe::conformance
