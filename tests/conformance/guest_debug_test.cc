// KVM_SET_GUEST_DEBUG: single steps, breakpoints and watchpoints, none of which the guest notices.

#include <vector>

#include "tests/conformance/one_cpu.h"

namespace lethe::conformance {
namespace {

constexpr std::uint32_t kStepping = abi::KVM_GUESTDBG_ENABLE | abi::KVM_GUESTDBG_SINGLESTEP;
constexpr std::uint32_t kHardware = abi::KVM_GUESTDBG_ENABLE | abi::KVM_GUESTDBG_USE_HW_BP;

constexpr std::uint64_t kData = 0x20000;

// A CPU, and a debugger that asks for it. Only where the host's guests can have it.
class GuestDebug : public OneCpu {
 protected:
  void SetUp() override {
    if (Debug(0) != 0) GTEST_SKIP() << "no guest-PER enhancement";
  }

  int Debug(std::uint32_t control, std::uint64_t list = 0, std::uint32_t number = 0) {
    abi::kvm_guest_debug wanted{};
    wanted.control = control;
    wanted.arch.nr_hw_bp = number;
    wanted.arch.hw_bp = list;
    return Pass(cpu_.fd, abi::KVM_SET_GUEST_DEBUG, wanted);
  }
  int Debug(const std::vector<abi::kvm_hw_breakpoint>& list, std::uint32_t control = kHardware) {
    return Debug(control, reinterpret_cast<std::uintptr_t>(list.data()),
                 static_cast<std::uint32_t>(list.size()));
  }
  static abi::kvm_hw_breakpoint Breakpoint(std::uint64_t address, std::uint64_t length = 0) {
    return {address, address, length, abi::KVM_HW_BP};
  }
  static abi::kvm_hw_breakpoint Watchpoint(std::uint64_t address, std::uint64_t length) {
    return {address, address, length, abi::KVM_HW_WP_WRITE};
  }

  // Runs on: expects to stop with the PSW at `address`, for the reason `type`.
  void ExpectStop(std::uint64_t address, std::uint8_t type) {
    ASSERT_EQ(Run(cpu_), 0);
    ASSERT_EQ(cpu_.run->exit_reason, abi::KVM_EXIT_DEBUG);
    EXPECT_EQ(int{cpu_.run->debug.arch.type}, int{type});
    EXPECT_EQ(cpu_.run->psw_addr, address);
  }
  void ExpectStep(std::uint64_t address) { ExpectStop(address, abi::KVM_SINGLESTEP); }
  void ExpectTold(std::uint64_t address) { EXPECT_EQ(cpu_.run->debug.arch.addr, address); }
  // Runs on: expects the DIAGNOSE X'501' that ends at `address`.
  void ExpectDiagnose(std::uint64_t address) {
    ASSERT_EQ(Run(cpu_), 0);
    ExpectIntercept(4, 0x8300, kDiagnose501);
    EXPECT_EQ(cpu_.run->psw_addr, address);
  }
  void Start(std::initializer_list<std::uint8_t> bytes, std::uint64_t mask = kSupervisor) {
    Program(bytes);
    SetPsw(cpu_, mask);
  }
};

// --- the request -----------------------------------------------------------------------------

class GuestDebugRequest : public GuestDebug {
  void SetUp() override {}
};

TEST_F(GuestDebugRequest, IsRefusedAsAWholeWithoutTheGuestPerEnhancement) {
  const int off = Debug(0);
  EXPECT_TRUE(off == 0 || off == -EINVAL) << off;
  EXPECT_EQ(Debug(abi::KVM_GUESTDBG_ENABLE), off);
}

TEST_F(GuestDebugRequest, UnknownFlagsAreInvalid) {
  for (const std::uint32_t flag : {0x4u, 0x8u, 0x20000u, 0x1000'0000u})
    EXPECT_EQ(Debug(abi::KVM_GUESTDBG_ENABLE | flag), -EINVAL) << flag;
}

TEST_F(GuestDebug, TakesAtMost50Points) {
  EXPECT_EQ(Debug(std::vector(50, Breakpoint(kProgramAt))), 0);
  EXPECT_EQ(Debug(std::vector(51, Breakpoint(kProgramAt))), -EINVAL);
}

TEST_F(GuestDebug, AListThatCannotBeReadIsAFault) { EXPECT_EQ(Debug(kHardware, 1, 1), -EFAULT); }

TEST_F(GuestDebug, AListNowhereIsNone) { EXPECT_EQ(Debug(kHardware, 0, 3), 0); }

TEST_F(GuestDebug, WithoutTheFlagTheListIsNotLookedAt) { EXPECT_EQ(Debug(kStepping, 1, 1000), 0); }

TEST_F(GuestDebug, PointsOfOtherKindsAreIgnored) {
  abi::kvm_hw_breakpoint other = Breakpoint(kProgramAt);
  other.type = 4;
  EXPECT_EQ(Debug({other}), 0);
  Start({0x18, 0x12, 0x83, 0x00, 0x05, 0x01});
  ExpectDiagnose(kProgramAt + 6);
}

TEST_F(GuestDebug, AWatchpointHasAtMost100Bytes) {
  EXPECT_EQ(Debug({Watchpoint(kData, 100)}), 0);
  EXPECT_EQ(Debug({Watchpoint(kData, 101)}), -EINVAL);
}

TEST_F(GuestDebug, AWatchpointIsInStorage) {
  EXPECT_EQ(Debug({Watchpoint(kMemorySize, 8)}), -EFAULT);
}

TEST_F(GuestDebug, ARefusedRequestEndsTheOneBefore) {
  ASSERT_EQ(Debug(kStepping), 0);
  EXPECT_EQ(Debug(kStepping | 4), -EINVAL);
  Start({0x18, 0x12, 0x83, 0x00, 0x05, 0x01});
  ExpectDiagnose(kProgramAt + 6);
}

TEST_F(GuestDebug, EndsWhenItIsNoLongerWanted) {
  ASSERT_EQ(Debug(kStepping), 0);
  Start({0x18, 0x12, 0x18, 0x13, 0x83, 0x00, 0x05, 0x01});
  ExpectStep(kProgramAt + 2);
  ASSERT_EQ(Debug(0), 0);
  ExpectDiagnose(kProgramAt + 8);
}

// --- single steps ------------------------------------------------------------------------------

TEST_F(GuestDebug, AStepIsOneInstruction) {
  ASSERT_EQ(Debug(kStepping), 0);
  Start({0x18, 0x12, 0xa7, 0xf4, 0x00, 0x03});  // LR 1,2; J *+6
  ExpectStep(kProgramAt + 2);
  ExpectTold(kProgramAt + 2);
  ExpectStep(kProgramAt + 8);
  ExpectTold(kProgramAt + 8);
}

TEST_F(GuestDebug, AStepOntoItselfIsOne) {
  ASSERT_EQ(Debug(kStepping), 0);
  Start({0xa7, 0xf4, 0x00, 0x00});  // J *
  ExpectStep(kProgramAt);
  ExpectStep(kProgramAt);
}

TEST_F(GuestDebug, AStepEndsInTheProgramInterruptionThatItMeets) {
  ASSERT_EQ(Debug(kStepping), 0);
  Start({0xa7, 0x29, 0x00, 0x01, 0x07, 0xf2});  // LGHI 2,1; BR 2
  ExpectStep(kProgramAt + 4);
  ExpectStep(1);
  ExpectStep(LandingOf(kProgramNew));
  EXPECT_EQ(Load<std::uint16_t>(0x8e), 6);  // and no event of the debugger's
}

TEST_F(GuestDebug, AStepEndsInTheSupervisorCallThatItMakes) {
  ASSERT_EQ(Debug(kStepping), 0);
  Start({0x0a, 0x07});
  ExpectStep(LandingOf(kSupervisorCallNew));
}

TEST_F(GuestDebug, AStepOverAnOperationExceptionEndsInIt) {
  ASSERT_EQ(Debug(kStepping), 0);
  Start({0x00, 0x00});
  ExpectStep(LandingOf(kProgramNew));
  EXPECT_EQ(Load<std::uint16_t>(0x8e), 1);
}

TEST_F(GuestDebug, AStepOverWhatTheKernelDoesIsOne) {
  ASSERT_EQ(Debug(kStepping), 0);
  Start({0xb2, 0x12, 0x05, 0x00, 0x83, 0x00, 0x05, 0x01});  // STAP 0x500
  ExpectStep(kProgramAt + 4);
}

TEST_F(GuestDebug, AStepOverWhatTheUserDoesEndsBehindIt) {
  ASSERT_EQ(Debug(kStepping), 0);
  Start({0x83, 0x00, 0x05, 0x01});
  ExpectDiagnose(kProgramAt + 4);
  ExpectStep(kProgramAt + 4);
}

TEST_F(GuestDebug, AStepOverWhatTheUserInterruptsEndsInTheInterruption) {
  ASSERT_EQ(Debug(kStepping), 0);
  Start({0x83, 0x00, 0x05, 0x01});
  ExpectDiagnose(kProgramAt + 4);
  ASSERT_EQ(InjectProgram(6), 0);
  ExpectStep(LandingOf(kProgramNew));
}

TEST_F(GuestDebug, AnInterruptionThatIsTakenIsAStep) {
  ASSERT_EQ(Debug(kStepping), 0);
  EnableSubclasses();
  ASSERT_EQ(InjectEmergency(0), 0);
  Start({0x18, 0x12}, kSupervisor | kExternalOn);
  ExpectStep(LandingOf(kExternalNew));
}

// One that has passed already is due at every instruction.
TEST_F(GuestDebug, AStepTakesNoClockComparator) {
  ASSERT_EQ(Debug(kStepping), 0);
  SetControl(cpu_, 0, 0xe0 | kClockComparatorOn);
  ASSERT_EQ(SetOneRegister(abi::KVM_REG_S390_CLOCK_COMP, 0), 0);
  Start({0x18, 0x12, 0x18, 0x13, 0xa7, 0xf4, 0x00, 0x00}, kSupervisor | kExternalOn);
  ExpectStep(kProgramAt + 2);
  EXPECT_EQ(cpu_.run->s.regs.crs[0], 0xe0 | kClockComparatorOn);
  ExpectStep(kProgramAt + 4);
  ASSERT_EQ(Debug(0), 0);
  ASSERT_EQ(Run(cpu_), 0);
  EXPECT_EQ(Landed(), kExternalNew);
  EXPECT_EQ(Load<std::uint16_t>(0x86), 0x1004);
}

// --- breakpoints -----------------------------------------------------------------------------

// LR 1,2; LR 1,3; LR 1,4; DIAG 0,0,X'501'
constexpr std::initializer_list<std::uint8_t> kThreeLoads = {0x18, 0x12, 0x18, 0x13, 0x18,
                                                             0x14, 0x83, 0x00, 0x05, 0x01};

TEST_F(GuestDebug, ABreakpointStopsBeforeItsInstruction) {
  ASSERT_EQ(Debug({Breakpoint(kProgramAt + 4)}), 0);
  Start(kThreeLoads);
  ExpectStop(kProgramAt + 4, abi::KVM_HW_BP);
  ExpectTold(kProgramAt + 4);
  ExpectDiagnose(kProgramAt + 10);
}

TEST_F(GuestDebug, ABreakpointStopsABranchToIt) {
  ASSERT_EQ(Debug({Breakpoint(kProgramAt + 0x100, 2)}), 0);
  Start({0xa7, 0xf4, 0x00, 0x80});  // J *+0x100
  ExpectStop(kProgramAt + 0x100, abi::KVM_HW_BP);
}

// The range of the events ends before it then.
TEST_F(GuestDebug, ABreakpointWithoutLengthIsMetFromTheInstructionBeforeItOnly) {
  ASSERT_EQ(Debug({Breakpoint(kProgramAt + 0x100)}), 0);
  Program({0x83, 0x00, 0x05, 0x01}, kProgramAt + 0x100);
  Start({0xa7, 0xf4, 0x00, 0x80});  // J *+0x100
  ExpectDiagnose(kProgramAt + 0x104);
}

TEST_F(GuestDebug, ABreakpointStopsEachTime) {
  ASSERT_EQ(Debug({Breakpoint(kProgramAt + 2)}), 0);
  Start({0x18, 0x12, 0x18, 0x13, 0xa7, 0xf4, 0xff, 0xfe});  // LR 1,2; LR 1,3; J *-4
  ExpectStop(kProgramAt + 2, abi::KVM_HW_BP);
  ExpectStop(kProgramAt + 2, abi::KVM_HW_BP);
}

TEST_F(GuestDebug, ABreakpointWhereTheCpuBeginsIsToldBehindIt) {
  ASSERT_EQ(Debug({Breakpoint(kProgramAt, 2)}), 0);
  Start(kThreeLoads);
  ExpectStop(kProgramAt + 2, abi::KVM_HW_BP);
  ExpectTold(kProgramAt);
  ExpectDiagnose(kProgramAt + 10);
}

TEST_F(GuestDebug, ABreakpointThatAnInterruptionLeadsToIsToldBehindIt) {
  Program({0x18, 0x12, 0x83, 0x00, 0x05, 0x01}, LandingOf(kSupervisorCallNew));
  ASSERT_EQ(Debug({Breakpoint(LandingOf(kSupervisorCallNew), 2)}), 0);
  Start({0x0a, 0x07});
  ExpectStop(LandingOf(kSupervisorCallNew) + 2, abi::KVM_HW_BP);
  ExpectTold(LandingOf(kSupervisorCallNew));
}

TEST_F(GuestDebug, ABreakpointInTheMiddleOfAnInstructionIsMissed) {
  ASSERT_EQ(Debug({Breakpoint(kProgramAt + 2, 2)}), 0);
  Start({0xa7, 0x29, 0x00, 0x01, 0x83, 0x00, 0x05, 0x01});  // LGHI 2,1
  ExpectDiagnose(kProgramAt + 8);
}

TEST_F(GuestDebug, ABreakpointAtAnInterceptedInstructionStopsBeforeIt) {
  ASSERT_EQ(Debug({Breakpoint(kProgramAt + 6, 4)}), 0);
  Start(kThreeLoads);
  ExpectStop(kProgramAt + 6, abi::KVM_HW_BP);
  ExpectDiagnose(kProgramAt + 10);
}

TEST_F(GuestDebug, BreakpointsInARowStopOneByOne) {
  ASSERT_EQ(Debug({Breakpoint(kProgramAt + 4, 2), Breakpoint(kProgramAt + 2, 2)}), 0);
  Start(kThreeLoads);
  ExpectStop(kProgramAt + 2, abi::KVM_HW_BP);
  ExpectStop(kProgramAt + 4, abi::KVM_HW_BP);
  ExpectDiagnose(kProgramAt + 10);
}

TEST_F(GuestDebug, ABreakpointMayBeARange) {
  ASSERT_EQ(Debug({Breakpoint(kProgramAt + 3, 2)}), 0);
  Start(kThreeLoads);
  ExpectStop(kProgramAt + 4, abi::KVM_HW_BP);
}

TEST_F(GuestDebug, ABreakpointGoesBeforeAStep) {
  ASSERT_EQ(Debug({Breakpoint(kProgramAt + 2)}, kStepping | kHardware), 0);
  Start(kThreeLoads);
  ExpectStop(kProgramAt + 2, abi::KVM_HW_BP);
  ExpectStep(kProgramAt + 4);
}

// --- watchpoints -------------------------------------------------------------------------------

// MVI 0(2),1 three times; DIAG 0,0,X'501'
constexpr std::initializer_list<std::uint8_t> kThreeStores = {
    0x92, 0x01, 0x20, 0x00, 0x92, 0x01, 0x20, 0x00, 0x92, 0x01, 0x20, 0x00, 0x83, 0x00, 0x05, 0x01};

TEST_F(GuestDebug, AWatchpointStopsBehindTheStore) {
  General(2) = kData + 3;
  ASSERT_EQ(Debug({Watchpoint(kData, 8)}), 0);
  Start(kThreeStores);
  ExpectStop(kProgramAt + 4, abi::KVM_HW_WP_WRITE);
  ExpectTold(kData);
}

TEST_F(GuestDebug, AWatchpointIsSilentWhenNothingChanges) {
  General(2) = kData;
  Store<std::uint8_t>(kData, 1);
  ASSERT_EQ(Debug({Watchpoint(kData, 1)}), 0);
  Start(kThreeStores);
  ExpectDiagnose(kProgramAt + 16);
}

TEST_F(GuestDebug, AWatchpointComparesWithWhatWasThereWhenItWasSet) {
  General(2) = kData;
  ASSERT_EQ(Debug({Watchpoint(kData, 1)}), 0);
  Start(kThreeStores);
  for (const std::uint64_t behind : {4u, 8u, 12u})
    ExpectStop(kProgramAt + behind, abi::KVM_HW_WP_WRITE);
  ExpectDiagnose(kProgramAt + 16);
}

TEST_F(GuestDebug, AWatchpointIsSilentBesideIt) {
  General(2) = kData + 8;
  ASSERT_EQ(Debug({Watchpoint(kData, 8)}), 0);
  Start(kThreeStores);
  ExpectDiagnose(kProgramAt + 16);
}

TEST_F(GuestDebug, AWatchpointOfNothingIsSilent) {
  General(2) = kData;
  ASSERT_EQ(Debug({Watchpoint(kData, 0)}), 0);
  Start(kThreeStores);
  ExpectDiagnose(kProgramAt + 16);
}

TEST_F(GuestDebug, AWatchpointGoesBeforeABreakpoint) {
  General(2) = kData;
  ASSERT_EQ(Debug({Breakpoint(kProgramAt + 4), Watchpoint(kData, 1)}), 0);
  Start(kThreeStores);
  ExpectStop(kProgramAt + 4, abi::KVM_HW_WP_WRITE);
}

// What is stored behind the guest's back is found when the guest stores there.
TEST_F(GuestDebug, AWatchpointSeesWhatTheUserHasStoredAtTheNextStore) {
  General(2) = kData;
  Store<std::uint8_t>(kData, 1);
  ASSERT_EQ(Debug({Watchpoint(kData, 2)}), 0);
  Start({0x18, 0x12, 0x92, 0x01, 0x20, 0x00});  // LR 1,2; MVI 0(2),1
  Store<std::uint8_t>(kData + 1, 1);
  ExpectStop(kProgramAt + 6, abi::KVM_HW_WP_WRITE);
}

TEST_F(GuestDebug, AStepChecksWatchpointsAtEveryStore) {
  General(2) = kData + 0x100;
  ASSERT_EQ(Debug({Watchpoint(kData, 1)}, kStepping | kHardware), 0);
  Start(kThreeStores);
  ExpectStep(kProgramAt + 4);
  Store<std::uint8_t>(kData, 1);
  ExpectStop(kProgramAt + 8, abi::KVM_HW_WP_WRITE);
}

// --- nothing that the guest sees -----------------------------------------------------------------

TEST_F(GuestDebug, ControlRegistersAreTheGuests) {
  ASSERT_EQ(Debug({Breakpoint(kProgramAt + 2)}, kStepping | kHardware), 0);
  Start({0xeb, 0x9b, 0x05, 0x00, 0x00, 0x25});  // STCTG 9,11,0x500
  ExpectStep(kProgramAt + 6);
  for (const int number : {0, 1, 2}) {
    EXPECT_EQ(Load<std::uint64_t>(0x500 + 8 * number), 0u) << number;
    EXPECT_EQ(cpu_.run->s.regs.crs[9 + number], 0u) << number;
  }
}

TEST_F(GuestDebug, ThePswHasNoPerMask) {
  ASSERT_EQ(Debug(kStepping), 0);
  Start({0x18, 0x12});
  ExpectStep(kProgramAt + 2);
  EXPECT_EQ(cpu_.run->psw_mask & kPerMask, 0u);
}

TEST_F(GuestDebug, TheGuestsOwnEventsAreItsOwn) {
  ASSERT_EQ(Debug({Breakpoint(kProgramAt + 0x1000, 2), Watchpoint(kData, 8)}), 0);
  SetControl(cpu_, 9, 0x4000'0000);  // instruction fetching
  SetControl(cpu_, 10, kProgramAt + 2);
  SetControl(cpu_, 11, kProgramAt + 2);
  Start({0x18, 0x12, 0x18, 0x13}, kSupervisor | kPerMask);
  ExpectDiagnose(LandingOf(kProgramNew) + 4);
  EXPECT_EQ(Load<std::uint16_t>(0x8e), 0x80);
  EXPECT_EQ(Load<std::uint64_t>(0x98), kProgramAt + 2);
}

}  // namespace
}  // namespace lethe::conformance
