// Instructions that do not end in the CPU: which of them KVM completes, and which it leaves to the
// user.

#include <memory>
#include <vector>

#include "tests/conformance/one_cpu.h"

namespace lethe::conformance {
namespace {

// --- to the user ---------------------------------------------------------------------------------

struct ForwardedCase {
  const char* name;
  std::vector<std::uint8_t> bytes;  // four
  bool channel_subsystem;           // only with KVM_CAP_S390_CSS_SUPPORT
};
class Forwarded : public OneCpu, public ::testing::WithParamInterface<ForwardedCase> {
 protected:
  void Prepare() {
    if (GetParam().channel_subsystem) EnableCapability(cpu_.fd, abi::KVM_CAP_S390_CSS_SUPPORT);
    const std::vector<std::uint8_t>& bytes = GetParam().bytes;
    std::copy(bytes.begin(), bytes.end(), memory().bytes() + kProgramAt);
  }
};

TEST_P(Forwarded, IsIntercept4WithItsText) {
  Prepare();
  SetPsw(cpu_, kSupervisor);
  EXPECT_EQ(Run(cpu_), 0);
  ExpectIntercept(4, Load<std::uint16_t>(kProgramAt), Load<std::uint16_t>(kProgramAt + 2) << 16);
  EXPECT_EQ(cpu_.run->psw_addr, kProgramAt + 4);
}

TEST_P(Forwarded, IsPrivileged) {
  Prepare();
  SetPsw(cpu_, kSupervisor | kProblemState);
  EXPECT_EQ(Run(cpu_), 0);
  ASSERT_EQ(Landed(), kProgramNew);
  EXPECT_EQ(Load<std::uint16_t>(0x8e), 2);
  EXPECT_EQ(Load<std::uint16_t>(0x8c), 4);
  EXPECT_EQ(Load<std::uint64_t>(0x158), kProgramAt + 4);
}

INSTANTIATE_TEST_SUITE_P(
    Instruction, Forwarded,
    ::testing::Values(ForwardedCase{"DIAG_8", {0x83, 0x24, 0x00, 0x08}, false},
                      ForwardedCase{"DIAG_288", {0x83, 0x24, 0x02, 0x88}, false},
                      ForwardedCase{"DIAG_318", {0x83, 0x24, 0x03, 0x18}, false},
                      ForwardedCase{"DIAG_500", {0x83, 0x24, 0x05, 0x00}, false},
                      ForwardedCase{"DIAG_501", {0x83, 0x24, 0x05, 0x01}, false},
                      ForwardedCase{"DIAG_308", {0x83, 0x24, 0x03, 0x08}, false},
                      ForwardedCase{"SERVC", {0xb2, 0x20, 0x00, 0x12}, false},
                      ForwardedCase{"CSCH", {0xb2, 0x30, 0x00, 0x00}, true},
                      ForwardedCase{"HSCH", {0xb2, 0x31, 0x00, 0x00}, true},
                      ForwardedCase{"MSCH", {0xb2, 0x32, 0x05, 0x00}, true},
                      ForwardedCase{"SSCH", {0xb2, 0x33, 0x05, 0x00}, true},
                      ForwardedCase{"STSCH", {0xb2, 0x34, 0x05, 0x00}, true},
                      ForwardedCase{"SAL", {0xb2, 0x37, 0x00, 0x00}, true},
                      ForwardedCase{"RSCH", {0xb2, 0x38, 0x00, 0x00}, true},
                      ForwardedCase{"STCRW", {0xb2, 0x39, 0x05, 0x00}, true},
                      ForwardedCase{"STCPS", {0xb2, 0x3a, 0x05, 0x00}, true},
                      ForwardedCase{"RCHP", {0xb2, 0x3b, 0x00, 0x00}, true},
                      ForwardedCase{"SCHM", {0xb2, 0x3c, 0x00, 0x00}, true},
                      ForwardedCase{"CHSC", {0xb2, 0x5f, 0x00, 0x20}, true},
                      ForwardedCase{"XSCH", {0xb2, 0x76, 0x00, 0x00}, true}),
    CaseName());

// --- without a channel subsystem
// ------------------------------------------------------------------

struct ChannelCase {
  const char* name;
  std::uint8_t second;  // byte of the operation code, after X'B2'
};
class WithoutChannels : public OneCpu, public ::testing::WithParamInterface<ChannelCase> {};

TEST_P(WithoutChannels, TheConditionCodeIs3) {
  Complete({0xb2, GetParam().second, 0x05, 0x00});
  EXPECT_EQ(ConditionCode(), 3);
}

INSTANTIATE_TEST_SUITE_P(Instruction, WithoutChannels,
                         ::testing::Values(ChannelCase{"CSCH", 0x30}, ChannelCase{"HSCH", 0x31},
                                           ChannelCase{"MSCH", 0x32}, ChannelCase{"SSCH", 0x33},
                                           ChannelCase{"STSCH", 0x34}, ChannelCase{"TSCH", 0x35},
                                           ChannelCase{"TPI", 0x36}, ChannelCase{"SAL", 0x37},
                                           ChannelCase{"RSCH", 0x38}, ChannelCase{"STCRW", 0x39},
                                           ChannelCase{"STCPS", 0x3a}, ChannelCase{"RCHP", 0x3b},
                                           ChannelCase{"SCHM", 0x3c}, ChannelCase{"CHSC", 0x5f},
                                           ChannelCase{"XSCH", 0x76}),
                         CaseName());

// --- privileged, whoever completes them
// -----------------------------------------------------------

struct PrivilegedCase {
  const char* name;
  std::vector<std::uint8_t> bytes;
};
class PrivilegedInstruction : public OneCpu,
                              public ::testing::WithParamInterface<PrivilegedCase> {};

TEST_P(PrivilegedInstruction, IsRefusedInTheProblemState) {
  const std::vector<std::uint8_t>& bytes = GetParam().bytes;
  std::copy(bytes.begin(), bytes.end(), memory().bytes() + kProgramAt);
  SetPsw(cpu_, kSupervisor | kProblemState);
  EXPECT_EQ(Run(cpu_), 0);
  ASSERT_EQ(Landed(), kProgramNew);
  EXPECT_EQ(Load<std::uint16_t>(0x8e), 2);
}

INSTANTIATE_TEST_SUITE_P(
    Instruction, PrivilegedInstruction,
    ::testing::Values(PrivilegedCase{"SIGP", {0xae, 0x02, 0x00, 0x01}},
                      PrivilegedCase{"TSCH", {0xb2, 0x35, 0x05, 0x00}},
                      PrivilegedCase{"TPI", {0xb2, 0x36, 0x05, 0x00}},
                      PrivilegedCase{"STIDP", {0xb2, 0x02, 0x05, 0x00}},
                      PrivilegedCase{"SCK", {0xb2, 0x04, 0x05, 0x00}},
                      PrivilegedCase{"SCKC", {0xb2, 0x06, 0x05, 0x00}},
                      PrivilegedCase{"STCKC", {0xb2, 0x07, 0x05, 0x00}},
                      PrivilegedCase{"SPT", {0xb2, 0x08, 0x05, 0x00}},
                      PrivilegedCase{"STPT", {0xb2, 0x09, 0x05, 0x00}},
                      PrivilegedCase{"SPX", {0xb2, 0x10, 0x05, 0x00}},
                      PrivilegedCase{"STPX", {0xb2, 0x11, 0x05, 0x00}},
                      PrivilegedCase{"STAP", {0xb2, 0x12, 0x05, 0x00}},
                      PrivilegedCase{"IPTE", {0xb2, 0x21, 0x00, 0x24}},
                      PrivilegedCase{"ISKE", {0xb2, 0x29, 0x00, 0x24}},
                      PrivilegedCase{"RRBE", {0xb2, 0x2a, 0x00, 0x24}},
                      PrivilegedCase{"SSKE", {0xb2, 0x2b, 0x00, 0x24}},
                      PrivilegedCase{"TB", {0xb2, 0x2c, 0x00, 0x04}},
                      PrivilegedCase{"STSI", {0xb2, 0x7d, 0x05, 0x00}},
                      PrivilegedCase{"STFL", {0xb2, 0xb1, 0x00, 0x00}},
                      PrivilegedCase{"LPSWE", {0xb2, 0xb2, 0x05, 0x00}},
                      PrivilegedCase{"LPSW", {0x82, 0x00, 0x05, 0x00}},
                      PrivilegedCase{"SSM", {0x80, 0x00, 0x05, 0x00}},
                      PrivilegedCase{"STNSM", {0xac, 0xff, 0x05, 0x00}},
                      PrivilegedCase{"STOSM", {0xad, 0x00, 0x05, 0x00}},
                      PrivilegedCase{"STCTL", {0xb6, 0x00, 0x05, 0x00}},
                      PrivilegedCase{"LCTL", {0xb7, 0x00, 0x05, 0x00}},
                      PrivilegedCase{"STCTG", {0xeb, 0x00, 0x05, 0x00, 0x00, 0x25}},
                      PrivilegedCase{"LCTLG", {0xeb, 0x00, 0x05, 0x00, 0x00, 0x2f}},
                      PrivilegedCase{"TPROT", {0xe5, 0x01, 0x05, 0x00, 0x00, 0x00}},
                      PrivilegedCase{"SCKPF", {0x01, 0x07}}),
    CaseName());

// --- completed by KVM ----------------------------------------------------------------------------

using InKernel = OneCpu;

TEST_F(InKernel, DiagnoseReleasePages) {
  General(2) = 0x8000;
  General(4) = 0x9000;
  Complete({0x83, 0x24, 0x00, 0x10});
}

TEST_F(InKernel, DiagnoseReleasePagesWantsPages) {
  General(2) = 0x8001;
  General(4) = 0x9000;
  ExpectProgramInterruption({0x83, 0x24, 0x00, 0x10}, 6);
}

TEST_F(InKernel, DiagnoseReleasePagesSparesThePrefixArea) {
  General(2) = 0;
  General(4) = 0x1000;
  ExpectProgramInterruption({0x83, 0x24, 0x00, 0x10}, 6);
}

TEST_F(InKernel, DiagnoseYield) { Complete({0x83, 0x00, 0x00, 0x44}); }

TEST_F(InKernel, DiagnoseYieldToACpu) {
  General(2) = 1;  // which does not exist
  Complete({0x83, 0x20, 0x00, 0x9c});
}

TEST_F(InKernel, DiagnosePageReferenceCancelWithoutAToken) {
  General(2) = 0x500;
  Store<std::uint64_t>(0x500, 0x0258'0001'0005'0002);
  Complete({0x83, 0x24, 0x02, 0x58});
  EXPECT_EQ(General(4), 4);
}

TEST_F(InKernel, DiagnosePageReferenceEstablishAndCancel) {
  General(2) = 0x500;
  Store<std::uint64_t>(0x500, 0x0258'0000'0005'0002);
  Store<std::uint64_t>(0x508, 0x6000);              // token
  Store<std::uint64_t>(0x510, 0x1'0000'0000'0000);  // select mask
  Store<std::uint64_t>(0x518, 0x1'0000'0000'0000);  // compare mask
  Store<std::uint64_t>(0x520, 0x8000'0000'0000'0000);
  Complete({0x83, 0x24, 0x02, 0x58});
  EXPECT_EQ(General(4), 0);
  EXPECT_EQ(cpu_.run->s.regs.pft, 0x6000);
  Complete({0x83, 0x24, 0x02, 0x58});
  EXPECT_EQ(General(4), 8);
}

TEST_F(InKernel, DiagnosePageReferenceOfAnUnknownSubcodeIsTheUsers) {
  General(2) = 0x500;
  Store<std::uint64_t>(0x500, 0x0258'0002'0005'0002);
  EXPECT_EQ(Execute({0x83, 0x24, 0x02, 0x58}), 0);
  ExpectIntercept(4, 0x8324, 0x02580000);
}

TEST_F(InKernel, DiagnoseCodesAreTheAddressOfTheOperand) {
  General(3) = 0x2'0000'0500;
  EXPECT_EQ(Execute({0x83, 0x00, 0x30, 0x01}), 0);  // DIAG 0,0,1(3)
  ExpectIntercept(4, 0x8300, 0x30010000);
}

TEST_F(InKernel, StapStoresTheAddressOfTheCpu) {
  Machine::Vcpu& other = AddCpu(5);
  Program({0xb2, 0x12, 0x05, 0x00, 0x83, 0x00, 0x05, 0x01});  // STAP 0x500
  SetPsw(other, kSupervisor);
  EXPECT_EQ(Run(other), 0);
  EXPECT_EQ(Load<std::uint16_t>(0x500), 5);
}

TEST_F(InKernel, StapWantsAHalfword) { ExpectProgramInterruption({0xb2, 0x12, 0x05, 0x01}, 6); }

TEST_F(InKernel, StidpStoresTheIdOfTheModel) {
  const auto processor = std::make_unique<abi::kvm_s390_vm_cpu_processor>();
  ASSERT_EQ(GetAttribute(vm(), abi::KVM_S390_VM_CPU_MODEL, abi::KVM_S390_VM_CPU_PROCESSOR,
                         processor.get()),
            0);
  Complete({0xb2, 0x02, 0x05, 0x00});
  EXPECT_EQ(Load<std::uint64_t>(0x500), processor->cpuid);
  EXPECT_EQ(Load<std::uint8_t>(0x500), 0xff);  // version: under a hypervisor
}

TEST_F(InKernel, StidpWantsADoubleword) { ExpectProgramInterruption({0xb2, 0x02, 0x05, 0x04}, 6); }

TEST_F(InKernel, SpxWantsAWord) { ExpectProgramInterruption({0xb2, 0x10, 0x05, 0x02}, 6); }

TEST_F(InKernel, SpxWantsMemory) {
  Store<std::uint32_t>(0x500, 0x7000'0000);
  ExpectProgramInterruption({0xb2, 0x10, 0x05, 0x00}, 5);
}

TEST_F(InKernel, StpxWantsAWord) { ExpectProgramInterruption({0xb2, 0x11, 0x05, 0x02}, 6); }

TEST_F(InKernel, SckSetsTheClock) {
  constexpr std::uint64_t kClock = 0x5000'0000'0000'0000;
  Store<std::uint64_t>(0x500, kClock);
  Complete({0xb2, 0x04, 0x05, 0x00,    // SCK 0x500
            0xb2, 0x05, 0x05, 0x08});  // STCK 0x508
  EXPECT_GE(Load<std::uint64_t>(0x508), kClock);
  EXPECT_LT(Load<std::uint64_t>(0x508), kClock + 0x0100'0000'0000);
}

TEST_F(InKernel, SckWantsADoubleword) { ExpectProgramInterruption({0xb2, 0x04, 0x05, 0x04}, 6); }

TEST_F(InKernel, SckpfWantsSixteenBits) {
  General(0) = 0x10000;
  ExpectProgramInterruption({0x01, 0x07}, 6);
}

TEST_F(InKernel, TestBlockClearsAPage) {
  Store<std::uint64_t>(0x8100, ~std::uint64_t{0});
  General(0) = 0x77;
  General(4) = 0x8000;
  Complete({0xb2, 0x2c, 0x00, 0x04});  // TB 4
  EXPECT_EQ(ConditionCode(), 0);
  EXPECT_EQ(General(0), 0);
  EXPECT_EQ(Load<std::uint64_t>(0x8100), 0);
}

// Neither page may be there for the host yet.
TEST_F(InKernel, MovePageMovesAPage) {
  Store<std::uint64_t>(0x140000, 0x0123'4567'89ab'cdef);
  Store<std::uint64_t>(0x160000, ~std::uint64_t{0});
  General(0) = 0;
  General(4) = 0x160000;
  General(5) = 0x140000;
  Complete({0xb2, 0x54, 0x00, 0x45});  // MVPG 4,5
  EXPECT_EQ(ConditionCode(), 0);
  EXPECT_EQ(Load<std::uint64_t>(0x160000), 0x0123'4567'89ab'cdef);
  General(5) = 0x150000;
  Complete({0xb2, 0x54, 0x00, 0x45});
  EXPECT_EQ(Load<std::uint64_t>(0x160000), 0u);
}

TEST_F(InKernel, TestBlockWantsMemory) {
  General(4) = kMemorySize + 0x100000;
  ExpectProgramInterruption({0xb2, 0x2c, 0x00, 0x04}, 5);
}

TEST_F(InKernel, StorageKeysCanBeSetAndRead) {
  General(2) = 0x38;
  General(4) = 0x8000;
  Complete({0xb2, 0x2b, 0x00, 0x24,    // SSKE 2,4
            0xb2, 0x29, 0x00, 0x64});  // ISKE 6,4
  EXPECT_EQ(General(6) & 0xff, 0x38);
}

TEST_F(InKernel, RrbeTellsTheReferenceBitAndResetsIt) {
  General(2) = 0x34;
  General(4) = 0x8000;
  Complete({0xb2, 0x2b, 0x00, 0x24,    // SSKE 2,4
            0xb2, 0x2a, 0x00, 0x04,    // RRBE 0,4
            0xb2, 0x29, 0x00, 0x64});  // ISKE 6,4
  EXPECT_EQ(ConditionCode(), 2);
  EXPECT_EQ(General(6) & 0xfe, 0x30);
}

TEST_F(InKernel, TprotOfOrdinaryStorageIsConditionCode0) {
  General(4) = 0x8000;
  Complete({0xe5, 0x01, 0x40, 0x00, 0x00, 0x00});  // TPROT 0(4),0
  EXPECT_EQ(ConditionCode(), 0);
}

TEST_F(InKernel, TprotOfAReadOnlyKeyIsConditionCode1) {
  General(2) = 0x30;
  General(4) = 0x8000;
  Complete({0xb2, 0x2b, 0x00, 0x24,                // SSKE 2,4
            0xe5, 0x01, 0x40, 0x00, 0x00, 0x10});  // TPROT 0(4),0x10
  EXPECT_EQ(ConditionCode(), 1);
}

TEST_F(InKernel, TprotOfAFetchProtectedKeyIsConditionCode2) {
  General(2) = 0x38;
  General(4) = 0x8000;
  Complete({0xb2, 0x2b, 0x00, 0x24, 0xe5, 0x01, 0x40, 0x00, 0x00, 0x10});
  EXPECT_EQ(ConditionCode(), 2);
}

TEST_F(InKernel, StflStoresTheFacilitiesOfTheModel) {
  const auto processor = std::make_unique<abi::kvm_s390_vm_cpu_processor>();
  ASSERT_EQ(GetAttribute(vm(), abi::KVM_S390_VM_CPU_MODEL, abi::KVM_S390_VM_CPU_PROCESSOR,
                         processor.get()),
            0);
  Complete({0xb2, 0xb1, 0x00, 0x00});
  EXPECT_EQ(Load<std::uint32_t>(200), processor->fac_list[0] >> 32);
}

TEST_F(InKernel, PfmfIsRefusedInTheProblemState) {
  if (!OffersFacility(8)) GTEST_SKIP() << "the host lacks facility 8";
  ExpectProgramInterruption({0xb9, 0xaf, 0x00, 0x24}, 2, kSupervisor | kProblemState);
}

TEST_F(InKernel, LctlgLoadsControlRegisters) {
  Store<std::uint64_t>(0x500, 0x1111);
  Store<std::uint64_t>(0x508, 0x2222);
  Complete({0xeb, 0x8a, 0x05, 0x00, 0x00, 0x2f});  // LCTLG 8,10,0x500
  EXPECT_EQ(cpu_.run->s.regs.crs[8], 0x1111);
  EXPECT_EQ(cpu_.run->s.regs.crs[9], 0x2222);
}

TEST_F(InKernel, LctlLoadsTheRightHalves) {
  SetControl(cpu_, 8, 0xaaaa'0000'0000);
  Store<std::uint32_t>(0x500, 0x3333);
  Complete({0xb7, 0x88, 0x05, 0x00});  // LCTL 8,8,0x500
  EXPECT_EQ(cpu_.run->s.regs.crs[8], 0xaaaa'0000'3333);
}

TEST_F(InKernel, LctlgWantsADoubleword) {
  ExpectProgramInterruption({0xeb, 0x88, 0x05, 0x04, 0x00, 0x2f}, 6);
}

TEST_F(InKernel, EssaIsAnOperationExceptionWithoutCmma) {
  General(4) = 0x8000;
  ExpectProgramInterruption({0xb9, 0xab, 0x00, 0x24}, 1);
}

TEST_F(InKernel, UltravisorCallsAreAnOperationExceptionForOrdinaryGuests) {
  if (OffersFacility(158)) GTEST_SKIP() << "the host has facility 158";
  ExpectProgramInterruption({0xb9, 0xa4, 0x00, 0x24}, 1);
}

// --- DIAGNOSE X'308' -----------------------------------------------------------------------------

struct ResetCase {
  const char* name;
  std::uint64_t subcode;
  std::uint64_t flags;
};
class LoadReset : public OneCpu, public ::testing::WithParamInterface<ResetCase> {};

TEST_P(LoadReset, IsAnExitOfItsOwn) {
  ASSERT_EQ(SetState(cpu_, abi::KVM_MP_STATE_OPERATING), 0);
  General(4) = GetParam().subcode;
  EXPECT_EQ(Execute({0x83, 0x24, 0x03, 0x08}), 0);
  EXPECT_EQ(cpu_.run->exit_reason, abi::KVM_EXIT_S390_RESET);
  EXPECT_EQ(cpu_.run->s390_reset_flags, GetParam().flags);
  EXPECT_EQ(Call(cpu_.fd, abi::KVM_GET_MP_STATE), int{abi::KVM_MP_STATE_OPERATING});
}

TEST_P(LoadReset, StopsTheCpuWhileTheKernelKeepsTheStates) {
  General(4) = GetParam().subcode;
  EXPECT_EQ(Execute({0x83, 0x24, 0x03, 0x08}), 0);
  EXPECT_EQ(Call(cpu_.fd, abi::KVM_GET_MP_STATE), int{abi::KVM_MP_STATE_STOPPED});
}

INSTANTIATE_TEST_SUITE_P(Subcode, LoadReset,
                         ::testing::Values(ResetCase{"3", 3, 30}, ResetCase{"4", 4, 28}),
                         CaseName());

class LoadSubcode : public OneCpu, public ::testing::WithParamInterface<unsigned> {};

TEST_P(LoadSubcode, IsTheUsers) {
  General(4) = GetParam();
  EXPECT_EQ(Execute({0x83, 0x24, 0x03, 0x08}), 0);
  ExpectIntercept(4, 0x8324, 0x03080000);
}

INSTANTIATE_TEST_SUITE_P(Diagnose308, LoadSubcode, ::testing::Values(0, 1, 2, 5, 6, 7, 8, 9, 10));

// --- I/O -----------------------------------------------------------------------------------------

class Channels : public OneCpu {
 protected:
  Channels() { EnableCapability(cpu_.fd, abi::KVM_CAP_S390_CSS_SUPPORT); }
  static constexpr std::uint32_t kSubchannel = 0x0001'0042;
};

TEST_F(Channels, TestSubchannelIsAnExitOfItsOwn) {
  General(1) = kSubchannel;
  EXPECT_EQ(Execute({0xb2, 0x35, 0x05, 0x00}), 0);
  EXPECT_EQ(cpu_.run->exit_reason, abi::KVM_EXIT_S390_TSCH);
  EXPECT_EQ(cpu_.run->s390_tsch.dequeued, 0);
  EXPECT_EQ(cpu_.run->s390_tsch.ipb, 0x05000000);
  EXPECT_EQ(cpu_.run->psw_addr, kProgramAt + 4);
}

TEST_F(Channels, TestSubchannelTakesTheInterruptionOfTheSubchannel) {
  ASSERT_EQ(InjectInputOutput(1, 0x42, 0x11223344, 3), 0);
  General(1) = kSubchannel;
  EXPECT_EQ(Execute({0xb2, 0x35, 0x05, 0x00}), 0);
  EXPECT_EQ(cpu_.run->s390_tsch.dequeued, 1);
  EXPECT_EQ(cpu_.run->s390_tsch.subchannel_id, 1);
  EXPECT_EQ(cpu_.run->s390_tsch.subchannel_nr, 0x42);
  EXPECT_EQ(cpu_.run->s390_tsch.io_int_parm, 0x11223344);
  EXPECT_EQ(cpu_.run->s390_tsch.io_int_word, 3u << 27);
  EXPECT_EQ(Execute({0xb2, 0x35, 0x05, 0x00}), 0);
  EXPECT_EQ(cpu_.run->s390_tsch.dequeued, 0);
}

TEST_F(Channels, TestSubchannelLeavesTheInterruptionsOfOthers) {
  ASSERT_EQ(InjectInputOutput(1, 0x43, 0, 3), 0);
  General(1) = kSubchannel;
  EXPECT_EQ(Execute({0xb2, 0x35, 0x05, 0x00}), 0);
  EXPECT_EQ(cpu_.run->s390_tsch.dequeued, 0);
}

TEST_F(Channels, TestPendingInterruptionFindsNone) {
  SetControl(cpu_, 6, kAllSubclassesOn);
  Complete({0xb2, 0x36, 0x05, 0x00});
  EXPECT_EQ(ConditionCode(), 0);
}

TEST_F(Channels, TestPendingInterruptionTakesAnEnabledOne) {
  ASSERT_EQ(InjectInputOutput(1, 0x42, 0x11223344, 3), 0);
  SetControl(cpu_, 6, kAllSubclassesOn);
  Complete({0xb2, 0x36, 0x05, 0x00});
  EXPECT_EQ(ConditionCode(), 1);
  EXPECT_EQ(Load<std::uint32_t>(0x500), 0x0001'0042);
  EXPECT_EQ(Load<std::uint32_t>(0x504), 0x11223344);
  Complete({0xb2, 0x36, 0x05, 0x00});
  EXPECT_EQ(ConditionCode(), 0);
}

TEST_F(Channels, TestPendingInterruptionHeedsTheSubclassMask) {
  ASSERT_EQ(InjectInputOutput(1, 0x42, 0x11223344, 3), 0);
  SetControl(cpu_, 6, 0x8000'0000);  // subclass 0 only
  Complete({0xb2, 0x36, 0x05, 0x00});
  EXPECT_EQ(ConditionCode(), 0);
}

TEST_F(Channels, TestPendingInterruptionWithoutAnOperandStoresInThePrefixArea) {
  ASSERT_EQ(InjectInputOutput(1, 0x42, 0x11223344, 3), 0);
  SetControl(cpu_, 6, kAllSubclassesOn);
  Complete({0xb2, 0x36, 0x00, 0x00});
  EXPECT_EQ(ConditionCode(), 1);
  EXPECT_EQ(Load<std::uint32_t>(0xb8), 0x0001'0042);
  EXPECT_EQ(Load<std::uint32_t>(0xbc), 0x11223344);
  EXPECT_EQ(Load<std::uint32_t>(0xc0), 3u << 27);
}

TEST_F(Channels, TestPendingInterruptionWantsAWord) {
  ExpectProgramInterruption({0xb2, 0x36, 0x05, 0x02}, 6);
}

// --- STORE SYSTEM INFORMATION --------------------------------------------------------------------

class SystemInformation : public OneCpu {
 protected:
  void Ask(std::uint64_t function, std::uint64_t selector1 = 0, std::uint64_t selector2 = 0) {
    General(0) = function << 28 | selector1;
    General(1) = selector2;
    Complete({0xb2, 0x7d, 0x80, 0x00});  // STSI 0(8)
  }
  SystemInformation() { General(8) = kBlock; }
  static constexpr std::uint64_t kBlock = 0x8000;
};

TEST_F(SystemInformation, TheLevelIs3) {
  Ask(0);
  EXPECT_EQ(ConditionCode(), 0);
  EXPECT_EQ(General(0), 0x3000'0000);
}

TEST_F(SystemInformation, FunctionsAbove3AreNotThere) {
  Ask(4, 1, 1);
  EXPECT_EQ(ConditionCode(), 3);
}

TEST_F(SystemInformation, TopologyIsTheUsersAffair) {
  Ask(15, 1, 2);
  EXPECT_EQ(ConditionCode(), 3);
}

TEST_F(SystemInformation, UnknownSelectorsAreNotThere) {
  Ask(3, 2, 1);
  EXPECT_EQ(ConditionCode(), 3);
  Ask(1, 1, 3);
  EXPECT_EQ(ConditionCode(), 3);
}

TEST_F(SystemInformation, ReservedBitsOfRegister0MustBeZero) {
  General(0) = 0x3000'0102;
  General(1) = 2;
  ExpectProgramInterruption({0xb2, 0x7d, 0x80, 0x00}, 6);
}

TEST_F(SystemInformation, ReservedBitsOfRegister1MustBeZero) {
  General(0) = 0x3000'0002;
  General(1) = 0x10002;
  ExpectProgramInterruption({0xb2, 0x7d, 0x80, 0x00}, 6);
}

TEST_F(SystemInformation, TheBlockIsAPage) {
  General(0) = 0x3000'0002;
  General(1) = 2;
  General(8) = kBlock + 8;
  ExpectProgramInterruption({0xb2, 0x7d, 0x80, 0x00}, 6);
}

TEST_F(SystemInformation, VirtualMachinesAreDescribedByKvm) {
  Ask(3, 2, 2);
  EXPECT_EQ(ConditionCode(), 0);
  EXPECT_EQ(General(0), 0);
  EXPECT_GE(Load<std::uint8_t>(kBlock + 31) & 0xf, 1);
  EXPECT_EQ(Load<std::uint16_t>(kBlock + 36), 1);                      // CPUs
  EXPECT_EQ(Load<std::uint64_t>(kBlock + 44), 0xd2e5'd487'a485'a2a3);  // "KVMguest"
}

TEST_F(SystemInformation, TheBasicMachineIsDescribed) {
  Ask(1, 1, 1);
  EXPECT_EQ(ConditionCode(), 0);
  EXPECT_EQ(General(0), 0);
}

TEST_F(SystemInformation, TheUserMayWantToSeeIt) {
  ASSERT_EQ(EnableCapability(vm(), abi::KVM_CAP_S390_USER_STSI), 0);
  General(0) = 0x3000'0002;
  General(1) = 2;
  EXPECT_EQ(Execute({0xb2, 0x7d, 0x80, 0x00}), 0);
  EXPECT_EQ(cpu_.run->exit_reason, abi::KVM_EXIT_S390_STSI);
  EXPECT_EQ(cpu_.run->s390_stsi.addr, kBlock);
  EXPECT_EQ(cpu_.run->s390_stsi.ar, 8);
  EXPECT_EQ(cpu_.run->s390_stsi.fc, 3);
  EXPECT_EQ(cpu_.run->s390_stsi.sel1, 2);
  EXPECT_EQ(cpu_.run->s390_stsi.sel2, 2);
  EXPECT_EQ(ConditionCode(), 0);
  EXPECT_EQ(General(0), 0);
}

TEST_F(SystemInformation, WhatIsNotThereTheUserDoesNotSee) {
  ASSERT_EQ(EnableCapability(vm(), abi::KVM_CAP_S390_USER_STSI), 0);
  Ask(3, 2, 1);
  EXPECT_EQ(ConditionCode(), 3);
}

// --- STORE HYPERVISOR INFORMATION ----------------------------------------------------------------

using HypervisorInformation = OneCpu;

TEST_F(HypervisorInformation, UnknownFunctionsAreRefused) {
  General(2) = 1;  // function code
  General(4) = 0x8000;
  Complete({0xb2, 0x56, 0x00, 0x24});  // STHYI 2,4
  EXPECT_EQ(ConditionCode(), 3);
  EXPECT_EQ(General(5), 4);
}

TEST_F(HypervisorInformation, RegistersAreEvenAndDifferent) {
  ExpectProgramInterruption({0xb2, 0x56, 0x00, 0x22}, 6);
  ExpectProgramInterruption({0xb2, 0x56, 0x00, 0x34}, 6);
}

TEST_F(HypervisorInformation, TheBlockOfAKnownFunctionIsAPage) {
  General(4) = 0x8008;
  ExpectProgramInterruption({0xb2, 0x56, 0x00, 0x24}, 6);
}

TEST_F(HypervisorInformation, TheBlockOfAnUnknownFunctionIsNotLookedAt) {
  General(2) = 1;
  General(4) = 0x8008;
  Complete({0xb2, 0x56, 0x00, 0x24});
  EXPECT_EQ(ConditionCode(), 3);
}

TEST_F(HypervisorInformation, IsNotPrivileged) {
  General(2) = 1;
  General(4) = 0x8000;
  Program({0x00, 0x00}, kProgramAt + 4);
  ExpectProgramInterruption({0xb2, 0x56, 0x00, 0x24}, 1, kSupervisor | kProblemState);
  EXPECT_EQ(Load<std::uint64_t>(0x158), kProgramAt + 6);
  EXPECT_EQ(General(5), 4);
}

}  // namespace
}  // namespace lethe::conformance
