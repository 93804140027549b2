// Registers in the run structure: which are taken when, and that they come back.

#include "tests/conformance/one_cpu.h"

namespace lethe::conformance {
namespace {

class SyncRegisters : public OneCpu {
 protected:
  abi::kvm_sync_regs& page() { return cpu_.run->s.regs; }
  // A program that changes nothing.
  void RunOnce() { Complete({}); }
};

constexpr std::uint64_t kUnknownBit = 0x8000'0000;

TEST_F(SyncRegisters, AnUnknownValidBitIsInvalid) {
  cpu_.run->kvm_valid_regs = kUnknownBit;
  EXPECT_EQ(Execute({0x83, 0x00, 0x05, 0x01}), -EINVAL);
  cpu_.run->kvm_valid_regs = abi::KVM_SYNC_GPRS | kUnknownBit;
  EXPECT_EQ(Execute({0x83, 0x00, 0x05, 0x01}), -EINVAL);
}

TEST_F(SyncRegisters, AnUnknownDirtyBitIsInvalid) {
  cpu_.run->kvm_dirty_regs = kUnknownBit;
  EXPECT_EQ(Execute({0x83, 0x00, 0x05, 0x01}), -EINVAL);
  cpu_.run->kvm_dirty_regs = abi::KVM_SYNC_GPRS | kUnknownBit;
  EXPECT_EQ(Execute({0x83, 0x00, 0x05, 0x01}), -EINVAL);
}

TEST_F(SyncRegisters, AnUnknownBitLeavesTheDirtyBitsAlone) {
  cpu_.run->kvm_dirty_regs = kUnknownBit;
  EXPECT_EQ(Execute({0x83, 0x00, 0x05, 0x01}), -EINVAL);
  EXPECT_EQ(cpu_.run->kvm_dirty_regs, kUnknownBit);
}

TEST_F(SyncRegisters, ARunClearsTheDirtyBits) {
  cpu_.run->kvm_dirty_regs = abi::KVM_SYNC_GPRS | abi::KVM_SYNC_ACRS;
  RunOnce();
  EXPECT_EQ(cpu_.run->kvm_dirty_regs, 0);
}

TEST_F(SyncRegisters, AllRegistersComeBackWhateverIsValid) {
  cpu_.run->kvm_valid_regs = 0;
  Complete({0xa7, 0x29, 0x12, 0x34});  // LGHI 2,0x1234
  EXPECT_EQ(General(2), 0x1234);
  EXPECT_EQ(page().crs[14], 0xc200'0000);
}

TEST_F(SyncRegisters, GeneralRegistersAreTakenWithoutADirtyBit) {
  General(3) = 0x123456789abcdef0;
  Complete({0xb9, 0x04, 0x00, 0x43});  // LGR 4,3
  EXPECT_EQ(General(4), 0x123456789abcdef0);
}

TEST_F(SyncRegisters, GetAndSetRegsAreTheGeneralRegistersOfTheRunStructure) {
  abi::kvm_regs registers{};
  for (unsigned number = 0; number < 16; ++number) registers.gprs[number] = 0x1000 + number;
  ASSERT_EQ(Pass(cpu_.fd, abi::KVM_SET_REGS, registers), 0);
  EXPECT_EQ(General(7), 0x1007);
  General(7) = 99;
  ASSERT_EQ(Pass(cpu_.fd, abi::KVM_GET_REGS, registers), 0);
  EXPECT_EQ(registers.gprs[7], 99);
}

TEST_F(SyncRegisters, AccessRegistersAreTakenWithoutADirtyBit) {
  page().acrs[5] = 0x12345678;
  Complete({0xb2, 0x4f, 0x00, 0x45});  // EAR 4,5
  EXPECT_EQ(General(4) & 0xffffffff, 0x12345678);
}

TEST_F(SyncRegisters, AccessRegistersComeBack) {
  General(4) = 0x55;
  Complete({0xb2, 0x4e, 0x00, 0x64});  // SAR 6,4
  EXPECT_EQ(page().acrs[6], 0x55);
}

TEST_F(SyncRegisters, FloatingPointRegistersAreTakenWithoutADirtyBit) {
  SetControl(cpu_, 0, 0xe0 | 0x40000);  // AFP registers
  page().fprs[2] = 0x4000000000000001;
  Complete({0xb3, 0xcd, 0x00, 0x42});  // LGDR 4,2
  EXPECT_EQ(General(4), 0x4000000000000001);
}

TEST_F(SyncRegisters, TheFloatingPointControlRegisterIsTakenWithoutADirtyBit) {
  SetControl(cpu_, 0, 0xe0 | 0x40000);
  page().fpc = 0x00000003;
  Complete({0xb3, 0x8c, 0x00, 0x40});  // EFPC 4
  EXPECT_EQ(General(4) & 0xffffffff, 3);
}

TEST_F(SyncRegisters, GetAndSetFpuAreInTheRunStructure) {
  abi::kvm_fpu registers{};
  registers.fpc = 0x2;
  registers.fprs[9] = 0x1122334455667788;
  ASSERT_EQ(Pass(cpu_.fd, abi::KVM_SET_FPU, registers), 0);
  abi::kvm_fpu back{};
  ASSERT_EQ(Pass(cpu_.fd, abi::KVM_GET_FPU, back), 0);
  EXPECT_EQ(back.fpc, 0x2);
  EXPECT_EQ(back.fprs[9], 0x1122334455667788);
  EXPECT_EQ(page().fpc, 0x2);
}

TEST_F(SyncRegisters, ControlRegistersAreTakenIfDirty) {
  SetControl(cpu_, 8, 0x1234);
  Complete({0xeb, 0x88, 0x05, 0x00, 0x00, 0x25});  // STCTG 8,8,0x500
  EXPECT_EQ(Load<std::uint64_t>(0x500), 0x1234);
}

TEST_F(SyncRegisters, ControlRegistersAreOverwrittenIfNotDirty) {
  page().crs[8] = 0x4321;
  RunOnce();
  EXPECT_EQ(page().crs[8], 0);
}

TEST_F(SyncRegisters, SetSregsSetsControlRegistersOutsideOfTheRunStructure) {
  SetControlNow(9, 0x77);
  EXPECT_EQ(page().crs[9], 0);
  RunOnce();
  EXPECT_EQ(page().crs[9], 0x77);
}

TEST_F(SyncRegisters, DirtyControlRegistersWinOverSetSregs) {
  SetControlNow(9, 0x77);
  SetControl(cpu_, 8, 1);
  RunOnce();
  EXPECT_EQ(page().crs[9], 0);
}

TEST_F(SyncRegisters, GetSregsTellsWhatTheRunStructureTellsAfterARun) {
  SetControl(cpu_, 3, 0x30);
  page().acrs[3] = 0x31;
  RunOnce();
  abi::kvm_sregs registers{};
  ASSERT_EQ(Pass(cpu_.fd, abi::KVM_GET_SREGS, registers), 0);
  EXPECT_EQ(registers.crs[3], 0x30);
  EXPECT_EQ(registers.acrs[3], 0x31);
  EXPECT_TRUE(std::equal(registers.crs, registers.crs + 16, page().crs));
}

TEST_F(SyncRegisters, SetSregsSetsAccessRegistersInTheRunStructure) {
  abi::kvm_sregs registers{};
  registers.acrs[11] = 0x1111;
  ASSERT_EQ(Pass(cpu_.fd, abi::KVM_SET_SREGS, registers), 0);
  EXPECT_EQ(page().acrs[11], 0x1111);
}

TEST_F(SyncRegisters, ThePrefixIsTakenIfDirty) {
  page().prefix = 0x4000;
  cpu_.run->kvm_dirty_regs = abi::KVM_SYNC_PREFIX;
  Complete({0xb2, 0x11, 0x05, 0x00});  // STPX 0x500
  EXPECT_EQ(Load<std::uint32_t>(0x4500), 0x4000);
  EXPECT_EQ(page().prefix, 0x4000);
}

TEST_F(SyncRegisters, ThePrefixIsOverwrittenIfNotDirty) {
  page().prefix = 0x4000;
  RunOnce();
  EXPECT_EQ(page().prefix, 0);
}

TEST_F(SyncRegisters, ThePrefixHasNoLowBits) {
  page().prefix = 0x5fff;
  cpu_.run->kvm_dirty_regs = abi::KVM_SYNC_PREFIX;
  RunOnce();
  EXPECT_EQ(page().prefix, 0x4000);
}

TEST_F(SyncRegisters, TheGuestsPrefixComesBack) {
  Store<std::uint32_t>(0x500, 0x6000);
  Complete({0xb2, 0x10, 0x05, 0x00});  // SPX 0x500
  EXPECT_EQ(page().prefix, 0x6000);
}

TEST_F(SyncRegisters, TheClockComparatorIsTakenIfDirty) {
  page().ckc = 0x7fffffffffff0000;
  page().cputm = 0x7fffffffffffffff;
  cpu_.run->kvm_dirty_regs = abi::KVM_SYNC_ARCH0;
  Complete({0xb2, 0x07, 0x05, 0x00});  // STCKC 0x500
  EXPECT_EQ(Load<std::uint64_t>(0x500), 0x7fffffffffff0000);
}

TEST_F(SyncRegisters, TheClockComparatorIsOverwrittenIfNotDirty) {
  page().ckc = 0x7fffffffffff0000;
  RunOnce();
  EXPECT_EQ(page().ckc, 0);
}

TEST_F(SyncRegisters, TheGuestsClockComparatorComesBack) {
  Store<std::uint64_t>(0x500, 0x6fffffffffff0000);
  Complete({0xb2, 0x06, 0x05, 0x00});  // SCKC 0x500
  EXPECT_EQ(page().ckc, 0x6fffffffffff0000);
}

TEST_F(SyncRegisters, TheCpuTimerIsTakenIfDirtyAndRuns) {
  constexpr std::uint64_t kStart = 0x4000000000000000;
  page().cputm = kStart;
  cpu_.run->kvm_dirty_regs = abi::KVM_SYNC_ARCH0;
  Complete({0xb2, 0x09, 0x05, 0x00});  // STPT 0x500
  EXPECT_LT(Load<std::uint64_t>(0x500), kStart);
  EXPECT_GT(Load<std::uint64_t>(0x500), kStart / 2);
  EXPECT_LE(page().cputm, Load<std::uint64_t>(0x500));
}

TEST_F(SyncRegisters, TheTodProgrammableRegisterIsTakenIfDirty) {
  page().todpr = 0x1234;
  cpu_.run->kvm_dirty_regs = abi::KVM_SYNC_ARCH0;
  Complete({0xb2, 0x78, 0x05, 0x00});  // STCKE 0x500
  EXPECT_EQ(Load<std::uint16_t>(0x50e), 0x1234);
  EXPECT_EQ(page().todpr, 0x1234);
}

TEST_F(SyncRegisters, TheGuestSetsTheTodProgrammableRegister) {
  General(0) = 0x5678;
  Complete({0x01, 0x07});  // SCKPF
  EXPECT_EQ(page().todpr, 0x5678);
}

TEST_F(SyncRegisters, TheProgramParameterIsKept) {
  page().pp = 0x9876;
  cpu_.run->kvm_dirty_regs = abi::KVM_SYNC_ARCH0;
  RunOnce();
  EXPECT_EQ(page().pp, 0x9876);
  page().pp = 1;
  RunOnce();
  EXPECT_EQ(page().pp, 0x9876);
}

TEST_F(SyncRegisters, ThePageFaultHandshakeIsTakenIfDirty) {
  page().pft = 0x1000;
  page().pfs = 0x2000;
  page().pfc = 0x3000;
  cpu_.run->kvm_dirty_regs = abi::KVM_SYNC_PFAULT;
  RunOnce();
  EXPECT_EQ(OneRegister(abi::KVM_REG_S390_PFTOKEN), 0x1000);
  EXPECT_EQ(OneRegister(abi::KVM_REG_S390_PFSELECT), 0x2000);
  EXPECT_EQ(OneRegister(abi::KVM_REG_S390_PFCOMPARE), 0x3000);
}

TEST_F(SyncRegisters, ThePageFaultHandshakeIsOverwrittenIfNotDirty) {
  page().pft = 0x1000;
  RunOnce();
  EXPECT_EQ(page().pft, ~std::uint64_t{0});
}

TEST_F(SyncRegisters, Diagnose318IsKeptIfDirty) {
  page().diag318 = 0x4b33;
  cpu_.run->kvm_dirty_regs = abi::KVM_SYNC_DIAG318;
  RunOnce();
  EXPECT_EQ(page().diag318, 0x4b33);
}

TEST_F(SyncRegisters, Diagnose318IsOverwrittenIfNotDirty) {
  page().diag318 = 0x4b33;
  RunOnce();
  EXPECT_EQ(page().diag318, 0);
}

TEST_F(SyncRegisters, ThePswIsAlwaysTaken) {
  RunOnce();
  Program({0x83, 0x00, 0x02, 0x88}, 0x12000);  // DIAG 0,0,0x288
  SetPsw(cpu_, kSupervisor, 0x12000);
  EXPECT_EQ(Run(cpu_), 0);
  EXPECT_EQ(cpu_.run->psw_addr, 0x12004);
  EXPECT_EQ(cpu_.run->s390_sieic.ipb, 0x02880000);
}

TEST_F(SyncRegisters, TheConditionCodeIsInThePsw) {
  constexpr std::uint64_t kConditionCode2 = std::uint64_t{2} << 44;
  Complete({0xb2, 0x22, 0x00, 0x40}, kSupervisor | kConditionCode2);  // IPM 4
  EXPECT_EQ(General(4) >> 28 & 3, 2);
  EXPECT_EQ(ConditionCode(), 2);
}

// Register numbers of KVM_{GET,SET}_ONE_REG.
struct OneRegisterCase {
  const char* name;
  std::uint64_t id;
  std::uint64_t value;
};
class OneRegisterOf : public OneCpu, public ::testing::WithParamInterface<OneRegisterCase> {};

TEST_P(OneRegisterOf, CanBeSetAndRead) {
  EXPECT_EQ(SetOneRegister(GetParam().id, GetParam().value), 0);
  EXPECT_EQ(OneRegister(GetParam().id), GetParam().value);
}

TEST_P(OneRegisterOf, SurvivesARun) {
  EXPECT_EQ(SetOneRegister(GetParam().id, GetParam().value), 0);
  Complete({});
  const std::uint64_t value = OneRegister(GetParam().id);
  if (GetParam().id == abi::KVM_REG_S390_CPU_TIMER) {  // it runs meanwhile
    constexpr std::uint64_t kDays = std::uint64_t{1} << 52;
    EXPECT_LE(value, GetParam().value);
    EXPECT_GT(value, GetParam().value - kDays);
  } else {
    EXPECT_EQ(value, GetParam().value);
  }
}

INSTANTIATE_TEST_SUITE_P(
    Register, OneRegisterOf,
    ::testing::Values(
        OneRegisterCase{"EPOCHDIFF", abi::KVM_REG_S390_EPOCHDIFF, 0x1000'0000'0000},
        OneRegisterCase{"CPU_TIMER", abi::KVM_REG_S390_CPU_TIMER, 0x7000'0000'0000'0000},
        OneRegisterCase{"CLOCK_COMP", abi::KVM_REG_S390_CLOCK_COMP, 0x6000'0000'0000'0000},
        OneRegisterCase{"PFTOKEN", abi::KVM_REG_S390_PFTOKEN, 0x1000},
        OneRegisterCase{"PFCOMPARE", abi::KVM_REG_S390_PFCOMPARE, 0x2000},
        OneRegisterCase{"PFSELECT", abi::KVM_REG_S390_PFSELECT, 0x3000},
        OneRegisterCase{"PP", abi::KVM_REG_S390_PP, 0x4000}),
    CaseName());

using OneRegisters = OneCpu;

TEST_F(OneRegisters, TodProgrammableHas32Bits) {
  std::uint32_t narrow[2] = {0x12345678, 0x9abcdef0};
  abi::kvm_one_reg request{abi::KVM_REG_S390_TODPR, reinterpret_cast<std::uintptr_t>(narrow)};
  EXPECT_EQ(Pass(cpu_.fd, abi::KVM_SET_ONE_REG, request), 0);
  std::uint32_t back[2] = {0, 0x55};
  request.addr = reinterpret_cast<std::uintptr_t>(back);
  EXPECT_EQ(Pass(cpu_.fd, abi::KVM_GET_ONE_REG, request), 0);
  EXPECT_EQ(back[0], 0x12345678);
  EXPECT_EQ(back[1], 0x55);
}

TEST_F(OneRegisters, UnknownNumbersAreInvalid) {
  for (const std::uint64_t id :
       {std::uint64_t{0}, abi::KVM_REG_S390_GBEA + 1, abi::KVM_REG_S390_TODPR | 0x10000000000000}) {
    EXPECT_EQ(SetOneRegister(id, 0), -EINVAL);
    std::uint64_t value = 0;
    abi::kvm_one_reg request{id, reinterpret_cast<std::uintptr_t>(&value)};
    EXPECT_EQ(Pass(cpu_.fd, abi::KVM_GET_ONE_REG, request), -EINVAL);
  }
}

TEST_F(OneRegisters, AValueThatCannotBeReadIsAFault) {
  abi::kvm_one_reg request{abi::KVM_REG_S390_PP, 8};
  EXPECT_EQ(Pass(cpu_.fd, abi::KVM_SET_ONE_REG, request), -EFAULT);
  EXPECT_EQ(Pass(cpu_.fd, abi::KVM_GET_ONE_REG, request), -EFAULT);
}

TEST_F(OneRegisters, ASetRegisterIsInTheRunStructureAfterARun) {
  EXPECT_EQ(SetOneRegister(abi::KVM_REG_S390_PP, 0x77), 0);
  EXPECT_EQ(cpu_.run->s.regs.pp, 0);
  Complete({});
  EXPECT_EQ(cpu_.run->s.regs.pp, 0x77);
}

TEST_F(OneRegisters, DirtyRegistersWin) {
  EXPECT_EQ(SetOneRegister(abi::KVM_REG_S390_PP, 0x77), 0);
  cpu_.run->s.regs.pp = 0x88;
  cpu_.run->kvm_dirty_regs = abi::KVM_SYNC_ARCH0;
  Complete({});
  EXPECT_EQ(OneRegister(abi::KVM_REG_S390_PP), 0x88);
}

}  // namespace
}  // namespace lethe::conformance
