// Instructions that branch and change authority, subspace or mode on the way.

#include <gtest/gtest.h>

#include <cstdint>

#include "emulated-host/cpu/control_authority.h"
#include "emulated-host/cpu/program_machine.h"

namespace lethe::emulated {
namespace {

constexpr std::uint64_t kSegmentTable = 0x10000;
constexpr std::uint64_t kPageTable = 0x11000;
constexpr std::uint64_t kSubspaceTable = 0x14000;
constexpr std::uint64_t kUnit = 0x20000;  // dispatchable-unit control table
constexpr std::uint64_t kBaseAste = 0x21000;
constexpr std::uint64_t kSubspaceAste = 0x21040;
constexpr std::uint64_t kAccessList = 0x22000;
constexpr std::uint64_t kBlock = 0x23000;  // trap control block
constexpr std::uint64_t kArea = 0x23fb0;   // lies in two pages
constexpr std::uint64_t kTarget = 0x3000;
constexpr std::uint64_t kSupervisor = ProgramMachine::kSupervisor;
constexpr std::uint64_t kProblem = ProgramMachine::kProblem;
constexpr std::uint64_t kDat = kSupervisor | Psw::kDat;
constexpr std::uint64_t kSubspaceGroup = Psw::Bit(54);
constexpr std::uint64_t kSpaceSwitch = Psw::Bit(57);

class ControlBranchTest : public testing::Test {
 protected:
  ControlBranchTest() {
    for (const std::uint64_t table : {kSegmentTable, kSubspaceTable}) {
      for (int i = 0; i < 512; ++i) machine_.Put<std::uint64_t>(table + 8 * i, 0x20);
      machine_.Put<std::uint64_t>(table, kPageTable);
    }
    for (std::uint64_t page = 0; page < 256; ++page) {
      machine_.Put<std::uint64_t>(kPageTable + 8 * page, page * kPageSize);
    }
    cpu_.SetControl(1, kSegmentTable | kSubspaceGroup);
    cpu_.SetControl(2, kUnit);
    cpu_.SetControl(3, 0xffff'0003);
    cpu_.SetControl(4, 0x0005'0001);
    cpu_.SetControl(5, kBaseAste);
    cpu_.SetControl(7, kSegmentTable);
    cpu_.SetControl(13, kSegmentTable);
    machine_.PutText(kTarget, "0a00");
  }

  ProgramMachine machine_;
  Cpu& cpu_ = machine_.cpu();
};

// --- BRANCH AND SET AUTHORITY --------------------------------------------------------------------

TEST_F(ControlBranchTest, AuthorityIsReducedAndRestored) {
  cpu_.gr(2) = 0xff00'0050;  // key mask: keys 0 to 7; key 5
  cpu_.gr(3) = kTarget;
  machine_.PutText(kTarget, "b25a0040 0a00");  // BSA 4,0
  machine_.PutText(ProgramMachine::kProgram + 4, "0a00");
  EXPECT_EQ(machine_.Run("b25a0023"), ProgramCode::kNone);
  EXPECT_EQ(machine_.EndPsw(), (Psw{kSupervisor, ProgramMachine::kProgram + 6}));
  EXPECT_EQ(cpu_.cr(3), 0xffff'0003u);
  EXPECT_EQ(cpu_.gr(4), kTarget + 4);
  EXPECT_EQ(machine_.Get<std::uint32_t>(kUnit + 20), 0xffff'0000u);
}

TEST_F(ControlBranchTest, ReducedAuthorityIsThatOfTheRegister) {
  cpu_.gr(2) = 0xff00'0050;
  cpu_.gr(3) = kTarget;
  EXPECT_EQ(machine_.Run("b25a0023"), ProgramCode::kNone);
  EXPECT_EQ(machine_.EndPsw().mask, kProblem | std::uint64_t{5} << 52);
  EXPECT_EQ(cpu_.cr(3), 0xff00'0003u);
  EXPECT_EQ(machine_.Get<std::uint32_t>(kUnit + 20), 0xffff'0008u);
  EXPECT_EQ(machine_.Get<std::uint64_t>(kUnit + 32), ProgramMachine::kProgram + 4);
  // Reduced authority must be undone first.
  EXPECT_EQ(machine_.Run("b25a0023"), ProgramCode::kSpecialOperation);
}

TEST_F(ControlBranchTest, AuthorityIsNotWonByReducingIt) {
  cpu_.SetControl(3, 0x8000'0000);
  cpu_.gr(2) = 0xffff'0050;
  cpu_.gr(3) = kTarget;
  EXPECT_EQ(machine_.Run("b25a0023", kProblem), ProgramCode::kPrivilegedOperation);
  EXPECT_EQ(machine_.Get<std::uint32_t>(kUnit + 20), 0u);
  EXPECT_EQ(machine_.Run("b25a0020", kProblem), ProgramCode::kSpecialOperation);
}

TEST_F(ControlBranchTest, TableOfTheUnitIsSubjectToLowAddressProtection) {
  cpu_.SetControl(0, kLowAddressProtection);
  cpu_.SetControl(2, 0x40);
  cpu_.gr(3) = kTarget;
  EXPECT_EQ(machine_.Run("b25a0023"), ProgramCode::kProtection);
}

// --- BRANCH IN SUBSPACE GROUP --------------------------------------------------------------------

class SubspaceTest : public ControlBranchTest {
 protected:
  SubspaceTest() {
    machine_.Put<std::uint32_t>(kUnit, kBaseAste);
    machine_.Put<std::uint32_t>(kUnit + 16, kAccessList);
    machine_.Put<std::uint32_t>(kBaseAste, 1);  // the base space
    machine_.Put<std::uint64_t>(kBaseAste + 8, kSegmentTable | kSubspaceGroup);
    machine_.Put<std::uint64_t>(kSubspaceAste + 8, kSubspaceTable | kSubspaceGroup);
    machine_.Put<std::uint32_t>(kSubspaceAste + 20, 77);
    // Entry 2: private, and nobody is authorized; that does not matter here.
    machine_.Put<std::uint32_t>(kAccessList + 2 * 16, 0x0100'ffff);
    machine_.Put<std::uint32_t>(kAccessList + 2 * 16 + 8, kSubspaceAste);
    machine_.Put<std::uint32_t>(kAccessList + 2 * 16 + 12, 77);
    cpu_.gr(3) = kTarget;
    cpu_.ar(3) = 2;
  }
};

TEST_F(SubspaceTest, BranchIntoASubspaceAndBack) {
  cpu_.SetControl(1, cpu_.cr(1) | kSpaceSwitch);
  EXPECT_EQ(machine_.Run("b2580023", kDat), ProgramCode::kNone);  // BSG 2,3
  EXPECT_EQ(machine_.EndPsw(), (Psw{kDat, kTarget + 2}));
  EXPECT_EQ(cpu_.gr(2), ProgramMachine::kProgram + 4);
  EXPECT_EQ(cpu_.cr(1), kSubspaceTable | kSubspaceGroup | kSpaceSwitch);
  EXPECT_EQ(cpu_.cr(7), cpu_.cr(1));
  EXPECT_EQ(cpu_.cr(3), 0xffff'0001u);
  EXPECT_EQ(machine_.Get<std::uint32_t>(kUnit + 4), 0x8000'0000u | kSubspaceAste);
  EXPECT_EQ(machine_.Get<std::uint32_t>(kUnit + 12), 77u);

  cpu_.ar(3) = 0;
  EXPECT_EQ(machine_.Run("b2580023", kDat), ProgramCode::kNone);
  EXPECT_EQ(cpu_.cr(1), kSegmentTable | kSubspaceGroup);
  EXPECT_EQ(machine_.Get<std::uint32_t>(kUnit + 4), kSubspaceAste);

  cpu_.ar(3) = 1;  // the last one again
  EXPECT_EQ(machine_.Run("b2580023", kDat), ProgramCode::kNone);
  EXPECT_EQ(cpu_.cr(1), kSubspaceTable | kSubspaceGroup);
}

TEST_F(SubspaceTest, OnlyTheGroupIsReached) {
  machine_.Put<std::uint64_t>(kSubspaceAste + 8, kSubspaceTable);  // not of any group
  EXPECT_EQ(machine_.Run("b2580023", kDat), ProgramCode::kSpecialOperation);
  cpu_.ar(3) = 1;  // no subspace was entered yet
  EXPECT_EQ(machine_.Run("b2580023", kDat), ProgramCode::kSpecialOperation);
  machine_.Put<std::uint32_t>(kUnit + 4, kSubspaceAste);
  EXPECT_EQ(machine_.Run("b2580023", kDat), ProgramCode::kAsteSequence);
  EXPECT_EQ(machine_.Get<std::uint8_t>(160), 3);
  machine_.Put<std::uint32_t>(kSubspaceAste, 0x8000'0000);
  EXPECT_EQ(machine_.Run("b2580023", kDat), ProgramCode::kAsteValidity);
  cpu_.SetControl(5, kSubspaceAste);  // primary space is not the base space
  EXPECT_EQ(machine_.Run("b2580023", kDat), ProgramCode::kSpecialOperation);
  EXPECT_EQ(machine_.Run("b2580023", kSupervisor), ProgramCode::kSpecialOperation);
}

TEST_F(SubspaceTest, ActiveSubspaceReplacesTheBaseSpace) {
  constexpr std::uint64_t kAsnFirstTable = 0x24000;
  cpu_.SetControl(14, kAsnFirstTable / kPageSize | Psw::Bit(44));
  machine_.Put<std::uint32_t>(kAsnFirstTable, kBaseAste - 9 * 64);  // ASN 9 is the base space
  machine_.Put<std::uint32_t>(kUnit + 4, 0x8000'0000u | kSubspaceAste);
  machine_.Put<std::uint32_t>(kUnit + 12, 77);
  // LASP 0(1),5: translates, no authorization of the secondary space.
  cpu_.gr(1) = ProgramMachine::kData;
  machine_.Put<std::uint64_t>(ProgramMachine::kData, 0x8000'0009'0000'0009);
  EXPECT_EQ(machine_.Run("e50010000005"), ProgramCode::kNone);
  EXPECT_EQ(machine_.Cc(), 0);
  EXPECT_EQ(cpu_.cr(1), kSubspaceTable | kSubspaceGroup);
  machine_.Put<std::uint32_t>(kUnit + 12, 78);
  EXPECT_EQ(machine_.Run("e50010000005"), ProgramCode::kNone);
  EXPECT_EQ(machine_.Cc(), 1);
}

// --- LOAD ADDRESS SPACE PARAMETERS ---------------------------------------------------------------

class ParametersTest : public ControlBranchTest {
 protected:
  static constexpr std::uint64_t kAsnFirstTable = 0x24000;
  static constexpr std::uint64_t kAsnSecondTable = 0x25000;
  static constexpr std::uint64_t kAuthorityTable = 0x26000;

  ParametersTest() {
    cpu_.SetControl(14, kAsnFirstTable / kPageSize | Psw::Bit(44));
    machine_.Put<std::uint32_t>(kAsnFirstTable, kAsnSecondTable);
    for (std::uint64_t asn = 0; asn < 64; ++asn) {
      machine_.Put<std::uint32_t>(kAsnSecondTable + asn * 64, 0x8000'0000);
    }
    for (const std::uint64_t asn : {7, 8}) {
      machine_.Put<std::uint32_t>(kAsnSecondTable + asn * 64, kAuthorityTable);
      machine_.Put<std::uint16_t>(kAsnSecondTable + asn * 64 + 4, static_cast<std::uint16_t>(asn));
      machine_.Put<std::uint64_t>(kAsnSecondTable + asn * 64 + 8, kSubspaceTable + asn);
    }
    cpu_.gr(1) = ProgramMachine::kData;
  }

  int Load(std::uint64_t parameters, const char* text = "e50010000000") {
    machine_.Put<std::uint64_t>(ProgramMachine::kData, parameters);
    EXPECT_EQ(machine_.Run(text), ProgramCode::kNone);
    return machine_.Cc();
  }
};

TEST_F(ParametersTest, SpacesAreTranslatedAndAuthorized) {
  EXPECT_EQ(Load(0x1234'0008'0000'0007), 2);  // index 7 is not authorized
  machine_.Put<std::uint8_t>(kAuthorityTable + 1, 0x01);
  EXPECT_EQ(Load(0x1234'0008'0000'0007), 0);
  EXPECT_EQ(cpu_.cr(1), kSubspaceTable + 7);
  EXPECT_EQ(cpu_.cr(3), 0x1234'0008u);
  EXPECT_EQ(cpu_.cr(4), 0x0007'0007u);
  EXPECT_EQ(cpu_.cr(5), kAsnSecondTable + 7 * 64);
  EXPECT_EQ(cpu_.cr(7), kSubspaceTable + 8);
}

TEST_F(ParametersTest, OptionsReplaceTheIndexAndSkipTheAuthorization) {
  EXPECT_EQ(Load(0x1234'0008'0055'0007, "e50010000003"), 0);
  EXPECT_EQ(cpu_.cr(4), 0x0055'0007u);
}

TEST_F(ParametersTest, PresentSpacesNeedNoTranslation) {
  EXPECT_EQ(Load(0x4321'0003'0000'0001, "e50010000001"), 0);
  EXPECT_EQ(cpu_.cr(1), kSegmentTable | kSubspaceGroup);
  EXPECT_EQ(cpu_.cr(3), 0x4321'0003u);
  EXPECT_EQ(cpu_.cr(7), kSegmentTable);
}

TEST_F(ParametersTest, UnavailableSpacesAreToldApart) {
  const std::uint64_t before = cpu_.cr(3);
  EXPECT_EQ(Load(0x1234'0008'0000'0009), 1);
  EXPECT_EQ(Load(0x1234'0009'0000'0007), 2);
  machine_.Put<std::uint64_t>(kAsnSecondTable + 7 * 64 + 8, kSubspaceTable | kSpaceSwitch);
  EXPECT_EQ(Load(0x1234'0007'0000'0007), 3);
  EXPECT_EQ(cpu_.cr(3), before);
  cpu_.SetControl(14, 0);
  EXPECT_EQ(machine_.Run("e50010000000"), ProgramCode::kSpecialOperation);
  EXPECT_EQ(machine_.Run("e50010000000", kProblem), ProgramCode::kPrivilegedOperation);
}

// --- RESUME PROGRAM ------------------------------------------------------------------------------

class ResumeTest : public ControlBranchTest {
 protected:
  ResumeTest() {
    cpu_.gr(6) = ProgramMachine::kData;
    machine_.Put<std::uint64_t>(ProgramMachine::kData, Psw::kBasicAddressing | Psw::Bit(18));
    machine_.Put<std::uint64_t>(ProgramMachine::kData + 8, kTarget);
    machine_.Put<std::uint32_t>(ProgramMachine::kData + 16, 0x1111'2222);
    machine_.Put<std::uint64_t>(ProgramMachine::kData + 24, 0x3333'4444'5555'6666);
  }
};

TEST_F(ResumeTest, LongFields) {
  EXPECT_EQ(machine_.Run("b2776000 0006 0000 0010 0018"), ProgramCode::kNone);
  EXPECT_EQ(machine_.EndPsw(), (Psw{Psw::kBasicAddressing | Psw::Bit(18), kTarget + 2}));
  EXPECT_EQ(cpu_.ar(6), 0x1111'2222u);
  EXPECT_EQ(cpu_.gr(6), 0x3333'4444'5555'6666u);
}

TEST_F(ResumeTest, ShortAndDisjointFields) {
  machine_.Put<std::uint64_t>(ProgramMachine::kData, Psw::kShort | Psw::kBasicAddressing | kTarget);
  EXPECT_EQ(machine_.Run("b2776000 0000 0000 0010 0018"), ProgramCode::kNone);
  EXPECT_EQ(machine_.EndPsw(), (Psw{Psw::kBasicAddressing, kTarget + 2}));
  EXPECT_EQ(cpu_.gr(6), 0x3333'4444u);
  cpu_.gr(6) = ProgramMachine::kData;
  EXPECT_EQ(machine_.Run("b2776000 0003 0000 0010 0018 001c"), ProgramCode::kNone);
  EXPECT_EQ(cpu_.gr(6), 0x5555'6666'3333'4444u);
}

TEST_F(ResumeTest, NeverGivesAuthority) {
  // Key 0, interruptions and the supervisor state of the saved PSW do not count.
  EXPECT_EQ(machine_.Run("b2776000 0006 0000 0010 0018", kProblem | std::uint64_t{5} << 52),
            ProgramCode::kNone);
  EXPECT_EQ(machine_.EndPsw().mask,
            Psw::kBasicAddressing | Psw::Bit(18) | Psw::kProblemState | std::uint64_t{5} << 52);
  cpu_.gr(6) = ProgramMachine::kData;
  machine_.Put<std::uint64_t>(ProgramMachine::kData, std::uint64_t{3} << 46);  // home space
  EXPECT_EQ(machine_.Run("b2776000 0006 0000 0010 0018", kProblem | Psw::kDat),
            ProgramCode::kPrivilegedOperation);
}

TEST_F(ResumeTest, InvalidParametersChangeNothing) {
  EXPECT_EQ(machine_.Run("b2776000 0008 0000 0010 0018"), ProgramCode::kSpecification);
  machine_.Put<std::uint64_t>(ProgramMachine::kData + 8, kTarget + 1);
  EXPECT_EQ(machine_.Run("b2776000 0006 0000 0010 0018"), ProgramCode::kSpecification);
  machine_.Put<std::uint64_t>(ProgramMachine::kData + 8, std::uint64_t{1} << 31);
  EXPECT_EQ(machine_.Run("b2776000 0006 0000 0010 0018"), ProgramCode::kSpecification);
  EXPECT_EQ(cpu_.gr(6), ProgramMachine::kData);
  EXPECT_EQ(cpu_.ar(6), 0u);
}

TEST_F(ResumeTest, LeavingHomeSpaceMayBeAnEvent) {
  cpu_.SetControl(4, 0x1234);
  cpu_.SetControl(13, kSegmentTable | kSpaceSwitch);
  EXPECT_EQ(machine_.Run("b2776000 0006 0000 0010 0018", kDat | std::uint64_t{3} << 46),
            ProgramCode::kSpaceSwitch);
  EXPECT_EQ(machine_.TranslationException(), 0x8000'0000u);
  EXPECT_EQ(machine_.ProgramOldPsw(),
            (Psw{Psw::kDat | Psw::kBasicAddressing | Psw::Bit(18), kTarget}));
}

// --- TRAP ----------------------------------------------------------------------------------------

class TrapTest : public ControlBranchTest {
 protected:
  TrapTest() {
    machine_.Put<std::uint32_t>(kUnit + 44, kBlock | 1);
    machine_.Put<std::uint32_t>(kBlock, 0x6'0000);  // long PSW, long registers
    machine_.Put<std::uint32_t>(kBlock + 12, kArea);
    machine_.Put<std::uint32_t>(kBlock + 20, kTarget);
    for (int i = 0; i < 16; ++i) cpu_.gr(i) = 0x1'0000'0000 + i;
    cpu_.ar(15) = 0x99;
  }
};

TEST_F(TrapTest, StateIsSaved) {
  EXPECT_EQ(machine_.Run("b2ff5004", kDat | std::uint64_t{1} << 46), ProgramCode::kNone);
  EXPECT_EQ(machine_.EndPsw(), (Psw{Psw::kDat | Psw::kBasicAddressing, kTarget + 2}));
  EXPECT_EQ(machine_.Get<std::uint32_t>(kArea), 0x4004'0000u);
  EXPECT_EQ(machine_.Get<std::uint32_t>(kArea + 8), 9u);  // the operand's address
  EXPECT_EQ(machine_.Get<std::uint32_t>(kArea + 12), 0x99u);
  EXPECT_EQ(machine_.Get<std::uint64_t>(kArea + 16), kDat | std::uint64_t{1} << 46);
  EXPECT_EQ(machine_.Get<std::uint64_t>(kArea + 24), ProgramMachine::kProgram + 4);
  EXPECT_EQ(machine_.Get<std::uint64_t>(kArea + 32), 0x1'0000'0000u);
  EXPECT_EQ(machine_.Get<std::uint64_t>(kArea + 32 + 15 * 8), 0x1'0000'000fu);
  EXPECT_EQ(cpu_.gr(15), kBlock);
}

TEST_F(TrapTest, ShortStateOfAnExecutedTrap) {
  machine_.Put<std::uint32_t>(kBlock, 0);
  machine_.PutText(0x3100, "01ff");
  constexpr std::uint64_t k31Bit = Psw::kDat | Psw::kBasicAddressing;
  EXPECT_EQ(machine_.Run("c60000000880", k31Bit), ProgramCode::kNone);  // EXRL 0,0x3100
  EXPECT_EQ(machine_.Get<std::uint32_t>(kArea), 0x8006'0000u);
  EXPECT_EQ(machine_.Get<std::uint64_t>(kArea + 16),
            k31Bit | Psw::kShort | (ProgramMachine::kProgram + 6));
  EXPECT_EQ(machine_.Get<std::uint32_t>(kArea + 32 + 15 * 4), 15u);
  EXPECT_EQ(cpu_.gr(15), 0x1'0000'0000 | kBlock);
}

TEST_F(TrapTest, MustBeEnabledAndSavable) {
  EXPECT_EQ(machine_.Run("01ff", kSupervisor), ProgramCode::kSpecialOperation);
  EXPECT_EQ(machine_.Run("01ff", kDat | std::uint64_t{2} << 46), ProgramCode::kSpecialOperation);
  machine_.Put<std::uint32_t>(kBlock, 0);  // no room for the 64-bit mode
  EXPECT_EQ(machine_.Run("01ff", kDat), ProgramCode::kSpecialOperation);
  machine_.Put<std::uint32_t>(kUnit + 44, kBlock);
  EXPECT_EQ(machine_.Run("01ff", kDat), ProgramCode::kSpecialOperation);
}

}  // namespace
}  // namespace lethe::emulated
